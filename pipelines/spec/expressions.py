"""The expressions of a config: where they stand, and what is wrong with them.

What expressions mean is in `transforms.prepare`, which is imported when a config has some: the
libraries behind it take a third of a second to load.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pipelines.spec.errors import KeyPath

if TYPE_CHECKING:
    from transforms.prepare.lookups import LookupFile, LookupTable
    from transforms.prepare.preparation import Preparation

WHERE: KeyPath = ("input", "where")


def is_expression(unit: str) -> bool:
    """Returns whether an entry of `privacy.unit` is an expression and not the name of a column."""
    return "(" in unit or "::" in unit


def make_preparation(
    columns: Mapping[str, str],
    where: str | None,
    tables: Mapping[LookupFile, LookupTable] | None = None,
) -> Preparation | None:
    """Returns the preparation that expressions describe; None if there are none.

    Args:
        columns: Expressions of derived columns by name.
        where: Condition that rows must fulfil.
        tables: The public tables of lookups, if they were read.

    Raises:
        PreparationError: Something is wrong with an expression.
    """
    if not columns and where is None:
        return None
    from transforms.prepare.preparation import Preparation

    return Preparation(columns, where, tables or {})


def expression_problems(
    columns: Mapping[str, str],
    where: str | None,
    paths: Mapping[str | None, KeyPath],
    tables: Mapping[LookupFile, LookupTable] | None = None,
) -> Iterator[tuple[KeyPath, str, int]]:
    """Yields what is wrong with expressions that can be told without the input.

    Args:
        columns: Expressions of derived columns by name.
        where: Condition that rows must fulfil.
        paths: Place of each derived column in the config, and of `where` under None.
        tables: The public tables of lookups, if they were read.
    """
    try:
        make_preparation(columns, where, tables)
    except ValueError as error:
        yield from found_problems(error, paths)


def found_problems(
    error: ValueError, paths: Mapping[str | None, KeyPath]
) -> Iterator[tuple[KeyPath, str, int]]:
    """Yields the problems of a `PreparationError` with their places in the config.

    Args:
        error: The error.
        paths: Place of each derived column, and of `where` under None.
    """
    from transforms.prepare.preparation import PreparationError

    if not isinstance(error, PreparationError):
        raise error
    for place, message in error.problems:
        yield paths[place.column], message, place.at
