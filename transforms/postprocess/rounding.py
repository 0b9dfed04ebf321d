"""Rounds released numbers to multiples, and their intervals outwards."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from transforms.table import released_columns

SMALLEST, LARGEST = 1e-9, 1e15
"""Multiples that can be rounded to."""


def round_to(frame: pl.DataFrame, metric: str, multiple: float) -> pl.DataFrame:
    """Rounds a metric to multiples of a number.

    Args:
        frame: A released table.
        metric: One of its metrics.
        multiple: A number from `SMALLEST` to `LARGEST`, in the unit of the metric.

    Returns:
        The table. The value is the nearest multiple, and of two the even one. `_low` is rounded
        down and `_high` up, so that the interval holds what it held before. To the variance of the
        noise that of rounding is added, for values that are equally likely to be anywhere between
        two multiples: m^2 / 12 (W. F. Sheppard, 1897); for whole numbers (m^2 - 1) / 12 where m is
        odd, and (m^2 + 2) / 12 where it is even, as then half of the errors of m / 2 go either
        way. Whole numbers that are rounded to whole multiples stay whole.

    Raises:
        ValueError: The multiple is out of its range.
    """
    check_multiple(metric, multiple)
    value, std, low, high = released_columns(metric)
    rounding = _rounding_whole if _is_whole(frame, metric, multiple) else _rounding
    (nearest, down, up), variance = rounding(value, low, high, multiple)
    return frame.with_columns(
        nearest.alias(value),
        (pl.col(std) ** 2 + variance).sqrt().alias(std),
        down.alias(low),
        up.alias(high),
    )


def check_multiple(metric: str, multiple: float) -> None:
    """Raises a ValueError when a metric cannot be rounded to a multiple."""
    if not SMALLEST <= multiple <= LARGEST:
        raise ValueError(f"{metric} is {multiple:g}; allowed: from {SMALLEST:g} to {LARGEST:g}")


def _is_whole(frame: pl.DataFrame, metric: str, multiple: float) -> bool:
    value, _, low, high = released_columns(metric)
    columns = (value, low, high)
    return float(multiple).is_integer() and all(frame.schema[c].is_integer() for c in columns)


def _rounding_whole(
    value: str, low: str, high: str, multiple: float
) -> tuple[tuple[pl.Expr, pl.Expr, pl.Expr], float]:
    m = int(multiple)
    steps = pl.col(value) // m
    rest = pl.col(value) - steps * m
    up = (rest * 2 > m) | ((rest * 2 == m) & (steps % 2 != 0))
    nearest = (steps + up.cast(pl.Int64)) * m
    variance = (m * m - 1 if m % 2 else m * m + 2) / 12
    return (nearest, pl.col(low) // m * m, -(-pl.col(high) // m) * m), variance


def _rounding(
    value: str, low: str, high: str, multiple: float
) -> tuple[tuple[pl.Expr, pl.Expr, pl.Expr], float]:
    steps = [pl.col(column).cast(pl.Float64) / multiple for column in (value, low, high)]
    whole = (steps[0].round(mode="half_to_even"), steps[1].floor(), steps[2].ceil())
    nearest, down, up = (_multiples(number, multiple) for number in whole)
    return (nearest, down, up), multiple**2 / 12


def _multiples(steps: pl.Expr, multiple: float) -> pl.Expr:
    """Returns multiples with as many decimals as there are in one: 0.3, not 3 * 0.1."""
    exponent = Decimal(str(multiple)).as_tuple().exponent
    assert isinstance(exponent, int)
    number = (steps * multiple).round(max(0, -exponent))
    return pl.when(number == 0).then(0.0).otherwise(number)
