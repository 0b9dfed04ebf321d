"""Finds columns that would be null in every row, because a name or a type is wrong.

Where a file may lack a column, a misspelt name would make an empty release and no error. Only
structure is looked at, before a run: no value of a row decides, and none is named.

| source | refused |
|---|---|
| columns in `input.optional` | the column is in no file; json lines: cannot be told, fine |
| folder names | the values of no file parse as the declared type |
| json lines | nothing: members are declared in the config, see `ReleaseSpec` |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from pipelines.sources.inputs import Input, InputFile
from pipelines.spec import KeyPath, LoadedRelease
from transforms.text_types import parse


def always_null(
    release: LoadedRelease,
    source: Input,
    files: Sequence[InputFile],
    found: Mapping[str, Sequence[pl.DataType]],
) -> Iterator[tuple[KeyPath, str]]:
    """Yields what is wrong with columns of which no row would have a value.

    Args:
        release: The release series.
        source: What it reads.
        files: Its files.
        found: The types of each column in the files that have it.

    Yields:
        Place in the config, and message.
    """
    for path, column, _, _ in release.spec.input_columns():
        if not found[column]:
            yield path, f"no column {column!r} in any file"
    yield from _folders(source, files)


def _folders(source: Input, files: Sequence[InputFile]) -> Iterator[tuple[KeyPath, str]]:
    for column, kind in source.folders.items():
        given = [dict(file.folders).get(column) for file in files]
        texts = pl.Series(given, dtype=pl.String).drop_nulls()
        if len(texts) and pl.select(parse(pl.lit(texts), kind)).to_series().is_null().all():
            yield (
                ("input", "types", column),
                f"no folder {column}=... has a name that reads as {kind}; "
                "allowed: another type, or folders with other names",
            )
