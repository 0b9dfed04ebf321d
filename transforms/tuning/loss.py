"""What bounds take away from each partition: expectation and variance, for a whole grid at once.

A unit with k partitions keeps L0 of them, those with the smallest keyed hashes. Over the keys, each
of its partitions is kept with probability p = min(1, L0 / k), and which ones different units keep
is independent. So a partition keeps the sum of p x on average, with the variance of the sum of
p (1 - p) x^2, x being what a unit adds after Linf. These are exact, and no sampling noise is in
them. Linf is exact too: c rows are scaled by min(1, Linf / c).

Nothing of it needs more of k than whether it is beyond L0, and then 1 / k and 1 / k^2; and of c as
well. So a unit's contribution goes to a cell by where k and c lie between the candidates, and a few
sums per cell hold the whole grid.

With L1, a unit with T rows in k partitions keeps T's exact share of each partition, L1 c / T,
rounded up or down at random (`transforms.allotment`), if k is at most L1. Otherwise L1 partitions
with T' rows are kept, and T' is taken to be its mean, c + (L1 - 1) (T - c) / (k - 1), which is the
only approximation here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms.arrays import FloatArray, IntArray

CELL = "partition:cell"
"""Number of a cell."""


_K, _C, _ALL, _VALUE = "partition:k", "partition:c", "partition:all", "partition:value:"


_MOST = 2**32 - 1
"""Largest number of partitions or rows that pairs keep; beyond it no bound is tried."""


def has_pairs(frame: pl.DataFrame) -> bool:
    """Returns whether a frame is one of pairs, and not of cells."""
    return _K in frame.columns


@dataclass(frozen=True)
class Pairs:
    """Pairs of a unit and a partition, n of them.

    Attributes:
        partition: Index of the partition, shape (n,).
        partitions: Partitions of the pair's unit, at least 1, shape (n,).
        rows: Rows of the pair, at least 1, shape (n,).
        all_rows: Rows of the pair's unit in all partitions, shape (n,).
        values: What each pair adds without bounds, by the name of the value, shape (n,) each.
        times: How many pairs there are like each, shape (n,); None for one.
    """

    partition: IntArray
    partitions: FloatArray
    rows: FloatArray
    all_rows: FloatArray
    values: Mapping[str, FloatArray]
    times: FloatArray | None = None

    def where(self, kept: npt.NDArray[np.bool_]) -> Pairs:
        """Returns some pairs."""
        return Pairs(
            self.partition[kept],
            self.partitions[kept],
            self.rows[kept],
            self.all_rows[kept],
            {name: value[kept] for name, value in self.values.items()},
            None if self.times is None else self.times[kept],
        )

    def frame(self) -> pl.DataFrame:
        """Returns the pairs as columns, which are less than cells where a partition has few."""
        counts = {_K: self.partitions, _C: self.rows, _ALL: self.all_rows}
        return pl.DataFrame(
            {
                "partition:": self.partition,
                **{
                    name: np.minimum(count, _MOST).astype(np.uint32)
                    for name, count in counts.items()
                },
                **{_VALUE + name: value for name, value in self.values.items()},
            }
        )

    @classmethod
    def of(cls, frame: pl.DataFrame, partition: IntArray) -> Pairs:
        """Returns the pairs of a frame that `frame` returned, with the index of each partition."""
        k, c, all_rows = (frame[name].cast(pl.Float64).to_numpy() for name in (_K, _C, _ALL))
        named = (name for name in frame.columns if name.startswith(_VALUE))
        values = {name.removeprefix(_VALUE): frame[name].to_numpy() for name in named}
        return cls(partition, k, c, all_rows, values)

    def added_up(self, cell: IntArray, columns: Iterable[tuple[str, FloatArray]]) -> pl.DataFrame:
        """Adds up columns of the pairs, one after the other: all at once they would be large.

        Args:
            cell: Cell of each pair, from 0, shape (n,).
            columns: Columns by name, shape (n,) each.

        Returns:
            `partition:`, `CELL` and the columns, times how many pairs there are like each.
        """
        cells = int(cell.max(initial=0)) + 1
        numbers = self.partition.astype(np.int64) * cells + cell
        places, codes = np.unique(numbers, return_inverse=True)
        partition, of_partition = np.divmod(places, cells)
        found = {"partition:": partition, CELL: of_partition}
        for name, column in columns:
            many = column if self.times is None else column * self.times
            found[name] = np.bincount(codes, many, len(places))
        return pl.DataFrame(found)


@dataclass(frozen=True)
class Kept:
    """What is left of a value, one number per partition or per row of cells.

    Attributes:
        whole: The sum without bounds.
        within: The sum after Linf, without L0.
        expected: The expected sum after all bounds.
        variance: The variance of that sum.
    """

    whole: FloatArray
    within: FloatArray
    expected: FloatArray
    variance: FloatArray


class Losses(ABC):
    """How bounds of one family take away. Subclasses are frozen dataclasses."""

    @abstractmethod
    def cells(self, pairs: Pairs, by_rows: Mapping[str, bool]) -> pl.DataFrame:
        """Adds up pairs to cells.

        Args:
            pairs: All pairs of some units.
            by_rows: Per value, whether it is scaled with the rows that count.

        Returns:
            `partition:`, `CELL` and Float64 sums that add up over disjoint sets of units.
        """

    @abstractmethod
    def kept(self, cells: pl.DataFrame, point: int, value: str, *, by_rows: bool) -> Kept:
        """Returns what one point of the grid leaves of a value, per row of cells."""

    @abstractmethod
    def weights(self, cells: pl.DataFrame, point: int) -> Kept:
        """Returns the weight of units for weighted selection, per row of cells."""


@dataclass(frozen=True)
class PartitionAndRowLosses(Losses):
    """L0 and Linf; either may not be bounded.

    Attributes:
        l0s: L0 to try, rising; empty for no bound.
        linfs: Linf to try, rising; empty for no bound.
    """

    l0s: tuple[int, ...]
    linfs: tuple[int, ...]

    def cells(self, pairs: Pairs, by_rows: Mapping[str, bool]) -> pl.DataFrame:
        """Adds up values and their squares, by themselves and divided by k, k^2, c and c^2."""
        k, c = pairs.partitions, pairs.rows
        many = np.searchsorted(self.l0s, k) if self.l0s else np.zeros(len(k), np.int64)
        often = np.searchsorted(self.linfs, c) if self.linfs else np.zeros(len(c), np.int64)

        def columns() -> Iterator[tuple[str, FloatArray]]:
            yield "root", 1 / np.sqrt(k)
            for name, value in pairs.values.items():
                squares = value**2
                yield f"{name}:s", value
                yield f"{name}:s/k", value / k
                yield f"{name}:q/k", squares / k
                yield f"{name}:q/kk", squares / k**2
                if by_rows[name]:
                    yield f"{name}:s/c", value / c
                    yield f"{name}:s/kc", value / (k * c)
                    yield f"{name}:q/kcc", squares / (k * c**2)
                    yield f"{name}:q/kkcc", squares / (k * c) ** 2

        return pairs.added_up(many * (len(self.linfs) + 1) + often, columns())

    def kept(self, cells: pl.DataFrame, point: int, value: str, *, by_rows: bool) -> Kept:
        """Scales what is beyond a bound by it."""
        over_l0, over_linf, l0, linf = self._over(cells, point)

        def column(name: str) -> FloatArray:
            return cells[f"{value}:{name}"].to_numpy()

        def scaled(within: str, beyond: str, power: int) -> FloatArray:
            if not by_rows:
                return column(within)
            return np.where(over_linf, linf**power * column(beyond), column(within))

        after_linf = scaled("s", "s/c", 1)
        expected = np.where(over_l0, l0 * scaled("s/k", "s/kc", 1), after_linf)
        variance = l0 * scaled("q/k", "q/kcc", 2) - l0**2 * scaled("q/kk", "q/kkcc", 2)
        variance = np.where(over_l0, np.maximum(variance, 0.0), 0.0)
        return Kept(column("s"), after_linf, expected, variance)

    def weights(self, cells: pl.DataFrame, point: int) -> Kept:
        """A unit with m of its partitions left adds 1 / sqrt(m) to each."""
        over_l0, _, l0, _ = self._over(cells, point)
        root = cells["root"].to_numpy()
        inverse, squared = cells["units:s/k"].to_numpy(), cells["units:q/kk"].to_numpy()
        expected = np.where(over_l0, np.sqrt(l0) * inverse, root)
        variance = np.where(over_l0, np.maximum(inverse - l0 * squared, 0.0), 0.0)
        return Kept(root, root, expected, variance)

    def _over(self, cells: pl.DataFrame, point: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        cell = cells[CELL].to_numpy()
        many, often = np.divmod(cell, len(self.linfs) + 1)
        i, j = divmod(point, max(1, len(self.linfs)))
        nothing = np.zeros(len(cell), np.bool_)
        return (
            many > i if self.l0s else nothing,
            often > j if self.linfs else nothing,
            float(self.l0s[i]) if self.l0s else 1.0,
            float(self.linfs[j]) if self.linfs else 1.0,
        )


@dataclass(frozen=True)
class RowLosses(Losses):
    """L1.

    Attributes:
        l1s: L1 to try, rising.
    """

    l1s: tuple[int, ...]

    def cells(self, pairs: Pairs, by_rows: Mapping[str, bool]) -> pl.DataFrame:
        """Makes one cell of each L1, with the expectations and variances themselves."""
        parts = [self._cell(pairs, by_rows, point) for point in range(len(self.l1s))]
        return pl.concat(parts)

    def _cell(self, pairs: Pairs, by_rows: Mapping[str, bool], point: int) -> pl.DataFrame:
        l1, k, c = float(self.l1s[point]), pairs.partitions, pairs.rows
        crowded = k > l1
        there = np.where(crowded, l1 / k, 1.0)
        others = (pairs.all_rows - c) * np.where(crowded, (l1 - 1) / np.maximum(k - 1, 1), 1.0)
        counted = c * np.minimum(1.0, l1 / (c + others))
        part = counted - np.floor(counted)
        rows_squared = there * (counted**2 + part * (1 - part))
        rows_variance = rows_squared - (there * counted) ** 2
        shows = there * np.minimum(1.0, counted)
        left = np.maximum(1.0, np.minimum(k, l1))
        columns = {
            "root:s": 1 / np.sqrt(k),
            "root:e": shows / np.sqrt(left),
            "root:v": shows * (1 - shows) / left,
        }
        for name, value in pairs.values.items():
            columns[f"{name}:s"] = value
            if by_rows[name]:
                columns[f"{name}:e"] = there * counted * value / c
                columns[f"{name}:v"] = rows_variance * (value / c) ** 2
            else:
                columns[f"{name}:e"] = shows * value
                columns[f"{name}:v"] = shows * (1 - shows) * value**2
        summed = pairs.added_up(np.zeros(len(k), np.int64), columns.items())
        return summed.with_columns(pl.lit(point, pl.Int64).alias(CELL))

    def kept(self, cells: pl.DataFrame, point: int, value: str, *, by_rows: bool) -> Kept:  # noqa: ARG002
        """Takes the cell of the point, and nothing of others."""
        return self._kept(cells, point, value)

    def weights(self, cells: pl.DataFrame, point: int) -> Kept:
        """A unit with m of its partitions left adds 1 / sqrt(m) to each."""
        return self._kept(cells, point, "root")

    def _kept(self, cells: pl.DataFrame, point: int, value: str) -> Kept:
        here = cells[CELL].to_numpy() == point

        def column(name: str) -> FloatArray:
            return np.where(here, cells[f"{value}:{name}"].to_numpy(), 0.0)

        return Kept(column("s"), column("s"), column("e"), column("v"))


def per_partition(kept: Kept, codes: IntArray, partitions: int) -> Kept:
    """Adds up what is left, per partition.

    Args:
        kept: One number per row of cells.
        codes: Number of the partition of each row.
        partitions: Number of partitions.
    """

    def added(numbers: FloatArray) -> FloatArray:
        return np.bincount(codes, numbers, partitions).astype(np.float64)

    return Kept(added(kept.whole), added(kept.within), added(kept.expected), added(kept.variance))
