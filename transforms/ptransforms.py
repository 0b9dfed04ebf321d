"""Beam transforms: bounded, privately selected, noisy counts and sums of Arrow tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa
from apache_beam.coders.typecoders import registry
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from transforms.background import Background
from transforms.batches import Batch
from transforms.bounds import Bounds, Guarantee
from transforms.budget import Budget
from transforms.coder import ArrowTableCoder
from transforms.hashing import HashKey
from transforms.mechanisms import NoiseKind
from transforms.metrics import Metric
from transforms.plan import TablePlan
from transforms.planning import plan_tables
from transforms.render import render
from transforms.stages import Engine, ZeroSlice, unit_columns
from transforms.table import PrivateSelection, PublicKeys, Table
from transforms.wire import unpack_table

BATCH_BYTES = 64 << 20
"""Rows that are encoded together."""

GATHER_BYTES = 768 << 20
"""Encoded batches that are pre-aggregated together: more prune better and cost more memory."""

PARTIAL_ROWS = 4_000_000
"""Partial sums that a worker gathers before it sends them on."""

THREADS = 2
"""Batches or shards under way at once on one worker."""

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
    """

    unit: str | Sequence[str]
    plans: Sequence[TablePlan]
    key: HashKey = field(default_factory=HashKey.draw)
    unit_shards: int = 16
    partition_shards: int = 4
    batch_bytes: int = BATCH_BYTES
    gather_bytes: int = GATHER_BYTES

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
        pre_aggregate = _PreAggregate(engine, self.batch_bytes, self.gather_bytes)
        bounded = (
            rows
            | "Pre-aggregate and prune" >> _packed(pre_aggregate)
            | "Group by unit shard" >> beam.GroupByKey()
            | "Merge and bound" >> _packed(_BoundUnits(engine))
        )
        zeros = (
            rows.pipeline
            | "Start public partitions" >> beam.Create(engine.zero_slices())
            | "List public partitions" >> _packed(_Zeros(engine))
        )
        committed = (
            (bounded, zeros)
            | "Add public partitions" >> beam.Flatten()
            | "Group by partition shard" >> beam.GroupByKey()
            | "Select and draw noise" >> _packed(_Draw(engine))
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
class _DrawOther(beam.PTransform[PCollection[tuple[int, bytes]], PCollection[tuple[int, bytes]]]):
    """Draws the row of other partitions of each table, from what a committed draw left out.

    Attributes:
        engine: What all workers agree on.
    """

    engine: Engine

    def expand(self, committed: PCollection[tuple[int, bytes]]) -> PCollection[tuple[int, bytes]]:
        """Wires the draw."""
        left_out = committed | "Look at what was left out" >> beam.FlatMap(
            _left_out
        ).with_output_types(tuple[int, bytes])
        zeros = (
            committed.pipeline
            | "Start other partitions" >> beam.Create([None])
            | "List other partitions" >> _packed(_NoOthers(self.engine))
        )
        drawn: PCollection[tuple[int, bytes]] = (
            (left_out, zeros)
            | "Add no other partitions" >> beam.Flatten()
            | "Group other partitions by table" >> beam.GroupByKey()
            | "Draw noise of other partitions" >> _packed(_DrawOtherRow(self.engine))
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
    budget: Budget
    bounds: Bounds = Bounds()
    partitions: PrivateSelection | PublicKeys = PrivateSelection()
    noise: NoiseKind = "laplace"
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


class _PreAggregate(beam.DoFn):
    """Gathers tables to batches, and batches to packed contributions per unit shard."""

    def __init__(self, engine: Engine, batch_bytes: int, gather_bytes: int) -> None:
        self._engine = engine
        self._batch_bytes = batch_bytes
        self._gather_bytes = gather_bytes

    def setup(self) -> None:
        self._encoding: Background[Batch] = Background(THREADS)
        self._grouping: Background[list[tuple[int, bytes]]] = Background(THREADS)

    def start_bundle(self) -> None:
        self._encoding.discard()
        self._grouping.discard()
        self._tables: list[pa.Table] = []
        self._table_bytes = 0
        self._batches: list[Batch] = []
        self._gathered_bytes = 0

    def process(self, table: pa.Table) -> Iterator[tuple[int, bytes]]:
        selected = self._engine.select(table)
        if self._tables and selected.schema != self._tables[0].schema:
            self._encode()
        self._tables.append(selected)
        self._table_bytes += selected.nbytes
        if self._table_bytes >= self._batch_bytes:
            self._encode()
        if self._gathered_bytes >= self._gather_bytes:
            yield from self._group()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._tables:
            self._encode()
        self._gather(self._encoding.drain())
        yield from map(_global, self._group())

    def teardown(self) -> None:
        self._encoding.close()
        self._grouping.close()

    def _encode(self) -> None:
        tables, self._tables, self._table_bytes = self._tables, [], 0
        self._gather(self._encoding.submit(lambda: self._engine.batch(tables)))

    def _gather(self, batches: Iterator[Batch]) -> None:
        for batch in batches:
            self._batches.append(batch)
            self._gathered_bytes += batch.size

    def _group(self) -> Iterator[tuple[int, bytes]]:
        batches, self._batches, self._gathered_bytes = self._batches, [], 0
        for job in self._engine.shards(batches) if batches else []:
            for packed in self._grouping.submit(job):
                yield from packed
        for packed in self._grouping.drain():
            yield from packed


class _BoundUnits(beam.DoFn):
    """Bounds the units of each shard and sends on partial sums by partition shard."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def setup(self) -> None:
        self._background: Background[tuple[int, pl.DataFrame]] = Background(THREADS)

    def start_bundle(self) -> None:
        self._background.discard()
        self._partials: dict[int, list[pl.DataFrame]] = {}

    def process(self, shard: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        shard_key, packed = shard
        parts = list(packed)
        for done in self._background.submit(lambda: self._engine.bound_units(shard_key, parts)):
            yield from self._gather(done)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for done in self._background.drain():
            yield from map(_global, self._gather(done))
        for table, partials in self._partials.items():
            yield from map(_global, self._engine.shard_partials(table, partials))

    def teardown(self) -> None:
        self._background.close()

    def _gather(self, done: tuple[int, pl.DataFrame]) -> list[tuple[int, bytes]]:
        table, partial = done
        gathered = self._partials.setdefault(table, [])
        gathered.append(partial)
        if sum(frame.height for frame in gathered) < PARTIAL_ROWS:
            return []
        del self._partials[table]
        return self._engine.shard_partials(table, gathered)


class _Zeros(beam.DoFn):
    """Sends zeros for each slice of the public partitions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def process(self, part: ZeroSlice) -> Iterator[tuple[int, bytes]]:
        yield from self._engine.zeros(part)


class _Draw(beam.DoFn):
    """Draws the partitions of each shard."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def process(self, shard: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        yield self._engine.draw_partitions(*shard)


class _NoOthers(beam.DoFn):
    """Sends zeros for each row of other partitions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def process(self, start: None) -> Iterator[tuple[int, bytes]]:  # noqa: ARG002
        yield from self._engine.no_others()


class _DrawOtherRow(beam.DoFn):
    """Draws the row of other partitions of each table."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def process(self, table: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        yield self._engine.draw_other(*table)


class _SplitTables(beam.DoFn):
    """Sends each table's draws to its own output."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def process(self, drawn: tuple[int, bytes]) -> Iterator[Any]:
        number, packed = drawn
        table, _ = unpack_table(packed)
        yield TaggedOutput(self._names[number], table)


def _left_out(drawn: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
    """Yields the sums of partitions that a draw did not select."""
    number, packed = drawn
    _, left_out = unpack_table(packed)
    if left_out:
        yield number, left_out


def _split(names: tuple[str, ...]) -> Any:
    return beam.ParDo(_SplitTables(names)).with_outputs(*names)


def _packed(do_fn: beam.DoFn) -> Any:
    return beam.ParDo(do_fn).with_output_types(tuple[int, bytes])


def _render(drawn: pa.Table, plan: TablePlan) -> pa.Table:
    return render(pl.DataFrame(drawn), plan).to_arrow(compat_level=pl.CompatLevel.oldest())


def _global(element: tuple[int, bytes]) -> WindowedValue:
    return GlobalWindows.windowed_value(element)


def _check_windowing(rows: PCollection[pa.Table]) -> None:
    if not rows.windowing.is_default():
        raise ValueError(
            f"the input has the windowing {rows.windowing}; allowed: the global window, because "
            "bounding needs all rows of a privacy unit"
        )
