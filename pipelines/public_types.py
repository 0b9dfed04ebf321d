"""Gives lists of public keys the types that the input has for the key columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from pipelines.spec import ColumnType, LoadedRelease, ProblemList, parse
from transforms.plan import TablePlan
from transforms.rows import canonical_type
from transforms.table import PublicKeys

_KINDS: Mapping[pl.DataType, ColumnType] = {
    pl.Int64(): "int",
    pl.Float64(): "float",
    pl.Boolean(): "bool",
    pl.Date(): "date",
}


def fit_public_keys(
    release: LoadedRelease, plans: Sequence[TablePlan], schema: Mapping[str, pl.DataType]
) -> tuple[TablePlan, ...]:
    """Casts the public keys of each table to the types of the input.

    Text is parsed, because key lists in csv files are text; whole numbers fit numbers.

    Args:
        release: The release series.
        plans: Its tables.
        schema: Types of the input columns.

    Returns:
        The tables; other than in the types of public keys they are the same.

    Raises:
        ConfigError: A listed value has no meaning in the type of its column.
    """
    problems = ProblemList(release.source)
    fitted = []
    for plan in plans:
        if plan.public_keys is None:
            fitted.append(plan)
            continue
        columns = []
        with problems.at(("tables", plan.name, "public")):
            for key in plan.public_keys.get_columns():
                columns.append(_fit(key, canonical_type(key.name, schema[key.name])))
            keys = PublicKeys(pl.DataFrame(columns)).frame
            fitted.append(replace(plan, public_keys=keys))
    problems.raise_if_any()
    return tuple(fitted)


def _fit(listed: pl.Series, wanted: pl.DataType) -> pl.Series:
    if wanted in (listed.dtype, pl.Null):
        return listed
    if listed.dtype == pl.String and (kind := _kind(wanted)):
        parsed = pl.select(parse(pl.lit(listed), kind).alias(listed.name)).to_series()
        fitted = parsed.cast(wanted) if kind != "timestamp" else _in_zone(parsed, wanted)
    elif listed.dtype.is_integer() and wanted.is_numeric():
        fitted = listed.cast(wanted, strict=False)
    else:
        fitted = pl.Series(listed.name, [None] * len(listed))
    wrong = listed.filter(fitted.is_null())
    if len(wrong):
        raise ValueError(
            f"the value {wrong[0]!r} is listed for {listed.name!r}; "
            f"allowed: values of the type {wanted}, as in the input"
        )
    return fitted


def _kind(wanted: pl.DataType) -> ColumnType | None:
    return "timestamp" if isinstance(wanted, pl.Datetime) else _KINDS.get(wanted)


def _in_zone(parsed: pl.Series, wanted: pl.DataType) -> pl.Series:
    zone = wanted.time_zone if isinstance(wanted, pl.Datetime) else None
    return parsed.dt.convert_time_zone(zone) if zone else parsed.dt.replace_time_zone(None)
