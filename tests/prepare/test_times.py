"""Time buckets and clocks, against zoneinfo."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from expressions import evaluate
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.prepare.preparation import PreparationError

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
INSTANTS = st.datetimes(datetime(1950, 1, 1), datetime(2037, 1, 1)) | st.sampled_from(
    [
        datetime(2024, 3, 31, 0, 59, 59, 999999),
        datetime(2024, 3, 31, 1),
        datetime(2024, 10, 27, 0, 30),
        datetime(2024, 10, 27, 1, 30),
        datetime(2024, 11, 3, 5, 30),
        datetime(2024, 11, 3, 6, 30),
    ]
)


def on_the_wall(instant, zone):
    return instant.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def start_of_bucket(clock, width):
    number, unit = width.split()
    number, unit = int(number), unit.rstrip("s")
    midnight = datetime(clock.year, clock.month, clock.day)
    match unit:
        case "minute" | "hour":
            step = timedelta(**{f"{unit}s": number})
            return midnight + (clock - midnight) // step * step
        case "day":
            days = (midnight - datetime(1970, 1, 1)).days
            return datetime(1970, 1, 1) + timedelta(days // number * number)
        case "week":
            return midnight - timedelta(midnight.weekday())
        case "month":
            return datetime(clock.year, (clock.month - 1) // number * number + 1, 1)
        case "quarter":
            return datetime(clock.year, (clock.month - 1) // 3 * 3 + 1, 1)
        case _:
            return datetime(clock.year, 1, 1)


WIDTHS = ["15 minutes", "1 hour", "6 hours", "1 day", "10 days", "1 week", "3 months", "1 quarter"]


@settings(max_examples=300, deadline=None)
@given(INSTANTS, st.sampled_from(ZONES), st.sampled_from([*WIDTHS, "1 month", "1 year"]))
def test_a_bucket_begins_by_the_clock_on_the_wall(instant, zone, width):
    expected = start_of_bucket(on_the_wall(instant, zone), width)
    assert evaluate(f"time_bucket(t, '{width}', '{zone}')", t=[instant]) == [expected]
    zoned = pl.Series([instant]).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    assert evaluate(f"time_bucket(t, '{width}')", t=zoned) == [expected]


@settings(max_examples=100, deadline=None)
@given(INSTANTS, st.sampled_from(ZONES))
def test_dates_and_parts_are_those_of_the_zone(instant, zone):
    clock = on_the_wall(instant, zone)
    assert evaluate(f"date(t, '{zone}')", t=[instant]) == [clock.date()]
    assert evaluate(f"local_time(t, '{zone}')", t=[instant]) == [clock]
    assert evaluate(f"hour(local_time(t, '{zone}'))", t=[instant]) == [clock.hour]
    assert evaluate(f"extract(doy from local_time(t, '{zone}'))", t=[instant]) == [
        clock.timetuple().tm_yday
    ]


def test_the_hour_that_comes_twice_is_one_bucket():
    twice = [datetime(2024, 10, 27, 0, 30), datetime(2024, 10, 27, 1, 30)]
    assert (
        evaluate("time_bucket(t, '1 hour', 'Europe/Berlin')", t=twice)
        == [datetime(2024, 10, 27, 2)] * 2
    )


def test_the_hour_that_is_left_out_has_no_bucket():
    around = [datetime(2024, 3, 31, 0, 30), datetime(2024, 3, 31, 1, 30)]
    assert evaluate("time_bucket(t, '1 hour', 'Europe/Berlin')", t=around) == [
        datetime(2024, 3, 31, 1),
        datetime(2024, 3, 31, 3),
    ]


@pytest.mark.parametrize(
    "width",
    [
        *("7 hours", "25 hours", "0 days", "-1 days", "5 months", "1.5 hours", "day", "367 days"),
        *("90000 seconds", "1 fortnight", "1day", "", "7 minutes ", "99999999999 days"),
    ],
)
def test_widths_that_do_not_divide_a_day_or_year_are_refused(width):
    with pytest.raises(PreparationError, match="allowed"):
        evaluate(f"time_bucket(t, '{width}')", t=[datetime(2024, 1, 1)])


@pytest.mark.parametrize("zone", ["Mars/Base", "europe/berlin ", "../etc", "CEST", "", "+02:00"])
def test_unknown_zones_are_refused(zone):
    with pytest.raises(PreparationError, match=r"time zone|text"):
        evaluate(f"time_bucket(t, '1 day', '{zone}')", t=[datetime(2024, 1, 1)])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("t + interval '1 month'", datetime(2024, 2, 29, 12)),
        ("t - interval '1 day'", datetime(2024, 1, 30, 12)),
        ("t - interval '36 hours'", datetime(2024, 1, 30)),
        ("t + interval '1' year", datetime(2025, 1, 31, 12)),
        ("t + interval '9000 years'", None),
        ("date(t) + interval '90 minutes'", datetime(2024, 1, 31, 1, 30)),
    ],
)
def test_intervals(expression, expected):
    assert evaluate(expression, t=[datetime(2024, 1, 31, 12)]) == [expected]


def test_a_day_later_is_at_the_same_hour_of_the_clock_and_null_where_there_is_none():
    times = pl.Series([datetime(2024, 3, 30, 2, 30), datetime(2024, 3, 30, 12)])
    zoned = times.dt.replace_time_zone("Europe/Berlin")
    later = evaluate("t + interval '1 day'", t=zoned)
    assert later == [None, datetime(2024, 3, 31, 12, tzinfo=ZoneInfo("Europe/Berlin"))]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_beyond_the_calendar_are_null(unit):
    far = pl.Series([-(2**63) + 1, 2**63 - 1, 0, None], dtype=pl.Int64).cast(pl.Datetime(unit))
    for expression in ("time_bucket(t, '1 day')", "date(t)", "year(t)", "t::text", "t"):
        values = evaluate(f"coalesce({expression}, null)", t=far)
        known = [False, False] if unit != "ns" else [True, True]
        assert [value is not None for value in values] == [*known, True, False]


def test_epochs_come_and_go():
    moment = datetime(2024, 5, 6, 7, 8, 9, 500000, tzinfo=UTC)
    millis = int(moment.timestamp() * 1000)
    assert evaluate("from_epoch(x, 'ms')", x=[millis]) == [moment]
    assert evaluate("extract(epoch from t)", t=[moment]) == [moment.timestamp()]
    assert evaluate("date(from_epoch(x, 'ms'))", x=[millis]) == [date(2024, 5, 6)]
