"""Holds a config against its input files: are the columns there, with types that fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from pipelines.inputs import Input, InputError, InputFile, input_schema, match_files
from pipelines.spec import (
    KeyPath,
    LoadedRelease,
    ProblemList,
    did_you_mean,
    found_problems,
    is_value_path,
    release_preparation,
)
from transforms.rows import canonical_type, check_value_type

Schema = Mapping[str, pl.DataType]


def release_input(release: LoadedRelease) -> Input:
    """Returns what a release reads."""
    spec = release.spec
    columns = tuple(dict.fromkeys(column for _, column, _ in spec.input_columns()))
    return Input(release.input_files, spec.input.file_format, columns, spec.column_types())


def check_input(release: LoadedRelease, source: Input) -> tuple[list[InputFile], Schema]:
    """Finds the input files and checks their columns.

    Args:
        release: The release series.
        source: What it reads.

    Returns:
        The files, and the type of each column that the release uses, derived ones included.

    Raises:
        ConfigError: A glob matches nothing, a file cannot be read, or a column is missing or has a
            type that does not fit; at the position in the config, naming the file.
    """
    problems = ProblemList(release.source)
    files: dict[str, InputFile] = {}
    for index, glob in enumerate(source.files):
        try:
            files |= {file.path: file for file in match_files(glob)}
        except InputError as error:
            problems.add(("input", "files", index), str(error))
    problems.raise_if_any()
    first: Schema | None = None
    preparation = release_preparation(release)
    for file in files.values():
        try:
            schema = input_schema(file, source)
        except InputError as error:
            problems.add(("input", "files"), str(error))
            continue
        found = [*_missing(release, schema, file)]
        prepared = schema
        if preparation is not None and not found:
            try:
                prepared = preparation.schema({name: schema[name] for name in source.columns})
            except ValueError as error:
                known = f", in {file.path}{_known(release, schema, types=True)}"
                found += [
                    (path, message + known, at)
                    for path, message, at in found_problems(error, release.spec.expression_paths)
                ]
        found += [(path, message, None) for path, message in _problems(release, prepared, file)]
        for path, message, at in found:
            problems.add(path, message, at=at)
        if found:
            break
        read = {column: prepared[column] for _, column in release.spec.named_columns()}
        first = {**read, **{c: t for c, t in (first or {}).items() if t != pl.Null}}
        for path, message in _differences(release, first, read, file):
            problems.add(path, message)
    problems.raise_if_any()
    assert first is not None
    return list(files.values()), first


def _missing(
    release: LoadedRelease, schema: Schema, file: InputFile
) -> Iterator[tuple[KeyPath, str, int | None]]:
    for path, column, at in release.spec.input_columns():
        if column not in schema:
            yield (
                path,
                f"no column {column!r} in {file.path}"
                f"{_known(release, schema, types=at is not None)}{did_you_mean(column, schema)}",
                at,
            )


def _problems(
    release: LoadedRelease, schema: Schema, file: InputFile
) -> Iterator[tuple[KeyPath, str]]:
    for path, column in release.spec.named_columns():
        if column not in schema:
            continue
        try:
            if is_value_path(path):
                check_value_type(column, schema[column])
            else:
                canonical_type(column, schema[column])
        except TypeError as error:
            yield path, f"{error}, in {file.path}"
    yield from _unwritable(release, schema, file)


def _known(release: LoadedRelease, schema: Schema, *, types: bool = False) -> str:
    """Returns the columns to name in a message; the first line of a csv file may be a row."""
    if release.spec.input.file_format == "csv":
        return f", whose first line has {len(schema)} fields"
    columns = (f"{name} ({dtype})" if types else name for name, dtype in schema.items())
    return f"; it has: {', '.join(columns)}"


def _unwritable(
    release: LoadedRelease, schema: Schema, file: InputFile
) -> Iterator[tuple[KeyPath, str]]:
    if "csv" not in release.spec.output.formats:
        return
    for name, table in release.spec.tables.items():
        for path, column in table.named_columns():
            if schema.get(column) in (pl.Binary, pl.Duration) and path[0] != "metrics":
                yield (
                    ("tables", name, *path),
                    f"column {column!r} has the type {schema[column]} in {file.path}, which csv "
                    "cannot hold; allowed: other keys, or only parquet in output.formats",
                )


def _differences(
    release: LoadedRelease, first: Schema, schema: Schema, file: InputFile
) -> Iterator[tuple[KeyPath, str]]:
    for path, column in release.spec.named_columns():
        if is_value_path(path):
            continue
        expected = canonical_type(column, first[column])
        if canonical_type(column, schema[column]) not in (expected, pl.Null):
            yield (
                path,
                f"column {column!r} has the type {schema[column]} in {file.path}; "
                f"allowed: {first[column]}, as in the other files",
            )
