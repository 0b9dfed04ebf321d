"""The release YAML as a model: which keys there are, their types and defaults."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from pipelines.spec.errors import KeyPath, did_you_mean
from pipelines.spec.expressions import (
    WHERE,
    expression_problems,
    found_problems,
    is_expression,
    make_preparation,
)
from pipelines.spec.fields import Found, Model, Name, Number, OneOrMore, Text, distinct, refuse
from pipelines.spec.table_spec import TableSpec
from transforms.budget import Budget
from transforms.text_types import POLARS_TYPES, ColumnType

if TYPE_CHECKING:
    from transforms.prepare.preparation import Preparation

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
    where: Text | None = None
    """Condition that rows must fulfil to be read: a SQL expression of one row, such as
    app_version >= '7.0'. It may name derived columns. Default: all rows."""
    columns: dict[Text, Text] = Field(default={})
    """Derived columns: name, and SQL expression of one row, such as emoji(text). Each sees the
    columns of the input and the derived ones before it, and hides a column of the input of the same
    name."""

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

    @property
    def expression_paths(self) -> dict[str | None, KeyPath]:
        """Place of each derived column in the config, and of `where` under None."""
        return {None: WHERE, **{name: ("input", "columns", name) for name in self.columns}}

    def _problems(self) -> Iterator[Found]:
        paths = {name: path[1:] for name, path in self.expression_paths.items()}
        yield from expression_problems(self.columns, self.where, paths)
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
    """Column or columns whose value is the privacy unit: whom the guarantee protects. An entry with
    a parenthesis is a SQL expression of one row, such as date(event_time)."""
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

    @cached_property
    def derived_columns(self) -> dict[str, str]:
        """Expressions of derived columns by name, in order; one of the unit is its own name."""
        units = [unit for unit in self.privacy.unit if is_expression(unit)]
        return {**self.input.columns, **{u: u for u in units if u not in self.input.columns}}

    @cached_property
    def preparation(self) -> Preparation | None:
        """Filters and derived columns, without the tables of lookups; None if there are none."""
        return make_preparation(self.derived_columns, self.input.where)

    @property
    def expression_paths(self) -> dict[str | None, KeyPath]:
        """Place of each derived column in the config, and of `where` under None."""
        units: dict[str | None, KeyPath] = {
            unit: ("privacy", "unit", index) for index, unit in enumerate(self.privacy.unit)
        }
        return {**units, **self.input.expression_paths}

    def named_columns(self) -> Iterator[tuple[KeyPath, str]]:
        """Yields every column of the prepared rows that the release uses.

        Yields:
            Path and column, for a later check to point at: `("privacy", "unit", 0)`, `"user_id"`.
        """
        for index, column in enumerate(self.privacy.unit):
            yield ("privacy", "unit", index), column
        for name, table in self.tables.items():
            for path, column in table.named_columns():
                yield ("tables", name, *path), column

    def input_columns(self) -> Iterator[tuple[KeyPath, str, int | None]]:
        """Yields every column that the release reads from its input.

        Yields:
            Path, column, and where in an expression the column is named, if it is in one.
        """
        for path, column in self.named_columns():
            if column not in self.derived_columns:
                yield path, column, None
        if self.preparation is not None:
            paths = self.expression_paths
            for place, column in self.preparation.named_columns:
                yield paths[place.column], column, place.at

    def column_types(self) -> dict[str, ColumnType]:
        """Returns the type of each column that the release reads, empty for parquet files.

        In csv and jsonl files, columns of sums are floats and all others strings, unless
        `input.types` says otherwise. In parquet files, columns have types of their own.
        """
        if self.input.file_format == "parquet":
            return {}
        return {
            column: self.input.types.get(column, "float" if is_value_path(path) else "string")
            for path, column, _ in self.input_columns()
        }

    @model_validator(mode="after")
    def _check(self) -> ReleaseSpec:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[Found]:
        wrong = list(
            expression_problems(self.derived_columns, self.input.where, self.expression_paths)
        )
        if wrong:
            yield from wrong
            return
        yield from self._unit_problems()
        yield from self._type_problems()

    def _unit_problems(self) -> Iterator[tuple[KeyPath, str]]:
        exploded = self.preparation.exploded_columns if self.preparation else frozenset()
        for index, unit in enumerate(self.privacy.unit):
            if unit in exploded:
                yield (
                    ("privacy", "unit", index),
                    f"{unit!r} has several values for one row; allowed: columns with one",
                )

    def _type_problems(self) -> Iterator[Found]:
        named = [(path, column) for path, column, _ in self.input_columns()]
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
                    f"{column!r} is a key, a unit or in an expression too; "
                    "allowed: with its type in input.types",
                )
            if kind not in (None, "int", "float"):
                yield (
                    ("input", "types", column),
                    f"is {kind}, but the release has a sum of the column; allowed: int, float",
                )
        if self.preparation is not None:
            types = {column: POLARS_TYPES[kind] for column, kind in self.column_types().items()}
            try:
                self.preparation.schema(types)
            except ValueError as error:
                yield from found_problems(error, self.expression_paths)


def is_value_path(path: KeyPath) -> bool:
    """Returns whether a path of `ReleaseSpec.named_columns` names a column to sum."""
    return path[2:3] == ("metrics",)
