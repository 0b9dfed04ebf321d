"""Draws what is spent: the loss of all releases so far, and the use of each cap against its limit.

The charts need the extra `plot`; it is loaded when somebody asks for a picture.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.budget_report import BudgetReport
from pipelines.ledger.budget import Line, whole_unit
from pipelines.ledger.composition import RhoBudget
from pipelines.ledger.curves import CapCurve
from pipelines.ledger.states import Release

if TYPE_CHECKING:
    import altair as alt

_HEIGHT = 180
_WIDTH = 270
"""Pixels of a chart without its axes; with them it fits a phone."""

_LINE, _POINT, _LIMIT = "#0b65a8", "#1b1f24", "#b3541e"
"""Colours in an .svg file; those of a page follow its style sheet."""

_LABELS = 3
"""Releases or days that are named under a chart."""

_LONGEST = 12
"""Characters of a name under a chart."""

_POINTS = 60
"""Points that are drawn one by one; more are a line alone."""


@dataclass(frozen=True)
class Drawing:
    """A chart of the budget.

    Attributes:
        chart: The chart.
        title: What it shows.
        description: The same in sentences.
    """

    chart: alt.LayerChart
    title: str
    description: str


def check_plot(path: Path) -> None:
    """Refuses files that no chart can be written to.

    Raises:
        ValueError: The file has another extension, or the extra `plot` is not installed.
    """
    if path.suffix not in (".svg", ".html"):
        raise ValueError(f"--plot is {path}; allowed: a file that ends in .svg or .html")
    try:
        import altair  # noqa: F401
        import jinja2  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError:
        raise ValueError(
            "--plot needs altair, jinja2 and vl-convert-python, which are not installed; "
            "allowed: pip install 'dp-release[plot]'"
        ) from None


def plot_budget(report: BudgetReport, path: Path) -> None:
    """Draws a budget to a file that needs no other.

    Args:
        report: The budget, with the curves of its caps.
        path: An .svg or .html file.

    Raises:
        ValueError: The file has another extension, the extra `plot` is not installed, or nothing
            was spent.
        OSError: The file cannot be written.
    """
    check_plot(path)
    if not report.lines:
        raise ValueError(f"nothing was spent of {report.dataset}, so there is nothing to draw")
    charts = [*_losses(report), *map(_cap, report.curves)]
    path.write_text(_svg(charts) if path.suffix == ".svg" else _page(report, charts), "utf-8")


def _losses(report: BudgetReport) -> list[Drawing]:
    """Returns a chart for each unit: its loss so far, and the loss of each release alone."""
    import altair as alt

    groups: dict[str, list[Line]] = {}
    for line in report.lines:
        unit = line.release.charge.unit
        groups.setdefault(str(whole_unit(unit) or unit), []).append(line)
    charts = []
    for whole, lines in groups.items():
        x = _axis(_release_names([line.release for line in lines]))
        y = alt.Y("epsilon:Q", title="epsilon")
        so_far = _chart([{"x": n, "epsilon": line.cumulative} for n, line in enumerate(lines)])
        alone = _chart([{"x": n, "epsilon": line.epsilon} for n, line in enumerate(lines)])
        described = (
            f"Line: all releases so far about one {whole}, at delta {report.delta:g}. "
            "Points: each alone about its own unit, at its own delta."
        )
        described += _unbounded([line.cumulative for line in lines])
        layers = [
            so_far.mark_line(interpolate="step-after", color=_LINE, strokeWidth=2).encode(x, y),
            alone.mark_point(filled=True, size=30, opacity=1, color=_POINT).encode(x, y),
        ]
        charts.append(_drawing(layers, f"Loss so far about one {whole}", described))
    return charts


def _cap(curve: CapCurve) -> Drawing:
    """Returns the use of a cap along days or releases, under its limit."""
    import altair as alt

    what = "rho" if isinstance(curve.cap.budget, RhoBudget) else "epsilon"
    numbers = [used for used in curve.used if math.isfinite(used)]
    scale = alt.Scale(domain=[0, 1.12 * max([curve.limit, *numbers])], nice=False)
    y = alt.Y("used:Q", title=what, scale=scale)
    names = list(map(str, curve.days)) or _release_names(curve.releases)
    x = _axis(names)
    along = "for input of each day" if curve.days else "after each release"
    points = {"size": 18, "color": _LINE} if len(names) <= _POINTS else False
    limit = _chart([{"used": curve.limit, "label": f"limit {curve.limit:g}"}])
    described = f"Use of the cap of {curve.cap}, {along}."
    described += _unbounded(curve.used)
    layers = [
        limit.mark_rule(color=_LIMIT, strokeDash=[5, 4], strokeWidth=1.5).encode(y),
        limit.mark_text(align="right", dy=-7, color=_LIMIT, x=_WIDTH).encode(y, text="label:N"),
        _chart([{"x": n, "used": used} for n, used in enumerate(curve.used)])
        .mark_line(interpolate="step-after", color=_LINE, strokeWidth=2, point=points)
        .encode(x, y),
    ]
    when = "" if curve.cap.per == "lifetime" else f" per {curve.cap.per}"
    return _drawing(layers, f"Cap{when} for one {curve.cap.unit}", described)


def _unbounded(values: Sequence[float]) -> str:
    missing = sum(math.isinf(value) for value in values)
    if not missing:
        return ""
    return f" The line is left out where that delta allows no bound: {missing} of {len(values)}."


def _axis(names: Sequence[str]) -> alt.X:
    """Returns an axis of releases or days in their order, with the names of a few."""
    import altair as alt

    every = max(1, -(-(len(names) - 1) // (_LABELS - 1)))
    steps = list(range(0, len(names), every))
    # As JSON, names are values of an expression, whatever is in them.
    texts = json.dumps({str(step): _short(names[step]) for step in steps})
    axis = alt.Axis(title=None, grid=False, values=steps, labelExpr=f"{texts}[datum.value]")
    domain = [-0.5, len(names) - 0.5]
    return alt.X("x:Q", scale=alt.Scale(domain=domain, nice=False), axis=axis)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"


def _release_names(releases: Sequence[Release]) -> list[str]:
    """Returns names of releases, without their series where that is the same for all."""
    alone = len({release.key.series for release in releases}) == 1
    start = f"{releases[0].key.series}@"
    names = [str(release.key) for release in releases]
    return [name.removeprefix(start) for name in names] if alone else names


def _chart(rows: Sequence[dict[str, Any]]) -> alt.Chart:
    """Returns a chart of rows; what has no bound is not in them."""
    import altair as alt

    finite = [
        {
            name: None if isinstance(value, float) and math.isinf(value) else value
            for name, value in row.items()
        }
        for row in rows
    ]
    return alt.Chart(alt.InlineData(values=finite))


def _drawing(layers: Sequence[Any], title: str, description: str) -> Drawing:
    import altair as alt

    chart = alt.LayerChart(
        layer=list(layers), width=_WIDTH, height=_HEIGHT, description=description
    )
    return Drawing(chart, title, description)


def _svg(charts: Sequence[Drawing]) -> str:
    import altair as alt
    import vl_convert

    titled = [drawn.chart.properties(title=drawn.title) for drawn in charts]
    every = alt.VConcatChart(vconcat=titled, spacing=30).configure(
        font="system-ui, sans-serif",
        axis={"gridColor": "#e5e5e5", "labelFontSize": 11, "titleFontSize": 12},
        view={"stroke": None},
        background="white",
    )
    return str(vl_convert.vegalite_to_svg(every.to_dict()))


def _page(report: BudgetReport, charts: Sequence[Drawing]) -> str:
    from pipelines.report.grid import Grid
    from pipelines.report.svg import Figure, svg_of
    from pipelines.report.templating import render
    from pipelines.report.words import visible

    grids = []
    for number, (caption, head, keys, rows) in enumerate(report.tables(), 1):
        cells = [[visible(cell) for cell in row] for row in rows]
        grids.append(Grid(f"table-{number}", caption, head, keys, cells))
    figures = [
        Figure(name, "budget", svg_of(drawn.chart, name), drawn.title, drawn.description)
        for number, drawn in enumerate(charts, 1)
        for name in [f"chart-{number}"]
    ]
    return render("budget.html", report=report, figures=figures, grids=grids)
