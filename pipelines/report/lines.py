"""Numbers along time with 95 % intervals: a panel for each of some groups, one under the other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from pipelines.report.svg import SHORT, WIDTH, Figure, rows_of, svg_of
from pipelines.report.words import SEPARATOR, fitting

_WIDTH = WIDTH - 50

_ALONE, _AMONG = 200, 74
"""Pixels of height of a panel."""

_LABELS = 6
"""Times that are written under a panel, at most."""


@dataclass(frozen=True)
class Point:
    """One number at one time.

    Attributes:
        step: Which of the times, from 0.
        value: The number.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    step: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """The numbers of one group.

    Attributes:
        names: Texts that name the group, as readers see them; empty where there is only one.
        points: Its numbers, by time.
    """

    names: Sequence[str]
    points: Sequence[Point]


def line_chart(
    panels: Sequence[Panel], times: Sequence[str], figure_id: str, title: str, caption: str
) -> Figure:
    """Draws numbers along time.

    Args:
        panels: At least one, each with at least one point.
        times: All times, as readers see them, in order.
        figure_id: Id of the figure.
        title: What the numbers are.
        caption: What stands under the chart.
    """
    ends = [end for panel in panels for p in panel.points for end in (p.low, p.high, p.value)]
    y_scale = alt.Scale(domain=[min(0.0, *ends), max(0.0, *ends)], nice=False)
    x_scale = alt.Scale(domain=[-0.5, len(times) - 0.5], nice=False)
    height = _ALONE if len(panels) == 1 else _AMONG
    charts = []
    for number, panel in enumerate(panels):
        last = number == len(panels) - 1
        axis = _time_axis(times) if last else None
        y_axis = alt.Axis(title=None, labelExpr=SHORT, tickCount=3 if len(panels) > 1 else 5)
        base = alt.Chart(rows_of([vars(point) for point in panel.points]))
        x = alt.X("step:Q", scale=x_scale, axis=axis)
        layers = [
            base.mark_rule(strokeWidth=1.5).encode(
                x, alt.Y("low:Q", scale=y_scale, axis=y_axis), y2="high:Q"
            ),
            base.mark_line(strokeWidth=1).encode(x, alt.Y("value:Q", scale=y_scale, axis=y_axis)),
            base.mark_point(filled=True, size=18, opacity=1).encode(
                x, alt.Y("value:Q", scale=y_scale, axis=y_axis)
            ),
        ]
        of_panel = alt.LayerChart(layer=layers, width=_WIDTH, height=height)
        if panel.names:
            heading = fitting(panel.names, _WIDTH)
            of_panel = of_panel.properties(
                title=alt.TitleParams(
                    heading, fontSize=13, fontWeight="normal", anchor="start", offset=2
                )
            )
        charts.append(of_panel)
    chart = alt.VConcatChart(vconcat=charts, spacing=8) if len(charts) > 1 else charts[0]
    named = [SEPARATOR.join(panel.names) for panel in panels if panel.names]
    label = (
        f"{title}, with 95 % intervals, from {times[0]} to {times[-1]}"
        f"{', for ' + ', '.join(named) if named else ''}"
    )
    return Figure(figure_id, "lines", svg_of(chart, figure_id), label, caption)


def _time_axis(times: Sequence[str]) -> alt.Axis:
    """Returns an axis that names some of the times, as many as fit."""
    longest = max(map(len, times))
    room = max(2, min(_LABELS if longest > 2 else 12, _WIDTH // (7 * longest + 10)))
    every = -(-len(times) // room)
    steps = list(range(0, len(times), every))
    # As JSON, times are values of an expression, whatever is in them.
    names = json.dumps({str(step): fitting([times[step]], _WIDTH / 2) for step in steps})
    return alt.Axis(
        title=None, values=steps, grid=False, labelFlush=True, labelExpr=f"{names}[datum.value]"
    )
