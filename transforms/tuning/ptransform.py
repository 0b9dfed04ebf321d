"""The Beam transform of tuning: one pass over the rows for a whole grid of bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import PCollection

from transforms.dofns import PreAggregate
from transforms.hashing import HashKey
from transforms.ptransforms import BATCH_BYTES, GATHER_BYTES
from transforms.same_code import OnSameCode
from transforms.stages import unit_columns
from transforms.tuning.stages import TuningEngine, TuningTable
from transforms.worker_errors import without_texts


@dataclass
class TuneTables(beam.PTransform[PCollection[pa.Table], PCollection[tuple[str, bytes]]]):
    """Finds the errors of all points of the grids of all tables, or noisy histograms.

    The input is a bounded `PCollection` of `pyarrow.Table`. The output has one element per table:
    its name, and a packed frame (`transforms.wire`) as `TuningEngine.finish` returns it. It is
    behind a `Reshuffle`, so that noise is drawn once.

    Attributes:
        unit: Privacy unit columns; there may be none where single rows are protected.
        tables: The tables with what is tried.
        key: Secret of this tuning.
        shards: Shards of both shuffles.
        batch_bytes: Rows that are encoded together.
        gather_bytes: Encoded batches that are pre-aggregated together.
    """

    unit: str | Sequence[str]
    tables: Sequence[TuningTable]
    key: HashKey = field(default_factory=HashKey.draw)
    shards: int = 16
    batch_bytes: int = BATCH_BYTES
    gather_bytes: int = GATHER_BYTES

    def expand(self, rows: PCollection[pa.Table]) -> PCollection[tuple[str, bytes]]:
        """Wires the stages."""
        plans = [table.plan for table in self.tables]
        columns = unit_columns(self.unit, plans)
        engine = TuningEngine.of(columns, self.tables, self.key, self.shards)
        totals = (
            rows
            | "Pre-aggregate"
            >> _packed(PreAggregate(engine.engine, self.batch_bytes, self.gather_bytes))
            | "Group by unit shard" >> beam.GroupByKey()
            | "Sum units" >> _packed(_SumUnits(engine))
            | "Group by partition shard" >> beam.GroupByKey()
            | "Sum partitions" >> _packed(_SumPartitions(engine))
        )
        nothing = rows.pipeline | "No partitions" >> beam.Create(engine.nothing())
        found: PCollection[tuple[str, bytes]] = (
            (totals, nothing)
            | "Add no partitions" >> beam.Flatten()
            | "Group by table" >> beam.GroupByKey()
            | "Finish" >> beam.ParDo(_Finish(engine)).with_output_types(tuple[str, bytes])
            | "Commit" >> beam.Reshuffle()
        )
        return found


@without_texts
class _SumUnits(OnSameCode):
    """Sums up each shard of units by partition."""

    def __init__(self, engine: TuningEngine) -> None:
        super().__init__()
        self._engine = engine

    def process(self, shard: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        """Yields packed sums by partition shard."""
        yield from self._engine.sum_units(*shard)


@without_texts
class _SumPartitions(OnSameCode):
    """Sums up each shard of partitions."""

    def __init__(self, engine: TuningEngine) -> None:
        super().__init__()
        self._engine = engine

    def process(self, shard: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        """Yields packed totals by table."""
        yield self._engine.sum_partitions(*shard)


@without_texts
class _Finish(OnSameCode):
    """Finishes each table."""

    def __init__(self, engine: TuningEngine) -> None:
        super().__init__()
        self._engine = engine

    def process(self, table: tuple[int, Iterable[bytes]]) -> Iterator[tuple[str, bytes]]:
        """Yields the table's name and its packed result."""
        number, packed = self._engine.finish(*table)
        yield self._engine.tables[number].plan.name, packed


def _packed(do_fn: beam.DoFn) -> Any:
    return beam.ParDo(do_fn).with_output_types(tuple[int, bytes])
