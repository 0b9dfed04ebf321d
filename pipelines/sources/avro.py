"""Reads Avro files as Arrow tables, block by block.

polars-avro (arrow-avro underneath) decodes only the columns that are asked for, some twenty times
faster than fastavro, which makes a Python object of each value. Its source class is used instead of
its public `scan_avro`, because that one turns the whole schema of a file into Polars types, and
breaks on a union that nobody wants to read.

| what | rule |
|---|---|
| enum | text |
| uuid | its text |
| date, time, timestamp, local timestamp, decimal | kept; timestamps without `local` are in UTC |
| union of null and one type | that type, nullable |
| other unions, maps, arrays, records | cannot be units, keys or values; may be in the file |
| text that is not UTF-8 | its bad bytes are replaced by U+FFFD |
| file that is cut off, or whose header is none | refused by its name |
| block that is damaged | the run fails and nothing is published: storage broke, not a row |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing
from functools import partial
from io import BytesIO
from itertools import islice
from typing import Any, BinaryIO

import fastavro
import polars as pl
import pyarrow as pa
from polars_avro import AvroError, AvroSpecError
from polars_avro._avro_rs import AvroSource

from pipelines.sources.files import InputError, is_local, open_file

BATCH_ROWS = 1 << 17
"""Rows in one table."""

_BROKEN = (AvroError, AvroSpecError, OSError, ValueError)
_UUID = r"^(.{8})(.{4})(.{4})(.{4})(.{12})$"
_MARKER_BYTES = 16
_HEADER = {
    "type": "record",
    "name": "Header",
    "fields": [
        {"name": "magic", "type": {"type": "fixed", "name": "Magic", "size": 4}},
        {"name": "meta", "type": {"type": "map", "values": "bytes"}},
        {"name": "sync", "type": {"type": "fixed", "name": "Sync", "size": _MARKER_BYTES}},
    ],
}
"""The start of a file, from the Avro specification, "Object Container Files"."""


def avro_schema(path: str) -> pa.Schema:
    """Returns the columns of an Avro file as they are read; reads its header and its last bytes.

    Args:
        path: Path or URL.

    Returns:
        Names and types.

    Raises:
        InputError: It is not an Avro file, or it is cut off.
    """
    try:
        header = _checked_header(path)
        source = AvroSource([partial(closing, BytesIO(header))], False, False)
        schema = pa.record_batch(source.schema()).schema
    except Exception:
        raise _unreadable(path) from None
    return pa.schema([field.with_type(_read_type(field)) for field in schema])


def read_avro(path: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Reads columns of an Avro file.

    Args:
        path: Path or URL.
        columns: Columns to read.

    Yields:
        Tables of up to `BATCH_ROWS` rows, with those of the columns that the file has; if it has
        none, with a column of no name, as long as there are rows.

    Raises:
        InputError: The file is damaged.
    """
    schema = avro_schema(path)
    there = [name for name in columns if name in schema.names]
    rows = 0
    batches = _source(path).batch_iter(BATCH_ROWS, there)
    while True:
        try:
            batch = next(batches, None)
        except _BROKEN:
            yield from _read_slowly(path, pa.schema([schema.field(name) for name in there]), rows)
            return
        if batch is None:
            return
        table = pa.record_batch(batch)
        rows += table.num_rows
        yield _as_read(table)


def _read_slowly(path: str, schema: pa.Schema, start: int) -> Iterator[pa.Table]:
    """Reads the rows from `start` on with the reader that replaces bytes that are not UTF-8."""
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    try:
        with closing(open_file(path)) as file:
            written: Any = fastavro.reader(file).writer_schema
            wanted = [field for field in written["fields"] if field["name"] in schema.names]
            file.seek(0)
            rows: Iterator[Any] = fastavro.reader(
                file, {**written, "fields": wanted}, handle_unicode_errors="replace"
            )
            remaining = islice(rows, start, None)
            while batch := list(islice(remaining, BATCH_ROWS)):
                for name in texts:
                    for row in batch:
                        row[name] = None if row[name] is None else str(row[name])
                yield pa.Table.from_pylist(batch, schema)
    except Exception:
        raise _unreadable(path) from None


def _checked_header(path: str) -> bytes:
    """Returns the header of a file that ends with the marker that ends each of its blocks.

    A reader cannot tell a file that was cut off between blocks, or in its last one, from a whole
    one; it would read fewer rows.
    """
    with closing(open_file(path)) as file:
        header: Any = fastavro.schemaless_reader(file, _HEADER)
        size = file.tell()
        file.seek(-_MARKER_BYTES, 2)
        if file.read(_MARKER_BYTES) != header["sync"]:
            raise ValueError
        file.seek(0)
        return file.read(size)


def _source(path: str) -> AvroSource:
    opened: str | partial[AbstractContextManager[BinaryIO]] = (
        path if is_local(path) else partial(_opened, path)
    )
    return AvroSource([opened], False, False)


def _opened(path: str) -> AbstractContextManager[BinaryIO]:
    return closing(open_file(path))


def _read_type(field: pa.Field) -> pa.DataType:
    if _is_uuid(field):
        return pa.string()
    return field.type.value_type if pa.types.is_dictionary(field.type) else field.type


def _as_read(batch: pa.RecordBatch) -> pa.Table:
    if not batch.num_columns:
        return pa.table({"": pa.nulls(batch.num_rows)})
    columns = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if _is_uuid(field):
            columns[field.name] = _uuid_text(column)
        elif pa.types.is_dictionary(field.type):
            columns[field.name] = column.cast(_read_type(field))
        else:
            columns[field.name] = column
    return pa.table(columns)


def _uuid_text(column: pa.Array) -> pa.Array:
    digits = pl.Series(column.cast(pa.binary())).bin.encode("hex")
    return digits.str.replace(_UUID, "$1-$2-$3-$4-$5").to_arrow().cast(pa.string())


def _is_uuid(field: pa.Field) -> bool:
    return (field.metadata or {}).get(b"logicalType") == b"uuid"


def _unreadable(path: str) -> InputError:
    return InputError(f"{path} is not a readable Avro file")
