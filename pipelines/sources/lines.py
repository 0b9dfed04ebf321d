"""Reads text files as canonical columns, one physical line at a time.

A line is a row, whatever it holds: a stray quote must not swallow the rows of other people, so a
CSV field cannot contain a line break. Rules for dirt:

| what | rule |
|---|---|
| empty line | dropped |
| bytes that are not UTF-8 | replaced by U+FFFD |
| byte order mark at the start of the file, carriage return at the end of a line | removed |
| CSV line with another number of fields than the header | dropped |
| CSV line with a quote that does not enclose a whole field and is not doubled | dropped |
| CSV column name that the header has twice | the first one is read |
| JSON line that is not an object, or does not parse | all its columns are null |
| JSON number, boolean, object or array as a string | its JSON text |
| value that does not parse as its declared type | null |
| empty CSV field, with quotes or without, JSON null or missing JSON member | null |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

import polars as pl

from transforms.text_types import ColumnType, parse

BLOCK_BYTES = 32 << 20
"""Text that is parsed at once."""

_LINE = "line"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FIELD = r',(?:"(?:[^"]|"")*"|[^",]*)'


def read_csv(
    file: BinaryIO, types: Mapping[str, ColumnType], block_bytes: int = BLOCK_BYTES
) -> Iterator[pl.DataFrame]:
    """Reads columns of a CSV file with a header.

    Args:
        file: The file, open for reading bytes.
        types: Columns to read with their types.
        block_bytes: Text to parse at once.

    Yields:
        Frames with those of the columns that the header has; if it has none, with a column of no
        name, as long as there are rows.
    """
    header = csv_header(file)
    columns = [
        parse(pl.col("fields").list.get(header.index(name)).replace("", None), dtype).alias(name)
        for name, dtype in types.items()
        if name in header
    ]
    for lines in _blocks(file, block_bytes):
        fields = _split(lines, len(header))
        yield fields.select(columns or pl.col("fields").alias(""))


def read_jsonl(
    file: BinaryIO, types: Mapping[str, ColumnType], block_bytes: int = BLOCK_BYTES
) -> Iterator[pl.DataFrame]:
    """Reads members of a file with one JSON object per line.

    Args:
        file: The file, open for reading bytes.
        types: Members to read with their types.
        block_bytes: Text to parse at once.

    Yields:
        Frames with one column per member; with a column of no name, if no member is asked for.
    """
    columns = [
        parse(pl.col(_LINE).str.json_path_match(_json_path(name)), dtype).alias(name)
        for name, dtype in types.items()
    ]
    start = file.read(len(_BYTE_ORDER_MARK)).removeprefix(_BYTE_ORDER_MARK)
    for lines in _blocks(file, block_bytes, start):
        yield lines.select(columns or pl.col(_LINE).alias(""))


def csv_header(file: BinaryIO) -> list[str]:
    """Reads the first line of a CSV file and returns its column names; none if it is malformed."""
    line = file.readline().removeprefix(_BYTE_ORDER_MARK)
    names = _fields(_lines(line))
    return list(names.item()) if names.height else []


def _blocks(file: BinaryIO, block_bytes: int, start: bytes = b"") -> Iterator[pl.DataFrame]:
    rest = start
    while block := file.read(block_bytes):
        complete, newline, rest_of_block = block.rpartition(b"\n")
        if newline:
            yield _lines(rest + complete)
            rest = rest_of_block
        else:
            rest += block
    if rest:
        yield _lines(rest)


def _lines(text: bytes) -> pl.DataFrame:
    whole = pl.DataFrame({_LINE: [text.decode(errors="replace")]})
    line = pl.col(_LINE).str.split("\n").explode().str.strip_suffix("\r")
    return whole.select(line).filter(pl.col(_LINE) != "")


def _split(lines: pl.DataFrame, fields: int) -> pl.DataFrame:
    quoted = pl.col(_LINE).str.contains('"', literal=True)
    plain = lines.filter(~quoted).select(pl.col(_LINE).str.split(",").alias("fields"))
    matched = _fields(lines.filter(quoted))
    return pl.concat([plain, matched]).filter(pl.col("fields").list.len() == fields)


def _fields(lines: pl.DataFrame) -> pl.DataFrame:
    # With a comma before it, the first field is like the others, and no match is empty.
    line = pl.lit(",") + pl.col(_LINE)
    return (
        lines.select(line.alias(_LINE), line.str.extract_all(_FIELD).alias("fields"))
        .filter(pl.col("fields").list.join("") == pl.col(_LINE))
        .select(pl.col("fields").list.eval(_unquoted(pl.element())))
    )


def _unquoted(field: pl.Expr) -> pl.Expr:
    text = field.str.strip_prefix(",")
    inner = (
        text.str.strip_prefix('"').str.strip_suffix('"').str.replace_all('""', '"', literal=True)
    )
    return pl.when(text.str.starts_with('"')).then(inner).otherwise(text)


def _json_path(member: str) -> str:
    escaped = member.replace("\\", "\\\\").replace("'", "\\'")
    return f"$['{escaped}']"
