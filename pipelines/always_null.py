"""Finds columns that would be null in every row, because a name or a type is wrong.

Where a file may lack a column, a misspelt name would make an empty release and no error. Only
structure is looked at, before a run: no value of a row decides, and none is named.

| source | refused |
|---|---|
| columns in `input.optional` | the column is in no file; json lines: cannot be told, fine |
| folder names | the values of no file parse as the declared type |
| json lines | see `json_members` |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from pipelines.files import InputError
from pipelines.inputs import Input, InputFile
from pipelines.json_members import sample_members
from pipelines.spec import KeyPath, LoadedRelease, did_you_mean
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
    if source.format == "jsonl":
        yield from _members(release, source, files)


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


def _members(
    release: LoadedRelease, source: Input, files: Sequence[InputFile]
) -> Iterator[tuple[KeyPath, str]]:
    try:
        members = sample_members([file.path for file in files if file.size])
    except InputError as error:
        yield ("input", "files"), str(error)
        return
    if members.lines and not members.objects:
        yield ("input", "files"), "no line of the first ones is a JSON object"
    if not members.objects:
        return
    for path, column, _, _ in release.spec.input_columns():
        in_a_file = column in source.types and column not in source.optional
        if in_a_file and column not in members.counts:
            known = f"; most have: {', '.join(members.common)}" if members.common else ""
            added = release.spec.added_columns(path)
            adds = f"; the config adds: {', '.join(added)}" if added else ""
            yield (
                path,
                f"no member {column!r} in the first JSON lines{known}{adds}"
                f"{did_you_mean(column, [*members.common, *added])}; "
                "a member that few lines have is listed in input.optional",
            )
