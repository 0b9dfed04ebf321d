"""Holds published tables against their plan: rows, columns, nulls, grids, errors and intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from pipelines.consistency import Consistency
from pipelines.publication.columns import ReleasedColumns, column_names, released
from pipelines.publication.stated import StatedTable
from transforms.intervals import Z95
from transforms.metrics import Mean, Quantiles, Variance
from transforms.metrics.base import Noise
from transforms.postprocess import ClampAtZero, Minimum, PercentChange, Ratio, Round, Suppress, Top
from transforms.postprocess.rounding import round_to
from transforms.table import released_columns

_CLOSE = 1e-9
"""Relative error of floats in tables."""

_ROUNDING = 1.5
"""Multiples that rounding outwards moves an end of an interval by, against a rounded value."""


def table_problems(table: StatedTable, frame: pl.DataFrame) -> Iterator[str]:
    """Yields a line for each thing about a table that its plan does not allow.

    Values are never named; the number of rows that are wrong is.

    Args:
        table: The table of the plan.
        frame: The table as published.
    """
    expected = column_names(table)
    if frame.columns != expected:
        yield f"its columns are {', '.join(frame.columns)}; they should be {', '.join(expected)}"
        return
    wrong_types = list(_type_problems(table, frame))
    yield from wrong_types
    if wrong_types:
        return
    yield from _row_problems(table, frame)
    is_other = pl.all_horizontal(pl.col(list(table.plan.keys)).is_null())
    for of in released(table, {}, ""):
        yield from _value_problems(table, of, frame.filter(~is_other), of.noise)
        if table.plan.other:
            yield from _other_problems(table, of, frame.filter(is_other))
    yield from _derived_problems(table, frame)


def level_problems(
    tables: Mapping[str, StatedTable], frames: Mapping[str, pl.DataFrame]
) -> Iterator[str]:
    """Yields a line for each level whose adjusted numbers are not those that add up.

    Args:
        tables: The tables of the plan, by name.
        frames: The same as published.
    """
    done = {
        step
        for table in tables.values()
        for step in table.steps
        if isinstance(step, Consistency) and set(step.levels) <= frames.keys()
    }
    for step in done:
        names = [metric + suffix for metric in step.metrics for suffix in ("", "_consistent")]
        if any(_is_changed(tables[level], name) for level in step.levels for name in names):
            continue
        keys = {level: tables[level].plan.keys for level in step.levels}
        right = step.apply({level: frames[level] for level in step.levels}, keys)
        for level in step.levels:
            columns = [c for name in names[1::2] for c in released_columns(name)]
            wrong = _different(frames[level], right[level], columns)
            if wrong:
                yield f"{level}: {_rows(wrong)} not those of levels that add up"


def _type_problems(table: StatedTable, frame: pl.DataFrame) -> Iterator[str]:
    for of in released(table, {}, ""):
        for name in released_columns(of.name):
            kind = frame.schema[name]
            if not (kind == pl.Int64 or kind == pl.Float64):
                yield f"{name} has the type {kind}; it should be Int64 or Float64"
        std = released_columns(of.name)[1]
        if frame.schema[std] == pl.Int64:
            yield f"{std} has the type Int64; it should be Float64"


def _row_problems(table: StatedTable, frame: pl.DataFrame) -> Iterator[str]:
    keys = list(table.plan.keys)
    null = frame.select(pl.any_horizontal(pl.col(keys).is_null())).to_series()
    all_null = frame.select(pl.all_horizontal(pl.col(keys).is_null())).to_series()
    allowed = 1 if table.plan.other else 0
    if null.sum() > allowed or (null != all_null).any() or null[:-1].any():
        yield (
            "keys are null; they should be there"
            + (", but for the last row, which is that of all others" if allowed else "")
        )
        return
    rows = frame.filter(~null)
    if rows.select(keys).is_duplicated().any():
        yield "rows have the same keys; each should be there once"
    if not rows.select(keys).equals(rows.select(keys).sort(keys)):
        yield "rows are not sorted by their keys"
    dropping = [step for step in table.steps if isinstance(step, Minimum | Top)]
    if table.partitions is not None and not dropping and rows.height != table.partitions:
        yield f"it has {rows.height} rows; it should have {table.partitions}, all that are public"
    elif table.partitions is not None and rows.height > table.partitions:
        yield f"it has {rows.height} rows; it should have at most {table.partitions}"
    for step in dropping:
        if isinstance(step, Top) and rows.height > step.k:
            yield f"it has {rows.height} rows; it should have the top {step.k}"
        elif isinstance(step, Minimum):
            for name, least in step.least.items():
                low = least - _multiple(table, name)
                if (rows[name].is_null() | (rows[name] < low)).any():
                    yield f"{name} is below {least:g} in some rows, which should have been dropped"


def _other_problems(table: StatedTable, of: ReleasedColumns, other: pl.DataFrame) -> Iterator[str]:
    """Holds the row of other partitions against the mechanisms that it has of its own."""
    adding_up = {metric.name: metric for metric in table.plan.other}
    if of.metric in adding_up:
        noise = adding_up[of.metric].noises[0] if of.noise is not None else None
        yield from _value_problems(table, of, other, noise)
    elif any(metric.name == of.metric for metric in table.plan.metrics):
        if not other[of.name].is_null().all():
            yield f"{of.name} has a value in the row of others, where it does not add up"
    else:
        yield from _value_problems(table, of, other, None)


def _value_problems(
    table: StatedTable, of: ReleasedColumns, frame: pl.DataFrame, noise: Noise | None
) -> Iterator[str]:
    value, std, low, high = released_columns(of.name)
    columns = [pl.col(name) for name in (value, std, low, high)]
    found = frame.select(columns)
    present = found.drop_nulls()
    nulls = found.select(pl.all_horizontal(pl.all().is_null()).sum()).item()
    if present.height + nulls < found.height:
        yield f"{of.name}: a value is there without its error, or an error without its value"
    if nulls and not _may_be_null(table, of):
        yield f"{of.name} is null in {_some(nulls)}; it should have a value"
    if not present.select(
        pl.all_horizontal(pl.col(std).is_finite() & (pl.col(std) >= 0)).all()
    ).item():
        yield f"{std} is negative or infinite"
    yield from _bad(present, f"{of.name}: the value is outside its interval", _outside(table, of))
    if noise is not None:
        yield from _noise_problems(table, of, present, noise)
        return
    metric = next(
        (m.metric for m in table.plan.metrics if m.name == of.metric and of.name in m.released),
        None,
    )
    slack = _multiple(table, of.name)
    if isinstance(metric, Mean | Quantiles):
        least, most = metric.clip
        if isinstance(metric, Variance):
            least, most = 0.0, ((most - least) / 2) ** 2
        ends = pl.min_horizontal(value, low) < least - slack - _CLOSE * abs(least)
        ends |= pl.max_horizontal(value, high) > most + slack + _CLOSE * abs(most)
        yield from _bad(present, f"{of.name}: outside what its clip allows", ends)
    if isinstance(metric, Quantiles) and not slack and not _is_changed(table, of.name):
        right = (pl.col(high) - pl.col(low)).cast(pl.Float64) / (2 * Z95)
        wrong = (pl.col(std) - right).abs() > _CLOSE * right.abs()
        yield from _bad(present, f"{std} is not that of its interval", wrong)


def _noise_problems(
    table: StatedTable, of: ReleasedColumns, present: pl.DataFrame, noise: Noise
) -> Iterator[str]:
    """Holds a number with one draw of noise against its mechanism."""
    names = released_columns(of.name)
    value, _, low, high = (pl.col(name).cast(pl.Float64) for name in names)
    multiple, half_width = _multiple(table, of.name), noise.half_width_95
    clamped = _is_clamped(table, of.name)
    right = present.with_columns(pl.lit(noise.std).alias(names[1]))
    if multiple:
        right = round_to(right, of.name, multiple)
    expected = right[names[1]]
    wrong = (present[names[1]] - expected).abs() > _CLOSE * expected.abs()
    if wrong.any():
        yield f"{of.name}_std is not that of the noise in {_some(int(wrong.sum()))}"
    slack = _ROUNDING * multiple + _CLOSE * (value.abs() + half_width)
    least, most = value - half_width, value + half_width
    beyond = (low - least).abs() > slack
    above = (high - most).abs() > slack
    if clamped:
        beyond = (low - pl.max_horizontal(least, 0.0)).abs() > slack
        above = pl.when(value > 0).then(above).otherwise((high < 0) | (high > most + slack))
        yield from _bad(present, f"{of.name} is below 0", pl.min_horizontal(value, low) < 0)
    yield from _bad(present, f"{of.name}: the interval is not that of the noise", beyond | above)
    step = multiple or float(noise.component.granularity)
    steps = value / step
    off = (steps - steps.round()).abs() > _CLOSE * pl.max_horizontal(steps.abs(), 1.0)
    yield from _bad(present, f"{of.name} is no multiple of {step:g}", off)


def _derived_problems(table: StatedTable, frame: pl.DataFrame) -> Iterator[str]:
    for step in table.steps:
        if isinstance(step, Ratio):
            names = (step.name, step.numerator, step.denominator)
            if any(_is_changed(table, name) for name in names):
                continue
            columns = [c for name in names[1:] for c in released_columns(name)]
            right = step.apply(frame.select(columns), table.plan.keys)
            wrong = _different(frame, right, released_columns(step.name))
            if wrong:
                yield f"{step.name} is not {step.numerator} / {step.denominator} in {_some(wrong)}"
        elif isinstance(step, Suppress) and not any(map(_rounds, table.steps)):
            for name, limit in step.relative_errors.items():
                if _is_clamped(table, name):
                    continue
                std = released_columns(name)[1]
                error = pl.col(std) > limit * pl.col(name).abs() * (1 + _CLOSE)
                yield from _bad(frame, f"{name}: the error is above what is suppressed", error)


def _bad(frame: pl.DataFrame, message: str, wrong: pl.Expr) -> Iterator[str]:
    number = frame.select(wrong.fill_null(value=False).sum()).item()
    if number:
        yield f"{message} in {_some(number)}"


def _different(frame: pl.DataFrame, right: pl.DataFrame, columns: Any) -> int:
    """Returns the number of rows in which columns differ by more than rounding."""
    wrong = pl.Series([False] * frame.height)
    for name in columns:
        one, other = frame[name].cast(pl.Float64), right[name].cast(pl.Float64)
        far = (one - other).abs() > _CLOSE * (1 + other.abs())
        wrong |= far.fill_null(value=False) | (one.is_null() != other.is_null())
    return int(wrong.sum())


def _outside(table: StatedTable, of: ReleasedColumns) -> pl.Expr:
    value, _, low, high = (pl.col(name) for name in released_columns(of.name))
    slack = _multiple(table, of.name) + _CLOSE * value.abs()
    return (low > value + slack) | (value > high + slack)


def _may_be_null(table: StatedTable, of: ReleasedColumns) -> bool:
    made = (step.name for step in table.steps if isinstance(step, Ratio | PercentChange))
    return of.name in made or _any(table, Suppress, lambda step: of.name in step.relative_errors)


def _is_clamped(table: StatedTable, name: str) -> bool:
    return _any(table, ClampAtZero, lambda step: name in step.biases)


def _is_changed(table: StatedTable, name: str) -> bool:
    """Returns whether values were changed after they were first there."""
    suppressed = _any(table, Suppress, lambda step: name in step.relative_errors)
    return suppressed or _is_clamped(table, name) or bool(_multiple(table, name))


def _multiple(table: StatedTable, name: str) -> float:
    """Returns what values were rounded to multiples of; 0 where they were not."""
    found = (step.multiples.get(name, 0.0) for step in table.steps if isinstance(step, Round))
    return max(found, default=0.0)


def _rounds(step: object) -> bool:
    return isinstance(step, Round)


def _any(table: StatedTable, kind: type[Any], holds: Callable[[Any], bool]) -> bool:
    return any(isinstance(step, kind) and holds(step) for step in table.steps)


def _some(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"


def _rows(number: int) -> str:
    return f"{_some(number)} {'is' if number == 1 else 'are'}"
