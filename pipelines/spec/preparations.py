"""The preparation of a release, with the public tables that its expressions look into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.spec.expressions import expression_problems, make_preparation
from pipelines.spec.key_files import read_columns
from pipelines.spec.load import LoadedRelease
from pipelines.spec.source import ProblemList

if TYPE_CHECKING:
    from transforms.prepare.lookups import LookupFile, LookupTable
    from transforms.prepare.preparation import Preparation

MAX_LOOKUP_ROWS = 1_000_000
"""Rows of a public table that expressions look into; it travels to every worker."""


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
