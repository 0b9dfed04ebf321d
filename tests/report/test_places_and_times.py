"""Keys that are places or times, and keys that are not."""

import h3
import polars as pl
import pytest

from transforms.published.places import PlaceKey, outlines, place_keys, points
from transforms.published.times import time_key, times_in_order

CELL = h3.latlng_to_cell(42.3, -72.6, 7)


def texts(**columns):
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


@pytest.mark.parametrize(
    ("columns", "place"),
    [
        ({"area": [CELL, h3.latlng_to_cell(0, 0, 3)]}, PlaceKey(("area",), "h3")),
        ({"cell": ["42.1,-72.6", "-1, +3.25"]}, PlaceKey(("cell",), "pair")),
        ({"lon": ["-72.6"], "lat": ["42.1"]}, PlaceKey(("lat", "lon"), "columns")),
        ({"from_latitude": ["1"], "from_longitude": ["2"]}, None),
    ],
)
def test_places_are_found(columns, place):
    found = place_keys(texts(**columns), list(columns))
    if place is None:
        place = PlaceKey(tuple(columns), "columns")
    assert found == [place]


@pytest.mark.parametrize(
    "columns",
    [
        {"area": [CELL, None]},
        {"area": [CELL, "<b>"]},
        {"area": ["8" * 15]},
        {"cell": ["91.0,3"]},
        {"cell": ["1,2,3"]},
        {"cell": ["1,200"]},
        {"cell": ["1;2"]},
        {"lat": ["42.1"]},
        {"lat": ["42.1"], "lon": ["x"]},
        {"lat": ["nan"], "lon": ["3"]},
        {"lat": ["inf"], "lon": ["3"]},
        {"country": ["US"]},
        {"cell": []},
    ],
)
def test_what_is_no_place_is_none(columns):
    assert place_keys(texts(**columns), list(columns)) == []


def test_two_places_of_a_row_are_in_the_order_of_the_keys():
    columns = {"end": ["1,2"], "start": ["3,4"], "kind": ["x"]}
    found = place_keys(texts(**columns), ["start", "kind", "end"])
    assert [place.columns for place in found] == [("start",), ("end",)]


def test_points_and_outlines_are_those_of_h3():
    place = PlaceKey(("area",), "h3")
    frame = texts(area=[CELL])
    row = points(frame, place).row(0, named=True)
    assert (row["latitude"], row["longitude"]) == pytest.approx(h3.cell_to_latlng(CELL))
    outline = outlines(frame, place)["outline"].to_list()[0]
    assert [tuple(corner) for corner in outline] == [
        pytest.approx(corner) for corner in h3.cell_to_boundary(CELL)
    ]
    pair = points(texts(cell=["-1.5, 3"]), PlaceKey(("cell",), "pair"))
    assert pair.select("latitude", "longitude").row(0) == (-1.5, 3.0)


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ({"day": ["2026-01-01", "2026-01-02", "2026-01-03"]}, "day"),
        ({"t": ["2026-01-01 00:00:00", "2026-01-01 06:00:00.000000", "2026-01-02T00:00"]}, "t"),
        ({"week": ["2026-W01", "2026-W02", "2026-W03"]}, "week"),
        ({"m": ["2026-01", "2026-02", "2026-03"]}, "m"),
        ({"hour": ["0", "12", "23"]}, "hour"),
        ({"start_hour": ["0", "12", "18"]}, "start_hour"),
        ({"weekday": ["1", "2", "3", "1"], "hour": ["1", "2", "3", "4"]}, "hour"),
        (
            {
                "hour": ["1", "2", "3", "4"],
                "day": ["2026-01-01", "2026-01-02", "2026-01-03"] * 1 + ["2026-01-03"],
            },
            "day",
        ),
        ({"hour": ["0", "12", "24"]}, None),
        ({"hour": ["0", "12", None]}, None),
        ({"hour": ["0", "12"]}, None),
        ({"n": ["0", "12", "13"]}, None),
        ({"day": ["2026-01-01", "2026-01-02", "soon"]}, None),
        ({"day": []}, None),
    ],
)
def test_times_are_found(columns, key):
    assert time_key(texts(**columns), list(columns)) == key


def test_times_are_in_order():
    assert times_in_order(pl.Series(["10", "9", "9", None, "0"])) == ["0", "9", "10"]
    assert times_in_order(pl.Series(["2026-W10", "2026-W09"])) == ["2026-W09", "2026-W10"]
