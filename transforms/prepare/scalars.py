"""Functions of numbers and of text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from transforms.prepare.floats import power
from transforms.prepare.function import (
    Function,
    Parameter,
    always,
    any_text,
    constant,
    first_type,
    of,
    some_text,
    whole_from_to,
)
from transforms.prepare.kinds import (
    BOOLEAN,
    NUMBER,
    NUMBERS,
    TEXT,
    WHOLE,
    Kind,
    Typed,
    kind_of,
    narrow,
    wide,
    without_nan,
)

_NUMBER = of(*NUMBERS)
_WHOLE = of(Kind.WHOLE)
_TEXT = of(Kind.TEXT)
_LONGEST = 2**31 - 1


def regular_expression(value: Any) -> None:
    """Raises a ValueError when a constant is not a regular expression (of Rust's regex crate)."""
    some_text(value)
    try:
        pl.select(pl.lit("").str.contains(value))
    except pl.exceptions.ComputeError as error:
        reason = str(error).splitlines()
        why = next((line for line in reason if line.startswith("error: ")), "error: not valid")
        raise ValueError(
            f"is {value!r}; allowed: a regular expression ({why.removeprefix('error: ')})"
        ) from None


def _float(apply: Callable[[pl.Expr], pl.Expr]) -> Callable[[Typed], pl.Expr]:
    return lambda value: without_nan(apply(value.expr.cast(pl.Float64)))


def _keep_whole(apply: Callable[[pl.Expr], pl.Expr]) -> Callable[[Typed], pl.Expr]:
    return lambda value: (
        value.expr if kind_of(value.dtype) == Kind.WHOLE else without_nan(apply(value.expr))
    )


def _absolute(value: Typed) -> pl.Expr:
    if kind_of(value.dtype) == Kind.WHOLE:
        number = wide(value.expr)
        return narrow(pl.max_horizontal(number, pl.lit(0, pl.Int128) - number))
    return value.expr.abs()


def _absolute_type(types: Any) -> pl.DataType | None:
    dtype = types[0]
    return WHOLE if dtype is not None and kind_of(dtype) == Kind.WHOLE else dtype


def _round(value: Typed, digits: int = 0) -> pl.Expr:
    if kind_of(value.dtype) == Kind.WHOLE:
        return value.expr
    return value.expr.round(digits)


def _clipped(value: Typed) -> pl.Expr:
    return value.expr.cast(pl.Int64, strict=False).clip(-_LONGEST, _LONGEST)


def _substring(text: Typed, start: Typed, length: Typed | None = None) -> pl.Expr:
    first = _clipped(start) - 1
    begin = pl.max_horizontal(first, pl.lit(0))
    if length is None:
        return pl.when(first.is_not_null()).then(text.expr.str.slice(begin))
    end = first + _clipped(length)
    size = pl.max_horizontal(end - begin, pl.lit(0))
    return pl.when(end.is_not_null()).then(text.expr.str.slice(begin, size))


def _strip(method: str) -> Callable[..., pl.Expr]:
    def build(text: Typed, characters: str | None = None) -> pl.Expr:
        stripped: pl.Expr = getattr(text.expr.str, method)(characters)
        return stripped

    return build


def _split_part(text: Typed, separator: str, number: int) -> pl.Expr:
    return text.expr.str.split(separator).list.get(number - 1, null_on_oob=True)


def _one_character(value: Any) -> None:
    if not isinstance(value, str) or len(value) != 1:
        raise ValueError(f"is {value!r}; allowed: one character in single quotes")


def _text_function(name: str, usage: str, build: Callable[[pl.Expr], pl.Expr]) -> Function:
    return Function(name, usage, (_TEXT,), always(TEXT), lambda text: build(text.expr))


def _number_function(name: str, apply: Callable[[pl.Expr], pl.Expr]) -> Function:
    return Function(name, f"{name}(x)", (_NUMBER,), always(NUMBER), _float(apply))


NUMERIC = (
    Function("abs", "abs(x)", (_NUMBER,), _absolute_type, _absolute),
    Function("ceil", "ceil(x)", (_NUMBER,), first_type, _keep_whole(lambda x: x.ceil())),
    Function("floor", "floor(x)", (_NUMBER,), first_type, _keep_whole(lambda x: x.floor())),
    Function(
        "round",
        "round(x [, digits])",
        (_NUMBER, constant(whole_from_to(0, 15), optional=True)),
        first_type,
        _round,
    ),
    Function(
        "sign",
        "sign(x)",
        (_NUMBER,),
        always(WHOLE),
        lambda x: x.expr.sign().cast(pl.Int64, strict=False),
    ),
    _number_function("sqrt", lambda x: x.sqrt()),
    _number_function("exp", lambda x: x.exp()),
    _number_function("ln", lambda x: x.log()),
    _number_function("log2", lambda x: x.log(2)),
    _number_function("log10", lambda x: x.log10()),
    Function(
        "pow",
        "pow(x, y)",
        (_NUMBER, _NUMBER),
        always(NUMBER),
        lambda x, y: power(x.expr, y.expr),
    ),
)

TEXTUAL = (
    _text_function("lower", "lower(text)", lambda text: text.str.to_lowercase()),
    _text_function("upper", "upper(text)", lambda text: text.str.to_uppercase()),
    _text_function("initcap", "initcap(text)", lambda text: text.str.to_titlecase()),
    _text_function("reverse", "reverse(text)", lambda text: text.str.reverse()),
    Function(
        "length",
        "length(text)",
        (_TEXT,),
        always(WHOLE),
        lambda text: text.expr.str.len_chars().cast(pl.Int64),
    ),
    *(
        Function(
            name,
            f"{name}(text [, 'characters'])",
            (_TEXT, constant(some_text, optional=True)),
            always(TEXT),
            _strip(method),
        )
        for name, method in (
            ("trim", "strip_chars"),
            ("ltrim", "strip_chars_start"),
            ("rtrim", "strip_chars_end"),
        )
    ),
    Function(
        "left",
        "left(text, length)",
        (_TEXT, constant(whole_from_to(0, _LONGEST))),
        always(TEXT),
        lambda text, length: text.expr.str.head(length),
    ),
    Function(
        "right",
        "right(text, length)",
        (_TEXT, constant(whole_from_to(0, _LONGEST))),
        always(TEXT),
        lambda text, length: text.expr.str.tail(length),
    ),
    Function(
        "substr",
        "substr(text, start [, length])",
        (_TEXT, _WHOLE, Parameter((Kind.WHOLE,), optional=True)),
        always(TEXT),
        _substring,
    ),
    Function(
        "lpad",
        "lpad(text, length, '0')",
        (_TEXT, constant(whole_from_to(0, 256)), constant(_one_character)),
        always(TEXT),
        lambda text, length, fill: text.expr.str.pad_start(length, fill),
    ),
    Function(
        "replace",
        "replace(text, 'old', 'new')",
        (_TEXT, constant(some_text), constant(any_text)),
        always(TEXT),
        lambda text, old, new: text.expr.str.replace_all(old, new, literal=True),
    ),
    Function(
        "split_part",
        "split_part(text, 'separator', number)",
        (_TEXT, constant(some_text), constant(whole_from_to(1, 2**15))),
        always(TEXT),
        _split_part,
    ),
    Function(
        "starts_with",
        "starts_with(text, start)",
        (_TEXT, _TEXT),
        always(BOOLEAN),
        lambda text, start: text.expr.str.starts_with(start.expr),
    ),
    Function(
        "ends_with",
        "ends_with(text, end)",
        (_TEXT, _TEXT),
        always(BOOLEAN),
        lambda text, end: text.expr.str.ends_with(end.expr),
    ),
    Function(
        "regexp_like",
        "regexp_like(text, 'pattern')",
        (_TEXT, constant(regular_expression)),
        always(BOOLEAN),
        lambda text, pattern: text.expr.str.contains(pattern),
    ),
    Function(
        "regexp_extract",
        "regexp_extract(text, 'pattern' [, group])",
        (_TEXT, constant(regular_expression), constant(whole_from_to(0, 99), optional=True)),
        always(TEXT),
        lambda text, pattern, group=0: text.expr.str.extract(pattern, group),
    ),
    Function(
        "regexp_replace",
        "regexp_replace(text, 'pattern', 'new')",
        (_TEXT, constant(regular_expression), constant(any_text)),
        always(TEXT),
        lambda text, pattern, new: text.expr.str.replace_all(pattern, new),
    ),
)
