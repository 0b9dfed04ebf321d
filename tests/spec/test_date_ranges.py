"""Ranges of dates as public keys: which days they list, and which types they fit."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.spec import ConfigError, load_release, release_tables
from pipelines.spec.date_ranges import DateRangeSpec
from pipelines.spec.listed_keys import fit_listed
from transforms.key_list import KeyList

DATES = st.dates(date(1999, 1, 1), date(2030, 12, 31))


def days(start, end, every="day"):
    return DateRangeSpec.model_validate({"from": str(start), "to": str(end), "every": every}).dates(
        "day"
    )


@given(start=DATES, length=st.integers(0, 400))
def test_a_range_has_every_day_from_the_first_to_the_last(start, length):
    end = date.fromordinal(start.toordinal() + length)
    listed = days(start, end).to_list()
    assert listed == [date.fromordinal(start.toordinal() + i) for i in range(length + 1)]


@given(start=DATES, length=st.integers(0, 400))
def test_a_range_of_weeks_has_every_seventh_day(start, length):
    end = date.fromordinal(start.toordinal() + length)
    assert days(start, end, "week").to_list() == days(start, end).to_list()[::7]


@given(start=DATES.filter(lambda day: day.day <= 28), length=st.integers(0, 1000))
def test_a_range_of_months_has_the_same_day_of_each_month(start, length):
    end = date.fromordinal(start.toordinal() + length)
    expected = [day for day in days(start, end).to_list() if day.day == start.day]
    assert days(start, end, "month").to_list() == expected


@pytest.fixture
def keys(tmp_path):
    def keys(public, **source):
        config = {
            "release": "r",
            "input": {"files": "*.parquet", **source},
            "privacy": {"unit": "u", "epsilon": 1},
            "tables": {"t": {"public": public, "metrics": {"n": "count"}}},
            "output": {"folder": "out"},
        }
        file = tmp_path / "r.yaml"
        file.write_text(yaml.safe_dump(config, sort_keys=False))
        table = release_tables(load_release(file))["t"]
        return KeyList.of(table.keys, table.partitions.parts).frame

    return keys


NOVEMBER = {"from": "2026-11-29", "to": "2026-11-30"}


def test_a_file_a_range_and_a_list_make_a_product(keys, tmp_path):
    (tmp_path / "countries.csv").write_text("country\nDE\nFR\n")
    frame = keys({"country": "countries.csv", "day": NOVEMBER, "kind": ["a"]})
    assert frame.rows() == [
        (country, date(2026, 11, day), "a") for country in ("DE", "FR") for day in (29, 30)
    ]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("string", ["2026-11-29", "2026-11-30"]),
        ("date", [date(2026, 11, 29), date(2026, 11, 30)]),
        ("timestamp", [datetime(2026, 11, day, tzinfo=UTC) for day in (29, 30)]),
    ],
)
def test_dates_in_the_type_of_a_csv_column(keys, kind, values):
    frame = keys({"day": NOVEMBER}, files="*.csv", types={"day": kind})
    assert frame["day"].to_list() == values


def test_dates_do_not_fit_a_column_of_numbers(keys):
    with pytest.raises(ConfigError, match="listed for 'day'; allowed: values of the type Int64"):
        keys({"day": NOVEMBER}, files="*.csv", types={"day": "int"})


@pytest.mark.parametrize(
    ("wanted", "values"),
    [
        (pl.String(), ["2026-11-29", "2026-11-30"]),
        (pl.Datetime("us"), [datetime(2026, 11, 29), datetime(2026, 11, 30)]),
        (
            pl.Datetime("us", "Europe/Berlin"),
            [datetime(2026, 11, day, tzinfo=ZoneInfo("Europe/Berlin")) for day in (29, 30)],
        ),
    ],
)
def test_dates_in_the_type_of_a_parquet_column(wanted, values):
    fitted = fit_listed(pl.Series("day", [date(2026, 11, 29), date(2026, 11, 30)]), wanted)
    assert fitted.dtype == wanted
    assert fitted.to_list() == values


def test_a_day_that_begins_at_no_midnight_is_refused():
    day = pl.Series("day", [date(2018, 11, 4)])  # clocks in Sao Paulo went from 0:00 to 1:00
    with pytest.raises(ValueError, match=r"the value datetime\.date"):
        fit_listed(day, pl.Datetime("us", "America/Sao_Paulo"))
