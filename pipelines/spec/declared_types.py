"""Holds expressions against types, and names the type in `input.types` that a column lacks.

The columns of text files, of names of folders and of BigQuery are text unless a config says
otherwise, so `date(day)` fails where nothing says that `day` is a date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import polars as pl

from pipelines.spec.errors import KeyPath
from pipelines.spec.expressions import found_problems
from pipelines.spec.input_spec import InputSpec
from transforms.text_types import POLARS_TYPES, ColumnType

if TYPE_CHECKING:
    from transforms.prepare.preparation import Preparation

_TRIED: tuple[ColumnType, ...] = ("date", "timestamp", "int", "float", "bool")


def type_problems(
    preparation: Preparation,
    types: Mapping[str, pl.DataType],
    paths: Mapping[str | None, KeyPath],
    source: InputSpec,
) -> Iterator[tuple[KeyPath, str, int]]:
    """Yields what does not fit in expressions, with the types that would, if they may be declared.

    Args:
        preparation: The expressions.
        types: Types of the columns of the input.
        paths: Place of each derived column in the config, and of `where` under None.
        source: What the config says of the input.
    """
    named = {(paths[place.column], place.at): column for place, column in preparation.named_columns}
    for path, message, at in _problems(preparation, types, paths):
        column = named.get((path, at))
        if column is None or column in source.columns or not source.declares_type(column):
            yield path, message, at
            continue
        fit = []
        for kind in _TRIED:
            left = _problems(preparation, {**types, column: POLARS_TYPES[kind]}, paths)
            if (path, at) not in [(other, place) for other, _, place in left]:
                fit.append(kind)
        yield path, message + _hint(column, fit), at


def _problems(
    preparation: Preparation,
    types: Mapping[str, pl.DataType],
    paths: Mapping[str | None, KeyPath],
) -> list[tuple[KeyPath, str, int]]:
    try:
        preparation.schema(types)
    except ValueError as error:
        return list(found_problems(error, paths))
    return []


def _hint(column: str, fit: list[ColumnType]) -> str:
    if not fit:
        return ""
    first, *others = fit
    more = f" (or {', '.join(others)})" if others else ""
    return f"; add input.types: {{{column}: {first}}}{more}, if that is what it has"
