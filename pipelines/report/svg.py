"""Charts as SVG inside a page: made by vl-convert, coloured by the page's style sheet.

Widths fit a phone without scaling, so that letters stay as large as those of the page. All marks
are hidden from screen readers: the figure says what it shows, and a table beside it says it all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert

WIDTH = 320
"""Pixels of a chart with its axes."""

SHORT = "format(datum.value, abs(datum.value) < 1e6 ? ',.6~r' : '~s')"
"""Labels of an axis: below a million as the page writes numbers, then with a prefix, as `1.5M`."""

_FONT = "Arial, sans-serif"
"""Font that vl-convert brings along, so that letters are measured alike everywhere."""

_CONFIG: Mapping[str, Any] = {
    "aria": False,
    "font": _FONT,
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
    },
    "legend": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
    "text": {"fontSize": 13},
}


@dataclass(frozen=True)
class Figure:
    """A chart of a page.

    Attributes:
        id: Id of the element, unique in the page.
        kind: Class for the style sheet.
        svg: The chart.
        label: What it shows, for those who cannot see it.
        caption: What stands under it.
    """

    id: str
    kind: str
    svg: str
    label: str
    caption: str


def svg_of(chart: Any, figure_id: str) -> str:
    """Returns a chart as an SVG element to be set into HTML.

    Vega numbers ids from the start of the process on; here they follow from the figure, so that
    they are unique in a page and the same each time.

    Args:
        chart: A chart of Vega-Altair.
        figure_id: Id of the figure.
    """
    svg = vl_convert.vegalite_to_svg(chart.configure(**_CONFIG).to_dict())
    svg = re.sub(r' (xmlns(:xlink)?|version)="[^"]*"', "", svg, count=3)
    names: dict[str, str] = {}

    def renamed(match: re.Match[str]) -> str:
        name = names.setdefault(match[2], f"{figure_id}-{len(names) + 1}")
        return f"{match[1]}{name}{match[3]}"

    svg = re.sub(r'(<[^>]* id=")([^"]+)(")', renamed, svg)
    return re.sub(r"(url\(#)([^)]+)(\))", lambda m: renamed(m) if m[2] in names else m[0], svg)


def rows_of(values: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """Returns rows as data of a chart."""
    return alt.InlineData(values=list(values))
