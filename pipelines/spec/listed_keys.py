"""Gives listed keys the type of their column in the input: the one rule for all kinds of input."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from transforms.rows import as_listed
from transforms.text_types import ColumnType, parse

_KINDS: Mapping[pl.DataType, ColumnType] = {
    pl.Int64(): "int",
    pl.Float64(): "float",
    pl.Boolean(): "bool",
    pl.Date(): "date",
}


def fit_listed(listed: pl.Series, wanted: pl.DataType) -> pl.Series:
    """Casts listed keys to the type of their column in the input.

    Text is parsed, because key lists in csv files are text; a number fits a type that holds the
    same number. A date fits text as 2026-11-30, and a timestamp as the beginning of that day in the
    time zone of the column.

    Args:
        listed: The keys, in a canonical type.
        wanted: The canonical type of the column; with Null, any key is as good as another.

    Raises:
        ValueError: A key has no meaning in the type.
    """
    if wanted in (listed.dtype, pl.Null):
        return listed
    meant = _meant(listed.name, listed.dtype, wanted).alias(listed.name)
    fitted = listed.to_frame().with_columns(meant).to_series()
    wrong = listed.filter(fitted.is_null())
    if len(wrong):
        raise ValueError(
            f"the value {wrong[0]!r} is listed for {listed.name!r}; "
            f"allowed: values of the type {wanted}, as in the input"
        )
    return fitted


def _meant(name: str, listed: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    """Returns the expression of listed values in the type of the input; null where one has none."""
    if listed == pl.String:
        return _from_text(pl.col(name), wanted)
    if listed.is_numeric() and wanted.is_numeric():
        return as_listed(name, listed, wanted)
    if listed == pl.Date:
        return _from_date(pl.col(name), wanted)
    return pl.lit(None)


def _from_date(day: pl.Expr, wanted: pl.DataType) -> pl.Expr:
    """Returns dates as text, or as the time at which they begin in the zone of the column."""
    match wanted:
        case pl.String():
            return day.dt.to_string("%Y-%m-%d")
        case pl.Datetime(time_zone=zone):
            midnight = day.cast(pl.Datetime("us"))
            if zone is None:
                return midnight
            return midnight.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        case _:
            return pl.lit(None)


def _from_text(text: pl.Expr, wanted: pl.DataType) -> pl.Expr:
    trimmed = text.str.strip_chars()
    match wanted:
        case pl.Datetime(time_zone=zone):
            parsed = parse(text, "timestamp").dt
            return parsed.convert_time_zone(zone) if zone else parsed.replace_time_zone(None)
        case pl.UInt64():
            return trimmed.cast(wanted, strict=False)
        case pl.Decimal(scale=scale):
            exact = trimmed.str.contains(rf"^[+-]?\d*\.?\d{{0,{scale}}}0*$")  # a cast would round
            return pl.when(exact).then(trimmed.cast(wanted, strict=False))
        case _:
            kind = _KINDS.get(wanted)
            return parse(text, kind) if kind else pl.lit(None)
