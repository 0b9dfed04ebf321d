"""The release YAML as a model: which keys there are, their types and defaults."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipelines.spec.bigquery_spec import BigQuerySpec
from pipelines.spec.columns import InputColumn, NamedColumn
from pipelines.spec.errors import KeyPath, did_you_mean
from pipelines.spec.expressions import (
    WHERE,
    expression_problems,
    found_problems,
    is_expression,
    make_preparation,
)
from pipelines.spec.fields import Found, Model, Name, Number, OneOrMore, Text, distinct, refuse
from pipelines.spec.partition_folders import folder_columns
from pipelines.spec.placed_tables import PlacedTable, placed_tables
from pipelines.spec.table_spec import TableSpec
from transforms.bounds import Adjacency, Bounding, Guarantee
from transforms.budget import Budget
from transforms.text_types import POLARS_TYPES, ColumnType

if TYPE_CHECKING:
    from transforms.prepare.preparation import Preparation

InputFormat = Literal["parquet", "csv", "jsonl", "avro"]
OutputFormat = Literal["parquet", "csv"]
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
    that begins with a name and =, like dt=*, gives a column of that name."""
    bigquery: BigQuerySpec | None = None
    """A BigQuery table, in place of files."""
    format: InputFormat | None = None
    """Format of the files. Default: by the extension of the globs."""
    types: dict[Text, ColumnType] = Field(default={})
    """Types of columns in csv and jsonl files, in BigQuery and from folder names. Default: float
    where a metric needs numbers, else string."""
    optional: Annotated[tuple[Text, ...], AfterValidator(distinct)] = ()
    """Columns that some files, or many lines of jsonl files, lack; they are null there. Default:
    none, so that every file must have every column."""
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


