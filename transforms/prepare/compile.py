"""From a syntax tree and the types of columns to a Polars expression, or to what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from transforms.prepare.function import Function, Parameter
from transforms.prepare.functions import unknown_function
from transforms.prepare.kinds import (
    BOOLEAN,
    DATE,
    INSTANT,
    LOCAL,
    NUMBER,
    TEXT,
    WHOLE,
    Kind,
    Typed,
    column,
    default_type,
    in_words,
    kind_of,
)
from transforms.prepare.lookups import LOOKUP
from transforms.prepare.tree import Call, Column, ExpressionError, Literal, Node

Schema = Mapping[str, pl.DataType | None]
"""Types of columns; None where one is not known yet."""


@dataclass(frozen=True)
class Compiled:
    """An expression that was found right.

    Attributes:
        dtype: Type of its values; None if it is not known yet.
        expr: Its values; None if a type in it is not known yet.
    """

    dtype: pl.DataType | None
    expr: pl.Expr | None


@dataclass(frozen=True)
class Compiler:
    """Checks and compiles trees.

    Attributes:
        functions: All functions and operators by name.
        schema: The columns.
    """

    functions: Mapping[str, Function]
    schema: Schema

    def compile(self, node: Node) -> Compiled:
        """Compiles a tree.

        Raises:
            ExpressionError: A column or function is not there, or does not fit where it is used.
        """
        match node:
            case Column():
                return self._column(node)
            case Literal():
                return _literal(node)
            case Call():
                return self._call(node)

    def function(self, call: Call) -> Function:
        """Returns the function that is called.

        Raises:
            ExpressionError: It is not on the white list.
        """
        function = self.functions.get(call.function)
        if function is None:
            raise ExpressionError(unknown_function(call.function), call.at)
        return function

    def _column(self, node: Column) -> Compiled:
        if node.name not in self.schema:
            raise ExpressionError(unknown_column(node.name, self.schema), node.at)
        dtype = self.schema[node.name]
        if dtype is None:
            return Compiled(None, None)
        try:
            typed = column(node.name, dtype)
        except TypeError as error:
            raise ExpressionError(str(error), node.at) from None
        return Compiled(typed.dtype, typed.expr)

    def _call(self, call: Call) -> Compiled:
        function = self.function(call)
        given = _with_key(call) if call.function == LOOKUP else call.arguments
        _check_number(function, call, len(given))
        arguments: list[Any] = []
        known = True
        for position, node in enumerate(given):
            parameter = function.parameter(position)
            assert parameter is not None
            if parameter.check is not None:
                arguments.append(_constant(function, parameter, node))
                continue
            compiled = self.compile(node)
            _check_kind(function, parameter, compiled.dtype, node)
            if compiled.dtype is None or compiled.expr is None:
                known = False
                arguments.append(compiled.dtype)
            else:
                arguments.append(_fitted(compiled.expr, compiled.dtype, parameter))
        types = [value.dtype if isinstance(value, Typed) else value for value in arguments]
        try:
            result = function.result(types)
        except ValueError as error:
            raise ExpressionError(f"{_label(function)} {error}", call.at) from None
        if not known or result is None:
            return Compiled(result, None)
        return Compiled(result, function.build(*arguments))


def unknown_column(name: str, schema: Schema) -> str:
    """Returns the message for a column that is not there, with those that are."""
    there = ", ".join(f"{known} ({dtype})" if dtype else known for known, dtype in schema.items())
    return f"no column {name!r}; there are: {there}"


_LITERAL_TYPES: Mapping[type, pl.DataType] = {
    str: TEXT,
    int: WHOLE,
    float: NUMBER,
    bool: BOOLEAN,
    date: DATE,
    type(None): pl.Null(),
}


def _literal(node: Literal) -> Compiled:
    if isinstance(node.value, tuple):
        raise ExpressionError("a list is not a value of a row; allowed: one constant", node.at)
    if isinstance(node.value, datetime):
        dtype: pl.DataType = LOCAL if node.value.tzinfo is None else INSTANT
    else:
        dtype = _LITERAL_TYPES[type(node.value)]
    return Compiled(dtype, pl.lit(node.value, dtype=dtype))


def _with_key(call: Call) -> tuple[Node, ...]:
    if len(call.arguments) != 3:
        return call.arguments
    searched = call.arguments[0]
    if not isinstance(searched, Column):
        raise ExpressionError(
            "lookup of an expression needs the name of the key column as its fourth argument",
            call.at,
        )
    return (*call.arguments, Literal(searched.name, searched.at))


def _check_number(function: Function, call: Call, number: int) -> None:
    if number < function.required or function.parameter(number - 1) is None:
        several = f"{number} argument{'' if number == 1 else 's'}"
        raise ExpressionError(
            f"{_label(function)} has {several}; allowed: {function.usage}", call.at
        )


def _constant(function: Function, parameter: Parameter, node: Node) -> Any:
    if not isinstance(node, Literal):
        raise ExpressionError(
            f"{_label(function)} needs a constant here; allowed: {function.usage}", node.at
        )
    assert parameter.check is not None
    try:
        parameter.check(node.value)
    except ValueError as error:
        raise ExpressionError(f"an argument of {_label(function)} {error}", node.at) from None
    return node.value


def _check_kind(
    function: Function, parameter: Parameter, dtype: pl.DataType | None, node: Node
) -> None:
    if dtype is None or kind_of(dtype) in (Kind.NULL, *parameter.kinds):
        return
    name = f"column {node.name!r}" if isinstance(node, Column) else "an argument"
    raise ExpressionError(
        f"{name} of {_label(function)} has the type {dtype}; allowed: {in_words(parameter.kinds)}",
        node.at,
    )


def _fitted(expr: pl.Expr, dtype: pl.DataType, parameter: Parameter) -> Typed:
    """Gives a null the type that the function expects."""
    if dtype == pl.Null and len(parameter.kinds) < len(Kind) - 1:
        wanted = default_type(parameter.kinds[0])
        return Typed(expr.cast(wanted), wanted)
    return Typed(expr, dtype)


def _label(function: Function) -> str:
    return f"{function.name}()" if function.name.islower() else function.name
