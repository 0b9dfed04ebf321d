"""The syntax tree of an expression: columns, constants and calls, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime


class ExpressionError(ValueError):
    """An expression cannot be used.

    Attributes:
        message: What is wrong and what is allowed.
        at: The place in the expression: characters before it.
    """

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


@dataclass(frozen=True)
class Column:
    """The value of a column.

    Attributes:
        name: Its name.
        at: Place in the expression.
    """

    name: str
    at: int


Constant = str | int | float | bool | date | datetime | None


@dataclass(frozen=True)
class Literal:
    """A constant.

    Attributes:
        value: Text, a number, true, false, null, a date or time, or a list of such.
        at: Place in the expression.
    """

    value: Constant | tuple[Constant, ...]
    at: int


@dataclass(frozen=True)
class Call:
    """A function or operator with its arguments.

    Attributes:
        function: Name of the function in lower case, or the operator in upper case, so that no
            function has the name of an operator.
        arguments: What it is applied to.
        at: Place in the expression.
    """

    function: str
    arguments: tuple[Node, ...]
    at: int


Node = Column | Literal | Call


def columns(node: Node) -> Iterator[Column]:
    """Yields the columns that a tree names, from left to right."""
    if isinstance(node, Column):
        yield node
    elif isinstance(node, Call):
        for argument in node.arguments:
            yield from columns(argument)


def calls(node: Node) -> Iterator[Call]:
    """Yields the calls of a tree, outer ones first."""
    if isinstance(node, Call):
        yield node
        for argument in node.arguments:
            yield from calls(argument)
