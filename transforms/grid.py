"""Granularity: the grid of whole numbers on which the values of a column are added up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal

import polars as pl

from transforms.bounds import MAX_ROWS

MAX_VALUE_GRANULES = 2**63 // MAX_ROWS - 1
"""Largest magnitude of one value in granules: MAX_ROWS of them fit an int64."""


LARGEST = 1e100
"""Largest magnitude of a value: its square is far from the end of floats."""


@dataclass(frozen=True)
class Grid:
    """Values of a column as whole numbers of granules around a centre.

    Attributes:
        interval: Smallest and largest value, in the column's unit.
        step: The granularity, in the column's unit.
        centre: The value that is 0 granules, in the column's unit.
        name: How messages call the interval.

    Raises:
        ValueError: The interval is none of two finite numbers, the step is not above 0, or the
            interval is less than one granule or more than `MAX_VALUE_GRANULES`.
    """

    interval: tuple[float, float]
    step: Decimal
    centre: Decimal = Decimal(0)
    name: str = "clip"

    def __post_init__(self) -> None:
        low, high = self.interval
        clip = f"{self.name} [{low:g}, {high:g}]"
        if max(abs(float(bound)) for bound in self.interval) > LARGEST:
            raise ValueError(f"{clip} is out of range; allowed: up to {LARGEST:g}")
        if not self.step.is_finite() or self.step <= 0:
            raise ValueError(f"granularity is {self.step}; allowed: a number above 0")
        if not 0 < float(1 / self.step) < math.inf:
            raise ValueError(f"granularity {self.step:g} is out of the range of floats")
        if self.largest == 0:
            raise ValueError(f"granularity {self.step:g} rounds the whole {clip} to zero")
        if self.largest > MAX_VALUE_GRANULES:
            span = max(abs(Decimal(str(bound)) - self.centre) for bound in self.interval)
            least = Context(prec=3, rounding=ROUND_CEILING).divide(
                span, Decimal(MAX_VALUE_GRANULES)
            )
            raise ValueError(
                f"{clip} is {_short(self.largest)} granules of {self.step:g}, "
                "so a sum could overflow; "
                f"allowed: at most {MAX_VALUE_GRANULES}, a granularity of at least {least:g}"
            )

    @property
    def granules(self) -> tuple[int, int]:
        """The interval in granules around the centre."""
        low, high = (exact(bound) - self.centre for bound in self.interval)
        return _granules(low, self.step), _granules(high, self.step)

    @property
    def largest(self) -> int:
        """Largest magnitude of a value in granules."""
        return max(abs(bound) for bound in self.granules)

    def expression(self, value: pl.Expr) -> pl.Expr:
        """Returns the whole number of granules of a Float64 value, as Int32; null stays null.

        The distance from the centre times 1 / step is clipped and rounded half to even.
        """
        low, high = self.granules
        shifted = value if self.centre == 0 else value - float(self.centre)
        scaled = shifted * float(1 / self.step)
        return scaled.clip(low, high).round(mode="half_to_even").cast(pl.Int32)


def check_interval(name: str, interval: tuple[float, float]) -> None:
    """Raises a ValueError when an interval is not one of two finite numbers."""
    low, high = interval
    if not (math.isfinite(low) and math.isfinite(high)) or low > high:
        raise ValueError(f"{name} [{low:g}, {high:g}] is not an interval of two finite numbers")


def check_width(clip: tuple[float, float]) -> None:
    """Raises a ValueError when a clip is no interval, or only one number."""
    check_interval("clip", clip)
    low, high = clip
    if low == high:
        raise ValueError(f"clip [{low:g}, {high:g}] leaves nothing to measure")


def exact(granularity: Decimal | float) -> Decimal:
    """Returns a granularity as the decimal number that it is written as."""
    return Decimal(str(granularity))


def default_step(largest: Decimal) -> Decimal:
    """Returns the power of ten at or below a thousandth of a magnitude."""
    return Decimal(1).scaleb(largest.adjusted() - 3)


def _granules(value: Decimal, step: Decimal) -> int:
    return int((value / step).to_integral_value(ROUND_HALF_EVEN))


def _short(number: int) -> str:
    """Returns a number to four digits, also where it is too large for a float."""
    return f"{float(number):.4g}" if number < 10**300 else f"{Decimal(number):.4g}"
