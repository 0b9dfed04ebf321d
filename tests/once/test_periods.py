"""Periods: how they are written, their days, and what follows what."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ledger import Days
from pipelines.run.periods import (
    ALL_ROWS,
    EVERY_DAY,
    PeriodError,
    period_at,
    periods_between,
    read_period,
)

KINDS = ["day", "week", "month"]
IN_RANGE = st.dates(date(1970, 1, 5), date(2069, 11, 30))


def days(first, last):
    return Days(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("every", "text", "first", "last"),
    [
        ("day", "2024-02-29", "2024-02-29", "2024-02-29"),
        ("week", "2026-W46", "2026-11-09", "2026-11-15"),
        ("week", "2026-W01", "2025-12-29", "2026-01-04"),
        ("week", "2020-W53", "2020-12-28", "2021-01-03"),
        ("month", "2024-02", "2024-02-01", "2024-02-29"),
        ("month", "2026-12", "2026-12-01", "2026-12-31"),
    ],
)
def test_periods_have_the_days_of_the_calendar(every, text, first, last):
    period = read_period(every, text)
    assert (period.name, period.days) == (text, days(first, last))
    assert period_at(every, period.days.first) == period_at(every, period.days.last) == period
    assert period.placeholders == {"{period}": text, "{first}": first, "{last}": last}


@given(IN_RANGE, st.sampled_from(KINDS))
def test_every_day_is_in_one_period_that_reads_back(day, every):
    period = period_at(every, day)
    assert period.days.first <= day <= period.days.last
    assert read_period(every, period.name) == period
    following = period.following()
    assert following.days.first == period.days.last + timedelta(days=1)
    assert list(periods_between(period, following)) == [period, following]


@pytest.mark.parametrize(
    ("every", "text"),
    [
        *(("week", text) for text in ("2026-W54", "2025-W53", "2026-W00", "2026W46", "2026-46")),
        *(("week", text) for text in ("2026-11-09", "", " 2026-W46", "\uff12026-W46", "0000-W01")),
        *(("day", text) for text in ("2026-02-30", "2026-11", "20261109", "2026-W46-1")),
        *(("month", text) for text in ("2026-13", "2026-00", "2026-11-09", "26-11")),
    ],
)
def test_what_is_no_period_of_the_series_is_refused_with_an_example(every, text):
    with pytest.raises(PeriodError, match=rf"the period is '.*'; allowed: a {every} such as 2026-"):
        read_period(every, text)


@pytest.mark.parametrize("text", ["1969-12-31", "2070-01-01"])
def test_periods_are_in_the_years_that_a_release_of_all_rows_is_charged_for(text):
    """Else a day could be read by a release that the ledger thinks disjoint from that of all."""
    with pytest.raises(PeriodError, match="allowed: in the years 1970 to 2069"):
        read_period("day", text)


def test_a_series_without_periods_has_one_of_all_rows():
    assert read_period(None, None) is ALL_ROWS
    assert ALL_ROWS.days == EVERY_DAY
    with pytest.raises(PeriodError, match="the series has none; allowed: no period, or the key"):
        read_period(None, "2026-W46")
    with pytest.raises(PeriodError, match=r"no period is given, .* allowed: a month such as"):
        read_period("month", None)


def test_ranges_go_forward_across_years():
    first, last = read_period("week", "2020-W52"), read_period("week", "2021-W01")
    assert [p.name for p in periods_between(first, last)] == ["2020-W52", "2020-W53", "2021-W01"]
    with pytest.raises(PeriodError, match="the last period is 2020-W52, before 2021-W01"):
        list(periods_between(last, first))


@pytest.mark.parametrize(
    ("every", "text", "said"),
    [
        ("week", "2026-11-09", "; 2026-11-09 is in 2026-W46"),
        ("month", "2026-11-09", "; 2026-11-09 is in 2026-11"),
        ("week", "2026-W54", "allowed: a week such as 2026-W46"),
        ("day", "2026-11-31", "allowed: a day such as 2026-11-09"),
    ],
)
def test_a_day_in_place_of_a_period_is_told_its_period(every, text, said):
    with pytest.raises(PeriodError) as refused:
        read_period(every, text)
    assert str(refused.value).endswith(said)
