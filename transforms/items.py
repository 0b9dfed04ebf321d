"""What is kept of rows where sums are not enough: items, and how often a unit has each.

An item is a number of 64 bits: the leaf of a tree that a value falls in, or the keyed hash of a
value. Counts of items of disjoint sets of rows merge by adding up.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms.accumulators import value
from transforms.allotment import allot
from transforms.arrays import Int64Array, IntArray, U64Array
from transforms.grid import Grid
from transforms.hashing import HashKey, hash_rows, mix
from transforms.runs import position_in_run

NO_ITEM = np.uint64(2**64 - 1)
"""Item of a row that has none."""


@dataclass(frozen=True)
class ItemCounts:
    """Items of contributions, m of them.

    Attributes:
        contribution: Index of the contribution, shape (m,); not decreasing.
        item: The item, shape (m,).
        count: How many rows of the contribution have it, shape (m,).
    """

    contribution: IntArray
    item: U64Array
    count: Int64Array

    def __len__(self) -> int:
        return len(self.item)

    @classmethod
    def group(cls, contribution: IntArray, item: U64Array, count: Int64Array) -> ItemCounts:
        """Adds up the counts of equal items of each contribution, and sorts by both."""
        grouped = (
            pl.DataFrame(
                {"contribution": contribution.astype(np.int64), "item": item, "count": count}
            )
            .lazy()
            .group_by("contribution", "item")
            .agg(pl.col("count").sum())
            .sort("contribution", "item")
            .collect()
        )
        return cls(
            grouped["contribution"].to_numpy(),
            grouped["item"].to_numpy(),
            grouped["count"].to_numpy(),
        )

    def take(self, kept: npt.NDArray[np.bool_]) -> ItemCounts:
        """Returns the items of some contributions, numbered by their new positions.

        Args:
            kept: Mask of the contributions.
        """
        mask = kept[self.contribution]
        position = np.cumsum(kept) - 1
        return ItemCounts(position[self.contribution[mask]], self.item[mask], self.count[mask])

    def where(self, mask: npt.NDArray[np.bool_]) -> ItemCounts:
        """Returns some of the items."""
        return ItemCounts(self.contribution[mask], self.item[mask], self.count[mask])


class Items(ABC):
    """A source of items. Subclasses are frozen dataclasses."""

    @abstractmethod
    def of_rows(self, frame: pl.DataFrame, key: HashKey) -> U64Array:
        """Returns the item of each canonical row, `NO_ITEM` where it has none, shape (n,)."""

    @abstractmethod
    def prune(self, counts: ItemCounts, identities: U64Array, max_items: int | None) -> ItemCounts:
        """Drops items that cannot count, whatever other rows hold.

        Args:
            counts: Items of some contributions.
            identities: Keyed hash of each contribution's unit and partition.
            max_items: Items of one contribution that may count; None for no bound.
        """

    @abstractmethod
    def bound(self, counts: ItemCounts, identities: U64Array, counted: Int64Array) -> ItemCounts:
        """Bounds the items of contributions.

        Args:
            counts: Items of all rows of their units.
            identities: Keyed hash of each contribution's unit and partition.
            counted: Rows of each contribution that count.

        Returns:
            Items whose counts add up to at most `counted` for each contribution.
        """


@dataclass(frozen=True)
class Leaves(Items):
    """The place of a numeric value on a grid: leaves of a tree over the values.

    A contribution with more rows than count keeps evenly spaced ones in the order of their values,
    from a pseudo-random start: quantiles of the unit's own values (`transforms.allotment`).

    Attributes:
        column: The column.
        grid: The grid, whose centre is its lowest value.
    """

    column: str
    grid: Grid

    def of_rows(self, frame: pl.DataFrame, key: HashKey) -> U64Array:  # noqa: ARG002
        """Returns the leaf of each row."""
        leaf = self.grid.expression(value(self.column)).cast(pl.UInt64)
        return frame.select(leaf.fill_null(int(NO_ITEM))).to_series().to_numpy()

    def prune(
        self,
        counts: ItemCounts,
        identities: U64Array,  # noqa: ARG002
        max_items: int | None,  # noqa: ARG002
    ) -> ItemCounts:
        """Keeps all: a unit has at most as many as the tree has leaves."""
        return counts

    def bound(self, counts: ItemCounts, identities: U64Array, counted: Int64Array) -> ItemCounts:
        """Thins out the values of each contribution."""
        starts = (mix(identities.copy()) >> np.uint64(1)).astype(np.int64)
        kept = allot(counts.count, counts.contribution, counted, starts)
        return ItemCounts(counts.contribution, counts.item, kept).where(kept > 0)


@dataclass(frozen=True)
class Values(Items):
    """The distinct values of a column, of any scalar type.

    A contribution with more values than rows that count keeps those with the smallest keyed hash
    of unit, partition and value. The smallest k of a set are among the smallest k of each of its
    parts that they fall in.

    Attributes:
        column: The column.
    """

    column: str

    def of_rows(self, frame: pl.DataFrame, key: HashKey) -> U64Array:
        """Returns the keyed hash of each row's value."""
        items = np.full(frame.height, NO_ITEM)
        present = frame[self.column].is_not_null()
        hashed = hash_rows(frame.select(self.column).filter(present), key, "item")
        items[present.to_numpy()] = hashed.low >> np.uint64(1)
        return items

    def prune(self, counts: ItemCounts, identities: U64Array, max_items: int | None) -> ItemCounts:
        """Keeps the values that come first."""
        if max_items is None:
            return counts
        limits = np.full(len(identities), max_items, np.int64)
        return self.bound(counts, identities, limits)

    def bound(self, counts: ItemCounts, identities: U64Array, counted: Int64Array) -> ItemCounts:
        """Keeps each of the values that come first, once."""
        rank = mix(counts.item ^ identities[counts.contribution])
        order = np.lexsort((counts.item, rank, counts.contribution))
        in_order = counts.contribution[order]
        kept = np.zeros(len(counts), np.bool_)
        kept[order[position_in_run(in_order) < counted[in_order]]] = True
        chosen = counts.where(kept)
        return ItemCounts(chosen.contribution, chosen.item, np.ones(len(chosen), np.int64))
