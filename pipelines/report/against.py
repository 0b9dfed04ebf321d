"""What changed since the release before, number by number, against the noise of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.plan.changes import plan_changes
from pipelines.report.bars import Bar, bar_chart
from pipelines.report.drawing import TOP
from pipelines.report.grid import Grid
from pipelines.report.published import PublishedRelease, PublishedTable
from pipelines.report.svg import Figure
from pipelines.report.words import (
    OTHER,
    digits_of,
    error_text,
    key_text,
    row_texts,
    visible,
    with_digits,
)
from transforms.mechanisms import NoiseKind
from transforms.published.changes import compare, larger_than_noise


@dataclass(frozen=True)
class TableChanges:
    """The changes of one table.

    Attributes:
        compared: Numbers that both releases have.
        larger: How many of them changed by more than noise explains.
        only_now: Rows that only the later release has.
        only_before: Rows that only the earlier release has.
        figures: The changes that stand out most from noise, a chart for each number with an axis
            of its own, as numbers may be of any size.
        grid: All of these as a table, the clearest first; None without any.
    """

    compared: int
    larger: int
    only_now: int
    only_before: int
    figures: Sequence[Figure]
    grid: Grid | None


@dataclass(frozen=True)
class ReleaseChanges:
    """The changes of a release.

    Attributes:
        before: Name of the earlier release.
        plans: How the plans differ, in words; changes may come from that.
        compared: Numbers that were compared, in all tables.
        larger: How many of them changed by more than noise explains.
        tables: The changes of each table that both releases have, with the same keys.
    """

    before: str
    plans: Sequence[str]
    compared: int
    larger: int
    tables: Mapping[str, TableChanges]


def release_changes(now: PublishedRelease, before: PublishedRelease) -> ReleaseChanges:
    """Compares a release with an earlier one of its series.

    Which changes are larger than noise is decided over all numbers of the release together
    (`transforms.published.changes.larger_than_noise`).
    """
    pairs = {
        table.name: (table, old)
        for table in now.tables
        if (old := before.table(table.name)) is not None and old.keys == table.keys
    }
    frames = {name: _compared(table, old) for name, (table, old) in pairs.items()}
    p_values = pl.concat(
        [frame["p_value"] for frame in frames.values() if not frame.is_empty()]
        or [pl.Series("p_value", [], pl.Float64)]
    )
    called = larger_than_noise(p_values.to_numpy())
    tables = {}
    start = 0
    for place, (name, frame) in enumerate(frames.items(), 1):
        marked = frame.with_columns(pl.Series("larger", called[start : start + frame.height]))
        start += frame.height
        tables[name] = _table_changes(*pairs[name], marked, f"t{place}-change")
    return ReleaseChanges(
        before.name,
        [str(change) for change in plan_changes(before.plan, now.plan)],
        len(called),
        int(called.sum()),
        tables,
    )


def _compared(table: PublishedTable, old: PublishedTable) -> pl.DataFrame:
    noise: dict[str, NoiseKind] = {
        number: "gaussian" if table.noise[number] == old.noise[number] == "gaussian" else "laplace"
        for number in table.numbers
        if number in old.numbers
    }
    return compare(table.frame, old.frame, table.keys, noise)


def _table_changes(
    table: PublishedTable, old: PublishedTable, frame: pl.DataFrame, prefix: str
) -> TableChanges:
    keys = table.keys
    gone = old.frame.join(table.frame, on=keys, how="anti", nulls_equal=True).height
    new = table.frame.join(old.frame, on=keys, how="anti", nulls_equal=True).height
    if frame.is_empty():
        return TableChanges(0, 0, new, gone, (), None)
    whole = {name for name in table.numbers if _is_whole(table, name) and _is_whole(old, name)}
    top = [
        {**row, **{name: int(row[name]) for name in _VALUES if row["column"] in whole}}
        for row in frame.sort("p_value", maintain_order=True).head(TOP).iter_rows(named=True)
    ]
    return TableChanges(
        frame.height,
        int(frame["larger"].sum()),
        new,
        gone,
        _figures(table, top, prefix),
        Grid(
            f"{prefix}-table",
            "The changes that stand out most from noise",
            [*map(visible, keys), *_COLUMNS],
            len(keys) + 1,
            [_cells(keys, row) for row in top],
        ),
    )


_VALUES = ("before", "after", "change")

_COLUMNS = ["number", "before", "now", "change", "std of change", "beyond noise"]


def _is_whole(table: PublishedTable, number: str) -> bool:
    return number in table.frame.columns and table.frame.schema[number].is_integer()


def _figures(table: PublishedTable, top: Sequence[Mapping[str, Any]], prefix: str) -> list[Figure]:
    figures = []
    for place, number in enumerate(table.numbers, 1):
        rows = [row for row in top if row["column"] == number]
        if rows:
            name = visible(number)
            figures.append(
                bar_chart(
                    [_bar(table.keys, row) for row in rows],
                    f"{prefix}-bars-{place}",
                    f"Changes of {name} of {visible(table.name)}",
                    f"{name}: changes that stand out most from noise, with 95 % intervals of each",
                )
            )
    return figures


def _bar(keys: Sequence[str], row: Mapping[str, Any]) -> Bar:
    names = row_texts(keys, [row[key] for key in keys])
    return Bar(names, row["change"], row["low"], row["high"])


def _cells(keys: Sequence[str], row: Mapping[str, Any]) -> list[str]:
    texts = [row[key] for key in keys]
    other = all(text is None for text in texts)
    digits = digits_of((row["high"] - row["low"]) / 2, row["change"])
    return [
        *(OTHER if other else key_text(text) for text in texts),
        visible(row["column"]),
        with_digits(row["before"], digits),
        with_digits(row["after"], digits),
        _bar(keys, row).shown,
        error_text(row["std"]),
        "yes" if row["larger"] else "no",
    ]
