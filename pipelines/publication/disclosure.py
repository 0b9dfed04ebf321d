"""What a release discloses: 26 points, each with where it comes from."""

from __future__ import annotations

from typing import Any

from pipelines.publication import (
    points_of_guarantee,
    points_of_mechanics,
    points_of_operation,
    points_of_utility,
)
from pipelines.publication.content import Content

_POINTS = (
    *points_of_guarantee.POINTS,
    *points_of_mechanics.POINTS,
    *points_of_utility.POINTS,
    *points_of_operation.POINTS,
)


def disclosure(content: Content) -> list[dict[str, Any]]:
    """Returns the 26 points as JSON values.

    Each has its number, a title, a statement, the places that it comes from, and the keys of
    `about` that it would need and the config does not have.

    Raises:
        ValueError: The plan file holds no plan.
    """
    return [_point(content, number, make(content)) for number, make in enumerate(_POINTS, 1)]


def statements(content: Content) -> dict[int, str]:
    """Returns the statement of each point by its number."""
    return {number: make(content).statement for number, make in enumerate(_POINTS, 1)}


def _point(content: Content, number: int, point: Any) -> dict[str, Any]:
    asked = [
        source.removeprefix("about.") for source in point.sources if source.startswith("about.")
    ]
    return {
        "point": number,
        "title": point.title,
        "statement": point.statement,
        "sources": list(point.sources),
        "not_stated": [name for name in asked if name not in content.facts.about],
    }
