"""Numeric bins: `bin(x, 10)` and `bin(x, [0, 18, 30])`.

A value becomes the lower edge of its bin, a number: it sorts, and it joins with other tables. The
bins are [edge, next edge). With edges, the last bin has no end, and what is below the first edge is
null; with a width, infinities are null.
"""

from __future__ import annotations

from decimal import Decimal
from functools import reduce
from typing import Any

import polars as pl

from transforms.prepare.floats import floored
from transforms.prepare.function import Function, constant, of
from transforms.prepare.kinds import NUMBER, NUMBERS, WHOLE, Kind, Typed, kind_of, narrow, wide

_MOST_EDGES = 100


def bins(value: Any) -> None:
    """Raises a ValueError when a constant is neither a width nor a list of edges."""
    if isinstance(value, tuple):
        numbers = all(type(edge) in (int, float) for edge in value)
        if not (numbers and 1 <= len(value) <= _MOST_EDGES and sorted({*value}) == [*value]):
            raise ValueError(
                f"is {list(value)}; allowed: from 1 to {_MOST_EDGES} numbers, the smallest first"
            )
    elif type(value) not in (int, float) or not 1e-9 <= value <= 1e15:
        raise ValueError(f"is {value!r}; allowed: a width from 1e-9 to 1e15, or a list of edges")


def _bin_type(arguments: Any) -> pl.DataType | None:
    dtype, edges = arguments
    if any(isinstance(edge, float) for edge in (edges if isinstance(edges, tuple) else [edges])):
        return NUMBER
    if dtype is None:
        return None
    return NUMBER if kind_of(dtype) == Kind.NUMBER else WHOLE


def _bin(value: Typed, edges: Any) -> pl.Expr:
    dtype = _bin_type([value.dtype, edges])
    if isinstance(edges, tuple):
        return _by_edges(value, edges, NUMBER if dtype == NUMBER else WHOLE)
    if dtype == WHOLE:
        return narrow(wide(value.expr) // edges * edges)
    return _by_width(value.expr.cast(pl.Float64), edges)


def _by_edges(value: Typed, edges: tuple[float, ...], dtype: pl.DataType) -> pl.Expr:
    none = pl.lit(None, dtype)
    return reduce(
        lambda below, edge: pl.when(value.expr >= edge).then(pl.lit(edge, dtype)).otherwise(below),
        edges,
        none,
    )


def _by_width(value: pl.Expr, width: float) -> pl.Expr:
    """Returns the largest multiple of the width, as the nearest double, that is not above."""
    exponent = Decimal(str(width)).as_tuple().exponent
    digits = max(0, -exponent) if isinstance(exponent, int) else 0

    def edge(number: pl.Expr) -> pl.Expr:
        return (number * width).round(digits)

    number = floored(value, pl.lit(width))
    finite = value.is_finite()
    return (
        pl.when(finite & (edge(number) > value))
        .then(edge(number - 1))
        .when(finite & (edge(number + 1) <= value))
        .then(edge(number + 1))
        .when(finite)
        .then(edge(number))
    )


BINS = (
    Function(
        "bin",
        "bin(x, 10) or bin(x, [0, 18, 30])",
        (of(*NUMBERS), constant(bins)),
        _bin_type,
        _bin,
    ),
)
