"""Noisy histograms of what privacy units contribute, for tuning on private data.

Each unit is looked at in one of its partitions, the one with the smallest keyed hash: of the unit's
partitions any one with the same chance. It adds 1 to one bin of

- `cells`: by its number of partitions k and its rows c in that partition, between the candidates;
- one histogram per sum: by the size of its values in that partition, below.

And where partitions are selected privately, every partition adds 1 to a bin of `sizes`, by the
number of units looked at in it.

**Sensitivity.** The bins are fixed in advance, and the hash key is drawn without regard to the
data, so what a unit adds is a function of its own rows. Adding or removing it changes one bin of
`cells` and of each sum by 1: 1 in the L1 norm. It changes the number of units of one partition by
1, which takes that partition from one bin of `sizes` to another, or into or out of all bins: 2 in
the L1 norm. Replacing a unit is removing one and adding one: twice that. With
`bounding: unit_partition`, what is protected are rows of a unit with the same keys; they change
what the unit adds from one value to another, which is what replacing does, and replacing them twice
that. With `bounding: row` there are no units, and it is refused.

**Values.** Let f_1 < f_2 < ... be the multiples of the clip that are tried, and S_j the unit's sum
of absolute values, each divided by its side of the clip, and cut off at f_j. Then
r_j = (S_j - S_(j-1)) / (c (f_j - f_(j-1))) falls from at most 1 to 0: it is the part of the unit's
values that is beyond a point between f_(j-1) and f_j, averaged over the points. The unit is in the
bin of the number of r_j above a keyed pseudo-random number from 0 to 1. So of the units, the part
in bins from j on has the mean of r_j as its expectation, and the mean of values cut off at f_j is
the sum of (f_i - f_(i-1)) times these parts up to j: no value is needed, only sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from transforms.accounting import Calibration, Demand, LaplaceLoss, calibrate
from transforms.arrays import FloatArray, Int64Array
from transforms.bounds import Guarantee
from transforms.budget import Budget
from transforms.mechanisms import AdditiveMechanism
from transforms.noise import add_noise
from transforms.sensitivity import Sensitivity
from transforms.tuning.grid import TableGrid

CELLS = "cells"
SIZES = "sizes"
SIZE_BINS = 40
"""Bins of partition sizes: 1, 2 to 3, 4 to 7, and so on; the last one is open."""

_PARTITIONS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class HistogramBins:
    """The histograms of one table and their bins.

    Attributes:
        partitions: Upper ends of the bins of k, rising.
        rows: Upper ends of the bins of c, rising.
        factors: Per sum, the multiples of its clip, rising.
        with_sizes: Whether the sizes of partitions are looked at.
    """

    partitions: tuple[int, ...]
    rows: tuple[int, ...]
    factors: Mapping[str, tuple[float, ...]]
    with_sizes: bool = True

    @classmethod
    def of(cls, grid: TableGrid) -> HistogramBins:
        """Returns bins that lie between the candidates of a grid."""
        return cls(
            grid.l0s or grid.l1s or _PARTITIONS,
            grid.linfs or grid.l1s,
            {one.name: one.factors for one in grid.sums},
            not grid.public,
        )

    @property
    def sizes(self) -> dict[str, int]:
        """Number of bins of each histogram."""
        return {
            CELLS: (len(self.partitions) + 1) * (len(self.rows) + 1),
            **({SIZES: SIZE_BINS} if self.with_sizes else {}),
            **{sum_histogram(name): len(factors) + 1 for name, factors in self.factors.items()},
        }

    def cell(self, partitions: Int64Array, rows: Int64Array) -> Int64Array:
        """Returns the bin of `cells` of each unit, shape (n,)."""
        many = np.searchsorted(self.partitions, partitions)
        often = np.searchsorted(self.rows, rows)
        return many * (len(self.rows) + 1) + often


def sum_histogram(metric: str) -> str:
    """Returns the name of the histogram of a sum's values."""
    return f"values:{metric}"


def value_bin(cut_off: Sequence[FloatArray], factors: Sequence[float], u: FloatArray) -> Int64Array:
    """Returns the bin of the values of each unit.

    Args:
        cut_off: Per factor, the mean absolute value of each unit, in multiples of the clip, cut off
            at the factor; shape (n,) each.
        factors: The factors, rising.
        u: A number from 0 to 1 per unit, which has nothing to do with the values, shape (n,).

    Returns:
        Bins from 0 to the number of factors, shape (n,).
    """
    found = np.zeros(len(u), np.int64)
    before, low = np.zeros(len(u)), 0.0
    for mean, factor in zip(cut_off, factors, strict=True):
        found += (mean - before) / (factor - low) > u
        before, low = mean, factor
    return found


