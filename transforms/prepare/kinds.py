"""Types of values in expressions.

Every column enters an expression in canonical form (`transforms.rows`), so an expression sees few
types: text, whole numbers of 64 bits, double precision numbers without NaN, booleans, dates and
timestamps of the years 1 to 9999. Whole numbers fit where numbers are asked for; a null fits
everywhere; all else takes a CAST.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import polars as pl

from transforms.rows import canonical_type, identity


class Kind(Enum):
    """What a value is, in words for messages."""

    TEXT = "text"
    WHOLE = "whole numbers"
    NUMBER = "numbers"
    BOOLEAN = "booleans"
    DATE = "dates"
    TIMESTAMP = "timestamps"
    NULL = "null"


NUMBERS = (Kind.NUMBER, Kind.WHOLE)
TIMES = (Kind.TIMESTAMP, Kind.DATE)
ANY = (Kind.TEXT, Kind.WHOLE, Kind.NUMBER, Kind.BOOLEAN, Kind.DATE, Kind.TIMESTAMP)

TEXT = pl.String()
WHOLE = pl.Int64()
NUMBER = pl.Float64()
BOOLEAN = pl.Boolean()
DATE = pl.Date()
LOCAL = pl.Datetime("us")
INSTANT = pl.Datetime("us", "UTC")

_OF_KIND: dict[Kind, pl.DataType] = {
    Kind.TEXT: TEXT,
    Kind.WHOLE: WHOLE,
    Kind.NUMBER: NUMBER,
    Kind.BOOLEAN: BOOLEAN,
    Kind.DATE: DATE,
    Kind.TIMESTAMP: INSTANT,
}


@dataclass(frozen=True)
class Typed:
    """An expression with its type.

    Attributes:
        expr: Its values.
        dtype: Their type: one of those above, UInt64, a timestamp in another zone, or Null.
    """

    expr: pl.Expr
    dtype: pl.DataType


def in_words(kinds: Sequence[Kind]) -> str:
    """Returns kinds for a message; whole numbers are numbers."""
    named = [kind for kind in kinds if kind != Kind.WHOLE or Kind.NUMBER not in kinds]
    return ", ".join(kind.value for kind in named)


def kind_of(dtype: pl.DataType) -> Kind | None:
    """Returns the kind of values of a type; None if expressions cannot use them."""
    if dtype.is_integer():
        return Kind.WHOLE
    if dtype.is_float() or dtype.is_decimal():
        return Kind.NUMBER
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return Kind.TEXT
    if isinstance(dtype, pl.Datetime):
        return Kind.TIMESTAMP
    return {pl.Boolean: Kind.BOOLEAN, pl.Date: Kind.DATE, pl.Null: Kind.NULL}.get(type(dtype))


def column(name: str, dtype: pl.DataType) -> Typed:
    """Returns a column in canonical form; decimals become Float64.

    Raises:
        TypeError: Expressions cannot use the type.
    """
    if kind_of(dtype) is None:
        raise TypeError(
            f"column {name!r} has the type {dtype}; allowed in expressions: {in_words(ANY)}"
        )
    if dtype.is_decimal():
        return Typed(pl.col(name).cast(pl.Float64), NUMBER)
    return Typed(identity(name, dtype), canonical_type(name, dtype))


def common_type(types: Sequence[pl.DataType | None]) -> pl.DataType | None:
    """Returns the type that values of several types are compared or returned in.

    Args:
        types: The types; None where one is not known yet.

    Returns:
        The type; None if it cannot be told yet.

    Raises:
        ValueError: They have no common type.
    """
    known = [dtype for dtype in types if dtype is not None and dtype != pl.Null]
    if not known:
        return None if None in types else pl.Null()
    if all(dtype == known[0] for dtype in known):
        result = known[0]
    else:
        kinds = {kind_of(dtype) for dtype in known}
        if kinds == {Kind.WHOLE}:
            result = WHOLE
        elif kinds <= {*NUMBERS}:
            result = NUMBER
        elif kinds <= {*TIMES}:
            result = INSTANT
        else:
            names = sorted({kind.value for kind in kinds if kind})
            raise ValueError(f"mixes {' and '.join(names)}; allowed: one kind, or a CAST")
    return None if None in types and kind_of(result) in (*NUMBERS, *TIMES) else result


def convert(value: Typed, dtype: pl.DataType) -> pl.Expr:
    """Returns a value in a type that `common_type` found; what does not fit is null."""
    if value.dtype == dtype:
        return value.expr
    if isinstance(dtype, pl.Datetime) and value.dtype != pl.Null:
        return instant(value)
    return value.expr.cast(dtype, strict=False)


def instant(value: Typed) -> pl.Expr:
    """Returns a date or timestamp in UTC; one without a zone is taken to be in UTC."""
    if isinstance(value.dtype, pl.Datetime) and value.dtype.time_zone is not None:
        return value.expr.dt.convert_time_zone("UTC")
    return value.expr.cast(LOCAL).dt.replace_time_zone("UTC")


def default_type(kind: Kind) -> pl.DataType:
    """Returns the type that a null takes where values of a kind are asked for."""
    return _OF_KIND[kind]


def without_nan(number: pl.Expr) -> pl.Expr:
    """Returns a number, null where it is NaN."""
    return number.fill_nan(None)


def wide(whole: pl.Expr) -> pl.Expr:
    """Returns a whole number in 128 bits, where sums and products of two cannot overflow."""
    return whole.cast(pl.Int128)


def narrow(whole: pl.Expr) -> pl.Expr:
    """Returns a whole number in 64 bits, null where it does not fit."""
    return whole.cast(pl.Int64, strict=False)
