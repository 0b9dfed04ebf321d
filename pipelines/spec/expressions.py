"""The expressions of a config: where they stand, and the public tables that they look into.

What expressions mean is in `transforms.prepare`, which is imported when a config has some: the
libraries behind it take a third of a second to load.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pipelines.spec.errors import KeyPath
from pipelines.spec.key_files import read_columns
from pipelines.spec.source import ProblemList

if TYPE_CHECKING:
    from pipelines.spec.load import LoadedRelease
    from transforms.prepare.lookups import LookupFile, LookupTable
    from transforms.prepare.preparation import Preparation

MAX_LOOKUP_ROWS = 1_000_000
"""Rows of a public table that expressions look into; it travels to every worker."""

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


def release_preparation(release: LoadedRelease) -> Preparation | None:
    """Returns the preparation of a release with the tables of its lookups; None if there is none.

    Raises:
        ConfigError: A public table cannot be used.
    """
    preparation = release.spec.preparation
    if preparation is None:
        return None
    problems = ProblemList(release.source)
    paths = release.spec.expression_paths
    tables: dict[LookupFile, LookupTable] = {}
    for place, wanted in preparation.lookups:
        try:
            if wanted not in tables:
                tables[wanted] = _read_table(release, wanted)
        except ValueError as error:
            problems.add(paths[place.column], str(error), at=place.at)
    problems.raise_if_any()
    columns, where = preparation.columns, preparation.where
    for path, message, at in expression_problems(columns, where, paths, tables):
        problems.add(path, message, at=at)
    problems.raise_if_any()
    return make_preparation(columns, where, tables)


def _read_table(release: LoadedRelease, wanted: LookupFile) -> LookupTable:
    from transforms.prepare.lookups import lookup_table

    file = release.resolve(wanted.file)
    rows = read_columns(file, list(dict.fromkeys([wanted.key, wanted.value])), what="key file")
    if rows.height > MAX_LOOKUP_ROWS:
        raise ValueError(f"{file} has {rows.height} rows; allowed: at most {MAX_LOOKUP_ROWS}")
    return lookup_table(rows, wanted)
