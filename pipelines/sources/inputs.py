"""Finds the input files of a release and checks what is in them, without reading rows."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from pipelines.sources.avro import avro_schema
from pipelines.sources.files import InputError, is_local, open_file
from pipelines.sources.lines import csv_header
from pipelines.spec import InputFormat
from pipelines.spec.partition_folders import FolderValues, folder_values
from pipelines.storage.gcs import reason_of
from transforms.text_types import POLARS_TYPES, ColumnType

Schema = Mapping[str, pl.DataType]
"""Columns with their types."""

_THREADS = 32
"""Files on object storage whose schemas are read at once: reading one is waiting, not work."""


@dataclass(frozen=True)
class Input:
    """What a release reads.

    Attributes:
        files: Globs of absolute paths or URLs.
        format: File format.
        columns: Columns to read.
        types: Type that each column of a text file is parsed to; empty for Parquet and Avro files,
            which carry their own types.
        folders: Columns that come from the names of folders, with their types.
        optional: Columns that a file may lack; they are null there.
    """

    files: Sequence[str]
    format: InputFormat
    columns: Sequence[str]
    types: Mapping[str, ColumnType]
    folders: Mapping[str, ColumnType] = field(default_factory=dict)
    optional: Sequence[str] = ()


@dataclass(frozen=True)
class InputFile:
    """One file.

    Attributes:
        path: Absolute path or URL.
        size: Bytes.
        folders: Columns that its folders give, with the text of their values.
    """

    path: str
    size: int
    folders: FolderValues = ()


def match_files(glob: str) -> list[InputFile]:
    """Returns the files that match a glob, by path; some may have no bytes.

    Raises:
        InputError: Nothing matches.
    """
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            (result,) = FileSystems.match([glob])  # warns of brackets in names
    except (BeamIOError, ValueError) as error:
        raise InputError(f"cannot look for {glob}: {_reason(error, glob)}") from None
    files = [
        InputFile(match.path, match.size_in_bytes, folder_values(glob, match.path))
        for match in result.metadata_list
    ]
    if not files:
        raise InputError(f"no file matches {glob}")
    return sorted(files, key=lambda file: file.path)


def input_schemas(files: Sequence[InputFile], source: Input) -> Iterator[Schema | InputError]:
    """Yields the columns of each file, or what is wrong with it.

    Files that are far away are read many at once. Those on this machine are read one by one: that
    is twice as fast as with threads.
    """

    def read(file: InputFile) -> Schema | InputError:
        try:
            return input_schema(file, source)
        except InputError as error:
            return error

    threads = ThreadPoolExecutor(1 if all(is_local(file.path) for file in files) else _THREADS)
    try:
        yield from threads.map(read, files)
    finally:
        threads.shutdown(cancel_futures=True)


def input_schema(file: InputFile, source: Input) -> dict[str, pl.DataType]:
    """Returns the columns of a file with their types.

    Reads the footer of a Parquet file, the header of an Avro or csv file, and nothing of a jsonl
    file. Of a text file, these are the columns that the release reads, with the types that it asks
    for, and the others as text. A column from the name of a folder hides the file's own.

    Raises:
        InputError: The file cannot be read as its format.
    """
    named = {name for name, _ in file.folders}
    folders = {name: POLARS_TYPES[kind] for name, kind in source.folders.items() if name in named}
    return {**_file_schema(file, source), **folders}


def _file_schema(file: InputFile, source: Input) -> dict[str, pl.DataType]:
    match source.format:
        case "parquet":
            return _parquet_schema(file.path)
        case "avro":
            return _arrow_types(avro_schema(file.path))
        case "csv":
            header = _read_header(file.path)
            return {name: POLARS_TYPES[source.types.get(name, "string")] for name in header}
        case "jsonl":
            return {name: POLARS_TYPES[dtype] for name, dtype in source.types.items()}


def open_parquet(path: str) -> pq.ParquetFile:
    """Opens a Parquet file on any file system.

    Raises:
        InputError: It is not a Parquet file.
    """
    try:
        return pq.ParquetFile(path if is_local(path) else open_file(path))
    except (pa.ArrowException, OSError):
        raise InputError(f"{path} is not a readable Parquet file") from None


def _parquet_schema(path: str) -> dict[str, pl.DataType]:
    opened = open_parquet(path)
    try:
        if is_local(path):
            return dict(pl.scan_parquet(path, glob=False).collect_schema())
        return _arrow_types(opened.schema_arrow)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        raise InputError(f"{path} has columns of a type that cannot be read") from None


def _arrow_types(schema: pa.Schema) -> dict[str, pl.DataType]:
    """Returns the types in Polars; `Object` for unions, which it does not have."""
    known = pa.schema([field for field in schema if not _has_union(field.type)])
    types = dict(pl.DataFrame(known.empty_table()).schema)
    return {name: types.get(name, pl.Object()) for name in schema.names}


def _has_union(dtype: pa.DataType) -> bool:
    children = (dtype.field(number).type for number in range(dtype.num_fields))
    return pa.types.is_union(dtype) or any(map(_has_union, children))


def _read_header(path: str) -> list[str]:
    with open_file(path) as opened:
        try:
            return csv_header(opened)
        except (EOFError, OSError, zlib.error):
            raise InputError(f"{path} cannot be read") from None


def _reason(error: BaseException, glob: str) -> str:
    """Returns in one line what is behind an error of Beam, which holds those of the service."""
    while isinstance(error, BeamIOError) and error.exception_details:
        error = next(iter(error.exception_details.values()))
    if glob.startswith("gs://") and isinstance(error, Exception) and not isinstance(error, OSError):
        with suppress(ImportError):
            return reason_of(error)
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
