"""Draws a plan: error against the size of a partition, and release against privacy units.

Charts are made with Vega-Altair and set as SVG by vl-convert, which brings the Vega libraries
along: no browser, no network and no script in the result, text stays text, and marks carry ARIA
roles. Both are the extra `plot`; they take half a second to load and are loaded when asked for.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.plan.curves import error_curves, release_curve
from pipelines.plan.expected_errors import table_errors
from pipelines.plan.json_values import PROBABILITIES
from pipelines.plan.release_plan import ReleasePlan
from transforms.mechanisms import SelectionMechanism
from transforms.metrics import Mean
from transforms.plan import TablePlan
from transforms.release_curve import units_for_probability

if TYPE_CHECKING:
    import altair as alt

WIDTH, HEIGHT = 340, 220
"""Pixels of a chart, without axes."""

_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
"""Of M. Okabe and K. Ito, told apart by the colour-blind too."""

_DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 1], [1, 3], [10, 4]]


def plot_plan(plan: ReleasePlan, path: Path) -> None:
    """Draws a plan to a file that needs no other.

    Args:
        plan: The release.
        path: An .svg or .html file.

    Raises:
        ValueError: The file has another extension, or the extra `plot` is not installed.
        OSError: The file cannot be written.
    """
    if path.suffix not in (".svg", ".html"):
        raise ValueError(f"--plot is {path}; allowed: a file that ends in .svg or .html")
    try:
        import altair
        import vl_convert  # noqa: F401
    except ImportError:
        raise ValueError(
            "--plot needs altair and vl-convert-python, which are not installed; "
            "allowed: pip install 'dp-release[plot]'"
        ) from None
    charts = {table.name: _charts(plan, table) for table in plan.tables}
    if path.suffix == ".svg":
        rows = [
            altair.hconcat(*of_table, title=name) for name, of_table in charts.items() if of_table
        ]
        each = altair.vconcat(*rows, spacing=40).resolve_scale(
            color="independent", strokeDash="independent"
        )
        path.write_text(_svg(each), encoding="utf-8")
        return
    from pipelines.plan.page import Figure, plan_page

    figures = {
        name: [Figure(_svg(chart), str(chart.description)) for chart in of_table]
        for name, of_table in charts.items()
    }
    path.write_text(plan_page(plan, figures), encoding="utf-8")


def _charts(plan: ReleasePlan, table: TablePlan) -> list[alt.LayerChart]:
    charts = []
    points = [asdict(point) for point in error_curves(table)]
    if points:
        expected = [
            {"metric": found.metric, "size": found.expected.at, "relative": found.expected.relative}
            for found in table_errors(plan, table).metrics
            if found.expected is not None and found.expected.against == "value"
        ]
        charts += [_relative(table, points, expected), _std(table, points)]
    if table.selection is not None:
        charts.append(_release(table, table.selection))
    return charts


def _relative(
    table: TablePlan, points: list[dict[str, Any]], expected: list[dict[str, Any]]
) -> alt.LayerChart:
    import altair as alt

    title = "mean error / number" + (", for means / range" if _has_means(table) else "")
    lines = _lines(table, points, "relative", title, "~%")
    tenth = alt.Chart(_values([{"relative": 0.1}])).mark_rule(color="#767676", strokeDash=[3, 3])
    layers: list[Any] = [tenth.encode(alt.Y("relative:Q")), lines]
    names = list(dict.fromkeys(point["metric"] for point in points))
    for one in expected:
        colour = _COLOURS[names.index(one["metric"]) % len(_COLOURS)]
        dot = alt.Chart(_values([one])).mark_point(filled=True, size=70, opacity=1, color=colour)
        layers.append(dot.encode(alt.X("size:Q"), alt.Y("relative:Q")))
    described = f"Relative error of {', '.join(names)} of {table.name} against their size"
    return _chart(layers, "Relative error", described)


def _std(table: TablePlan, points: list[dict[str, Any]]) -> alt.LayerChart:
    lines = _lines(table, points, "std", "in the metric's own unit", "~s")
    return _chart(
        [lines],
        "Standard deviation of the noise",
        f"Standard deviation of the noise of {table.name} against the size of metrics",
    )


def _release(table: TablePlan, selection: SelectionMechanism) -> alt.LayerChart:
    import altair as alt

    things = "rows" if table.guarantee.bounding == "row" else "privacy units"
    if selection.strategy == "weighted_gaussian" and selection.l0 > 1:
        things += f" with {selection.l0} partitions each"
    points = [asdict(point) for point in release_curve(selection)]
    marked = [
        {"units": units, "probability": p, "label": f"{100 * p:g} % from {units:,}"}
        for p in PROBABILITIES[:-1]
        for units in [units_for_probability(selection, p)]
    ]
    x = alt.X("units:Q", title=things, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    y = alt.Y("probability:Q", title="probability", axis=alt.Axis(format="~%"))
    line = alt.Chart(_values(points)).mark_line(color=_COLOURS[0], strokeWidth=2).encode(x, y)
    dots = alt.Chart(_values(marked)).mark_point(filled=True, size=50, color=_COLOURS[0], opacity=1)
    texts = alt.Chart(_values(marked)).mark_text(align="left", dx=8, dy=4).encode(text="label:N")
    return _chart(
        [line, dots.encode(x, y), texts.encode(x, y)],
        "Probability of release",
        f"Probability that a partition of {table.name} is released against its {things}",
    )


def _lines(
    table: TablePlan, points: list[dict[str, Any]], field: str, title: str, numbers: str
) -> alt.Chart:
    import altair as alt

    size = "number in a partition" + ("; for means, of rows" if _has_means(table) else "")
    lines: alt.Chart = (
        alt.Chart(_values(points))
        .mark_line(strokeWidth=2)
        .encode(
            _logarithmic(alt.X("size:Q", title=size), [p["size"] for p in points], "~s"),
            _logarithmic(alt.Y(f"{field}:Q", title=title), [p[field] for p in points], numbers),
            alt.Color("metric:N", sort=None, scale=alt.Scale(range=_COLOURS), title=None),
            alt.StrokeDash("metric:N", sort=None, scale=alt.Scale(range=_DASHES), title=None),
        )
    )
    return lines


def _has_means(table: TablePlan) -> bool:
    return any(isinstance(metric.metric, Mean) for metric in table.metrics)


def _logarithmic(axis: Any, values: list[float], numbers: str) -> Any:
    """Returns an axis with a tick at every power of ten, from the one below to the one above."""
    import altair as alt

    first, last = (math.log10(end) for end in (min(values), max(values)))
    low, high = math.floor(first + 1e-9), math.ceil(last - 1e-9)
    high = max(high, low + 1)
    ticks = [10.0**power for power in range(low, high + 1)]
    return axis.scale(alt.Scale(type="log", domain=[ticks[0], ticks[-1]])).axis(
        alt.Axis(values=ticks, format=numbers)
    )


def _chart(layers: list[Any], title: str, description: str) -> alt.LayerChart:
    import altair as alt

    return alt.LayerChart(
        layer=layers, width=WIDTH, height=HEIGHT, title=title, description=description
    )


def _values(rows: list[dict[str, Any]]) -> alt.InlineData:
    import altair as alt

    return alt.InlineData(values=rows)


def _svg(chart: Any) -> str:
    import vl_convert

    configured = chart.configure(
        font="system-ui, sans-serif",
        legend={
            "orient": "bottom",
            "symbolStrokeWidth": 2,
            "symbolSize": 300,
            "labelFontSize": 12,
            "columns": 4,
        },
        axis={"gridColor": "#e5e5e5", "labelFontSize": 11, "titleFontSize": 12},
        view={"stroke": None},
        background="white",
    )
    return str(vl_convert.vegalite_to_svg(configured.to_dict()))
