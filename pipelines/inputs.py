"""Finds the input files of a release and checks what is in them, without reading rows."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from pipelines.lines import csv_header
from pipelines.spec import POLARS_TYPES, ColumnType, InputFormat


class InputError(Exception):
    """An input file is missing, unreadable, or does not have the columns that it should."""


@dataclass(frozen=True)
class Input:
    """What a release reads.

    Attributes:
        files: Globs of absolute paths or URLs.
        format: File format.
        columns: Columns to read.
        types: Type that each column of a text file is parsed to; empty for Parquet files, which
            carry their own types.
    """

    files: Sequence[str]
    format: InputFormat
    columns: Sequence[str]
    types: Mapping[str, ColumnType]


@dataclass(frozen=True)
class InputFile:
    """One file.

    Attributes:
        path: Absolute path or URL.
        size: Bytes.
    """

    path: str
    size: int


def match_files(glob: str) -> list[InputFile]:
    """Returns the non-empty files that match a glob, by path.

    Raises:
        InputError: Nothing matches.
    """
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            (result,) = FileSystems.match([glob])  # warns of brackets in names
    except (BeamIOError, ValueError) as error:
        raise InputError(f"cannot look for {glob}: {_first_line(error)}") from None
    files = [
        InputFile(match.path, match.size_in_bytes)
        for match in result.metadata_list
        if match.size_in_bytes
    ]
    if not files:
        raise InputError(f"no file matches {glob}")
    return sorted(files, key=lambda file: file.path)


def input_schema(file: InputFile, source: Input) -> dict[str, pl.DataType]:
    """Returns the columns of a file with their types.

    Of a text file, these are the columns that the release reads, with the types that it asks for,
    and the others as text.

    Raises:
        InputError: The file cannot be read as its format.
    """
    match source.format:
        case "parquet":
            return _parquet_schema(file.path)
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


def open_file(path: str) -> BinaryIO:
    """Opens a file on any file system for reading bytes, decompressed where its name says so."""
    try:
        return FileSystems.open(path)
    except (BeamIOError, OSError):
        raise InputError(f"{path} cannot be opened") from None


def is_local(path: str) -> bool:
    """Returns whether a path is on this machine's file system."""
    return "://" not in path


def _parquet_schema(path: str) -> dict[str, pl.DataType]:
    opened = open_parquet(path)
    try:
        if is_local(path):
            return dict(pl.scan_parquet(path, glob=False).collect_schema())
        return dict(pl.DataFrame(opened.schema_arrow.empty_table()).schema)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        raise InputError(f"{path} has columns of a type that cannot be read") from None


def _read_header(path: str) -> list[str]:
    with open_file(path) as opened:
        try:
            return csv_header(opened)
        except (EOFError, OSError, zlib.error):
            raise InputError(f"{path} cannot be read") from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
