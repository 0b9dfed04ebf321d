"""Beam transforms: bounded, privately selected, noisy statistics of Arrow tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa
from apache_beam.coders.typecoders import registry
from apache_beam.pvalue import PCollection

from transforms.blocks import BlockFolder
from transforms.bounds import Bounds, Guarantee
from transforms.budget import AnyBudget
from transforms.coder import ArrowTableCoder
from transforms.dofns import (
    BoundUnits,
    DrawOtherRow,
    DrawPartitions,
    OtherZeros,
    PreAggregate,
    PublicZeros,
    SplitTables,
    WriteBlocks,
    unselected_sums,
)
from transforms.hashing import HashKey
from transforms.mechanisms import AUTO, NoiseChoice
from transforms.metrics import Metric
from transforms.plan import TablePlan
from transforms.planning import plan_tables
from transforms.render import render
from transforms.stages import Engine, unit_columns
from transforms.table import PrivateSelection, PublicKeys, Table
from transforms.worker_errors import without_texts

BATCH_BYTES = 64 << 20
"""Rows that are encoded together."""

GATHER_BYTES = 768 << 20
"""Encoded batches that are pre-aggregated together: more prune better and cost more memory."""

registry.register_coder(pa.Table, ArrowTableCoder)


@dataclass
class DrawTables(beam.PTransform[PCollection[pa.Table], dict[str, PCollection[pa.Table]]]):
    """Draws all tables of a release in one pass over the rows.

    The input is a bounded `PCollection` of `pyarrow.Table`, of any sizes. The output maps each
    table's name to a `PCollection` of `pyarrow.Table` with the drawn integers
    (`transforms.draw`). A draw is behind a `Reshuffle`: whatever consumes it, and however often,
    sees the same numbers.

    Attributes:
        unit: Privacy unit columns; there may be none where single rows are protected.
        plans: The tables with all their mechanisms.
        key: Secret of the release; must be the same in retries of one release.
        unit_shards: Shards of the first shuffle; a shard should stay below about 128 MiB.
        partition_shards: Shards of the second shuffle.
        batch_bytes: Rows that are encoded together.
        gather_bytes: Encoded batches that are pre-aggregated together.
        blocks: Folder of this machine that holds what the first shuffle would hold, for a runner
            that keeps shuffles in memory; None to leave it to the runner. It must be private and
            empty, and is to be deleted afterwards.
        bounding_ram: Memory of a worker that merges and bounds unit shards, such as 16GB, for
            runners that choose workers by it.
    """

    unit: str | Sequence[str]
    plans: Sequence[TablePlan]
    key: HashKey = field(default_factory=HashKey.draw)
    unit_shards: int = 16
    partition_shards: int = 4
    batch_bytes: int = BATCH_BYTES
    gather_bytes: int = GATHER_BYTES
    blocks: BlockFolder | None = None
    bounding_ram: str | None = None

    def expand(self, rows: PCollection[pa.Table]) -> dict[str, PCollection[pa.Table]]:
        """Wires the stages."""
        _check_windowing(rows)
        engine = Engine(
            unit_columns(self.unit, self.plans),
            tuple(self.plans),
            self.key,
            self.unit_shards,
            self.partition_shards,
        )
        names = tuple(plan.name for plan in self.plans)
        committed = (
            rows
            | "Sum"
            >> _SumPartitions(
                engine, self.batch_bytes, self.gather_bytes, self.blocks, self.bounding_ram
            )
            | "Group by partition shard" >> beam.GroupByKey()
            | "Select and draw noise" >> _packed(DrawPartitions(engine))
            | "Commit the draw" >> beam.Reshuffle()
        )
        drawn = committed | "Split tables" >> _split(names)
        tables = {name: drawn[name] for name in names}
        if not engine.tables_with_other:
            return tables
        other = (
            committed
            | "Draw other partitions" >> _DrawOther(engine)
            | "Split other partitions" >> _split(names)
        )
        return {
            name: (table, other[name]) | f"Add other partitions of {name}" >> beam.Flatten()
            for name, table in tables.items()
        }


@dataclass
class _SumPartitions(beam.PTransform[PCollection[pa.Table], PCollection[tuple[int, bytes]]]):
    """Bounds all units and adds them up to partial sums of partitions, zeros of public ones too.

    Attributes:
        engine: What all workers agree on.
        batch_bytes: Rows that are encoded together.
        gather_bytes: Encoded batches that are pre-aggregated together.
        blocks: Folder that holds what the first shuffle would hold; None for none.
        bounding_ram: Memory of a worker that bounds units; None for that of any.
    """

    engine: Engine
    batch_bytes: int
    gather_bytes: int
    blocks: BlockFolder | None
    bounding_ram: str | None

    def expand(self, rows: PCollection[pa.Table]) -> PCollection[tuple[int, bytes]]:
        """Wires the sums."""
        bound = _packed(BoundUnits(self.engine, self.blocks))
        if self.bounding_ram is not None:
            bound = bound.with_resource_hints(min_ram=self.bounding_ram)
        packed = rows | "Pre-aggregate and prune" >> _packed(
            PreAggregate(self.engine, self.batch_bytes, self.gather_bytes)
        )
        if self.blocks is not None:
            packed = packed | "Write blocks" >> _packed(WriteBlocks(self.blocks))
        bounded = packed | "Group by unit shard" >> beam.GroupByKey() | "Merge and bound" >> bound
        zeros = (
            rows.pipeline
            | "Start public partitions" >> beam.Create(self.engine.zero_slices())
            | "List public partitions" >> _packed(PublicZeros(self.engine))
        )
        sums: PCollection[tuple[int, bytes]] = (
            bounded,
            zeros,
        ) | "Add public partitions" >> beam.Flatten()
        return sums


@dataclass
class _DrawOther(beam.PTransform[PCollection[tuple[int, bytes]], PCollection[tuple[int, bytes]]]):
    """Draws the row of other partitions of each table, from what a committed draw left out.

    Attributes:
        engine: What all workers agree on.
    """

    engine: Engine

    def expand(self, committed: PCollection[tuple[int, bytes]]) -> PCollection[tuple[int, bytes]]:
        """Wires the draw."""
        left_out = committed | "Look at what was left out" >> beam.FlatMap(
            unselected_sums
        ).with_output_types(tuple[int, bytes])
        zeros = (
            committed.pipeline
            | "Start other partitions" >> beam.Create([None])
            | "List other partitions" >> _packed(OtherZeros(self.engine))
        )
        drawn: PCollection[tuple[int, bytes]] = (
            (left_out, zeros)
            | "Add no other partitions" >> beam.Flatten()
            | "Group other partitions by table" >> beam.GroupByKey()
            | "Draw noise of other partitions" >> _packed(DrawOtherRow(self.engine))
            | "Commit the draw of other partitions" >> beam.Reshuffle()
        )
        return drawn


@dataclass
class Aggregate(beam.PTransform[PCollection[pa.Table], PCollection[pa.Table]]):
    """Releases one table: a differentially private group-by.

    The input is a bounded `PCollection` of `pyarrow.Table`; the output is a `PCollection` of
    `pyarrow.Table` with the columns described in `transforms.render`.

    Example:
        >>> rows | dp.Aggregate(
        ...     unit=["user_id"],
        ...     keys=["country", "emoji"],
        ...     metrics={"uses": dp.Count(), "seconds": dp.Sum("dwell_s", clip=(0, 60))},
        ...     bounds=dp.Bounds(8, 5),
        ...     budget=dp.Budget(epsilon=1.0, delta=1e-8),
        ... )  # doctest: +SKIP

    Attributes:
        unit: Privacy unit columns; there may be none where single rows are protected.
        keys: Key columns.
        metrics: Metrics by the name of their column.
        budget: Budget of this table. A second run draws again and spends it again.
        bounds: Contribution bounds.
        partitions: Private selection, or the public list of partitions.
        noise: Distribution of the noise.
        guarantee: What is protected.
        other: Whether partitions that are not selected are released as one row with null keys.
    """

    unit: str | Sequence[str]
    keys: str | Sequence[str]
    metrics: Mapping[str, Metric]
    budget: AnyBudget
    bounds: Bounds = Bounds()
    partitions: PrivateSelection | PublicKeys = PrivateSelection()
    noise: NoiseChoice = AUTO
    guarantee: Guarantee = Guarantee()
    other: bool = False

    def expand(self, rows: PCollection[pa.Table]) -> PCollection[pa.Table]:
        """Wires plan, draw and rendering."""
        table = Table(
            self.keys, self.metrics, self.bounds, self.partitions, self.noise, other=self.other
        )
        (plan,) = plan_tables({"table": table}, self.budget, self.guarantee)
        drawn = rows | "Draw" >> DrawTables(self.unit, (plan,))
        rendered: PCollection[pa.Table] = drawn["table"] | "Render" >> beam.Map(
            _render, plan
        ).with_output_types(pa.Table)
        return rendered


def _split(names: tuple[str, ...]) -> Any:
    return beam.ParDo(SplitTables(names)).with_outputs(*names)


def _packed(do_fn: beam.DoFn) -> Any:
    return beam.ParDo(do_fn).with_output_types(tuple[int, bytes])


@without_texts
def _render(drawn: pa.Table, plan: TablePlan) -> pa.Table:
    return render(pl.DataFrame(drawn), plan).to_arrow(compat_level=pl.CompatLevel.oldest())


def _check_windowing(rows: PCollection[pa.Table]) -> None:
    if not rows.windowing.is_default():
        raise ValueError(
            f"the input has the windowing {rows.windowing}; allowed: the global window, because "
            "bounding needs all rows of a privacy unit"
        )
