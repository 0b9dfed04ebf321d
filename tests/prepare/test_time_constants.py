"""DATE and TIMESTAMP constants: typed, strict, at their place."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from transforms.prepare.parse import parse
from transforms.prepare.preparation import Preparation, PreparationError
from transforms.prepare.tree import Literal

LOCAL = pl.Datetime("us")
INSTANT = pl.Datetime("us", "UTC")


def value(text, frame=None):
    """The values of an expression; without a frame, of one that names no column."""
    if frame is None:
        frame = pl.DataFrame({"x": [1]})
        text = f"CASE WHEN x = 1 THEN {text} END"
    return Preparation({"value": text}).apply_to_frame(frame)["value"]


@pytest.mark.parametrize(
    ("text", "expected", "dtype"),
    [
        ("DATE '2026-11-01'", date(2026, 11, 1), pl.Date()),
        ("date'0001-01-01'", date(1, 1, 1), pl.Date()),
        ("date '2024-02-29'", date(2024, 2, 29), pl.Date()),
        ("TIMESTAMP '2026-11-01'", datetime(2026, 11, 1), LOCAL),
        ("timestamp '2026-11-01 12:30'", datetime(2026, 11, 1, 12, 30), LOCAL),
        ("timestamp '2026-11-01T12:30:05.5'", datetime(2026, 11, 1, 12, 30, 5, 500_000), LOCAL),
        ("timestamp '2026-11-01 12:30:05Z'", datetime(2026, 11, 1, 12, 30, 5, tzinfo=UTC), INSTANT),
        ("timestamp '2026-11-01 00:30-01:00'", datetime(2026, 11, 1, 1, 30, tzinfo=UTC), INSTANT),
        ("DATE '2026-11-01' + INTERVAL '1 day'", datetime(2026, 11, 2), LOCAL),
        ("(DATE '2026-11-01')::text", "2026-11-01", pl.String()),
        ("date(TIMESTAMP '2026-11-01 23:30Z', 'Europe/Berlin')", date(2026, 11, 2), pl.Date()),
    ],
)
def test_a_constant_has_its_type(text, expected, dtype):
    found = value(text)
    assert found.dtype == dtype
    assert found.to_list() == [expected]


def test_a_constant_is_compared_with_columns():
    days = pl.DataFrame({"day": [date(2026, 10, 31), date(2026, 11, 1), None, date(2026, 12, 1)]})
    within = "day BETWEEN DATE '2026-11-01' AND DATE '2026-11-30'"
    assert value(within, days).to_list() == [False, True, None, False]
    assert value("day IN (DATE '2026-12-01', DATE '2026-10-31')", days).to_list() == [
        *(True, False, None, True)
    ]
    cut = "day < TIMESTAMP '2026-11-01 00:00:01'"
    assert value(cut, days).to_list() == [True, True, None, False]
    times = days.select(t=pl.col("day").cast(LOCAL).dt.replace_time_zone("America/New_York"))
    assert value("t >= TIMESTAMP '2026-11-01 04:00Z'", times).to_list() == [
        *(False, True, None, True)
    ]


def test_a_constant_is_a_literal_at_the_place_of_its_text():
    assert parse("date '2026-11-01'") == Literal(date(2026, 11, 1), 5)


def test_columns_named_date_and_timestamp_are_columns():
    frame = pl.DataFrame({"date": [date(2026, 11, 1)], "timestamp": [datetime(2026, 11, 1, 1)]})
    compared = "date = DATE '2026-11-01' AND timestamp > TIMESTAMP '2026-11-01'"
    assert value(compared, frame).to_list() == [True]


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-31", "2026-13-01", "2023-02-29", "2026-1-1", "20261101", "0000-01-01", ""),
        *(" 2026-11-01", "2026-11-01 ", "2026-11-01Z", "today", "2026-W46", "٢٠٢٦-11-01"),
    ],
)
def test_what_is_no_date_is_refused_at_its_place(text):
    with pytest.raises(PreparationError) as caught:
        Preparation({}, where=f"day >= DATE '{text}'")
    ((place, message),) = caught.value.problems
    assert place.at == len("day >= DATE ")
    assert message == f"{text!r} is not a date; allowed: such as DATE '2026-11-01'"


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-01 24:00", "2026-11-01 12", "2026-11-01 12:60", "2026-11-01 12:00:00.1234567"),
        *("2026-11-01 12:00+1", "2026-11-01 12:00 Z", "now", "2026-02-30", "2026-11-01 12:00:61"),
        *("0001-01-01 00:00+01:00", "9999-12-31 23:00-01:00", "2026-11-01+01:00"),
    ],
)
def test_what_is_no_timestamp_is_refused(text):
    with pytest.raises(PreparationError, match="is not a timestamp; allowed: such as TIMESTAMP"):
        Preparation({}, where=f"time >= TIMESTAMP '{text}'")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time '10:00'", "is no constant of a type; allowed: DATE '2026-11-01', TIMESTAMP"),
        ("bigint '7'", "is no constant of a type"),
        ("datetime '2026-11-01'", "is no constant of a type"),
        ("date 20261101", "more than text in single quotes"),
        ("date '2026-11-01'::text", "in parentheses before another operator"),
    ],
)
def test_other_constants_with_a_type_are_refused(text, message):
    with pytest.raises(PreparationError, match=message):
        Preparation({"value": text})


@pytest.mark.parametrize(
    "text", ["-DATE '2026-11-01'", "DATE '2026-11-01' > 'a'", "abs(DATE '2026-11-01')"]
)
def test_a_date_is_neither_number_nor_text(text):
    with pytest.raises(PreparationError, match="allowed"):
        value(text)
