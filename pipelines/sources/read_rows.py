"""Reads input files as Arrow tables, in a pipeline on any runner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import apache_beam as beam
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.pvalue import PCollection

from pipelines.run.progress import count_bytes
from pipelines.same_code import OnSameCode
from pipelines.sources.avro import read_avro
from pipelines.sources.files import InputError, is_local, open_file
from pipelines.sources.inputs import Input, InputFile, Schema, open_parquet
from pipelines.sources.lines import read_csv, read_jsonl
from pipelines.sources.one_schema import as_type, nulls
from pipelines.spec.partition_folders import FolderValues
from transforms.private_metrics import counter
from transforms.text_types import ColumnType, parse
from transforms.worker_errors import without_texts

TASK_BYTES = 64 << 20
"""Uncompressed columns that one reading step takes, where row groups allow."""


class ReadTask(NamedTuple):
    """Part of a file: consecutive row groups of a Parquet file, or all of another file.

    Attributes:
        path: Path or URL of the file.
        row_groups: First row group, and the one after the last.
        rows: First row, and the one after the last.
        size: Bytes in the file, about.
        folders: Columns that the file's folders give, with the text of their values.
    """

    path: str
    row_groups: tuple[int, int]
    rows: tuple[int, int]
    size: int
    folders: FolderValues = ()


_Task = tuple[str, tuple[int, int], tuple[int, int], int, FolderValues]


@dataclass
class ReadRows(beam.PTransform[beam.Pipeline, PCollection[pa.Table]]):
    """Reads the columns of a release from its files, as a `PCollection` of `pyarrow.Table`.

    Attributes:
        source: What to read.
        files: The files, matched beforehand.
        schema: The type that each column has in all files, from `check_input`; a column that is
            not there is left as it is.
        at_least: Uncompressed columns that a reading step takes when that is more than
            `TASK_BYTES`.
    """

    source: Input
    files: Sequence[InputFile]
    schema: Schema = field(default_factory=dict)
    at_least: int = 0

    def expand(self, pipeline: beam.Pipeline) -> PCollection[pa.Table]:
        """Wires matching, splitting and reading."""
        tables: PCollection[pa.Table] = (
            pipeline
            | "List files" >> beam.Create([(f.path, f.size, f.folders) for f in self.files])
            | "Split files" >> beam.ParDo(_SplitFile(self.source, self.at_least))
            | "Spread over workers" >> beam.Reshuffle()
            | "Read columns"
            >> beam.ParDo(_Read(self.source, self.schema)).with_output_types(pa.Table)
        )
        return tables


@without_texts
class _SplitFile(OnSameCode):
    """Splits a file into reading tasks."""

    def __init__(self, source: Input, at_least: int) -> None:
        super().__init__()
        self._source = source
        self._at_least = at_least

    def process(self, file: tuple[str, int, FolderValues]) -> Iterator[_Task]:
        path, size, folders = file
        if self._source.format == "parquet":
            opened = open_parquet(path)
            parts = split_parquet(opened, path, self._source.columns, size, self._at_least)
            for part in parts:
                yield path, part.row_groups, part.rows, part.size, folders
        else:
            yield path, (0, 0), (0, 0), size, folders


@without_texts
class _Read(OnSameCode):
    """Reads the rows of a task."""

    def __init__(self, source: Input, schema: Schema) -> None:
        super().__init__()
        self._source = source
        self._schema = schema
        self._rows = counter("rows_read")

    def process(self, task: _Task) -> Iterator[pa.Table]:
        for table in read_task(ReadTask(*task), self._source, self._schema):
            self._rows.inc(table.num_rows)
            yield table


def split_parquet(
    file: pq.ParquetFile,
    path: str,
    columns: Sequence[str],
    size: int,
    at_least: int = 0,
) -> list[ReadTask]:
    """Splits a Parquet file into runs of row groups.

    Args:
        file: The opened file.
        path: Its path or URL.
        columns: Columns to read.
        size: Bytes of the file.
        at_least: Uncompressed columns of a task when that is more than `TASK_BYTES`.

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
        if pending >= max(TASK_BYTES, at_least) or number == metadata.num_row_groups - 1:
            share = size * (row - first_row) // max(1, metadata.num_rows)
            tasks.append(ReadTask(path, (first_group, number + 1), (first_row, row), share))
            first_group, first_row, pending = number + 1, row, 0
    return tasks


def read_task(task: ReadTask, source: Input, schema: Schema | None = None) -> Iterator[pa.Table]:
    """Reads the columns of a task's rows.

    Args:
        task: Part of a file.
        source: What to read.
        schema: The type that each column has in all files; None to leave them as they are.

    Yields:
        Tables with the columns of the source.

    Raises:
        InputError: The file is damaged, or is not the one that was checked.
    """
    given = {name: text for name, text in task.folders if name in source.folders}
    columns = [name for name in source.columns if name not in given]
    for table in _file_tables(task, source, columns):
        yield pa.table(
            {
                name: _repeat(given[name], source.folders[name], table.num_rows)
                if name in given
                else _column(table, name, task.path, source, schema or {})
                for name in source.columns
            }
        )
    count_bytes(task.size)


def _file_tables(task: ReadTask, source: Input, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yields tables with those of the columns that the file has, and perhaps others."""
    types = {name: kind for name, kind in source.types.items() if name in columns}
    match source.format:
        case "parquet":
            yield _read_parquet(task, columns)
        case "avro":
            yield from read_avro(task.path, columns)
        case "csv":
            yield from map(_to_arrow, read_csv(open_file(task.path), types))
        case "jsonl":
            yield from map(_to_arrow, read_jsonl(open_file(task.path), types))


def _column(
    table: pa.Table, name: str, path: str, source: Input, schema: Schema
) -> pa.ChunkedArray:
    if name in table.column_names:
        column = table[name]
        return as_type(name, column, schema[name], path) if name in schema else column
    if name in source.optional:
        return nulls(table.num_rows, schema.get(name, pl.Null()))
    raise InputError(f"the column {name!r} of {path} went away while the release ran")


def _repeat(text: str | None, kind: ColumnType, count: int) -> pa.ChunkedArray:
    value = pl.select(parse(pl.lit(text, pl.String), kind)).to_series()
    return _to_arrow(value.new_from_index(0, count).to_frame()).column(0)


def _read_parquet(task: ReadTask, columns: Sequence[str]) -> pa.Table:
    first, end = task.rows
    table = None
    if is_local(task.path):
        rows = pl.scan_parquet(task.path, glob=False)
        try:
            there = [name for name in columns if name in rows.collect_schema()]
            table = _to_arrow(rows.select(there).slice(first, end - first).collect())
        except (pl.exceptions.ComputeError, OSError):
            # Polars is the faster reader, but refuses text that is not UTF-8.
            pass
    if table is None:
        opened = open_parquet(task.path)
        there = [name for name in columns if name in opened.schema_arrow.names]
        groups = range(task.row_groups[0], min(task.row_groups[1], opened.num_row_groups))
        table = opened.read_row_groups(list(groups), there)
    if not there:
        return pa.table({"": pa.nulls(end - first)})
    if table.num_rows != end - first:
        raise InputError(f"the number of rows of {task.path} changed while the release ran")
    return table


def _to_arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.newest())
