"""Numbers at places: H3 cells filled, and circles at coordinates, in Mercator's projection.

There is no base map, as none comes with a package that works offline: the places themselves make
the picture, and its caption says where it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from pipelines.report.svg import WIDTH, Figure, rows_of, svg_of
from pipelines.report.words import number_text

MOST_PLACES = 1500
"""Places of one map, the largest first."""

_TALLEST = 420
_MARGIN = 16
_WIDTH = WIDTH - 2 * _MARGIN


@dataclass(frozen=True)
class Place:
    """One number at one place, or from one place to another.

    Attributes:
        latitude: Degrees north.
        longitude: Degrees east.
        value: The number.
        outline: Corners of the place, each with its latitude and longitude; empty for a point.
        end: Latitude and longitude of the other place; None where there is one place.
    """

    latitude: float
    longitude: float
    value: float
    outline: Sequence[tuple[float, float]] = ()
    end: tuple[float, float] | None = None


def place_map(places: Sequence[Place], figure_id: str, title: str, caption: str) -> Figure:
    """Draws numbers at their places: darker, larger or thicker is more; negative ones count as 0.

    Args:
        places: At least one; all have an outline, or all have an end, or none has either.
        figure_id: Id of the figure.
        title: What the numbers are.
        caption: What stands under the map.
    """
    largest = max(1e-9, *(place.value for place in places))
    if places[0].outline:
        draw, means = _cells, "Darker cells have more"
    elif places[0].end is not None:
        draw, means = _flows, "Thicker lines have more; circles start and end in one place"
    else:
        draw, means = _circles, "Larger circles have more"
    lats, lons = _extent(places)
    chart = draw(places, largest).properties(
        width=_WIDTH, height=_height(lats, lons), padding=_MARGIN
    )
    where = (
        f"Latitudes {' to '.join(map(number_text, lats))}, "
        f"longitudes {' to '.join(map(number_text, lons))}; north is up."
    )
    label = f"Map of {title}, {len(places):,} in all. {means}. {where} {caption}"
    return Figure(figure_id, "map", svg_of(chart, figure_id), label, f"{caption} {means}. {where}")


def _cells(places: Sequence[Place], largest: float) -> Any:
    shapes = [
        {
            "type": "Feature",
            "shade": _shade(place.value, largest),
            "geometry": {"type": "Polygon", "coordinates": [_ring(place)]},
        }
        for place in places
    ]
    opacity = alt.Opacity("shade:Q", scale=None, legend=None)
    base = alt.Chart(rows_of(shapes))
    return (
        base.mark_geoshape(strokeWidth=0.6, stroke="black").encode(fillOpacity=opacity)
    ).project(type="mercator")


def _circles(places: Sequence[Place], largest: float) -> Any:
    rows = [
        {
            "longitude": place.longitude,
            "latitude": place.latitude,
            "size": 12 + 700 * max(0.0, place.value) / largest,
        }
        for place in sorted(places, key=lambda place: -place.value)
    ]
    return (
        alt.Chart(rows_of(rows))
        .mark_circle(fillOpacity=0.45, opacity=1, strokeWidth=1, stroke="black")
        .encode(
            longitude="longitude:Q",
            latitude="latitude:Q",
            size=alt.Size("size:Q", scale=None, legend=None),
        )
        .project(type="mercator")
    )


def _flows(places: Sequence[Place], largest: float) -> Any:
    rows = [
        {
            "longitude": place.longitude,
            "latitude": place.latitude,
            "end_longitude": end[1],
            "end_latitude": end[0],
            "width": 0.3 + 7 * max(0.0, place.value) / largest,
        }
        for place in places
        if (end := place.end) is not None and end != (place.latitude, place.longitude)
    ]
    lines = (
        alt.Chart(rows_of(rows))
        .mark_rule(opacity=0.6, strokeCap="round")
        .encode(
            longitude="longitude:Q",
            latitude="latitude:Q",
            longitude2="end_longitude:Q",
            latitude2="end_latitude:Q",
            strokeWidth=alt.StrokeWidth("width:Q", scale=None, legend=None),
        )
    )
    stays = [place for place in places if place.end == (place.latitude, place.longitude)]
    return alt.LayerChart(layer=[lines, _circles(stays, largest)]).project(type="mercator")


def _shade(value: float, largest: float) -> float:
    return round(0.08 + 0.92 * math.sqrt(max(0.0, value) / largest), 3)


def _ring(place: Place) -> list[list[float]]:
    """Returns the outline as GeoJSON: longitude first, clockwise as d3 wants it, and closed."""
    ring = [[lon, lat] for lat, lon in place.outline]
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:] + ring[:1], strict=True))
    ring = ring[::-1] if area > 0 else ring
    return [*ring, ring[0]]


def _extent(places: Sequence[Place]) -> tuple[tuple[float, float], tuple[float, float]]:
    corners = [
        corner
        for place in places
        for corner in (*(place.outline or [(place.latitude, place.longitude)]), place.end)
        if corner is not None
    ]
    lats, lons = zip(*corners, strict=True)
    return (min(lats), max(lats)), (min(lons), max(lons))


def _height(lats: tuple[float, float], lons: tuple[float, float]) -> float:
    """Returns the height at which the map fills the width, within limits."""
    top, bottom = (_mercator(min(85.0, max(-85.0, lat))) for lat in lats[::-1])
    wide = math.radians(lons[1] - lons[0])
    ratio = (top - bottom) / wide if wide > 0 else 1.0
    return min(_TALLEST, max(_WIDTH / 4, _WIDTH * ratio))


def _mercator(latitude: float) -> float:
    return math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2))
