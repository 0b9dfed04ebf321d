"""One of the points that a release discloses, and what most of them are written with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipelines.publication.content import Content


@dataclass(frozen=True)
class Point:
    """One point of a disclosure.

    Attributes:
        title: What it is about.
        statement: What is disclosed, in words.
        sources: Where that comes from: places of `plan.json`, keys of `about` in the config, and
            `dp-release` for what the program is built to do.
    """

    title: str
    statement: str
    sources: tuple[str, ...]


def said(content: Content, name: str, what: str) -> str:
    """Returns a sentence with what the publisher says, or that it is not stated."""
    text = content.said(name)
    return f"{what}: {text}{'' if text.endswith(('.', '!', '?')) else '.'}"


def listed(parts: Iterable[Any], nothing: str = "none") -> str:
    """Returns parts with commas between them."""
    return ", ".join(map(str, parts)) or nothing


def budget_in_words(content: Content) -> str:
    """Returns the budget: `epsilon 1 and delta 1e-08`."""
    privacy = content.stated.privacy
    delta = f" and delta {privacy.delta:g}" if privacy.delta else ", with delta 0"
    return f"{privacy.stated_as} {privacy.stated:g}{delta}"


def time_scope(content: Content) -> str:
    """Returns over which time a unit is one, as far as its columns say."""
    facts = content.facts
    if facts.window is None:
        return "over the whole input of the release, whose days are not stated"
    return f"over the whole input of the release, {facts.window[0]} to {facts.window[1]}"
