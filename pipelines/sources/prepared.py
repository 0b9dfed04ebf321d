"""Holds expressions and the columns that they make against the columns of the input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from pipelines.sources.check import check_type
from pipelines.sources.inputs import Schema
from pipelines.spec import KeyPath, LoadedRelease, ProblemList
from pipelines.spec.declared_types import type_problems

if TYPE_CHECKING:
    from transforms.prepare.preparation import Preparation


def prepared_schema(
    release: LoadedRelease, preparation: Preparation | None, schema: Schema
) -> Schema:
    """Returns the types of the columns of prepared rows.

    Args:
        release: The release series.
        preparation: Its filters and derived columns.
        schema: Types of the columns that are read.

    Returns:
        The types of these and of derived columns.

    Raises:
        ConfigError: An expression does not fit the input, or a derived column has a type that does
            not fit where it is used; at the position in the config.
    """
    if preparation is None:
        return schema
    problems = ProblemList(release.source)
    known = ", ".join(f"{name} ({dtype})" for name, dtype in schema.items())
    spec = release.spec
    for path, message, at in type_problems(preparation, schema, spec.expression_paths, spec.input):
        problems.add(path, f"{message}; the columns that are read: {known}", at=at)
    problems.raise_if_any()
    prepared = preparation.schema(schema)
    for path, message in _misused(release, prepared):
        problems.add(path, message)
    problems.raise_if_any()
    return prepared


def _misused(
    release: LoadedRelease, prepared: dict[str, pl.DataType]
) -> Iterator[tuple[KeyPath, str]]:
    for path, column, role in release.spec.named_columns():
        if column not in release.spec.derived_columns:
            continue
        try:
            check_type(column, prepared[column], role)
        except TypeError as error:
            yield path, str(error)
