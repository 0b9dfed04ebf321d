"""Calendar periods, and what a charge for one unit says about another, against enumeration."""

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_examples import USER, USER_DAY, days, laplace

from pipelines.ledger import Charge, PrivacyUnit
from pipelines.ledger.days import ALWAYS, Days, number_of_periods, period_of, periods
from pipelines.ledger.units import steps

dates = st.dates(date(2024, 1, 1), date(2028, 12, 31))
EVERY = ["day", "week", "month", "year", None]


@given(dates, st.sampled_from(EVERY))
def test_a_day_is_in_its_period_and_all_of_its_days_are(day, every):
    period = period_of(day, every)
    assert period.first <= day <= period.last
    if every is not None:
        assert period_of(period.first, every) == period == period_of(period.last, every)
        before, after = period.first - timedelta(days=1), period.last + timedelta(days=1)
        assert period not in (period_of(before, every), period_of(after, every))


@pytest.mark.parametrize(
    ("every", "period"),
    [
        ("day", "2026-01-01"),
        ("week", "2025-12-29 2026-01-04"),
        ("month", "2026-01-01 2026-01-31"),
        ("year", "2026-01-01 2026-12-31"),
    ],
)
def test_periods_are_those_of_the_calendar(every, period):
    assert period_of(date(2026, 1, 1), every) == days(*period.split())


@given(dates, st.integers(0, 400), st.sampled_from(EVERY))
def test_periods_cover_days_without_gap_or_overlap(first, more, every):
    window = Days(first, first + timedelta(days=more))
    found = list(periods(window, every))
    assert len(found) == number_of_periods(window, every)
    covered = [day for period in found for day in range_of(period.common(window))]
    assert covered == list(range_of(window))
    assert len(covered) == window.length


def range_of(window):
    for number in range((window.last - window.first).days + 1):
        yield window.first + timedelta(days=number)


def test_other_words_are_refused():
    with pytest.raises(ValueError, match="every is 'decade'; allowed: day"):
        period_of(date(2026, 1, 1), "decade")
    with pytest.raises(ValueError, match="allowed: not before"):
        days("2026-01-02", "2026-01-01")
    with pytest.raises(ValueError, match="at most 36600 days"):
        Charge("d", USER, days("1900-01-01", "2026-01-01"), laplace(1.0), 0.0)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"columns": ()}, "at least one column"),
        ({"columns": ("b", "a")}, "sorted"),
        ({"columns": ("a", "a")}, "each of them once"),
        ({"columns": ("a",), "bounding": "row"}, "none with bounding row"),
        ({"columns": ("a",), "every": "year"}, "every is 'year'"),
        ({"columns": ("a",), "adjacency": "swap"}, "adjacency is 'swap'"),
        ({"columns": ("a",), "keys": ("k",)}, "with unit_partition"),
        ({"columns": ("a",), "bounding": "unit_partition", "keys": ("k", "b")}, "sorted"),
    ],
)
def test_units_that_are_none_are_refused(settings, text):
    with pytest.raises(ValueError, match=text):
        PrivacyUnit(**settings)


WINDOW = days("2026-05-28", "2026-06-02")
"""Thursday to Tuesday, over the end of a week and of a month."""

SETS = [
    frozenset(day for day, kept in zip(range_of(WINDOW), kept, strict=True) if kept)
    for kept in product([False, True], repeat=WINDOW.length)
]


def moves(before, after, every):
    """Fewest additions and removals of whole units that turn one user's days into others."""
    units = {period_of(day, every) for day in before | after}
    contents = [
        (
            {d for d in before if u.first <= d <= u.last},
            {d for d in after if u.first <= d <= u.last},
        )
        for u in units
    ]
    return sum(bool(old) + bool(new) for old, new in contents if old != new)


@pytest.mark.parametrize("every", ["day", "week", "month", None])
@pytest.mark.parametrize("of_account", ["day", "week", "month", None])
def test_steps_are_the_most_moves_that_any_data_need(of_account, every):
    account, unit = PrivacyUnit(("u",), of_account), PrivacyUnit(("u",), every)
    for bucket in periods(WINDOW, of_account):
        most = 0
        for rows in SETS:
            left = frozenset(day for day in rows if not bucket.first <= day <= bucket.last)
            most = max(most, moves(rows, left, every))
        assert steps(account, bucket, unit, WINDOW) == most


@pytest.mark.parametrize("every", ["day", "week", None])
@pytest.mark.parametrize("of_account", ["day", "week", None])
def test_replacing_is_removing_one_and_adding_another(of_account, every):
    """The worst is two units that keep what is outside the bucket and differ inside."""
    account = PrivacyUnit(("u",), of_account, "replace")
    unit = PrivacyUnit(("u",), every)
    alone = PrivacyUnit(("u",), of_account)
    for bucket in periods(WINDOW, of_account):
        assert steps(account, bucket, unit, WINDOW) == 2 * steps(alone, bucket, unit, WINDOW)


def test_user_days_of_one_user_are_as_many_as_the_days_of_the_window():
    assert steps(USER, ALWAYS, USER_DAY, days("2026-11-09", "2026-11-15")) == 7
    assert steps(USER_DAY, days("2026-11-09"), USER_DAY, days("2026-11-09", "2026-11-15")) == 1
    assert steps(USER_DAY, days("2026-11-09"), USER, days("2026-11-09", "2026-11-15")) == 2


ROW = PrivacyUnit((), "day", bounding="row")
PAIR = PrivacyUnit(("u",), bounding="unit_partition")
BY_K = PrivacyUnit(("u",), bounding="unit_partition", keys=("k",))
BY_K_AND_B = PrivacyUnit(("u",), bounding="unit_partition", keys=("b", "k"))
BOTH = PrivacyUnit(("device", "u"))
ONE = PrivacyUnit(("u",))
REPLACED = PrivacyUnit(("u",), adjacency="replace")


@pytest.mark.parametrize(
    ("account", "unit", "expected"),
    [
        (ONE, ONE, 1),
        (ONE, BOTH, None),
        (BOTH, ONE, 2),
        (ONE, PrivacyUnit(("x",)), None),
        (ONE, PAIR, None),
        (ONE, ROW, None),
        (PAIR, ROW, None),
        (PAIR, PAIR, 1),
        (BY_K, BY_K, 1),
        (BY_K_AND_B, BY_K, 2),
        (PAIR, BY_K, 2),
        (PAIR, ONE, 2),
        (ROW, ROW, 1),
        (ROW, ONE, 2),
        (ROW, PAIR, 2),
        (ONE, REPLACED, None),
        (REPLACED, REPLACED, 1),
        (REPLACED, ONE, 2),
        (PrivacyUnit(("u",), "day", "replace"), REPLACED, None),
        (REPLACED, PrivacyUnit(("u",), "day", "replace"), None),
    ],
)
def test_what_a_guarantee_says_about_another_unit(account, unit, expected):
    assert steps(account, period_of(WINDOW.first, account.every), unit, WINDOW) == expected


def test_units_read_well():
    assert str(USER_DAY) == "user_id of one day"
    assert str(PrivacyUnit(("a", "b"), adjacency="replace")) == "a + b, replaced"
    assert str(ROW) == "row of one day"
    assert str(PAIR) == "u and keys"
    assert str(ALWAYS) == "all time"