_ROWS_HAVE_NO_UNIT = (
    "is not protected with bounding: row, which protects single rows; "
    "allowed: leave it out, or bounding: unit or unit_partition"
)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class PrivacySpec(
    Model,
    json_schema_extra={
        "if": {"required": ["bounding"], "properties": {"bounding": {"const": "row"}}},
        "then": {"not": {"required": ["unit"]}},
        "else": {"required": ["unit"]},
    },
):
    """What is protected, and how well."""

    bounding: Bounding = "unit"
    """What is protected as one: `unit`, all rows of a privacy unit; `unit_partition`, only its rows
    with equal values of all keys; `row`, only single rows."""
    unit: OneOrMore = Field(default=(), validate_default=True, json_schema_extra=_without_default)
    """Column or columns whose value is the privacy unit: whom the guarantee protects. With several,
    each combination of values is a unit of its own. An entry with a parenthesis or :: is a SQL
    expression of one row, such as date(event_time). Must be left out with `bounding: row`."""
    adjacency: Adjacency = "add_remove"
    """What is hidden of it: whether it is there (`add_remove`), or only what it says (`replace`),
    where the number of units is taken as known."""
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

    @field_validator("unit", mode="wrap")
    @classmethod
    def _where_there_are_units(
        cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        bounding = info.data.get("bounding")
        if value == ():
            if bounding in ("unit", "unit_partition"):
                raise PydanticCustomError("missing", "missing")
            return value
        if bounding == "row":
            refuse(iter([((), _ROWS_HAVE_NO_UNIT)]))
        return validate(value)

    def budget(self) -> Budget:
        """Returns epsilon and delta for the engine."""
        return Budget(self.epsilon, self.delta)

    def guarantee(self) -> Guarantee:
        """Returns what is protected, for the engine."""
        return Guarantee(self.adjacency, self.bounding)


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

    def named_columns(self) -> Iterator[NamedColumn]:
        """Yields every column of the prepared rows that the release uses, where it is named."""
        for index, column in enumerate(self.privacy.unit):
            yield NamedColumn(("privacy", "unit", index), column, "identity")
        of_tables = (named for table in self.placed_tables() for named in table.named_columns())
        yield from dict.fromkeys(of_tables)

    def placed_tables(self) -> list[PlacedTable]:
        """Returns the tables one by one, those with levels as one for each level."""
        return [one for name, table in self.tables.items() for one in placed_tables(name, table)]

    def placed(self, name: str) -> PlacedTable:
        """Returns one of `placed_tables` by its name."""
        return next(table for table in self.placed_tables() if table.name == name)

    def input_columns(self) -> Iterator[InputColumn]:
        """Yields every column of the input that the release reads, where it is named."""
        for named in self.named_columns():
            if named.column not in self.derived_columns:
                yield InputColumn(*named)
        if self.preparation is not None:
            paths = self.expression_paths
            for place, column in self.preparation.named_columns:
                yield InputColumn(paths[place.column], column, "identity", place.at)

    def column_types(self) -> dict[str, ColumnType]:
        """Returns the type of each column that the release reads and whose source has no types.

        In csv and jsonl files, in BigQuery and from folder names, numbers to compute with are
        floats and all else is a string, unless `input.types` says otherwise. In parquet and avro
        files, columns have types of their own.
        """
        return {
            column: self.input.types.get(column, "float" if role == "value" else "string")
            for _, column, role, _ in self.input_columns()
            if self.input.declares_type(column)
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
        yield from self._column_problems()
        yield from dict.fromkeys(self._needless())

    def _unit_problems(self) -> Iterator[tuple[KeyPath, str]]:
        exploded = self.preparation.exploded_columns if self.preparation else frozenset()
        for index, unit in enumerate(self.privacy.unit):
            if unit in exploded:
                yield (
                    ("privacy", "unit", index),
                    f"{unit!r} has several values for one row; allowed: columns with one",
                )

    def _column_problems(self) -> Iterator[Found]:
        named = list(self.input_columns())
        columns = list(dict.fromkeys(named_column.column for named_column in named))
        listed: list[tuple[KeyPath, str]] = [(("types", name), name) for name in self.input.types]
        listed += [(("optional", place), name) for place, name in enumerate(self.input.optional)]
        for path, column in listed:
            if column not in columns:
                yield (
                    ("input", *path),
                    f"the release does not read this column; it reads {', '.join(columns)}"
                    + did_you_mean(column, columns),
                )
        yield from self._same_names()
        identities = {column for _, column, role, _ in named if role == "identity"}
        for path, column, role, _ in named:
            if role == "identity" or not self.input.declares_type(column):
                continue
            kind = self.input.types.get(column)
            if kind is None and column in identities:
                yield (
                    path,
                    f"{column!r} is a key, a unit, a distinct_count or in an expression too; "
                    "allowed: with its type in input.types",
                )
            if kind not in (None, "int", "float"):
                yield (
                    ("input", "types", column),
                    f"is {kind}, but a metric needs numbers; allowed: int, float",
                )
        types = {column: POLARS_TYPES[kind] for column, kind in self.column_types().items()}
        if self.preparation is not None and set(columns) <= types.keys():
            try:
                self.preparation.schema(types)
            except ValueError as error:
                yield from found_problems(error, self.expression_paths)

    def _same_names(self) -> Iterator[tuple[KeyPath, str]]:
        """Yields levels whose tables have the name of another table."""
        names = [table.name for table in self.placed_tables()]
        for position, table in enumerate(self.placed_tables()):
            others = names[:position] if table.name not in self.tables else self.tables
            if table.level is not None and table.name in others:
                yield (
                    table.path,
                    f"makes the table {table.name!r}, which is there already; "
                    "allowed: another name, by the key 'name' of the level",
                )

    def _needless(self) -> Iterator[tuple[KeyPath, str]]:
        """Yields what tables say about more than the guarantee protects."""
        bounding = self.privacy.bounding
        unused = self.privacy.guarantee().unused_bounds
        for table in self.placed_tables():
            for bound in unused:
                if bound in table.spec.bounds.model_fields_set:
                    yield (
                        table.place("bounds", bound),
                        f"is not used with bounding: {bounding}, which protects less; "
                        "allowed: leave it out, or bounding: unit",
                    )
            for metric, spec in table.spec.metrics.items():
                if spec == "privacy_unit_count" and bounding == "row":
                    yield (
                        table.place("metrics", metric),
                        "there are no privacy units with bounding: row; allowed: count",
                    )
