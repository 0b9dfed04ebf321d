"""What can be measured per partition, and how far one privacy unit can move it.

Every metric is an integer from the first aggregation on. Counts are in rows or privacy units;
sums are in granules: a value is rounded to a multiple of the declared granularity and counted in
multiples of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal

MAX_ROWS = 2**40
"""Rows of one privacy unit in one partition that the overflow proof allows."""

MAX_L0 = 2**31 - 1
"""Largest bound on the partitions of one unit."""

MAX_LINF = 2**20
"""Largest bound on the rows of one unit in one partition."""

MAX_UNITS = 2**33
"""Privacy units in one partition that the overflow proof allows: more than there are people."""

MAX_VALUE_GRANULES = 2**63 // MAX_ROWS - 1
"""Largest magnitude of one value in granules: MAX_ROWS of them fit an int64."""

MAX_SENSITIVITY = 2**62 // MAX_UNITS - 1
"""Largest contribution of one unit to one partition: MAX_UNITS of them fit an int64 twice."""


@dataclass(frozen=True)
class Bounds:
    """How much of one privacy unit counts in one table.

    Attributes:
        max_partitions_contributed: L0, the partitions one unit may touch.
        max_contributions_per_partition: Linf, the rows of one unit that count in one partition.

    Raises:
        ValueError: A bound is not a whole number from 1 to its limit.
    """

    max_partitions_contributed: int = 1
    max_contributions_per_partition: int = 1

    def __post_init__(self) -> None:
        limits = {
            "max_partitions_contributed": MAX_L0,
            "max_contributions_per_partition": MAX_LINF,
        }
        for name, limit in limits.items():
            value = getattr(self, name)
            if not (is_whole(value) and 1 <= value <= limit):
                raise ValueError(f"{name} is {value!r}; allowed: a whole number from 1 to {limit}")


@dataclass(frozen=True)
class Count:
    """Rows per partition; of each unit at most Linf rows count."""

    def sensitivity(self, bounds: Bounds) -> int:
        """Returns the largest change that one unit makes to one partition, in rows."""
        return bounds.max_contributions_per_partition


@dataclass(frozen=True)
class PrivacyUnitCount:
    """Distinct privacy units per partition."""

    def sensitivity(self, bounds: Bounds) -> int:  # noqa: ARG002
        """Returns 1: a unit is in a partition or it is not."""
        return 1


@dataclass(frozen=True)
class Sum:
    """Sum of a numeric column per partition.

    With `clip`, each value is clipped, and a unit with c > Linf rows in a partition contributes
    its clipped sum times Linf / c. With `clip_total`, the unit's total in the partition is
    clipped, whatever its number of rows.

    Attributes:
        column: The numeric column.
        clip: Smallest and largest value of one row, in the column's unit.
        clip_total: Smallest and largest total of one unit in one partition, in the column's unit.
        granularity: Step that values are rounded to, in the column's unit. Default: the power of
            ten at or below a thousandth of the largest magnitude in the clip.

    Raises:
        ValueError: Not exactly one clip is given, it is not an interval, or a bound is more than
            `MAX_VALUE_GRANULES` granules, so that an int64 sum could overflow.
    """

    column: str
    clip: tuple[float, float] | None = None
    clip_total: tuple[float, float] | None = None
    granularity: Decimal | float | None = None

    def __post_init__(self) -> None:
        if (self.clip is None) == (self.clip_total is None):
            raise ValueError(
                "a sum needs exactly one of clip (per value) and clip_total (per unit)"
            )
        low, high = self.interval
        clip = f"{'clip' if self.clip is not None else 'clip_total'} [{low:g}, {high:g}]"
        if not (math.isfinite(low) and math.isfinite(high)) or low > high:
            raise ValueError(f"{clip} is not an interval of two finite numbers")
        if low == high == 0:
            raise ValueError(f"{clip} leaves nothing to sum")
        step = self.step
        if not step.is_finite() or step <= 0:
            raise ValueError(f"granularity is {self.granularity}; allowed: a number above 0")
        if not 0 < float(1 / step) < math.inf:
            raise ValueError(f"granularity {step:g} is out of the range of floats")
        largest = max(abs(bound) for bound in self.interval_granules)
        if largest == 0:
            raise ValueError(f"granularity {step:g} rounds the whole {clip} to zero")
        if largest > MAX_VALUE_GRANULES:
            least = Context(prec=3, rounding=ROUND_CEILING).divide(
                Decimal(str(max(abs(low), abs(high)))), Decimal(MAX_VALUE_GRANULES)
            )
            raise ValueError(
                f"{clip} is {largest:.4g} granules of {step:g}, so a sum could overflow; "
                f"allowed: at most {MAX_VALUE_GRANULES}, a granularity of at least {least:g}"
            )

    @property
    def interval(self) -> tuple[float, float]:
        """The clip or clip_total, in the column's unit."""
        interval = self.clip if self.clip is not None else self.clip_total
        assert interval is not None
        return interval

    @property
    def step(self) -> Decimal:
        """The granularity, in the column's unit."""
        if self.granularity is not None:
            return Decimal(str(self.granularity))
        largest = max(abs(Decimal(str(bound))) for bound in self.interval)
        return Decimal(1).scaleb(largest.adjusted() - 3)

    @property
    def interval_granules(self) -> tuple[int, int]:
        """The clip or clip_total in granules."""
        low, high = (_granules(bound, self.step) for bound in self.interval)
        return low, high

    def sensitivity(self, bounds: Bounds) -> int:
        """Returns the largest change that one unit makes to one partition, in granules.

        With `clip`, min(c, Linf) / c times a sum of c values of magnitude at most m is at most
        Linf * m, and rounding to a whole number cannot exceed that whole number.
        """
        largest = max(abs(bound) for bound in self.interval_granules)
        return largest * (1 if self.clip is None else bounds.max_contributions_per_partition)


Metric = Count | PrivacyUnitCount | Sum


def is_whole(value: object) -> bool:
    """Returns whether a value is a whole number, and not a truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def _granules(value: float, step: Decimal) -> int:
    return int((Decimal(str(value)) / step).to_integral_value(ROUND_HALF_EVEN))
