"""What is added up of each row: whole numbers of 32 bits, one column per accumulator.

Each is a function of one row. Metrics that need the same accumulator share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms.grid import MAX_VALUE_GRANULES, Grid
from transforms.vectors import Vector


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
    """One coordinate of a clipped vector, in granules."""

    vector: Vector
    index: int


Accumulator = Granules | Unclipped | Present | Squares | Coordinate


def evaluate(
    accumulators: Sequence[Accumulator], frame: pl.DataFrame
) -> tuple[npt.NDArray[np.int32], ...]:
    """Returns the accumulators of all rows.

    Args:
        accumulators: What is added up, each once.
        frame: Canonical rows, n of them.

    Returns:
        One column per accumulator, each of shape (n,).
    """
    scalars = [a for a in accumulators if not isinstance(a, Coordinate)]
    values = frame.select(a.expression().alias(str(i)) for i, a in enumerate(scalars))
    found: dict[Accumulator, npt.NDArray[np.int32]] = {
        accumulator: column.to_numpy()
        for accumulator, column in zip(scalars, values.get_columns(), strict=True)
    }
    for vector in {a.vector for a in accumulators if isinstance(a, Coordinate)}:
        granules = vector.granules(frame.select(map(value, vector.columns))).astype(np.int32)
        for index in range(len(vector.columns)):
            found[Coordinate(vector, index)] = np.ascontiguousarray(granules[:, index])
    return tuple(found[accumulator] for accumulator in accumulators)


def value(column: str) -> pl.Expr:
    """Returns a column in its role as a value, a Float64 without NaN."""
    return pl.col(value_name(column))


def value_name(column: str) -> str:
    """Returns the name of a column in its role as a value, apart from its role as a key."""
    return f"value:{column}"
