"""Divisions and powers of floating point numbers that depend on the row only, to the last bit.

Polars divides a column by a constant with a multiplication by its reciprocal, and a column of one
row by a true division. The last bits of a quotient would then depend on how many rows there are,
and with them the bin that a value falls into. NumPy divides each number alone, as IEEE 754 says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

_Floats = npt.NDArray[np.float64]


def quotient(above: pl.Expr, below: pl.Expr) -> pl.Expr:
    """Returns one number divided by another; null where it is null, NaN or a division by zero."""
    return _elementwise(np.divide, above, _not_zero(below))


def floored(above: pl.Expr, below: pl.Expr) -> pl.Expr:
    """Returns the largest whole quotient that is not above the exact one; null as in `quotient`."""
    return _elementwise(np.floor_divide, above, _not_zero(below))


def remainder(above: pl.Expr, below: pl.Expr) -> pl.Expr:
    """Returns what is left after `floored`, with the sign of the divisor; null as in `quotient`."""
    return _elementwise(np.mod, above, _not_zero(below))


def power(base: pl.Expr, exponent: pl.Expr) -> pl.Expr:
    """Returns a power; null where an argument is null or it is NaN."""
    return _elementwise(np.power, base, exponent)


def _not_zero(number: pl.Expr) -> pl.Expr:
    return pl.when(number != 0).then(number)


def _elementwise(
    apply: Callable[[_Floats, _Floats], _Floats], above: pl.Expr, below: pl.Expr
) -> pl.Expr:
    def divide(columns: Sequence[pl.Series]) -> pl.Series:
        left, right = (column.cast(pl.Float64).to_numpy() for column in columns)
        with np.errstate(all="ignore"):
            results = apply(left, right)
        return pl.Series(columns[0].name, results, nan_to_null=True)

    return pl.map_batches([above, below], divide, return_dtype=pl.Float64, is_elementwise=True)
