"""What noisy histograms of contributions say about a table: post-processing, free of cost.

A bin is taken to be empty unless it has so many units that, of all bins of its histogram, noise
alone makes even one as large with a probability of at most 5 %: otherwise noise would make units of
thousands of rows. So are the bins of partitions larger than twice the number of units. A unit of a
bin stands in its middle, on a logarithmic scale, and beyond the last end at twice that. Then:

- a unit of the cell (k, c) has k partitions with c rows each, whose values have the mean that the
  histogram of values has, cut off at each clip;
- partitions are as large as `sizes` says, and hold parts of everything in proportion; public ones
  are taken to be equally large.

So what large and small units prefer, and what goes together within a unit, is not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from transforms.arrays import FloatArray
from transforms.mechanisms import AdditiveMechanism
from transforms.tuning.errors import ROWS, UNITS, losses_of, scaled_by_rows, value_name
from transforms.tuning.grid import TableGrid
from transforms.tuning.histograms import CELLS, SIZES, HistogramBins, sum_histogram
from transforms.tuning.loss import Pairs

_FALSE = 0.05
"""Probability that noise makes any empty bin of a histogram look like one with units."""


@dataclass(frozen=True)
class Population:
    """Partitions as `transforms.tuning.errors` takes them.

    Attributes:
        cells: What units contribute to one partition of each size.
        codes: Number of the size of each row of cells, shape (n,).
        times: How many partitions there are of each size, shape (p,).
    """

    cells: pl.DataFrame
    codes: np.ndarray
    times: FloatArray


def population(
    noisy: pl.DataFrame, grid: TableGrid, mechanisms: Mapping[str, AdditiveMechanism]
) -> Population | None:
    """Makes partitions of noisy histograms.

    Args:
        noisy: What `transforms.tuning.histograms.noisy_histograms` returns.
        grid: What is tried.
        mechanisms: The noise of each histogram.

    Returns:
        The partitions, or None when no bin is beyond its noise.
    """
    bins = HistogramBins.of(grid)
    found = {name: _counts(noisy, name, mechanisms[name]) for name in bins.sizes}
    units = found[CELLS]
    sizes = np.array([float(grid.public)]) if grid.public else _possible(found[SIZES], units)
    if not (units.any() and sizes.any()):
        return None
    many, often = np.divmod(np.arange(len(units)), len(bins.rows) + 1)
    k, c = _middles(bins.partitions)[many], _middles(bins.rows)[often]
    size = np.sqrt(2.0) * 2.0 ** np.arange(len(sizes))
    size[0] = 1.0
    part = size / np.dot(size, sizes)
    there, large = np.flatnonzero(units), np.flatnonzero(sizes)
    cell, place = np.tile(there, len(large)), np.repeat(np.arange(len(large)), len(there))
    values: dict[str, FloatArray] = {UNITS: np.ones(len(cell)), ROWS: c[cell]}
    for one in grid.sums:
        means = _means(found[sum_histogram(one.name)], one.factors)
        side = max(abs(end) for end in one.sums[one.factors.index(1.0)].interval)
        for factor, mean in enumerate(means):
            rows = c[cell] if one.per_row else np.ones(len(cell))
            values[value_name(one.name, factor)] = rows * mean * side
    pairs = Pairs(
        place,
        k[cell],
        c[cell],
        k[cell] * c[cell],
        values,
        units[cell] * k[cell] * part[large][place],
    )
    cells = losses_of(grid).cells(pairs, scaled_by_rows(grid))
    return Population(cells, cells["partition:"].to_numpy(), sizes[large])


def _counts(noisy: pl.DataFrame, name: str, mechanism: AdditiveMechanism) -> FloatArray:
    counts = noisy.filter(pl.col("histogram") == name)["n"].to_numpy().astype(np.float64)
    least = mechanism.scale * math.log(len(counts) / (2 * _FALSE))
    return np.where(counts >= least, counts, 0.0)


def _possible(sizes: FloatArray, units: FloatArray) -> FloatArray:
    smallest = 2.0 ** np.arange(len(sizes))
    return np.where(smallest <= 2 * units.sum(), sizes, 0.0)


def _middles(ends: Sequence[int]) -> FloatArray:
    """Returns a number for each bin up to an end, and for the one beyond the last."""
    if not ends:
        return np.ones(1)
    lows = np.array([1, *(end + 1 for end in ends[:-1])], np.float64)
    return np.append(np.sqrt(lows * np.array(ends, np.float64)), 2.0 * ends[-1])


def _means(counts: FloatArray, factors: Sequence[float]) -> FloatArray:
    """Returns the mean absolute value cut off at each factor, in multiples of the clip."""
    beyond = np.cumsum(counts[::-1])[::-1][1:] / max(counts.sum(), 1.0)
    widths = np.diff([0.0, *factors])
    means: FloatArray = np.cumsum(widths * beyond)
    return means