def size_bin(units: Int64Array) -> Int64Array:
    """Returns the bin of `sizes` of partitions with so many units, at least 1, shape (p,)."""
    powers = 2 ** np.arange(1, SIZE_BINS, dtype=np.int64)
    return np.searchsorted(powers, units, side="right")


def histogram_sensitivity(histogram: str, guarantee: Guarantee) -> Sensitivity:
    """Returns how far a histogram is moved by what is protected (see above).

    Raises:
        ValueError: There are no units.
    """
    if guarantee.bounding == "row":
        raise ValueError(
            "bounding is row, which has no contributions of units to look at; allowed: bounding: "
            "unit or unit_partition, or public data"
        )
    things = guarantee.changed * (1 if guarantee.bounding == "unit" else 2)
    moved = things * (2 if histogram == SIZES else 1)
    return Sensitivity(moved, things, None if things == 1 else moved)


@dataclass(frozen=True)
class TuningCharge:
    """What tuning on private data costs, with the noise that it gets for it.

    Attributes:
        mechanisms: Noise of each histogram, by the names of table and histogram.
        calibration: Losses of all of them together, and their price.
        budget: What they may cost.
    """

    mechanisms: Mapping[str, AdditiveMechanism]
    calibration: Calibration
    budget: Budget


def tuning_charge(
    tables: Mapping[str, TableGrid], guarantee: Guarantee, budget: Budget
) -> TuningCharge:
    """Works out what accounted tuning costs, before any row is read.

    All histograms get equal shares of the budget, and Laplace noise: each unit changes one or two
    bins, so that the L1 norm is as small as the L2 norm, or little more.

    Args:
        tables: What is tried, by table.
        guarantee: What is protected.
        budget: What tuning may cost.

    Raises:
        ValueError: There are no units, no tables, or a loss is outside its range.
        AccountingError: The two ways to find the price disagree.
    """
    histograms = {
        f"{table}.{histogram}": histogram_sensitivity(histogram, guarantee)
        for table, grid in tables.items()
        for histogram in HistogramBins.of(grid).sizes
    }
    calibration = calibrate([Demand(name, "laplace") for name in histograms], budget)
    mechanisms = {}
    for name, moved in histograms.items():
        loss = calibration.losses[name]
        assert isinstance(loss, LaplaceLoss)
        mechanisms[name] = AdditiveMechanism.of(loss, moved)
    return TuningCharge(mechanisms, calibration, budget)


def exact_histograms(picked: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Counts units and partitions per bin.

    Args:
        picked: Units by the partition that they are looked at in: the key columns, a column with
            the bin of each histogram but `sizes`, and `n`, the number of units. All units of these
            partitions.
        keys: The key columns.

    Returns:
        Columns `histogram`, `bin` and `n`; exact, and private.
    """
    sizes = picked.group_by(keys).agg(pl.col("n").sum())["n"].to_numpy()
    bins = {SIZES: (size_bin(sizes), np.ones(len(sizes), np.int64))}
    counts = picked["n"].to_numpy()
    for name in picked.columns:
        if name not in (*keys, "n"):
            bins[name] = (picked[name].to_numpy(), counts)
    found = [
        pl.DataFrame({"bin": numbers.astype(np.int64), "n": n})
        .group_by("bin")
        .agg(pl.col("n").sum())
        .select(pl.lit(name).alias("histogram"), "bin", "n")
        for name, (numbers, n) in bins.items()
    ]
    return pl.concat(found)


def noisy_histograms(
    exact: pl.DataFrame, bins: HistogramBins, mechanisms: Mapping[str, AdditiveMechanism]
) -> pl.DataFrame:
    """Adds noise to all bins, empty ones too. Every call draws anew.

    Args:
        exact: What `exact_histograms` returns, for several sets of partitions.
        bins: The bins.
        mechanisms: The noise of each histogram.

    Returns:
        Columns `histogram`, `bin` and `n`, with a row for each bin, in order.
    """
    parts = []
    for name, size in bins.sizes.items():
        own = exact.filter(pl.col("histogram") == name)
        counts = np.zeros(size, np.int64)
        np.add.at(counts, own["bin"].to_numpy(), own["n"].to_numpy())
        noisy = add_noise(counts, mechanisms[name])
        parts.append(pl.DataFrame({"histogram": name, "bin": np.arange(size), "n": noisy}))
    return pl.concat(parts)
