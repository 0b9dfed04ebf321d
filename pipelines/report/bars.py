"""Bars with 95 % intervals, one under the other, each under its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from pipelines.report.svg import SHORT, WIDTH, Figure, rows_of, svg_of
from pipelines.report.words import SEPARATOR, fitting, number_with_error

_WIDTH = WIDTH - 16

_DIGIT = 7.6
"""Pixels of a digit, at most."""

_ROW = 38
"""Pixels of a bar with its name."""


@dataclass(frozen=True)
class Bar:
    """One number with its interval.

    Attributes:
        names: Texts that name it, as readers see them.
        value: The number.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    names: Sequence[str]
    value: float
    low: float
    high: float

    @property
    def label(self) -> str:
        """The whole name."""
        return SEPARATOR.join(self.names)

    @property
    def shown(self) -> str:
        """The number with its interval."""
        return number_with_error(self.value, self.low, self.high)


def bar_chart(bars: Sequence[Bar], figure_id: str, title: str, caption: str) -> Figure:
    """Draws numbers as bars.

    Args:
        bars: At least one, in their order.
        figure_id: Id of the figure.
        title: What the numbers are.
        caption: What stands under the chart.
    """
    right = _WIDTH - 12 - _DIGIT * max(len(bar.shown) for bar in bars)
    rows = [
        {
            "name": fitting(bar.names, _WIDTH),
            "shown": bar.shown,
            "value": bar.value,
            "low": bar.low,
            "high": bar.high,
            "text": number + 0.28,
            "top": number + 0.52,
            "middle": number + 0.72,
            "bottom": number + 0.92,
        }
        for number, bar in enumerate(bars)
    ]
    ends = [0.0, *(end for bar in bars for end in (bar.low, bar.high, bar.value))]
    x_scale = alt.Scale(domain=[min(ends), max(ends)], range=[0, right], nice=False, zero=True)
    axis = alt.Axis(
        title=None,
        labelExpr=SHORT,
        tickCount=4,
        labelFlush=True,
        labelOverlap=True,
        labelSeparation=8,
    )
    y_scale = alt.Scale(domain=[0, len(bars)], range=[0, _ROW * len(bars)], nice=False)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=y_scale, axis=None)

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=x_scale, axis=axis)

    base = alt.Chart(rows_of(rows))
    names = base.mark_text(align="left", baseline="middle")
    values = base.mark_text(align="right", baseline="middle", fontSize=12)
    ticks = base.mark_tick(orient="vertical", size=9, thickness=1.5)
    layers = [
        base.mark_rect().encode(x("value"), y("top"), x2=alt.datum(0), y2="bottom:Q"),
        base.mark_rule(strokeWidth=1.5).encode(x("low"), y("middle"), x2="high:Q"),
        ticks.encode(x("low"), y("middle")),
        ticks.encode(x("high"), y("middle")),
        names.encode(x=alt.value(0), y=y("text"), text="name:N"),
        values.encode(x=alt.value(_WIDTH), y=y("middle"), text="shown:N"),
    ]
    chart = alt.LayerChart(layer=layers, width=_WIDTH, height=_ROW * len(bars))
    first, last = bars[0], bars[-1]
    label = (
        f"{title}: {len(bars)} bars with 95 % intervals, from {first.label}, {first.shown}, "
        f"to {last.label}, {last.shown}"
    )
    return Figure(figure_id, "bars", svg_of(chart, figure_id), label, caption)
