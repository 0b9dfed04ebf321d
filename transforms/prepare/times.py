"""Functions of dates and timestamps.

A timestamp without a zone is taken to be in UTC. A result outside the years 1 to 9999 is null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from zoneinfo import available_timezones

import polars as pl

from transforms.prepare.floats import quotient
from transforms.prepare.function import (
    Function,
    Parameter,
    ResultType,
    always,
    constant,
    of,
    one_of,
    some_text,
)
from transforms.prepare.kinds import (
    DATE,
    INSTANT,
    LOCAL,
    NUMBER,
    TEXT,
    TIMES,
    WHOLE,
    Kind,
    Typed,
    instant,
    kind_of,
    narrow,
    wide,
)
from transforms.rows import in_calendar

_UNITS = {
    "second": ("s", 24 * 60 * 60),
    "minute": ("m", 24 * 60),
    "hour": ("h", 24),
    "day": ("d", None),
    "week": ("w", None),
    "month": ("mo", 12),
    "quarter": ("q", 4),
    "year": ("y", None),
}
"""Polars' name of each unit, and how many of it make a day or a year."""

_MOST = 366
"""Days, weeks or years of one bucket."""

_LONGEST_SHIFT = 10_000_000
"""Units of time that an INTERVAL may have."""

_PARTS: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
    "year": lambda t: t.dt.year(),
    "quarter": lambda t: t.dt.quarter(),
    "month": lambda t: t.dt.month(),
    "week": lambda t: t.dt.week(),
    "isoyear": lambda t: t.dt.iso_year(),
    "day": lambda t: t.dt.day(),
    "doy": lambda t: t.dt.ordinal_day(),
    "isodow": lambda t: t.dt.weekday(),
    "hour": lambda t: t.dt.hour(),
    "minute": lambda t: t.dt.minute(),
    "second": lambda t: t.dt.second(),
}

_FORMATS = "YmdHMSjGVuaAbBy%"
_EPOCHS = {"s": 1_000_000, "ms": 1000, "us": 1}


def time_zone(value: Any) -> None:
    """Raises a ValueError when a constant is not a time zone of the IANA database."""
    some_text(value)
    if not _is_time_zone(value):
        raise ValueError(f"is {value!r}; allowed: a time zone such as 'Europe/Berlin' or 'UTC'")


def bucket_width(value: Any) -> None:
    """Raises a ValueError when a constant is not the width of time buckets.

    Buckets of hours and less divide a day, those of months divide a year, so that they begin with
    it.
    """
    some_text(value)
    number, unit = _amount(value)
    whole = _UNITS[unit][1]
    if number < 1 or (whole % number if whole else number > _MOST):
        allowed = f"a divisor of {whole}" if whole else f"from 1 to {_MOST}"
        raise ValueError(f"is {value!r}; allowed for {unit}s: {allowed}")


def interval(value: Any) -> None:
    """Raises a ValueError when a constant is not a span of time such as '3 hours'."""
    some_text(value)
    number, _ = _amount(value)
    if abs(number) > _LONGEST_SHIFT:
        raise ValueError(f"is {value!r}; allowed: at most {_LONGEST_SHIFT} of the unit")


def local(value: Typed, zone: str | None = None) -> pl.Expr:
    """Returns what the clock on the wall showed in a time zone, as a timestamp without a zone.

    Without a zone it is the timestamp's own; a date is its midnight.
    """
    if kind_of(value.dtype) == Kind.DATE:
        return value.expr.cast(LOCAL)
    if zone is not None:
        return in_calendar(instant(value).dt.convert_time_zone(zone).dt.replace_time_zone(None))
    return value.expr.dt.replace_time_zone(None)


def _amount(text: str) -> tuple[int, str]:
    found = re.fullmatch(r"(-?[0-9]{1,9}) ([a-z]+?)s?", text)
    if not found or found[2] not in _UNITS:
        raise ValueError(
            f"is {text!r}; allowed: a whole number and one of {', '.join(_UNITS)}, "
            "such as '6 hours'"
        )
    return int(found[1]), found[2]


@cache
def _is_time_zone(zone: str) -> bool:
    if zone not in available_timezones():
        return False
    try:
        pl.Series([], dtype=LOCAL).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    except pl.exceptions.ComputeError:
        return False
    return True


def _time_bucket(value: Typed, width: str, zone: str | None = None) -> pl.Expr:
    number, unit = _amount(width)
    return in_calendar(local(value, zone).dt.truncate(f"{number}{_UNITS[unit][0]}"))


