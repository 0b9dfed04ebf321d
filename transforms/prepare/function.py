"""What a function of expressions is: its parameters, the type of its result, how it is built.

Every function here makes an *elementwise* Polars expression: its value in a row is a function of
the arguments in that row and of constants, and it has a value (perhaps null) for every argument.
That is the whole privacy argument of `transforms.prepare.preparation`, so it must hold for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from transforms.prepare.kinds import ANY, Kind

ResultType = Callable[[Sequence[Any]], pl.DataType | None]
"""Type of a result by the types of the arguments; a type is None where it is not known yet, and an
argument that must be a constant stands for itself."""


@dataclass(frozen=True)
class Parameter:
    """One argument of a function.

    Attributes:
        kinds: What it may be.
        check: For an argument that must be written as a constant: raises a ValueError when the
            constant is not allowed. The function is built with the constant itself.
        optional: It may be left out.
    """

    kinds: tuple[Kind, ...] = ANY
    check: Callable[[Any], None] | None = None
    optional: bool = False


@dataclass(frozen=True)
class Function:
    """A function or an operator.

    Attributes:
        name: Its name in expressions.
        usage: How it is called, for people.
        parameters: Its arguments; the last may be repeated if `variadic`.
        result: Type of the result.
        build: Makes the Polars expression from the arguments.
        variadic: Whether the last argument may be there any number of times.
        explodes: Whether the result is a list, of which each item becomes a row.
    """

    name: str
    usage: str
    parameters: tuple[Parameter, ...]
    result: ResultType
    build: Callable[..., pl.Expr]
    variadic: bool = False
    explodes: bool = False

    def parameter(self, position: int) -> Parameter | None:
        """Returns the parameter for the argument at a position; None if there is none."""
        if position < len(self.parameters):
            return self.parameters[position]
        return self.parameters[-1] if self.variadic else None

    @property
    def required(self) -> int:
        """The smallest number of arguments."""
        return sum(not parameter.optional for parameter in self.parameters)


def always(dtype: pl.DataType) -> ResultType:
    """Returns a result type that does not depend on the arguments."""
    return lambda types: dtype  # noqa: ARG005


def of(*kinds: Kind) -> Parameter:
    """Returns a parameter that takes values of some kinds."""
    return Parameter(kinds)


def constant(check: Callable[[Any], None], *, optional: bool = False) -> Parameter:
    """Returns a parameter that must be written as a constant."""
    return Parameter(ANY, check, optional)


def whole_from_to(low: int, high: int) -> Callable[[Any], None]:
    """Returns a check of constants: whole numbers in a range."""

    def check(value: Any) -> None:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"is {value!r}; allowed: a whole number from {low} to {high}")

    return check


def some_text(value: Any) -> None:
    """Raises a ValueError when a constant is not text of at least one character."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"is {value!r}; allowed: text in single quotes")


def any_text(value: Any) -> None:
    """Raises a ValueError when a constant is not text."""
    if not isinstance(value, str):
        raise ValueError(f"is {value!r}; allowed: text in single quotes")


def one_of(*allowed: str) -> Callable[[Any], None]:
    """Returns a check of constants: one of some words."""

    def check(value: Any) -> None:
        if value not in allowed:
            raise ValueError(f"is {value!r}; allowed: {', '.join(map(repr, allowed))}")

    return check


def first_type(types: Sequence[Any]) -> pl.DataType | None:
    """The result type of a function that returns what its first argument is."""
    dtype: pl.DataType | None = types[0]
    return dtype
