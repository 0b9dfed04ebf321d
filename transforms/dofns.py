"""The steps of an aggregation on Beam's workers: they buffer and forward what `Engine` computes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from transforms.background import Background
from transforms.batches import Batch
from transforms.blocks import BlockFile, BlockFolder
from transforms.private_metrics import counter, distribution
from transforms.same_code import OnSameCode
from transforms.stages import Engine, ZeroSlice
from transforms.wire import unpack_table
from transforms.worker_errors import without_texts

PARTIAL_ROWS = 4_000_000
"""Partial sums that a worker gathers before it sends them on."""

THREADS = 2
"""Batches or shards under way at once on one worker."""


@without_texts
class _OnEngine(OnSameCode):
    """A step that an engine computes."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine


@without_texts
class PreAggregate(_OnEngine):
    """Gathers tables to batches, and batches to packed contributions per unit shard."""

    def __init__(self, engine: Engine, batch_bytes: int, gather_bytes: int) -> None:
        super().__init__(engine)
        self._batch_bytes = batch_bytes
        self._gather_bytes = gather_bytes
        self._rows = counter("rows_to_aggregate")
        self._counted_rows = counter("rows_that_count")
        self._sent = distribution("unit_shuffle_element_bytes")

    def setup(self) -> None:
        super().setup()
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
        self._rows.inc(selected.num_rows)
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
            self._counted_rows.inc(batch.rows)
            self._batches.append(batch)
            self._gathered_bytes += batch.size

    def _group(self) -> Iterator[tuple[int, bytes]]:
        batches, self._batches, self._gathered_bytes = self._batches, [], 0
        for job in self._engine.shards(batches) if batches else []:
            for packed in self._grouping.submit(job):
                yield from self._counted(packed)
        for packed in self._grouping.drain():
            yield from self._counted(packed)

    def _counted(self, packed: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        for _, content in packed:
            self._sent.update(len(content))
        return packed


@without_texts
class WriteBlocks(beam.DoFn):
    """Writes blocks to a file and sends on their places."""

    def __init__(self, folder: BlockFolder) -> None:
        self._folder = folder

    def start_bundle(self) -> None:
        self._file: BlockFile | None = None

    def process(self, keyed: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
        key, block = keyed
        if self._file is None:
            self._file = BlockFile(self._folder.path)
        yield key, self._file.add(block)

    def finish_bundle(self) -> None:
        if self._file is not None:
            self._file.close()


@without_texts
class BoundUnits(_OnEngine):
    """Bounds the units of each shard and sends on partial sums by partition shard."""

    def __init__(self, engine: Engine, blocks: BlockFolder | None = None) -> None:
        super().__init__(engine)
        self._blocks = blocks
        self._shards = distribution("unit_shard_bytes")

    def setup(self) -> None:
        super().setup()
        self._background: Background[tuple[int, pl.DataFrame]] = Background(THREADS)

    def start_bundle(self) -> None:
        self._background.discard()
        self._partials: dict[int, list[pl.DataFrame]] = {}

    def process(self, shard: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        shard_key, sent = shard
        places = list(sent)
        blocks = self._blocks
        size = len if blocks is None else blocks.size
        self._shards.update(sum(map(size, places)))
        packed: Iterable[bytes] = places if blocks is None else map(blocks.read, places)
        for done in self._background.submit(lambda: self._engine.bound_units(shard_key, packed)):
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


@without_texts
class PublicZeros(_OnEngine):
    """Sends zeros for each slice of the public partitions."""

    def process(self, part: ZeroSlice) -> Iterator[tuple[int, bytes]]:
        yield from self._engine.zeros(part)


@without_texts
class DrawPartitions(_OnEngine):
    """Draws the partitions of each shard."""

    def process(self, shard: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        yield self._engine.draw_partitions(*shard)


@without_texts
class OtherZeros(_OnEngine):
    """Sends zeros for each row of other partitions."""

    def process(self, start: None) -> Iterator[tuple[int, bytes]]:  # noqa: ARG002
        yield from self._engine.no_others()


@without_texts
class DrawOtherRow(_OnEngine):
    """Draws the row of other partitions of each table."""

    def process(self, table: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        yield self._engine.draw_other(*table)


@without_texts
class SplitTables(beam.DoFn):
    """Sends each table's draws to its own output."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def process(self, drawn: tuple[int, bytes]) -> Iterator[Any]:
        number, packed = drawn
        table, _ = unpack_table(packed)
        yield TaggedOutput(self._names[number], table)


@without_texts
def unselected_sums(drawn: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
    """Yields the sums of partitions that a draw did not select."""
    number, packed = drawn
    _, left_out = unpack_table(packed)
    if left_out:
        yield number, left_out


def _global(element: tuple[int, bytes]) -> WindowedValue:
    return GlobalWindows.windowed_value(element)
