"""The release YAML as a model: which keys there are, their types and defaults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from pipelines.spec.errors import KeyPath, did_you_mean
from pipelines.spec.fields import Model, Name, Number, OneOrMore, Text, distinct, refuse
from pipelines.spec.table_spec import TableSpec
from transforms.budget import Budget
from transforms.text_types import ColumnType

InputFormat = Literal["parquet", "csv", "jsonl"]
OutputFormat = Literal["parquet", "csv"]

_FORMATS: dict[str, InputFormat] = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl"}


class InputSpec(Model):
    """The rows that are measured."""

    files: OneOrMore
    """Glob or globs of the input files; relative to the folder of this config."""
    format: InputFormat | None = None
    """Format of the files. Default: by the extension of the globs."""
    types: dict[Text, ColumnType] = Field(default={})
    """Types of columns in csv and jsonl files. Default: string, and float for columns of sums."""

    @property
    def file_format(self) -> InputFormat:
        """The format, as given or by the extension of the globs."""
        return self.format or _FORMATS[self._extensions[0]]

    @property
    def _extensions(self) -> list[str]:
        return sorted({PurePosixPath(glob).suffix for glob in self.files})

    @model_validator(mode="after")
    def _check(self) -> InputSpec:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[tuple[KeyPath, str]]:
        extensions = self._extensions
        if self.format is None and extensions not in [[known] for known in _FORMATS]:
            yield (
                ("files",),
                f"the format is not clear from the extensions {', '.join(map(repr, extensions))}; "
                f"allowed: one of {', '.join(_FORMATS)}, or the key 'format'",
            )
        elif self.types and self.file_format == "parquet":
            yield ("types",), "parquet files have types of their own; allowed: with csv and jsonl"


class PrivacySpec(Model):
    """What is protected, and how well."""

    unit: OneOrMore
    """Column or columns whose value is the privacy unit: whom the guarantee protects."""
    epsilon: Number = Field(json_schema_extra={"exclusiveMinimum": 0})
    """Largest privacy loss of one release, all tables together."""
    delta: Number = Field(default=0.0, json_schema_extra={"minimum": 0, "exclusiveMaximum": 1})
    """Probability with which the loss may be larger. Private selection and gaussian noise need
    some."""

    @field_validator("epsilon", "delta")
    @classmethod
    def _in_range(cls, value: float, info: ValidationInfo) -> float:
        Budget(**{"epsilon": 1.0, str(info.field_name): value})
        return value

    def budget(self) -> Budget:
        """Returns epsilon and delta for the engine."""
        return Budget(self.epsilon, self.delta)


class OutputSpec(Model):
    """Where the release goes."""

    folder: Text
    """Folder of the publications of this series; relative to the folder of this config."""
    formats: Annotated[tuple[OutputFormat, ...], Field(min_length=1), AfterValidator(distinct)] = (
        "parquet",
    )
    """Formats of the published files."""
    staging: Text | None = None
    """Private folder for the noisy values as drawn; relative to the folder of this config.
    Default: .dp-release/ and the name of the series."""


class ReleaseSpec(Model):
    """One release series: what is measured, how well it is protected, and where it goes."""

    release: Name
    """Name of the series."""
    title: Text = Field(default_factory=lambda data: str(data["release"]))
    """Title for people. Default: the name of the series."""
    dataset: Name = Field(default_factory=lambda data: str(data["release"]))
    """The dataset whose budget is charged. Default: the name of the series."""
    input: InputSpec
    """The rows that are measured."""
    privacy: PrivacySpec
    """What is protected, and how well."""
    tables: dict[Name, TableSpec] = Field(min_length=1)
    """Tables by name, all under one budget."""
    output: OutputSpec
    """Where the release goes."""

    def named_columns(self) -> Iterator[tuple[KeyPath, str]]:
        """Yields every input column that the release reads, wherever the config names it.

        Yields:
            Path and column, for a later check to point at: `("privacy", "unit", 0)`, `"user_id"`.
        """
        for index, column in enumerate(self.privacy.unit):
            yield ("privacy", "unit", index), column
        for name, table in self.tables.items():
            for path, column in table.named_columns():
                yield ("tables", name, *path), column

    def column_types(self) -> dict[str, ColumnType]:
        """Returns the type of each column that the release reads, empty for parquet files.

        In csv and jsonl files, units and keys are strings and columns of sums are floats, unless
        `input.types` says otherwise. In parquet files, columns have types of their own.
        """
        if self.input.file_format == "parquet":
            return {}
        return {
            column: self.input.types.get(column, "float" if is_value_path(path) else "string")
            for path, column in self.named_columns()
        }

    @model_validator(mode="after")
    def _check(self) -> ReleaseSpec:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[tuple[KeyPath, str]]:
        named = list(self.named_columns())
        columns = list(dict.fromkeys(column for _, column in named))
        for column in self.input.types:
            if column not in columns:
                yield (
                    ("input", "types", column),
                    f"the release does not read this column; it reads {', '.join(columns)}"
                    + did_you_mean(column, columns),
                )
        if self.input.file_format == "parquet":
            return
        others = {column for path, column in named if not is_value_path(path)}
        for path, column in named:
            if not is_value_path(path):
                continue
            kind = self.input.types.get(column)
            if kind is None and column in others:
                yield (
                    path,
                    f"{column!r} is a key or unit too; allowed: with its type in input.types",
                )
            if kind not in (None, "int", "float"):
                yield (
                    ("input", "types", column),
                    f"is {kind}, but the release has a sum of the column; allowed: int, float",
                )


def is_value_path(path: KeyPath) -> bool:
    """Returns whether a path of `ReleaseSpec.named_columns` names a column to sum."""
    return path[2:3] == ("metrics",)
