"""The preparation of the input: filters, derived columns, and several rows of one.

**Row-wise.** What a row becomes (no row, one, or several) is a function of that row and of public
data: the text of the expressions and the lookup tables. It does not depend on any other row, on the
order of rows, or on how they are split into tables. So when all rows of a privacy unit are added to
the input, the rows that they become are added to the prepared input and nothing else changes, and
what is proven of an aggregation of prepared rows holds for the raw ones. It follows from three
facts: every function on the white list is elementwise (`transforms.prepare.function`), a syntax
tree holds nothing but columns, constants and those functions (`transforms.prepare.parse`), and a
filter or an explode keeps or repeats a row by that row's own value.

**Order.** Derived columns are worked out in the order in which they are written; each sees the
columns of the input and the derived ones before it. A column that explodes (`emoji`, `words`,
`ngrams`) makes one row of each of its values, with all other columns repeated; a row without any
value stays, as one row in which the column is null, and so counts in tables without that key only.
`where` holds for the rows so made: it may name derived columns.

**Dirt.** No value makes an expression fail:

| what | rule |
|---|---|
| division by zero, NaN, or a whole number beyond 64 bits in an expression | null |
| text that CAST cannot read, a place not on earth, a key that a lookup lacks | null |
| null part of a concatenation | the whole is null |
| null condition in `where` | the row is dropped |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

import polars as pl
import pyarrow as pa

from transforms.prepare.compile import Compiled, Compiler, Schema
from transforms.prepare.function import Function
from transforms.prepare.functions import functions
from transforms.prepare.lookups import LOOKUP, LookupFile, LookupTable
from transforms.prepare.parse import parse
from transforms.prepare.tree import Call, Column, ExpressionError, Literal, Node, calls
from transforms.prepare.tree import columns as columns_in
from transforms.rows import as_frame, select_columns
from transforms.table import check_column_name

WHERE = "where"
"""Name of the filter among the places of problems."""

_EXPLODED = "value:exploded"
"""Name of the column that was exploded, while the rest of its expression is worked out."""


@dataclass(frozen=True)
class Place:
    """A place in the expressions of a preparation.

    Attributes:
        column: The derived column; None for `where`.
        at: Place in its expression.
    """

    column: str | None
    at: int


class PreparationError(ValueError):
    """Expressions cannot be used.

    Attributes:
        problems: What is wrong, and where.
    """

    def __init__(self, problems: Sequence[tuple[Place, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.column or WHERE}: {text}" for p, text in problems))


@dataclass(frozen=True)
class Preparation:
    """Filters and derived columns.

    Attributes:
        columns: Expressions of derived columns by name, in order.
        where: Condition that rows must fulfil to be kept; null is no.
        tables: The public tables of `lookup`; without one, its values have no known type.

    Raises:
        PreparationError: Something is wrong with an expression that can be told without the types
            of the input.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    where: str | None = None
    tables: Mapping[LookupFile, LookupTable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", dict(self.columns))
        object.__setattr__(self, "tables", dict(self.tables))
        problems = [
            *self._text_problems(),
            *self._order_problems(),
            *self._explode_problems(),
        ]
        told = {place.column for place, _ in problems}
        problems += [one for one in self._type_problems(None) if one[0].column not in told]
        if problems:
            raise PreparationError(problems)

    def __reduce__(self) -> tuple[type[Preparation], tuple[object, ...]]:
        """Travels as what it was made of; what was worked out from that does not travel."""
        return Preparation, (self.columns, self.where, self.tables)

    @property
    def named_columns(self) -> Iterator[tuple[Place, str]]:
        """The input columns that the expressions name, each with its places."""
        for name, node in self._trees.items():
            for column in columns_in(node):
                if column.name not in self.columns:
                    yield Place(name, column.at), column.name

    @property
    def lookups(self) -> Iterator[tuple[Place, LookupFile]]:
        """The public tables that the expressions need, each with its places."""
        for name, node in self._trees.items():
            for call in calls(node):
                if call.function == LOOKUP:
                    values = [one.value for one in call.arguments[1:] if isinstance(one, Literal)]
                    first = call.arguments[0]
                    key = values[2] if len(values) > 2 else getattr(first, "name", None)
                    file = LookupFile(str(values[0]), str(key), str(values[1]))
                    yield Place(name, call.arguments[1].at), file

    @cached_property
    def exploding(self) -> str | None:
        """The derived column that makes several rows of one."""
        return next((name for name in self.columns if self._explosions(name)), None)

    @property
    def exploded_columns(self) -> frozenset[str]:
        """The derived columns whose value depends on an exploded one."""
        found: set[str] = set()
        for name in self.columns:
            named = {column.name for column in columns_in(self._trees[name])}
            if name == self.exploding or named & found:
                found.add(name)
        return frozenset(found)

    def schema(self, schema: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
        """Returns the types of input and derived columns, from those of the input columns.

        Raises:
            PreparationError: A column is not there, or a type does not fit.
        """
        problems = [*self._type_problems(schema)]
        if problems:
            raise PreparationError(problems)
        derived = self._types(schema)
        return {**schema, **{name: dtype for name, dtype in derived.items() if dtype is not None}}

    def apply(self, table: pa.Table, keep: Sequence[str]) -> pa.Table:
        """Prepares rows.

        Args:
            table: Raw rows, with all columns that are kept or named in expressions.
            keep: Columns of the result, of the input or derived.

        Returns:
            The prepared rows. Rows are in the order of those that they come from.

        Raises:
            KeyError: A column is missing.
            PreparationError: A column has a type that does not fit.
        """
        read = [name for _, name in self.named_columns]
        read += [name for name in keep if name not in self.columns]
        frame = as_frame(select_columns(table, read))
        return (
            self.apply_to_frame(frame).select(keep).to_arrow(compat_level=pl.CompatLevel.newest())
        )

    def apply_to_frame(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Prepares the rows of a frame; see `apply`. All columns are kept."""
        condition = self._trees.get(None)
        early = condition is not None and not any(
            column.name in self.columns for column in columns_in(condition)
        )
        if condition is not None and early:
            frame = frame.filter(self._expr(None, condition, frame))
        for name in self.columns:
            node = self._trees[name]
            for explosion in self._explosions(name):
                values = self._expr(name, explosion, frame).alias(_EXPLODED)
                frame = frame.with_columns(values).explode(
                    _EXPLODED, empty_as_null=True, keep_nulls=True
                )
                node = _put(node, explosion, Column(_EXPLODED, explosion.at))
            frame = frame.with_columns(self._expr(name, node, frame).alias(name))
            frame = frame.drop(_EXPLODED, strict=False)
        if condition is not None and not early:
            frame = frame.filter(self._expr(None, condition, frame))
        return frame

    @cached_property
    def _trees(self) -> dict[str | None, Node]:
        """Trees by derived column, and of `where` under None; without texts that have none."""
        trees: dict[str | None, Node] = {}
        for name, text in self._texts():
            with suppress(ExpressionError):
                trees[name] = parse(text)
        return trees

    def _texts(self) -> Iterator[tuple[str | None, str]]:
        yield from self.columns.items()
        if self.where is not None:
            yield None, self.where

    @cached_property
    def _functions(self) -> dict[str, Function]:
        return functions(self.tables)

    def _explosions(self, name: str | None) -> list[Call]:
        return [
            call
            for call in calls(self._trees[name])
            if call.function in self._functions and self._functions[call.function].explodes
        ]

    def _expr(self, name: str | None, node: Node, frame: pl.DataFrame) -> pl.Expr:
        try:
            expr = self._compile(node, dict(zip(frame.columns, frame.dtypes, strict=True))).expr
        except ExpressionError as error:
            raise PreparationError([(Place(name, error.at), error.message)]) from None
        assert expr is not None
        return expr

    def _compile(self, node: Node, schema: Schema) -> Compiled:
        return Compiler(self._functions, schema).compile(node)

    def _types(self, schema: Schema | None) -> dict[str, pl.DataType | None]:
        """Returns the types of derived columns, None where one cannot be told."""
        types: dict[str, pl.DataType | None] = {}
        for name in self.columns:
            types[name] = None
            if name in self._trees:
                seen = self._seen(schema, {**types})
                with suppress(ExpressionError):
                    types[name] = self._compile(self._trees[name], seen).dtype
        return types

    def _seen(self, schema: Schema | None, derived: Schema) -> Schema:
        inputs = {name: None for _, name in self.named_columns} if schema is None else schema
        return {**inputs, **derived}

    def _type_problems(
        self, schema: Mapping[str, pl.DataType] | None
    ) -> Iterator[tuple[Place, str]]:
        types = self._types(schema)
        names = list(self.columns)
        for name, node in self._trees.items():
            before = names if name is None else names[: names.index(name)]
            seen = self._seen(schema, {known: types[known] for known in before})
            try:
                compiled = self._compile(node, seen)
            except ExpressionError as error:
                yield Place(name, error.at), error.message
                continue
            if name is None and compiled.dtype not in (None, pl.Boolean, pl.Null):
                yield (
                    Place(None, 0),
                    f"is an expression of the type {compiled.dtype}; allowed: a condition",
                )

    def _text_problems(self) -> Iterator[tuple[Place, str]]:
        for name, text in self._texts():
            try:
                if name is not None:
                    check_column_name(name)
                parse(text)
            except ExpressionError as error:
                yield Place(name, error.at), error.message
            except ValueError as error:
                yield Place(name, 0), str(error)

    def _order_problems(self) -> Iterator[tuple[Place, str]]:
        names = list(self.columns)
        for name, node in self._trees.items():
            named = list(columns_in(node))
            known = all(call.function in self._functions for call in calls(node))
            if not named and known:
                yield Place(name, 0), "names no column; allowed: an expression of columns"
            later = names[names.index(name) :] if name is not None else []
            for column in named:
                if column.name == name:
                    message = "the derived column names itself; allowed: a name of its own"
                    yield Place(name, column.at), message
                elif column.name in later:
                    message = f"{column.name!r} is derived later; allowed: columns derived before"
                    yield Place(name, column.at), message

    def _explode_problems(self) -> Iterator[tuple[Place, str]]:
        found = [(name, call) for name in self._trees for call in self._explosions(name)]
        for name, call in found:
            if name is None:
                message = f"{call.function}() makes several rows of one; allowed: in a column"
                yield Place(name, call.at), message
        in_columns = [(name, call) for name, call in found if name is not None]
        for name, call in in_columns[1:]:
            first, first_call = in_columns[0]
            yield (
                Place(name, call.at),
                f"{call.function}() makes several rows of one, and so does "
                f"{first_call.function}() in {first!r}; allowed: one such call in a release",
            )


def _put(node: Node, old: Node, new: Node) -> Node:
    """Returns a tree with one of its nodes replaced."""
    if node is old:
        return new
    if isinstance(node, Call):
        return replace(node, arguments=tuple(_put(one, old, new) for one in node.arguments))
    return node
