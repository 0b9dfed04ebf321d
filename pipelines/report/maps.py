"""Numbers at places: H3 cells filled, and circles at coordinates, in Mercator's projection.

There is no base map, as none comes with a package that works offline: the places themselves make
the picture, and its caption says where it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.numbers import short_number
from pipelines.report.svg import WIDTH, Figure, rows_of, svg_of

MOST_PLACES = 1500
"""Places of one map, the largest first."""

_TALLEST = 420
_MARGIN = 16
_WIDTH = WIDTH - 2 * _MARGIN


@dataclass(frozen=True)
class Place:
    """One number at one place.

    Attributes:
        latitude: Degrees north.
        longitude: Degrees east.
        value: The number.
        outline: Corners of the place, each with its latitude and longitude; empty for a point.
    """

    latitude: float
    longitude: float
    value: float
    outline: Sequence[tuple[float, float]] = ()


def place_map(places: Sequence[Place], figure_id: str, title: str, caption: str) -> Figure:
    """Draws numbers at their places: darker or larger means more; negative ones count as 0.

    Args:
        places: At least one; either all have outlines or none has.
        figure_id: Id of the figure.
        title: What the numbers are.
        caption: What stands under the map.
    """
    largest = max(max(place.value for place in places), 1e-9)
    outlined = bool(places[0].outline)
    draw = _cells if outlined else _circles
    lats, lons = _extent(places)
    chart = draw(places, largest).properties(
        width=_WIDTH, height=_height(lats, lons), padding=_MARGIN
    )
    where = (
        f"latitudes {lats[0]:.4g} to {lats[1]:.4g}, longitudes {lons[0]:.4g} to {lons[1]:.4g}; "
        "north is up"
    )
    what = "darker cells" if outlined else "larger circles"
    several = f"{len(places):,} place{'' if len(places) == 1 else 's'}"
    label = f"Map of {title} at {several}, {where}; {what} have more, {short_number(largest)} at most"
    return Figure(figure_id, "map", svg_of(chart, figure_id), label, f"{caption} {where[0].upper()}{where[1:]}.")


def _cells(places: Sequence[Place], largest: float) -> Any:
    import altair as alt

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
    return (base.mark_geoshape(strokeWidth=0.6, stroke="black").encode(fillOpacity=opacity)).project(
        type="mercator"
    )


def _circles(places: Sequence[Place], largest: float) -> Any:
    import altair as alt

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
        for corner in (place.outline or [(place.latitude, place.longitude)])
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
