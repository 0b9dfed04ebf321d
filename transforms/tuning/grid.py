"""What tuning tries: bounds, and clips of sums. Nothing of it comes from the data.

The clips of a sum are multiples of the one that it has, in 1-2-5 steps, so that tuning asks for
nothing to be declared twice. Only clips that contain 0 are scaled: otherwise an empty contribution
would not stay empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from transforms.bounds import MAX_L0, MAX_LINF, Bounds, Guarantee, is_whole
from transforms.grid import exact
from transforms.metrics import Count, Metric, PrivacyUnitCount, Sum
from transforms.table import Table

FACTORS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Clips that are tried, as multiples of the one that a sum has."""

_L0_UP_TO = 64
_LINF_UP_TO = 32
_L1_UP_TO = 256
_BEYOND = 4


@dataclass(frozen=True)
class Candidates:
    """What to try instead of the default; empty for the default.

    Attributes:
        l0: Partitions of one unit.
        linf: Rows of one unit in one partition.
        l1: Rows of one unit in a table.
        clip: Multiples of the clips of sums.

    Raises:
        ValueError: A number is outside its range.
    """

    l0: tuple[int, ...] = ()
    linf: tuple[int, ...] = ()
    l1: tuple[int, ...] = ()
    clip: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name, limit in (("l0", MAX_L0), ("linf", MAX_LINF), ("l1", MAX_LINF)):
            for value in getattr(self, name):
                if not (is_whole(value) and 1 <= value <= limit):
                    raise ValueError(f"{name} is {value!r}; allowed: whole numbers, 1 to {limit}")
        for factor in self.clip:
            if not 1e-6 <= factor <= 1e6:
                raise ValueError(f"clip is {factor:g}; allowed: factors from 1e-6 to 1e6")


@dataclass(frozen=True)
class ScaledSum:
    """A sum with the clips to try.

    Attributes:
        name: Name of the metric.
        factors: Multiples of its own clip, rising; 1 is one of them.
        sums: The sum with each of those clips.
    """

    name: str
    factors: tuple[float, ...]
    sums: tuple[Sum, ...]

    @property
    def per_row(self) -> bool:
        """Whether values of rows are clipped, and not totals of units."""
        return self.sums[0].clip is not None


@dataclass(frozen=True)
class TableGrid:
    """What is tried for one table.

    Attributes:
        l0s: Partitions of one unit, rising; empty where they are not bounded, or with L1.
        linfs: Rows of one unit in one partition, rising; empty where not bounded, or with L1.
        l1s: Rows of one unit in the table, rising; empty for L0 x Linf.
        rows: Metrics that count rows.
        units: Metrics that count privacy units.
        sums: Sums with their clips.
        public: Number of public partitions; 0 where they are selected privately.
    """

    l0s: tuple[int, ...]
    linfs: tuple[int, ...]
    l1s: tuple[int, ...]
    rows: tuple[str, ...]
    units: tuple[str, ...]
    sums: tuple[ScaledSum, ...]
    public: int = 0

    @property
    def points(self) -> tuple[Bounds, ...]:
        """All bounds to try; those of a table with L0 and Linf by L0 first."""
        if self.l1s:
            return tuple(Bounds(max_contributions=l1) for l1 in self.l1s)
        return tuple(Bounds(l0, linf) for l0, linf in product(self.l0s or (1,), self.linfs or (1,)))

    @property
    def factors(self) -> dict[str, tuple[float, ...]]:
        """Multiples of the clip that are tried for each metric; 1 where there is no clip."""
        counted = dict.fromkeys((*self.rows, *self.units), (1.0,))
        return {**counted, **{one.name: one.factors for one in self.sums}}


def table_grid(
    table: Table,
    guarantee: Guarantee,
    candidates: Candidates = Candidates(),
    public: int = 0,
    most_public: int = 0,
) -> TableGrid:
    """Returns what to try for a table.

    Args:
        table: The table, whose own bounds and clips are always tried.
        guarantee: What is protected: only what bounds it is tried.
        candidates: What to try instead of powers of two and 1-2-5 steps.
        public: Number of public partitions; 0 where they are selected privately.
        most_public: The most public partitions that any table with the same bounds has: a larger
            L0 makes no difference. 0 for its own number.
    """
    bounds, unused = table.bounds, guarantee.unused_bounds
    l0s: tuple[int, ...] = ()
    linfs: tuple[int, ...] = ()
    l1s: tuple[int, ...] = ()
    if bounds.max_contributions is not None and not unused:
        l1s = _counts(candidates.l1, bounds.max_contributions, _L1_UP_TO)
    else:
        own = bounds.max_partitions_contributed
        if "max_partitions_contributed" not in unused:
            limit = most_public or public or None
            l0s = _counts(candidates.l0, own, _L0_UP_TO, limit)
        if "max_contributions_per_partition" not in unused:
            own = bounds.max_contributions_per_partition
            linfs = _counts(candidates.linf, own, _LINF_UP_TO)
    named = table.metrics.items()
    return TableGrid(
        l0s,
        linfs,
        l1s,
        tuple(name for name, metric in named if isinstance(metric, Count)),
        tuple(name for name, metric in named if isinstance(metric, PrivacyUnitCount)),
        tuple(
            _scaled(name, metric, candidates.clip or FACTORS)
            for name, metric in named
            if isinstance(metric, Sum)
        ),
        public,
    )


def not_modelled(table: Table) -> list[str]:
    """Returns the metrics whose error is not looked at."""
    modelled = (Count, PrivacyUnitCount, Sum)
    return [name for name, metric in table.metrics.items() if not isinstance(metric, modelled)]


def with_clips(table: Table, factors: dict[str, float]) -> Table:
    """Returns a table with scaled clips, by metric; others stay.

    Raises:
        ValueError: A clip does not fit its granularity.
    """
    metrics: dict[str, Metric] = {
        name: scaled_sum(metric, factors.get(name, 1.0)) if isinstance(metric, Sum) else metric
        for name, metric in table.metrics.items()
    }
    return replace(table, metrics=metrics)


def scaled_sum(metric: Sum, factor: float) -> Sum:
    """Returns a sum with a scaled clip.

    Raises:
        ValueError: The clip does not fit its granularity.
    """
    if factor == 1:
        return metric
    interval = _times(metric.interval, factor)
    if metric.clip is not None:
        return replace(metric, clip=interval)
    return replace(metric, clip_total=interval)


def _scaled(name: str, metric: Sum, factors: Sequence[float]) -> ScaledSum:
    low, high = metric.interval
    tried = sorted({*factors, 1.0}) if low <= 0 <= high else [1.0]
    found = []
    for factor in tried:
        try:
            found.append((factor, scaled_sum(metric, factor)))
        except ValueError:
            continue
    return ScaledSum(name, tuple(f for f, _ in found), tuple(scaled for _, scaled in found))


def _times(interval: tuple[float, float], factor: float) -> tuple[float, float]:
    low, high = (float(exact(end) * exact(factor)) for end in interval)
    return low, high


def _counts(
    given: Sequence[int], own: int, up_to: int, limit: int | None = None
) -> tuple[int, ...]:
    largest = max(up_to, _BEYOND * own)
    powers = (1 << power for power in range(largest.bit_length()))
    tried = {*(given or (power for power in powers if power <= largest))}
    if limit is not None:
        tried = {min(number, limit) for number in tried}
    return tuple(sorted({*tried, own}))
