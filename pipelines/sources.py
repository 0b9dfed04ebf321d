"""Reads input files as Arrow tables, in a pipeline on any runner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import apache_beam as beam
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.pvalue import PCollection

from pipelines.inputs import Input, InputFile, is_local, open_file, open_parquet
from pipelines.lines import read_csv, read_jsonl
from pipelines.progress import count_bytes

TASK_BYTES = 64 << 20
"""Uncompressed columns that one reading step takes, where row groups allow."""


class ReadTask(NamedTuple):
    """Part of a file: all of a text file, or consecutive row groups of a Parquet file.

    Attributes:
        path: Path or URL of the file.
        row_groups: First row group, and the one after the last.
        rows: First row, and the one after the last.
        size: Bytes in the file, about.
    """

    path: str
    row_groups: tuple[int, int]
    rows: tuple[int, int]
    size: int


@dataclass
class ReadRows(beam.PTransform[beam.Pipeline, PCollection[pa.Table]]):
    """Reads the columns of a release from its files, as a `PCollection` of `pyarrow.Table`.

    Attributes:
        source: What to read.
        files: The files, matched beforehand.
    """

    source: Input
    files: Sequence[InputFile]

    def expand(self, pipeline: beam.Pipeline) -> PCollection[pa.Table]:
        """Wires matching, splitting and reading."""
        tables: PCollection[pa.Table] = (
            pipeline
            | "List files" >> beam.Create([(file.path, file.size) for file in self.files])
            | "Split files" >> beam.ParDo(_SplitFile(self.source))
            | "Spread over workers" >> beam.Reshuffle()
            | "Read columns" >> beam.ParDo(_Read(self.source)).with_output_types(pa.Table)
        )
        return tables


class _SplitFile(beam.DoFn):
    """Splits a file into reading tasks."""

    def __init__(self, source: Input) -> None:
        self._source = source

    def process(
        self, file: tuple[str, int]
    ) -> Iterator[tuple[str, tuple[int, int], tuple[int, int], int]]:
        path, size = file
        if self._source.format == "parquet":
            parts = split_parquet(open_parquet(path), path, self._source.columns, size)
            yield from map(tuple, parts)
        else:
            yield path, (0, 0), (0, 0), size


class _Read(beam.DoFn):
    """Reads the rows of a task."""

    def __init__(self, source: Input) -> None:
        self._source = source

    def process(
        self, task: tuple[str, tuple[int, int], tuple[int, int], int]
    ) -> Iterator[pa.Table]:
        yield from read_task(ReadTask(*task), self._source)


def split_parquet(
    file: pq.ParquetFile, path: str, columns: Sequence[str], size: int
) -> list[ReadTask]:
    """Splits a Parquet file into runs of row groups of about `TASK_BYTES`.

    Args:
        file: The opened file.
        path: Its path or URL.
        columns: Columns to read.
        size: Bytes of the file.

    Returns:
        Tasks that cover all rows once.
    """
    metadata = file.metadata
    tasks: list[ReadTask] = []
    first_group = first_row = row = pending = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        pending += sum(
            column.total_uncompressed_size
            for column in map(group.column, range(group.num_columns))
            if column.path_in_schema in columns
        )
        row += group.num_rows
        if pending >= TASK_BYTES or number == metadata.num_row_groups - 1:
            share = size * (row - first_row) // max(1, metadata.num_rows)
            tasks.append(ReadTask(path, (first_group, number + 1), (first_row, row), share))
            first_group, first_row, pending = number + 1, row, 0
    return tasks


def read_task(task: ReadTask, source: Input) -> Iterator[pa.Table]:
    """Reads the columns of a task's rows.

    Args:
        task: Part of a file.
        source: What to read.

    Yields:
        Tables with the columns of the source.
    """
    match source.format:
        case "parquet":
            yield _read_parquet(task, list(source.columns))
            count_bytes(task.size)
        case "csv":
            yield from _read_text(task, read_csv(open_file(task.path), source.types))
        case "jsonl":
            yield from _read_text(task, read_jsonl(open_file(task.path), source.types))


def _read_parquet(task: ReadTask, columns: list[str]) -> pa.Table:
    if is_local(task.path):
        first, end = task.rows
        rows = pl.scan_parquet(task.path, glob=False).select(columns).slice(first, end - first)
        try:
            return rows.collect().to_arrow(compat_level=pl.CompatLevel.newest())
        except pl.exceptions.ComputeError:
            # Polars is the faster reader, but refuses text that is not UTF-8.
            pass
    return open_parquet(task.path).read_row_groups(list(range(*task.row_groups)), columns)


def _read_text(task: ReadTask, frames: Iterator[pl.DataFrame]) -> Iterator[pa.Table]:
    for frame in frames:
        yield frame.to_arrow(compat_level=pl.CompatLevel.newest())
    count_bytes(task.size)
