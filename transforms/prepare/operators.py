"""Operators, conditions and CAST.

No value makes them fail: what has no answer is null. Whole numbers are computed in 128 bits, and a
result beyond 64 bits is null; a division by zero is null; so is what CAST cannot read, as by
TRY_CAST; a number that would be NaN is null, and infinities stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import polars as pl

from transforms.prepare.floats import floored, quotient, remainder
from transforms.prepare.function import (
    Function,
    Parameter,
    always,
    any_text,
    constant,
    first_type,
    of,
    one_of,
)
from transforms.prepare.kinds import (
    ANY,
    BOOLEAN,
    DATE,
    INSTANT,
    NUMBER,
    NUMBERS,
    TEXT,
    WHOLE,
    Kind,
    Typed,
    common_type,
    convert,
    in_words,
    instant,
    kind_of,
    narrow,
    wide,
    without_nan,
)
from transforms.text_types import ColumnType, parse

_NUMBER = of(*NUMBERS)
_BOOLEAN = of(Kind.BOOLEAN)
_READ_AS: dict[str, ColumnType] = {
    "bigint": "int",
    "double": "float",
    "boolean": "bool",
    "date": "date",
    "timestamp": "timestamp",
}
_CASTS: dict[str, tuple[pl.DataType, tuple[Kind, ...]]] = {
    "text": (TEXT, ANY),
    "bigint": (WHOLE, (Kind.TEXT, *NUMBERS, Kind.BOOLEAN)),
    "double": (NUMBER, (Kind.TEXT, *NUMBERS, Kind.BOOLEAN)),
    "boolean": (BOOLEAN, (Kind.TEXT, Kind.WHOLE, Kind.BOOLEAN)),
    "date": (DATE, (Kind.TEXT, Kind.DATE, Kind.TIMESTAMP)),
    "timestamp": (INSTANT, (Kind.TEXT, Kind.DATE, Kind.TIMESTAMP)),
}


def _cast_type(arguments: Sequence[Any]) -> pl.DataType:
    dtype, target = arguments
    result, allowed = _CASTS[target]
    kind = None if dtype is None else kind_of(dtype)
    if kind not in (None, Kind.NULL, *allowed):
        assert kind is not None
        raise ValueError(f"of {kind.value} to {target}; allowed: {in_words(allowed)}")
    return result


def cast(value: Typed, target: str) -> pl.Expr:
    """Returns a value in another type, null where it does not fit.

    Text is read by the rules of text files (`transforms.text_types`). A number loses its fraction
    on the way to a whole number. A timestamp without a zone is in UTC; a date is its midnight; the
    date of a timestamp is that of its own zone.
    """
    kind = kind_of(value.dtype)
    if target == "text":
        return as_text(value)
    if kind == Kind.TEXT:
        read = parse(value.expr, _READ_AS[target])
        return without_nan(read) if target == "double" else read
    if target == "timestamp":
        return instant(value)
    if target == "date":
        return value.expr.dt.date() if kind == Kind.TIMESTAMP else value.expr
    return value.expr.cast(_CASTS[target][0], strict=False)


def as_text(value: Typed) -> pl.Expr:
    """Returns a value as text: 7.0 is 7, and a time has its offset if it has a zone."""
    expr = value.expr
    match kind_of(value.dtype):
        case Kind.TEXT:
            return expr
        case Kind.NUMBER:
            whole = (expr == expr.floor()) & (expr.abs() < 2.0**63)
            integers = expr.cast(pl.Int64, strict=False).cast(pl.String)
            return pl.when(whole).then(integers).otherwise(expr.cast(pl.String))
        case Kind.TIMESTAMP:
            zone = isinstance(value.dtype, pl.Datetime) and value.dtype.time_zone is not None
            return expr.dt.to_string(f"%Y-%m-%d %H:%M:%S%.f{'%:z' if zone else ''}")
        case Kind.DATE:
            return expr.dt.to_string("%Y-%m-%d")
        case _:
            return expr.cast(pl.String)


def like_pattern(pattern: str) -> str:
    """Returns the regular expression of a LIKE pattern: % is any text, _ is any character."""
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return f"(?s)^{''.join(parts)}$"


def _like(value: Typed, pattern: str) -> pl.Expr:
    return value.expr.str.contains(like_pattern(pattern))


def _ilike(value: Typed, pattern: str) -> pl.Expr:
    return value.expr.str.contains("(?i)" + like_pattern(pattern))


def _common(types: Sequence[pl.DataType | None]) -> pl.DataType | None:
    return common_type(types)


def _comparable(types: Sequence[pl.DataType | None]) -> pl.DataType:
    common_type(types)
    return BOOLEAN


def _arithmetic_type(types: Sequence[pl.DataType | None]) -> pl.DataType | None:
    if any(dtype is not None and kind_of(dtype) == Kind.NUMBER for dtype in types):
        return NUMBER
    return None if None in types else WHOLE


def _arithmetic(apply: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Callable[..., pl.Expr]:
    def build(left: Typed, right: Typed) -> pl.Expr:
        if _arithmetic_type([left.dtype, right.dtype]) == WHOLE:
            return narrow(apply(wide(left.expr), wide(right.expr)))
        return without_nan(apply(left.expr.cast(pl.Float64), right.expr.cast(pl.Float64)))

    return build


def _divided(
    whole: Callable[[pl.Expr, pl.Expr], pl.Expr], number: Callable[[pl.Expr, pl.Expr], pl.Expr]
) -> Callable[..., pl.Expr]:
    def build(left: Typed, right: Typed) -> pl.Expr:
        if _arithmetic_type([left.dtype, right.dtype]) == WHOLE:
            above, below = wide(left.expr), wide(right.expr)
            return narrow(pl.when(below != 0).then(whole(above, below)))
        return number(left.expr, right.expr)

    return build


def _negative(value: Typed) -> pl.Expr:
    if kind_of(value.dtype) == Kind.WHOLE:
        return narrow(pl.lit(0, pl.Int128) - wide(value.expr))
    return -value.expr


def _compare(apply: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Callable[..., pl.Expr]:
    def build(left: Typed, right: Typed) -> pl.Expr:
        return apply(*together([left, right]))

    return build


def together(values: Sequence[Typed]) -> list[pl.Expr]:
    """Returns values in the one type in which they are compared, exact for whole numbers."""
    types = [value.dtype for value in values]
    dtype = common_type(types)
    assert dtype is not None
    if kind_of(dtype) == Kind.WHOLE and any(one != dtype for one in types):
        return [wide(value.expr) for value in values]
    return [convert(value, dtype) for value in values]


def _in(value: Typed, *allowed: Typed) -> pl.Expr:
    first, *others = together([value, *allowed])
    return reduce(lambda found, other: found | other, (first == other for other in others))


def _result(values: Sequence[Typed]) -> list[pl.Expr]:
    dtype = common_type([value.dtype for value in values])
    assert dtype is not None
    return [convert(value, dtype) for value in values]


def _case(*branches: Typed) -> pl.Expr:
    conditions = [condition.expr for condition in branches[:-1:2]]
    *values, default = _result([*branches[1:-1:2], branches[-1]])
    pairs = zip(reversed(conditions), reversed(values), strict=True)
    return reduce(lambda rest, pair: pl.when(pair[0]).then(pair[1]).otherwise(rest), pairs, default)


def _case_type(types: Sequence[pl.DataType | None]) -> pl.DataType | None:
    for condition in types[:-1:2]:
        if condition is not None and kind_of(condition) not in (Kind.BOOLEAN, Kind.NULL):
            raise ValueError(f"a condition has the type {condition}; allowed: booleans")
    return common_type([*types[1:-1:2], types[-1]])


def _null_if_type(types: Sequence[pl.DataType | None]) -> pl.DataType | None:
    common_type(types)
    return types[0]


def _null_if(value: Typed, other: Typed) -> pl.Expr:
    left, right = together([value, other])
    return pl.when(left.ne_missing(right)).then(value.expr)


def _texts(*values: Typed) -> list[pl.Expr]:
    return [as_text(value) for value in values]


def _operator(
    name: str,
    parameter: Parameter,
    result: Callable[[Sequence[pl.DataType | None]], pl.DataType | None],
    build: Callable[..., pl.Expr],
) -> Function:
    return Function(name, f"a {name} b", (parameter, parameter), result, build)


_text, _float, _boolean = always(TEXT), always(NUMBER), always(BOOLEAN)
_ANY = Parameter()
_TEXT = of(Kind.TEXT)

OPERATORS = (
    _operator("+", _NUMBER, _arithmetic_type, _arithmetic(lambda a, b: a + b)),
    _operator("-", _NUMBER, _arithmetic_type, _arithmetic(lambda a, b: a - b)),
    _operator("*", _NUMBER, _arithmetic_type, _arithmetic(lambda a, b: a * b)),
    _operator("/", _NUMBER, _float, lambda a, b: quotient(a.expr, b.expr)),
    _operator("//", _NUMBER, _arithmetic_type, _divided(lambda a, b: a // b, floored)),
    _operator("%", _NUMBER, _arithmetic_type, _divided(lambda a, b: a % b, remainder)),
    Function("NEGATIVE", "-a", (_NUMBER,), first_type, _negative),
    _operator("||", _ANY, _text, lambda a, b: pl.concat_str(_texts(a, b))),
    _operator("=", _ANY, _comparable, _compare(lambda a, b: a == b)),
    _operator("<>", _ANY, _comparable, _compare(lambda a, b: a != b)),
    _operator("<", _ANY, _comparable, _compare(lambda a, b: a < b)),
    _operator("<=", _ANY, _comparable, _compare(lambda a, b: a <= b)),
    _operator(">", _ANY, _comparable, _compare(lambda a, b: a > b)),
    _operator(">=", _ANY, _comparable, _compare(lambda a, b: a >= b)),
    _operator("IS DISTINCT FROM", _ANY, _comparable, _compare(lambda a, b: a.ne_missing(b))),
    _operator("IS NOT DISTINCT FROM", _ANY, _comparable, _compare(lambda a, b: a.eq_missing(b))),
    _operator("AND", _BOOLEAN, _boolean, lambda a, b: a.expr & b.expr),
    _operator("OR", _BOOLEAN, _boolean, lambda a, b: a.expr | b.expr),
    Function("NOT", "NOT a", (_BOOLEAN,), _boolean, lambda a: ~a.expr),
    Function("IS NULL", "a IS NULL", (_ANY,), _boolean, lambda a: a.expr.is_null()),
    Function("IN", "a IN (b, ...)", (_ANY, _ANY), _comparable, _in, variadic=True),
    Function("LIKE", "text LIKE 'a%'", (_TEXT, constant(any_text)), _boolean, _like),
    Function("ILIKE", "text ILIKE 'a%'", (_TEXT, constant(any_text)), _boolean, _ilike),
    Function("CASE", "CASE WHEN a THEN b ELSE c END", (_ANY,) * 3, _case_type, _case, True),
    Function("if", "if(condition, a, b)", (_ANY,) * 3, _case_type, _case),
    Function("CAST", "CAST(a AS type)", (_ANY, constant(one_of(*_CASTS))), _cast_type, cast),
)

CONDITIONS = (
    Function(
        "coalesce",
        "coalesce(a, b, ...)",
        (_ANY,),
        _common,
        lambda *values: pl.coalesce(_result(values)),
        variadic=True,
    ),
    Function("nullif", "nullif(a, b)", (_ANY, _ANY), _null_if_type, _null_if),
    Function(
        "greatest",
        "greatest(a, b, ...)",
        (_ANY,),
        _common,
        lambda *values: pl.max_horizontal(_result(values)),
        variadic=True,
    ),
    Function(
        "least",
        "least(a, b, ...)",
        (_ANY,),
        _common,
        lambda *values: pl.min_horizontal(_result(values)),
        variadic=True,
    ),
    Function(
        "concat",
        "concat(a, b, ...)",
        (_ANY,),
        _text,
        lambda *values: pl.concat_str(_texts(*values)),
        variadic=True,
    ),
)
