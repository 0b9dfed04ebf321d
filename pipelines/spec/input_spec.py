"""The `input` of a release YAML: where rows come from, and what is derived from each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pipelines.spec.bigquery_spec import BigQuerySpec
from pipelines.spec.errors import KeyPath
from pipelines.spec.expressions import WHERE, expression_problems
from pipelines.spec.fields import Found, Model, OneOrMore, Text, distinct, refuse
from pipelines.spec.partition_folders import folder_columns
from pipelines.spec.placeholders import has_placeholder
from transforms.text_types import ColumnType

InputFormat = Literal["parquet", "csv", "jsonl", "avro"]

_WITH_TYPES = ("parquet", "avro")

_FORMATS: dict[str, InputFormat] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".avro": "avro",
}


class InputSpec(Model):
    """The rows that are measured."""

    files: OneOrMore | None = None
    """Glob or globs of the input files; relative to the folder of this config. A folder of a glob
    that begins with a name and =, like dt=*, gives a column of that name. {period}, {first} and
    {last} stand for the period of the release, such as 2026-W46, and its first and last day."""
    bigquery: BigQuerySpec | None = None
    """A BigQuery table, in place of files."""
    format: InputFormat | None = None
    """Format of the files. Default: by the extension of the globs."""
    types: dict[Text, ColumnType] = Field(default={})
    """Types of columns in csv and jsonl files, in BigQuery and from folder names. Default: float
    where a metric needs numbers, else string. JSON Lines have no default: every member that is read
    must be here or in optional, so that a misspelt one is found."""
    optional: Annotated[tuple[Text, ...], AfterValidator(distinct)] = ()
    """Columns that some files, or many lines of jsonl files, lack; they are null there. Default:
    none, so that every file must have every column."""
    time: Text | None = None
    """Column of the input, or a derived one, that says on which day a row happened: dates or
    timestamps. With `period`, rows of other days are dropped, and those without."""
    where: Text | None = None
    """Condition that rows must fulfil to be read: a SQL expression of one row, such as
    app_version >= '7.0'. It may name derived columns. Default: all rows."""
    columns: dict[Text, Text] = Field(default={})
    """Derived columns: name, and SQL expression of one row, such as emoji(text). Each sees the
    columns of the input and the derived ones before it, and hides a column of the input of the same
    name."""

    @property
    def file_format(self) -> InputFormat | None:
        """The format, as given or by the extension of the globs; None for BigQuery."""
        if self.files is None:
            return None
        return self.format or _FORMATS[self._extensions[0]]

    @property
    def expression_paths(self) -> dict[str | None, KeyPath]:
        """Place of each derived column in the config, and of `where` under None."""
        return {None: WHERE, **{name: ("input", "columns", name) for name in self.columns}}

    @property
    def folder_columns(self) -> tuple[str, ...]:
        """Columns that come from the names of folders."""
        return tuple(name for glob in self.files or () for name in folder_columns(glob))

    @property
    def placeholder(self) -> KeyPath | None:
        """The first place that has a placeholder for the period; None if there is none."""
        places: list[tuple[KeyPath, str]] = [
            (("input", "files", index), glob) for index, glob in enumerate(self.files or ())
        ]
        if self.bigquery is not None and self.bigquery.row_restriction is not None:
            restriction = self.bigquery.row_restriction
            places.append((("input", "bigquery", "row_restriction"), restriction))
        return next((path for path, text in places if has_placeholder(text)), None)

    def declares_type(self, column: str) -> bool:
        """Returns whether the type of a column is declared, because its source has none."""
        return self.file_format not in _WITH_TYPES or column in self.folder_columns

    @property
    def _extensions(self) -> list[str]:
        return sorted({PurePosixPath(glob).suffix for glob in self.files or ()})

    @model_validator(mode="after")
    def _check(self) -> InputSpec:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[Found]:
        paths = {name: path[1:] for name, path in self.expression_paths.items()}
        yield from expression_problems(self.columns, self.where, paths)
        yield from self._source_problems()

    def _source_problems(self) -> Iterator[tuple[KeyPath, str]]:
        if self.files is None and self.bigquery is None:
            yield (), "the key 'files' is missing, or the key 'bigquery' in its place"
            return
        if self.bigquery is not None and self.files is not None:
            yield ("bigquery",), "is a second source beside files; allowed: one of the two"
            return
        if self.files is None:
            for key in {"format", "optional"} & self.model_fields_set:
                yield (key,), "is about files, and the input is bigquery; allowed: only with files"
            return
        extensions = self._extensions
        if self.format is None and extensions not in [[known] for known in _FORMATS]:
            yield (
                ("files",),
                f"the format is not clear from the extensions {', '.join(map(repr, extensions))}; "
                f"allowed: one of {', '.join(_FORMATS)}, or the key 'format'",
            )
            return
        for column in self.types:
            if not self.declares_type(column):
                yield (
                    ("types", column),
                    f"{self.file_format} files have types of their own; allowed: with csv and "
                    f"jsonl, and for columns from folder names ({column}=* in files)",
                )
