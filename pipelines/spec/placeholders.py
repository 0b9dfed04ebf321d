"""Placeholders of a config for the period of a release: `events/{period}/*.parquet`."""

from __future__ import annotations

from collections.abc import Mapping

PLACEHOLDERS = ("{period}", "{first}", "{last}")
"""The name of the period, and its first and last day."""


def has_placeholder(text: str) -> bool:
    """Returns whether a text has a placeholder."""
    return any(name in text for name in PLACEHOLDERS)


def filled(text: str, values: Mapping[str, str]) -> str:
    """Returns a text with its placeholders replaced.

    Args:
        text: The text; all that is no placeholder stays.
        values: What stands for each of `PLACEHOLDERS`; none where there is no period.
    """
    for name, value in values.items():
        text = text.replace(name, value)
    return text
