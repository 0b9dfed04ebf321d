"""Bins by exact arithmetic, cells by the h3 package, lookups by a dictionary."""

import math
from decimal import Decimal

import h3
import polars as pl
import pytest
from expressions import evaluate
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.prepare.lookups import LookupFile, lookup_table
from transforms.prepare.preparation import Preparation, PreparationError

WIDTHS = ["0.1", "0.25", "0.3", "1", "2.5", "10", "1e-3", "1000"]


def edge(number, width):
    return float(number * Decimal(width))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(WIDTHS), st.data())
def test_a_bin_is_the_largest_multiple_of_the_width_that_is_not_above(width, data):
    near_edges = st.integers(-3000, 3000).map(lambda number: edge(number, width))
    moved = near_edges.map(lambda value: math.nextafter(value, -math.inf))
    value = data.draw(near_edges | moved | st.floats(-1e4, 1e4))
    number = math.floor(Decimal(value) / Decimal(width)) + 2
    while edge(number, width) > value:
        number -= 1
    found = evaluate(f"bin(x, {width})", x=pl.Series([value], dtype=pl.Float64))
    assert found == [edge(number, width)]


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("bin(x, 0.1)", [0.3, 0.29999999999999993, -0.05], [0.3, 0.2, -0.1]),
        ("bin(x, 10)", [math.inf, -math.inf, math.nan, None], [None] * 4),
        ("bin(x, [0, 18, 30])", [-1, 0, 17.9, 18, 99, math.inf], [None, 0, 0, 18, 30, 30]),
        ("bin(x, [-0.5, 0.5])", [-1, -0.5, 0, 0.5], [None, -0.5, -0.5, 0.5]),
    ],
)
def test_bins_of_numbers(expression, values, expected):
    assert evaluate(expression, x=pl.Series(values, dtype=pl.Float64)) == expected


def test_bins_of_whole_numbers_are_whole():
    values = [-11, -10, -1, 0, 9, 2**63 - 1]
    expected = [-20, -10, -10, 0, 0, (2**63 - 1) // 10 * 10]
    found = evaluate("bin(x, 10)", x=values)
    assert found == expected
    assert all(type(value) is int for value in found)
    assert evaluate("bin(x, 0.5)", x=[1, 2]) == [1.0, 2.0]
    assert evaluate("bin(x, 10)", x=pl.Series([-(2**63)])) == [None]


@pytest.mark.parametrize(
    "bins", ["0", "-1", "[]", "[1, 1]", "[2, 1]", "['a']", "'a'", "null", "[1, null]", "true", "x"]
)
def test_bins_that_make_no_sense_are_refused(bins):
    with pytest.raises(PreparationError, match=r"allowed|constant"):
        evaluate(f"bin(x, {bins})", x=[1])


@settings(max_examples=100, deadline=None)
@given(st.floats(-90, 90), st.floats(-180, 180), st.integers(0, 15))
def test_cells_are_those_of_the_h3_package(latitude, longitude, resolution):
    found = evaluate(f"h3(a, b, {resolution})", a=[latitude], b=[longitude])
    assert found == [h3.latlng_to_cell(latitude, longitude, resolution)]


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(91, 0), (-90.1, 0), (0, 180.5), (math.nan, 0), (0, math.inf), (None, 0), (0, None)],
)
def test_what_is_not_on_earth_has_no_cell(latitude, longitude):
    columns = {"a": [latitude, 1.0], "b": [longitude, 1.0]}
    found = evaluate(
        "h3(a, b, 5)", **{k: pl.Series(v, dtype=pl.Float64) for k, v in columns.items()}
    )
    assert found == [None, h3.latlng_to_cell(1, 1, 5)]


def looked_up(rows, expression, **columns):
    wanted = LookupFile("areas.csv", "country", "area")
    table = lookup_table(pl.DataFrame(rows), wanted)
    preparation = Preparation({"result": expression}, tables={wanted: table})
    return preparation.apply_to_frame(pl.DataFrame(columns))["result"].to_list()


AREAS = {"country": ["DE", "US"], "area": ["Europe", "America"]}


def test_a_lookup_gives_the_value_of_the_key_and_null_where_there_is_none():
    text = "lookup(country, 'areas.csv', 'area')"
    assert looked_up(AREAS, text, country=["US", "XX", None, "DE"]) == [
        *("America", None, None, "Europe")
    ]
    text = "upper(lookup(left(region, 2), 'areas.csv', 'area', 'country'))"
    assert looked_up(AREAS, text, region=["DE-BY", "X"]) == ["EUROPE", None]


@pytest.mark.parametrize("keys", [[7, 8], [7.0, 8.0], ["7", "8"]])
@pytest.mark.parametrize("searched", [[7, 9], [7.0, 9.5], ["7", "9"]])
def test_a_lookup_knows_a_key_by_its_text(keys, searched):
    rows = {"country": keys, "area": [1, 2]}
    text = "lookup(country, 'areas.csv', 'area') + 1"
    assert looked_up(rows, text, country=searched) == [2, None]


@pytest.mark.parametrize(
    ("keys", "reason"), [(["a", "a"], "more than once"), (["a", None], "empty"), ([1, 1.0], "more")]
)
def test_a_lookup_table_has_each_key_once(keys, reason):
    rows = pl.DataFrame({"country": pl.Series(keys, strict=False), "area": [1, 2]})
    with pytest.raises(ValueError, match=reason):
        lookup_table(rows, LookupFile("areas.csv", "country", "area"))


def test_the_type_of_a_lookup_is_checked_when_its_table_is_known():
    text = "lookup(country, 'areas.csv', 'area') + 1"
    Preparation({"result": text})
    with pytest.raises(PreparationError, match="numbers"):
        looked_up(AREAS, text, country=["DE"])
