"""Reads text files as canonical columns, one physical line at a time.

A line is a row, whatever it holds: a stray quote must not swallow the rows of other people, so a
CSV field cannot contain a line break. Rules for dirt:

| what | rule |
|---|---|
| bytes that are not UTF-8 | replaced by U+FFFD |
| CSV line with unbalanced quotes or another number of fields than the header | dropped |
| JSON line that does not parse | all its columns are null |
| value that does not parse as its declared type | null |
| empty CSV field, JSON null or missing JSON member | null |
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

import polars as pl

from pipelines.spec import ColumnType

BLOCK_BYTES = 32 << 20
"""Text that is parsed at once."""

_LINE = "line"
_FIELD = r'(?:^|,)(?:"(?:[^"]|"")*"|[^",]*)'
_DATE_TIMES = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")


def read_csv(
    file: BinaryIO, types: Mapping[str, ColumnType], block_bytes: int = BLOCK_BYTES
) -> Iterator[pl.DataFrame]:
    """Reads columns of a CSV file with a header.

    Args:
        file: The file, open for reading bytes.
        types: Columns to read with their types.
        block_bytes: Text to parse at once.

    Yields:
        Frames with the columns.

    Raises:
        KeyError: The header lacks a column.
    """
    header = csv_header(file)
    missing = [name for name in types if name not in header]
    if missing:
        raise KeyError(f"no column {missing[0]!r} in the header")
    for lines in _blocks(file, block_bytes):
        fields = _split(lines, len(header))
        yield fields.select(
            _parse(pl.col("fields").list.get(header.index(name)).replace("", None), dtype).alias(
                name
            )
            for name, dtype in types.items()
        )


def read_jsonl(
    file: BinaryIO, types: Mapping[str, ColumnType], block_bytes: int = BLOCK_BYTES
) -> Iterator[pl.DataFrame]:
    """Reads members of a file with one JSON object per line.

    Args:
        file: The file, open for reading bytes.
        types: Members to read with their types.
        block_bytes: Text to parse at once.

    Yields:
        Frames with one column per member.
    """
    for lines in _blocks(file, block_bytes):
        yield lines.select(
            _parse(pl.col(_LINE).str.json_path_match(_json_path(name)), dtype).alias(name)
            for name, dtype in types.items()
        )


def csv_header(file: BinaryIO) -> list[str]:
    """Reads the first line of a CSV file and returns its column names."""
    line = file.readline().removeprefix(b"\xef\xbb\xbf")
    lines = pl.DataFrame({_LINE: [line.decode(errors="replace").rstrip("\r\n")]})
    names = lines.select(pl.col(_LINE).str.extract_all(_FIELD).list.eval(_unquoted(pl.element())))
    return list(names.item())


def _blocks(file: BinaryIO, block_bytes: int) -> Iterator[pl.DataFrame]:
    rest = b""
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
    # A separator and quote that cannot occur: each line is one field, cut at the separator.
    return pl.read_csv(
        io.BytesIO(text),
        has_header=False,
        schema={_LINE: pl.String},
        separator="\x01",
        quote_char=None,
        encoding="utf8-lossy",
        truncate_ragged_lines=True,
        extra_columns="ignore",
    ).drop_nulls()


def _split(lines: pl.DataFrame, fields: int) -> pl.DataFrame:
    quoted = pl.col(_LINE).str.contains('"', literal=True)
    plain = lines.filter(~quoted).select(pl.col(_LINE).str.split(",").alias("fields"))
    matched = (
        lines.filter(quoted)
        .with_columns(pl.col(_LINE).str.extract_all(_FIELD).alias("fields"))
        .filter(pl.col("fields").list.join("") == pl.col(_LINE))
        .select(pl.col("fields").list.eval(_unquoted(pl.element())))
    )
    return pl.concat([plain, matched]).filter(pl.col("fields").list.len() == fields)


def _unquoted(field: pl.Expr) -> pl.Expr:
    text = field.str.strip_prefix(",")
    inner = (
        text.str.strip_prefix('"').str.strip_suffix('"').str.replace_all('""', '"', literal=True)
    )
    return pl.when(text.str.starts_with('"')).then(inner).otherwise(text)


def _json_path(member: str) -> str:
    escaped = member.replace("\\", "\\\\").replace("'", "\\'")
    return f"$['{escaped}']"


def _parse(raw: pl.Expr, dtype: ColumnType) -> pl.Expr:
    text = raw.str.strip_chars()
    match dtype:
        case "string":
            return raw
        case "int":
            return text.cast(pl.Int64, strict=False)
        case "float":
            return text.cast(pl.Float64, strict=False)
        case "bool":
            lowered = text.str.to_lowercase()
            return pl.when(lowered.is_in(_words("true", "false"))).then(lowered == "true")
        case "date":
            return text.str.to_date("%Y-%m-%d", strict=False)
        case "timestamp":
            return _timestamp(text.str.replace("T", " ", literal=True))


def _timestamp(text: pl.Expr) -> pl.Expr:
    zoned = text.str.replace(r"[Zz]$", "+00:00")
    with_zone = zoned.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%:z", time_unit="us", strict=False)
    without = (
        text.str.to_datetime(form, time_unit="us", strict=False).dt.replace_time_zone("UTC")
        for form in _DATE_TIMES
    )
    return pl.coalesce(with_zone.dt.convert_time_zone("UTC"), *without)


def _words(*words: str) -> Sequence[str]:
    return words
