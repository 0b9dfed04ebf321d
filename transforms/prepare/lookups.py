"""Values from public tables: `lookup(column, 'file.csv', 'value_column' [, 'key_column'])`.

The table is public, the same for every row, and is read before any row. Keys are compared as text:
7, 7.0 and '7' are one key, as they are one privacy unit. What the table does not have is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from transforms.prepare.function import Function, Parameter, constant, some_text
from transforms.prepare.kinds import ANY, Typed, column
from transforms.prepare.operators import as_text

LOOKUP = "lookup"


@dataclass(frozen=True)
class LookupFile:
    """Two columns of a public file that an expression asks for.

    Attributes:
        file: Its name, as in the expression.
        key: Column that is looked up.
        value: Column that is returned.
    """

    file: str
    key: str
    value: str


@dataclass(frozen=True, eq=False)
class LookupTable:
    """A public table of keys and values.

    Attributes:
        keys: Distinct text.
        values: One value per key, in canonical types.
    """

    keys: pl.Series
    values: pl.Series


def lookup_table(rows: pl.DataFrame, wanted: LookupFile) -> LookupTable:
    """Makes a lookup table of the rows of a public file.

    Raises:
        ValueError: A key is empty or there more than once, or a column has a type that expressions
            cannot use.
    """
    try:
        key = column(wanted.key, rows.schema[wanted.key])
        value = column(wanted.value, rows.schema[wanted.value])
    except TypeError as error:
        raise ValueError(str(error)) from None
    table = rows.select(as_text(key).alias("key"), value.expr.alias("value"))
    if table["key"].null_count():
        raise ValueError(f"{wanted.file} has empty values of {wanted.key!r}; allowed: none")
    repeated = table["key"].filter(table["key"].is_duplicated())
    if len(repeated):
        raise ValueError(
            f"{wanted.file} has {repeated[0]!r} more than once in {wanted.key!r}; allowed: once"
        )
    return LookupTable(table["key"], table["value"])


def lookup_function(tables: Mapping[LookupFile, LookupTable]) -> Function:
    """Returns the function `lookup` for the tables that were read; others are not known yet."""

    def result(arguments: Any) -> pl.DataType | None:
        table = tables.get(LookupFile(arguments[1], arguments[3], arguments[2]))
        return None if table is None else table.values.dtype

    def build(searched: Typed, file: str, value: str, key: str) -> pl.Expr:
        table = tables[LookupFile(file, key, value)]
        found: pl.Expr = as_text(searched).replace_strict(
            table.keys, table.values, default=None, return_dtype=table.values.dtype
        )
        return found

    text = constant(some_text)
    parameters = (Parameter(ANY), text, text, text)
    usage = "lookup(column, 'file.csv', 'value_column' [, 'key_column'])"
    return Function(LOOKUP, usage, parameters, result, build)
