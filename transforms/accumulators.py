"""What is added up of each row: whole numbers of 32 bits, one column per accumulator.

Each is a function of one row. Metrics that need the same accumulator share it.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Literal

import polars as pl

from transforms.grid import MAX_VALUE_GRANULES, Grid

Norm = Literal["l1", "l2", "linf"]


@dataclass(frozen=True)
class Granules:
    """The value of a column in granules; 0 where there is none."""

    column: str
    grid: Grid

    def expression(self) -> pl.Expr:
        """Returns the accumulator of a row as an Int32."""
        return self.grid.expression(value(self.column)).fill_null(0)


@dataclass(frozen=True)
class Unclipped:
    """The value of a column in granules, clipped only so that no total can overflow."""

    column: str
    step: Decimal

    def expression(self) -> pl.Expr:
        """Returns the accumulator of a row as an Int32."""
        scaled = value(self.column) * float(1 / self.step)
        limited = scaled.clip(-MAX_VALUE_GRANULES, MAX_VALUE_GRANULES)
        return limited.round(mode="half_to_even").cast(pl.Int32).fill_null(0)


@dataclass(frozen=True)
class Present:
    """1 where a column has a value, else 0."""

    column: str

    def expression(self) -> pl.Expr:
        """Returns the accumulator of a row as an Int32."""
        return value(self.column).is_not_null().cast(pl.Int32)


@dataclass(frozen=True)
class Squares:
    """The square of the distance from a grid's centre, less its middle, in granules.

    One granule is the grid's step times the half width of its interval, so that squares have the
    resolution of values; 0 where there is no value.
    """

    column: str
    grid: Grid

    @property
    def half(self) -> int:
        """Half the range of squares, in granules: half of the half width in steps."""
        return -(-self.grid.largest // 2)

    @property
    def step(self) -> Decimal:
        """One granule, in the square of the column's unit."""
        return self.grid.step * self.grid.largest * self.grid.step

    def expression(self) -> pl.Expr:
        """Returns the accumulator of a row as an Int32."""
        distance = self.grid.expression(value(self.column)).cast(pl.Float64)
        squares = distance * distance / self.grid.largest - self.grid.largest / 2
        rounded = squares.clip(-self.half, self.half).round(mode="half_to_even")
        return rounded.cast(pl.Int32).fill_null(0)


@dataclass(frozen=True)
class Coordinate:
    """One coordinate of a vector whose norm is clipped, in granules.

    Each coordinate is clipped to the bound, then all are scaled down until the norm is within it.
    They are rounded half to even where the rounded vector is within the bound as well, which whole
    numbers tell exactly, and towards zero where it is not. A vector with a missing coordinate adds
    nothing.

    Attributes:
        columns: The coordinates.
        index: Which one this is.
        norm: The norm that is clipped.
        limit: Bound on the norm, in granules.
        step: One granule, in the columns' unit.
    """

    columns: tuple[str, ...]
    index: int
    norm: Norm
    limit: int
    step: Decimal

    def expression(self) -> pl.Expr:
        """Returns the accumulator of a row as an Int32."""
        clipped = [
            (value(column) * float(1 / self.step)).clip(-self.limit, self.limit)
            for column in self.columns
        ]
        length = _power_of_norm(clipped, self.norm)
        if self.norm == "l2":
            length = length.sqrt()
        factor = pl.when(length > self.limit).then(self.limit / length).otherwise(1.0)
        scaled = [column * factor for column in clipped]
        rounded = [column.round(mode="half_to_even").cast(pl.Int64) for column in scaled]
        bound = self.limit**2 if self.norm == "l2" else self.limit
        fits = _power_of_norm(rounded, self.norm) <= bound
        shortened = (scaled[self.index] * (1 - _SLACK)).cast(pl.Int64)
        chosen = pl.when(fits).then(rounded[self.index]).otherwise(shortened)
        complete = pl.all_horizontal(value(column).is_not_null() for column in self.columns)
        return pl.when(complete).then(chosen).otherwise(0).cast(pl.Int32)


Accumulator = Granules | Unclipped | Present | Squares | Coordinate

_SLACK = 2.0**-40
"""More than the rounding error of a norm of up to a thousand coordinates."""


def value(column: str) -> pl.Expr:
    """Returns a column in its role as a value, a Float64 without NaN."""
    return pl.col(value_name(column))


def value_name(column: str) -> str:
    """Returns the name of a column in its role as a value, apart from its role as a key."""
    return f"value:{column}"


def _power_of_norm(columns: list[pl.Expr], norm: Norm) -> pl.Expr:
    """Returns the norm of a vector, squared for L2."""
    match norm:
        case "l1":
            return reduce(operator.add, (column.abs() for column in columns))
        case "l2":
            return reduce(operator.add, (column * column for column in columns))
        case "linf":
            return pl.max_horizontal(column.abs() for column in columns)
