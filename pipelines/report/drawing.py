"""The charts of one published table: its largest partitions, its times, its places."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from pipelines.report.bars import Bar, bar_chart
from pipelines.report.grid import Grid, number_grid
from pipelines.report.lines import Panel, Point, line_chart
from pipelines.report.maps import MOST_PLACES, Place, place_map
from pipelines.report.published import PublishedTable
from pipelines.report.svg import Figure
from pipelines.report.words import key_text, number_with_error, row_texts, visible
from transforms.published.places import PlaceKey, outlines, place_keys, points
from transforms.published.times import time_key, times_in_order
from transforms.published.totals import total_by
from transforms.table import released_columns

TOP = 15
"""Partitions of a chart of the largest."""

CHARTS = 3
"""Numbers of a table that are drawn, the first ones; its table on the page has all."""

PANELS = 7
"""Groups along time."""

_TIMES = 1000
"""Times of a chart."""

_LISTED = 400
"""Rows of a folded table."""


def largest(table: PublishedTable) -> pl.DataFrame:
    """Returns the rows with the largest first number, or the first rows if there are no numbers."""
    if not table.numbers:
        return table.rows.head(4 * TOP)
    return table.rows.sort(
        table.numbers[0], descending=True, nulls_last=True, maintain_order=True
    ).head(TOP)


def bar_figures(table: PublishedTable, rows: pl.DataFrame, prefix: str) -> list[Figure]:
    """Draws rows as bars, a chart for each of the first numbers.

    Args:
        table: The table.
        rows: Rows of it.
        prefix: Start of the ids.
    """
    figures = []
    for place, number in enumerate(table.numbers[:CHARTS], 1):
        bars = list(_bars(rows, table.keys, number))
        if bars:
            title = f"{visible(number)} of {visible(table.name)}"
            caption = f"{visible(number)}, with 95 % intervals"
            figures.append(bar_chart(bars, f"{prefix}-bars-{place}", title, caption))
    return figures


def _bars(rows: pl.DataFrame, keys: Sequence[str], number: str) -> Iterator[Bar]:
    value, _, low, high = released_columns(number)
    for row in rows.iter_rows(named=True):
        found = [row[column] for column in (value, low, high)]
        if all(one is not None and math.isfinite(one) for one in found):
            yield Bar(row_texts(keys, [row[key] for key in keys]), *found)


def time_figure(table: PublishedTable, prefix: str) -> tuple[Figure, Grid] | None:
    """Draws the first number along a key that is a time, with its table; None if no key is one."""
    if not table.numbers:
        return None
    number = table.numbers[0]
    value, _, low, high = released_columns(number)
    rows = table.rows.filter(
        pl.all_horizontal(pl.col(value, low, high).cast(pl.Float64).is_finite())
    )
    time = time_key(rows, table.keys)
    if time is None:
        return None
    times = times_in_order(rows[time])[-_TIMES:]
    steps = pl.DataFrame({time: times, "\0step": range(len(times))})
    rows = rows.join(steps, on=time).sort("\0step", maintain_order=True)
    parts, left_out = _groups(rows, [key for key in table.keys if key != time], value)
    shown = visible(number)
    figure = line_chart(
        [Panel(names, points_of(part, number)) for names, part in parts],
        [key_text(text, 40) for text in times],
        f"{prefix}-time",
        f"{shown} of {visible(table.name)} by {visible(time)}",
        f"{shown} by {visible(time)}, with 95 % intervals.{left_out}",
    )
    drawn = pl.concat([part for _, part in parts])
    caption = "The numbers of this chart"
    if drawn.height > _LISTED:
        caption = f"The first {_LISTED} of {drawn.height:,} numbers of this chart"
    grid = number_grid(drawn.head(_LISTED), table.keys, [number], f"{prefix}-time-table", caption)
    return figure, replace(grid, folded=True)


def _groups(
    rows: pl.DataFrame, keys: Sequence[str], value: str
) -> tuple[list[tuple[list[str], pl.DataFrame]], str]:
    """Returns the groups to draw, each with its names and rows, and what is said of the others."""
    if not keys:
        return [([], rows)], ""
    groups = (
        rows.group_by(keys, maintain_order=True)
        .agg(pl.col(value).sum().alias("\0size"))
        .sort("\0size", descending=True, maintain_order=True)
    )
    left_out = f" The {PANELS} of {groups.height:,} with the largest numbers are shown."
    if groups.height <= PANELS:
        groups, left_out = groups.sort(keys), ""
    order = groups.select(keys).head(PANELS)
    return split_by(rows, order), left_out


def split_by(rows: pl.DataFrame, order: pl.DataFrame) -> list[tuple[list[str], pl.DataFrame]]:
    """Returns the rows of each combination of keys, with its names.

    Args:
        rows: Published rows.
        order: The combinations, in the order to return them in.
    """
    keys = order.columns
    few = rows.join(order, on=keys, how="semi", nulls_equal=True)
    parts = few.partition_by(keys, maintain_order=True, as_dict=True)
    return [(row_texts(keys, group), parts[group]) for group in order.iter_rows()]


def points_of(rows: pl.DataFrame, number: str) -> list[Point]:
    """Returns the points of a number; the column NUL step has the steps of the times of rows."""
    value, _, low, high = released_columns(number)
    return [Point(*row) for row in rows.select("\0step", value, low, high).iter_rows()]


def map_figure(table: PublishedTable, prefix: str) -> tuple[Figure, Grid] | None:
    """Draws the first number at its places, with its table; None if no key is a place.

    Two places of a row are its start and end. Where there are other keys, the number is added up
    over them, if it adds up.
    """
    if not table.numbers:
        return None
    number = table.numbers[0]
    value, _, low, high = released_columns(number)
    rows = table.rows.filter(pl.col(value).cast(pl.Float64).is_finite())
    found = place_keys(rows, table.keys)
    if len(found) not in (1, 2):
        return None
    columns = [column for place in found for column in place.columns]
    caption = f"{visible(number)} by {' and '.join(map(visible, columns))}."
    others = [key for key in table.keys if key not in columns]
    if others:
        if not table.adds_up(number):
            return None
        rows = total_by(rows, columns, number, table.noise[number])
        caption = f"{caption[:-1]}, added up over {', '.join(map(visible, others))}."
    rows = rows.sort(number, descending=True, maintain_order=True)
    if rows.height > MOST_PLACES:
        caption += f" The {MOST_PLACES:,} of {rows.height:,} with the largest numbers."
    first = rows.row(0, named=True)
    caption += f" The largest is {number_with_error(first[value], first[low], first[high])}."
    figure = place_map(
        _places(rows.head(MOST_PLACES), found, number),
        f"{prefix}-map",
        f"{visible(number)} of {visible(table.name)}",
        caption,
    )
    listed = rows.head(_LISTED)
    several = f"The {listed.height} places with the largest numbers"
    grid = number_grid(listed, columns, [number], f"{prefix}-map-table", several)
    return figure, replace(grid, folded=True)


def _places(rows: pl.DataFrame, found: Sequence[PlaceKey], number: str) -> list[Place]:
    places = points(rows, found[0]).select("latitude", "longitude", number).rows()
    if len(found) > 1:
        ends = points(rows, found[1]).select("latitude", "longitude").rows()
        return [
            Place(lat, lon, float(value), end=(end[0], end[1]))
            for (lat, lon, value), end in zip(places, ends, strict=True)
        ]
    shapes: Sequence[Sequence[Sequence[float]]] = [()] * len(places)
    if found[0].kind == "h3":
        shapes = outlines(rows, found[0])["outline"].to_list()
    return [
        Place(lat, lon, float(value), [(corner[0], corner[1]) for corner in shape])
        for (lat, lon, value), shape in zip(places, shapes, strict=True)
    ]
