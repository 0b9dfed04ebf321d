"""The stages of an aggregation on one worker, without Beam.

The functions in `transforms.ptransforms` only buffer and forward what these compute. A stage's
output key is `table * shards + shard`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa

from transforms.batches import Batch, make_batch
from transforms.bounding import add_up, add_up_others, bound_and_sum, no_others, public_zeros
from transforms.contributions import (
    Contributions,
    Numbering,
    group_shard,
    merge,
    number_partitions,
    prune,
)
from transforms.draw import draw, draw_other
from transforms.hashing import HashKey
from transforms.partitions import hash_keys
from transforms.plan import TablePlan
from transforms.rows import canonical_rows, select_columns, without_nulls
from transforms.table import column_names
from transforms.wire import pack_contributions, pack_frame, unpack_contributions, unpack_frame

ZeroSlice = tuple[int, int, int]
"""Number of a table, and the first and last position (exclusive) in its list of partitions."""


def unit_columns(unit: str | Sequence[str], plans: Sequence[TablePlan]) -> tuple[str, ...]:
    """Returns the privacy unit columns; none are needed where single rows are protected.

    Raises:
        ValueError: There is none and tables need some, or one cannot be used.
    """
    if not unit and all(plan.guarantee.bounding == "row" for plan in plans):
        return ()
    return column_names("unit", unit)


@dataclass(frozen=True)
class Engine:
    """What all workers of one release agree on.

    Attributes:
        unit: Privacy unit columns; there may be none where single rows are protected.
        plans: The tables.
        key: Secret of the release.
        unit_shards: Shards of the first shuffle, which brings a unit's contributions together.
        partition_shards: Shards of the second shuffle, which brings a partition together.
    """

    unit: tuple[str, ...]
    plans: tuple[TablePlan, ...]
    key: HashKey
    unit_shards: int
    partition_shards: int

    def __post_init__(self) -> None:
        for name in ("unit_shards", "partition_shards"):
            if not 1 <= getattr(self, name) <= 2**16:
                raise ValueError(f"{name} is {getattr(self, name)}; allowed: from 1 to {2**16}")

    @property
    def identity_columns(self) -> list[str]:
        """Privacy unit and key columns, and those whose values are counted."""
        return [*self.unit, *(name for plan in self.plans for name in plan.identity_columns)]

    @property
    def value_columns(self) -> list[str]:
        """Columns of numbers."""
        return [name for plan in self.plans for name in plan.value_columns]

    def select(self, table: pa.Table) -> pa.Table:
        """Returns the columns that the release reads."""
        return select_columns(table, [*self.identity_columns, *self.value_columns])

    def canonical(self, table: pa.Table) -> pl.DataFrame:
        """Returns the columns and rows of a raw table that the release reads, in canonical form."""
        frame = canonical_rows(table, self.identity_columns, self.value_columns)
        return without_nulls(frame, self.unit)

    def batch(self, tables: Sequence[pa.Table]) -> Batch:
        """Encodes raw tables of one schema."""
        frame = pl.concat([self.canonical(table) for table in tables])
        return make_batch(frame, self.unit, self.plans, self.key, self.unit_shards)

    def shards(self, batches: Sequence[Batch]) -> list[Callable[[], list[tuple[int, bytes]]]]:
        """Pre-aggregates and prunes batches.

        Args:
            batches: One or more batches.

        Returns:
            One job per unit shard, which returns packed contributions keyed by table and shard.
        """
        numberings = [number_partitions(batches, table) for table in range(len(self.plans))]
        return [
            partial(self._shard, batches, shard, numberings) for shard in range(self.unit_shards)
        ]

    def _shard(
        self, batches: Sequence[Batch], shard: int, numberings: Sequence[Numbering]
    ) -> list[tuple[int, bytes]]:
        packed = []
        for table, contributions in enumerate(group_shard(batches, shard, numberings)):
            pruned = prune(contributions, self.plans[table])
            if len(pruned):
                key = table * self.unit_shards + shard
                packed.append((key, pack_contributions(pruned.compact())))
        return packed

    def bound_units(self, shard_key: int, packed: Iterable[bytes]) -> tuple[int, pl.DataFrame]:
        """Merges and bounds all contributions of the units of one shard.

        Args:
            shard_key: Table and unit shard.
            packed: Everything that `shards` made for that key.

        Returns:
            The table's number and its partial sums.
        """
        table = shard_key // self.unit_shards
        contributions = [unpack_contributions(part, self.key) for part in packed]
        return table, self.partial_sums(table, contributions)

    def partial_sums(self, table: int, contributions: Sequence[Contributions]) -> pl.DataFrame:
        """Merges, bounds and sums up all contributions of some units to one table."""
        plan = self.plans[table]
        pruned = prune(merge(contributions), plan)
        return bound_and_sum(pruned, plan)

    def shard_partials(
        self, table: int, partials: Sequence[pl.DataFrame]
    ) -> list[tuple[int, bytes]]:
        """Adds up partial sums and packs them, keyed by table and partition shard."""
        plan = self.plans[table]
        added = add_up(partials, plan)
        hashes = hash_keys(added.select(plan.keys), self.key)
        shard = hashes.high % np.uint64(self.partition_shards)
        return [
            (table * self.partition_shards + int(number), pack_frame(added.filter(shard == number)))
            for number in np.unique(shard)
        ]

    def zero_slices(self) -> list[ZeroSlice]:
        """Returns what `zeros` is to be called with, to list all public partitions."""
        return [
            (table, start, stop)
            for table, plan in enumerate(self.plans)
            if plan.public_keys is not None
            for start, stop in plan.public_keys.slices()
        ]

    def zeros(self, part: ZeroSlice) -> list[tuple[int, bytes]]:
        """Returns packed partial sums of zero for some public partitions of a table."""
        table, start, stop = part
        return self.shard_partials(table, [public_zeros(self.plans[table], start, stop)])

    def draw_partitions(self, shard_key: int, packed: Iterable[bytes]) -> tuple[int, bytes]:
        """Selects and draws noise for the partitions of one shard. Every call draws anew.

        Args:
            shard_key: Table and partition shard.
            packed: Everything that `shard_partials` and `zeros` made for that key.

        Returns:
            The table's number, and the packed draw: partitions with their noise, whose schema
            metadata names the shard and the draw; and where the table needs them, exact sums of
            those that were not selected.
        """
        table = shard_key // self.partition_shards
        plan = self.plans[table]
        partials = add_up([unpack_frame(part) for part in packed], plan)
        drawn = draw(partials, plan)
        other = b"" if drawn.other is None else pack_frame(drawn.other)
        return table, pack_frame(drawn.drawn, _origin(str(shard_key))) + other

    def no_others(self) -> list[tuple[int, bytes]]:
        """Returns packed sums of zero for all rows of other partitions."""
        return [
            (table, pack_frame(no_others(self.plans[table]))) for table in self.tables_with_other
        ]

    @property
    def tables_with_other(self) -> list[int]:
        """Numbers of the tables with a row of other partitions."""
        return [table for table, plan in enumerate(self.plans) if plan.other]

    def draw_other(self, table: int, packed: Iterable[bytes]) -> tuple[int, bytes]:
        """Draws the noise of a row of other partitions. Every call draws anew.

        Args:
            table: The table's number.
            packed: All sums of partitions of that table that were not selected.

        Returns:
            The table's number and the packed draw.
        """
        plan = self.plans[table]
        partials = add_up_others([unpack_frame(part) for part in packed], plan)
        return table, pack_frame(draw_other(partials, plan), _origin(f"other{table}"))


def _origin(shard: str) -> dict[str, str]:
    return {"shard": shard, "draw": uuid.uuid4().hex}