def _date(value: Typed, zone: str | None = None) -> pl.Expr:
    if kind_of(value.dtype) == Kind.DATE:
        return value.expr
    return local(value, zone).dt.date()


def _shift(value: Typed, width: str) -> pl.Expr:
    number, unit = _amount(width)
    shifted = local(value) if unit in ("day", "week", "month", "quarter", "year") else None
    step = f"{number}{_UNITS[unit][0]}"
    if shifted is None:
        return in_calendar(_timestamp(value).dt.offset_by(step))
    moved = in_calendar(shifted.dt.offset_by(step))
    zone = value.dtype.time_zone if isinstance(value.dtype, pl.Datetime) else None
    if zone is None:
        return moved
    return in_calendar(moved.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null"))


def _timestamp(value: Typed) -> pl.Expr:
    return value.expr.cast(LOCAL) if kind_of(value.dtype) == Kind.DATE else value.expr


def _shift_type(types: Any) -> pl.DataType | None:
    dtype: pl.DataType | None = types[0]
    return LOCAL if dtype == pl.Date else dtype


def _part(part: str, value: Typed) -> pl.Expr:
    if part == "epoch":
        return quotient(instant(value).dt.timestamp("us"), pl.lit(1_000_000))
    return _PARTS[part](_timestamp(value)).cast(pl.Int64)


def _part_type(arguments: Any) -> pl.DataType:
    return NUMBER if arguments[0] == "epoch" else WHOLE


def _from_epoch(value: Typed, unit: str = "s") -> pl.Expr:
    if kind_of(value.dtype) == Kind.NUMBER:
        micros = (value.expr * _EPOCHS[unit]).round().cast(pl.Int64, strict=False)
    else:
        micros = narrow(wide(value.expr) * _EPOCHS[unit])
    return in_calendar(micros.cast(LOCAL)).dt.replace_time_zone("UTC")


def _time_format(value: Any) -> None:
    some_text(value)
    if re.fullmatch(rf"(%[{_FORMATS}]|[^%])+", value) is None:
        allowed = ", ".join(f"%{letter}" for letter in _FORMATS)
        raise ValueError(f"is {value!r}; allowed: text with {allowed}")


def _zoned(dtype: pl.DataType) -> ResultType:
    """Returns a result type for a function with a time and, at the end, a zone."""

    def result(arguments: Any) -> pl.DataType:
        if arguments[0] == pl.Date and isinstance(arguments[-1], str) and len(arguments) == size:
            raise ValueError(
                "is given a date, which has no time zone; allowed: timestamps, or no time zone"
            )
        return dtype

    size = 2 if dtype == DATE else 3
    return result


_TIME = of(*TIMES)
_ZONE = constant(time_zone, optional=True)

TEMPORAL = (
    Function(
        "time_bucket",
        "time_bucket(time, '6 hours' [, 'Europe/Berlin'])",
        (_TIME, constant(bucket_width), _ZONE),
        _zoned(LOCAL),
        _time_bucket,
    ),
    Function("date", "date(time [, 'Europe/Berlin'])", (_TIME, _ZONE), _zoned(DATE), _date),
    Function(
        "local_time",
        "local_time(time, 'Europe/Berlin')",
        (of(Kind.TIMESTAMP), constant(time_zone)),
        always(LOCAL),
        local,
    ),
    Function(
        "date_part",
        "date_part('hour', time)",
        (constant(one_of(*_PARTS, "epoch")), _TIME),
        _part_type,
        _part,
    ),
    *(
        Function(
            name, f"{name}(time)", (_TIME,), always(WHOLE), lambda t, name=name: _part(name, t)
        )
        for name in ("year", "month", "day", "hour", "minute")
    ),
    Function(
        "strftime",
        "strftime(time, '%Y-%m')",
        (_TIME, constant(_time_format)),
        always(TEXT),
        lambda time, form: time.expr.dt.to_string(form),
    ),
    Function(
        "from_epoch",
        "from_epoch(number [, 's', 'ms' or 'us'])",
        (of(Kind.NUMBER, Kind.WHOLE), constant(one_of(*_EPOCHS), optional=True)),
        always(INSTANT),
        _from_epoch,
    ),
    Function(
        "+ INTERVAL",
        "time + INTERVAL '3 hours'",
        (Parameter(TIMES), constant(interval)),
        _shift_type,
        _shift,
    ),
)
