"""Draws where the errors of the best bounds and of those beside them come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.tune.recommend import Recommendation
from pipelines.tune.text import in_words
from transforms.tuning.best import PARTS, PointError

_NAMES = {"l0": "L0 loss", "linf": "Linf loss", "clip": "clipping"}


def plot_tuning(found: Sequence[Recommendation], path: Path) -> None:
    """Writes a chart, with one panel for each place of bounds.

    Args:
        found: What tuning found.
        path: An .svg or .html file.

    Raises:
        ValueError: The file has another extension, or the extra `plot` is not installed.
        OSError: The file cannot be written.
    """
    check_plot(path)
    import altair as alt
    import vl_convert

    data = pl.DataFrame([row for one in found for row in _rows(one)])
    kinds = ["error", *(_NAMES.get(part, part) for part in PARTS)]
    chart = (
        alt.Chart(data)
        .mark_bar()
        .encode(
            x=alt.X("part:Q", title="part of what the partitions hold").axis(format="%"),
            y=alt.Y("bounds:N", title=None, sort=None),
            yOffset=alt.YOffset("kind:N", sort=kinds),
            color=alt.Color("kind:N", title=None, sort=kinds),
            row=alt.Row("table:N", title=None, sort=None),
        )
        .resolve_scale(y="independent")
    )
    svg = vl_convert.vegalite_to_svg(chart.to_json())
    if path.suffix == ".html":
        svg = f"<!doctype html>\n<meta charset='utf-8'>\n<title>dp-release tune</title>\n{svg}\n"
    path.write_text(svg, encoding="utf-8")


def check_plot(path: Path) -> None:
    """Raises a ValueError when no chart can be written to a file of this name."""
    if path.suffix not in (".svg", ".html"):
        raise ValueError(f"--plot is {path}; allowed: a file that ends in .svg or .html")
    if find_spec("altair") is None or find_spec("vl_convert") is None:
        raise ValueError(
            "--plot needs altair and vl-convert-python, which are not installed; "
            "allowed: pip install 'dp-release[plot]'"
        )


def _rows(found: Recommendation) -> Iterator[dict[str, Any]]:
    points: list[tuple[str, Sequence[PointError]]] = [("config", found.now)]
    for number in found.shown:
        at = [one for of in found.errors for one in of if one.point == number]
        if len(at) == len(found.errors):
            best = " (best)" if number == found.best else ""
            points.append((in_words(found.grid.points[number]) + best, at))
    for bounds, errors in points:
        metrics = [metric for point in errors for metric in point.metrics]
        sizes = {"error": sum(metric.error for metric in metrics)}
        sizes |= {
            _NAMES.get(part, part): sum(metric.parts[part] for metric in metrics) for part in PARTS
        }
        for kind, size in sizes.items():
            yield {
                "table": ", ".join(found.tables),
                "bounds": bounds,
                "kind": kind,
                "part": size / len(metrics),
            }
