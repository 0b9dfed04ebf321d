"""The release YAML as a model: which keys there are, their types and defaults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from pipelines.spec.about_spec import AboutSpec
from pipelines.spec.columns import InputColumn, NamedColumn
from pipelines.spec.declared_types import type_problems
from pipelines.spec.errors import KeyPath, did_you_mean
from pipelines.spec.expressions import expression_problems, is_expression, make_preparation
from pipelines.spec.fields import Found, Model, Name, Text, refuse
from pipelines.spec.gates_spec import GatesSpec, gate_problems
from pipelines.spec.input_spec import InputSpec
from pipelines.spec.output_spec import OutputSpec
from pipelines.spec.placed_tables import PlacedTable, placed_tables
from pipelines.spec.privacy_spec import PrivacySpec
from pipelines.spec.table_spec import TableSpec
from transforms.text_types import POLARS_TYPES, ColumnType

if TYPE_CHECKING:
    from transforms.prepare.preparation import Preparation


Period = Literal["day", "week", "month"]
"""Calendar periods of releases; weeks begin on Monday."""


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
    period: Period | None = None
    """Calendar periods that have a release each: `run --period` says which. Only the rows of its
    days are read, by `input.time`. Default: one release of all rows."""
    gates: GatesSpec = GatesSpec()
    """What has to be there before a release is made or published."""
    ledger: Text = ".dp-release/ledger.db"
    """Where it is kept what has been spent: an SQLite file, relative to the folder of this config,
    or gs://bucket/object. All releases of a dataset need the same one."""
    policy: Text | None = None
    """The policy file of the privacy team, which says what may be spent; relative to the folder of
    this config. Default: none, so nothing is refused."""
    about: AboutSpec = AboutSpec()
    """What only the publisher can say, for the manifest."""

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

    def added_columns(self, path: KeyPath) -> list[str]:
        """Returns the columns that the config adds to those of the input, as a place sees them.

        Args:
            path: A place in the config; an expression sees the derived columns above it.

        Returns:
            Columns from names of folders, then derived ones.
        """
        derived = list(self.input.columns)
        if path[:2] == ("input", "columns"):
            derived = derived[: derived.index(str(path[2]))]
        return list(dict.fromkeys([*self.input.folder_columns, *derived]))

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
        time = self.input.time
        if time is not None and time not in self.derived_columns:
            yield InputColumn(("input", "time"), time, "identity")
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
        yield from self._period_problems()
        names = tuple(table.name for table in self.placed_tables())
        yield from gate_problems(self, names)
        yield from self._unit_problems()
        yield from self._column_problems()
        yield from dict.fromkeys(self._needless())

    def _period_problems(self) -> Iterator[tuple[KeyPath, str]]:
        if self.period is not None and self.input.time is None:
            yield (
                ("period",),
                f"is {self.period}, so that it must be known when rows happened; allowed: with "
                "input.time, the column of their dates or timestamps",
            )
        if self.period is None and (placeholder := self.input.placeholder) is not None:
            yield placeholder, "has a placeholder for the period; allowed: with the key 'period'"

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
            if column not in (*columns, self.gates.days):
                yield (
                    ("input", *path),
                    f"the release does not read this column; it reads {', '.join(columns)}"
                    + did_you_mean(column, columns),
                )
        yield from self._same_names()
        yield from self._undeclared_members(named)
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
            yield from type_problems(self.preparation, types, self.expression_paths, self.input)

    def _undeclared_members(self, named: Sequence[InputColumn]) -> Iterator[Found]:
        """Yields members of JSON lines that are not declared.

        JSON lines have no header. Whether a line has a member is known from rows alone, so a run
        must not depend on it; a misspelt name is found here, where it is not declared.
        """
        if self.input.file_format != "jsonl":
            return
        spec = self.input
        declared = list(dict.fromkeys([*spec.types, *spec.optional, *spec.folder_columns]))
        for path, column, _, at in named:
            if column not in declared:
                message = (
                    f"the member {column!r} is not declared, and JSON Lines have no header that "
                    "would tell a misspelt one; allowed: with its type in input.types"
                    f"{did_you_mean(column, [*declared, *self.added_columns(path)])}"
                )
                yield (path, message) if at is None else (path, message, at)

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
