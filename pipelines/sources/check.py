"""Holds a config against its input files: are the columns there, with types that fit.

The schema of every file is read, many at once; no row is, but for a sample of JSON lines. What may
differ between files is said in `one_schema`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import polars as pl

from pipelines.sources.always_null import always_null
from pipelines.sources.bigquery import BigQueryInput, check_bigquery
from pipelines.sources.files import InputError, shown_path
from pipelines.sources.inputs import Input, InputFile, Schema, input_schemas, match_files
from pipelines.sources.one_schema import type_of_all_files
from pipelines.spec import KeyPath, LoadedRelease, ProblemList, Role, did_you_mean
from transforms.rows import canonical_type, check_value_type


def release_input(release: LoadedRelease) -> Input | BigQueryInput:
    """Returns what a release reads."""
    spec = release.spec
    columns = tuple(dict.fromkeys(named.column for named in spec.input_columns()))
    types = spec.column_types()
    if spec.input.bigquery is not None:
        table = spec.input.bigquery
        restriction = table.row_restriction
        restriction = None if restriction is None else release.filled(restriction)
        return BigQueryInput(table.table, columns, types, restriction, int(table.gigabytes * 1e9))
    assert spec.input.file_format is not None
    folders = {name: types.pop(name) for name in spec.input.folder_columns if name in types}
    return Input(
        release.input_files,
        spec.input.file_format,
        columns,
        types,
        folders,
        spec.input.optional,
    )


def find_files(release: LoadedRelease, source: Input) -> list[InputFile]:
    """Finds the input files; opens none.

    Returns:
        The files to read: not those of 0 bytes, but where the format has no header.

    Raises:
        ConfigError: A glob matches nothing, or no file has columns.
    """
    return _match(source, ProblemList(release.source))


def check_input(
    release: LoadedRelease,
    source: Input | BigQueryInput,
    found: Sequence[InputFile] | None = None,
) -> tuple[list[InputFile], Schema]:
    """Finds the input files and checks their columns.

    Args:
        release: The release series.
        source: What it reads.
        found: Its files, from `find_files`; None to find them.

    Returns:
        The files, none for BigQuery, and the type that each column has in all of them.

    Raises:
        ConfigError: A glob matches nothing, no file has columns, a file cannot be read, or a column
            is missing or has a type that does not fit; at the position in the config, naming the
            file.
    """
    problems = ProblemList(release.source)
    if isinstance(source, BigQueryInput):
        try:
            return [], check_bigquery(source)
        except InputError as error:
            problems.add(("input", "bigquery"), str(error))
            problems.raise_if_any()
    assert isinstance(source, Input)
    files = find_files(release, source) if found is None else list(found)
    first: dict[str, pl.DataType] = {}
    seen: dict[str, list[pl.DataType]] = {column: [] for column in source.columns}
    for file, schema in zip(files, input_schemas(files, source), strict=True):
        if isinstance(schema, InputError):
            problems.add(("input", "files"), str(schema))
            continue
        wrong = list(_problems(release, schema, file, source.optional))
        for path, message, at in wrong:
            problems.add(path, message, at=at)
        if wrong:
            break
        read = {column: schema[column] for column in source.columns if column in schema}
        first = {**read, **{c: t for c, t in first.items() if t != pl.Null}}
        for path, message in _differences(release, first, read, file):
            problems.add(path, message)
        for column, dtype in read.items():
            seen[column].append(dtype)
    if not problems.found:
        for path, message in always_null(release, source, files, seen):
            problems.add(path, message)
    problems.raise_if_any()
    named = release.spec.input_columns()
    others = {column for _, column, role, _ in named if role == "identity"}
    return files, {
        column: type_of_all_files(column, types, only_value=column not in others)
        for column, types in seen.items()
    }


def _match(source: Input, problems: ProblemList) -> list[InputFile]:
    """Returns the files to read: not those of 0 bytes, but where the format has no header."""
    files: dict[str, InputFile] = {}
    for index, glob in enumerate(source.files):
        try:
            matched = match_files(glob)
        except InputError as error:
            problems.add(("input", "files", index), str(error))
            continue
        for file in matched:
            known = files.get(file.path, file)
            folders = tuple({**dict(known.folders), **dict(file.folders)}.items())
            files[file.path] = InputFile(file.path, file.size, folders)
    problems.raise_if_any()
    if source.format == "jsonl":
        return list(files.values())
    with_columns = [file for file in files.values() if file.size]
    if not with_columns:
        for index, glob in enumerate(source.files):
            problems.add(
                ("input", "files", index),
                f"every file that matches {glob} has 0 bytes, so there are no columns; "
                f"allowed: {source.format} files, also without rows",
            )
        problems.raise_if_any()
    return with_columns


def _problems(
    release: LoadedRelease, schema: Schema, file: InputFile, optional: Collection[str]
) -> Iterator[tuple[KeyPath, str, int | None]]:
    for path, column, role, at in release.spec.input_columns():
        if column not in schema:
            if column not in optional:
                known = _known(release, schema, path, column, types=at is not None)
                yield path, f"no column {column!r} in {shown_path(file.path)}{known}", at
            continue
        try:
            check_type(column, schema[column], role)
        except TypeError as error:
            yield path, f"{error}, in {shown_path(file.path)}", at
    for path, message in _unwritable(release, schema, file):
        yield path, message, None


def check_type(column: str, dtype: pl.DataType, role: Role) -> None:
    """Raises a TypeError when a column of a type cannot be used in its role."""
    if role == "value":
        check_value_type(column, dtype)
    else:
        canonical_type(column, dtype)


def _known(
    release: LoadedRelease, schema: Schema, path: KeyPath, column: str, *, types: bool
) -> str:
    """Returns the columns to name in a message; the first line of a csv file may be a row."""
    added = release.spec.added_columns(path)
    adds = f"; the config adds: {', '.join(added)}" if added else ""
    adds += did_you_mean(column, [*schema, *added])
    own = {name: dtype for name, dtype in schema.items() if name not in added}
    if release.spec.input.file_format == "csv":
        return f", whose first line has {len(own)} fields{adds}"
    columns = (f"{name} ({dtype})" if types else name for name, dtype in own.items())
    return f"; it has: {', '.join(columns)}{adds}"


def _unwritable(
    release: LoadedRelease, schema: Schema, file: InputFile
) -> Iterator[tuple[KeyPath, str]]:
    if "csv" not in release.spec.output.formats:
        return
    keys = {
        (path, key)
        for table in release.spec.placed_tables()
        for path, key in table.key_places()
        if key not in release.spec.derived_columns
    }
    for path, column in sorted(keys, key=str):
        if schema.get(column) in (pl.Binary, pl.Duration):
            yield (
                path,
                f"column {column!r} has the type {schema[column]} in {shown_path(file.path)}, "
                "which csv cannot hold; allowed: other keys, or only parquet in output.formats",
            )


def _differences(
    release: LoadedRelease, first: Schema, schema: Schema, file: InputFile
) -> Iterator[tuple[KeyPath, str]]:
    for path, column, role, _ in release.spec.input_columns():
        if role == "value" or column not in schema:
            continue
        expected = canonical_type(column, first[column])
        if canonical_type(column, schema[column]) not in (expected, pl.Null):
            yield (
                path,
                f"column {column!r} has the type {schema[column]} in {shown_path(file.path)}; "
                f"allowed: {first[column]}, as in the other files",
            )
