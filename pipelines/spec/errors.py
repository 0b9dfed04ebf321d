"""What is wrong with a config, as plain lines that a person can act on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

KeyPath = tuple[str | int, ...]
"""Way from the top of a config to a value: `("tables", "by_country", "keys", 0)`."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a config file.

    Attributes:
        file: The config file, as the user named it.
        message: What is wrong and what is allowed.
        path: The place in words: `tables.by_country.keys[0]`; empty for the file as a whole.
        line: Line in the file, from 1; None when there is no text to point at.
        column: Column in the line, from 1; None when there is no text to point at.
    """

    file: str
    message: str
    path: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = [self.file, self.line, self.column]
        start = ":".join(str(part) for part in place if part is not None)
        return ": ".join(part for part in (start, self.path, self.message) if part)


class ConfigError(Exception):
    """A config cannot be used; its text is one line per problem.

    Attributes:
        problems: All problems found, in the order of the file.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.line or 0, p.column or 0)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def format_path(path: KeyPath) -> str:
    """Returns a path as it is written in messages: `tables.by_country.keys[0]`."""
    return "".join(_format_step(step) for step in path).removeprefix(".")


def _format_step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step if step.isprintable() else repr(step)}"


def describe(value: Any) -> str:
    """Returns what a config value is, to continue the sentence 'the value ...'."""
    match value:
        case None:
            return "is empty"
        case bool():
            return f"is {str(value).lower()}"
        case str():
            return f"is the text {value!r}" if value else "is empty text"
        case int() | float():
            return f"is the number {value}"
        case list() | tuple():
            return "is a list" if value else "is an empty list"
        case _:
            return "is a mapping" if value else "is an empty mapping"


def did_you_mean(value: Any, allowed: Iterable[str]) -> str:
    """Returns `; did you mean 'x'?` for the closest allowed word, or nothing if none is close."""
    closest = closest_word(value, list(allowed))
    return f"; did you mean {closest!r}?" if closest else ""


def closest_word(value: Any, allowed: Sequence[str]) -> str | None:
    """Returns the allowed word that a misspelt value is closest to, or None."""
    if not isinstance(value, str):
        return None
    by_lower_case = {word.lower(): word for word in allowed}
    matches = get_close_matches(value.lower(), by_lower_case, n=1)
    return by_lower_case[matches[0]] if matches else None
