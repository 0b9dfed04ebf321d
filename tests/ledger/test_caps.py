"""What fits under which cap, and the explanation of what does not."""

import json
import math
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_examples import (
    USER,
    USER_DAY,
    MemoryStore,
    charge,
    days,
    laplace,
    policy,
    request,
)

from pipelines.ledger import Days, Ledger, LedgerError, PrivacyUnit, RefusedError
from pipelines.ledger.cells import cells
from pipelines.ledger.composition import composed, epsilon_at
from pipelines.ledger.policy import Cap
from pipelines.ledger.states import Release
from transforms.accounting import AccountingError, FailureLoss, GaussianLoss, LaplaceLoss
from transforms.budget import Budget


def reserve(ledger, rules, number, *charged, **more):
    return ledger.reserve(request(f"p{number}", charge(*charged, **more)), rules)


def refused(ledger, rules, number, *charged, **more):
    before = ledger.store.lines
    with pytest.raises(RefusedError) as caught:
        reserve(ledger, rules, number, *charged, **more)
    assert ledger.store.lines == before
    return caught.value.refusal


@pytest.fixture
def ledger():
    return Ledger(MemoryStore())


def test_what_fills_a_cap_exactly_fits_and_one_ulp_more_does_not(ledger):
    rules = policy({"epsilon": 1.0})
    reserve(ledger, rules, 1, "2026-11-09", laplace(0.75))
    refused(ledger, rules, 2, "2026-11-10", laplace(math.nextafter(0.25, 1)))
    reserve(ledger, rules, 2, "2026-11-10", laplace(0.25))
    refused(ledger, rules, 3, "2026-11-11", laplace(1e-9))


def test_what_fills_a_cap_with_a_delta_exactly_fits_and_one_ulp_less_does_not():
    losses = [GaussianLoss(0.1), LaplaceLoss(0.2), GaussianLoss(0.1), LaplaceLoss(0.2)]
    price = epsilon_at(composed(losses), 1e-6)
    mechanisms = ((GaussianLoss(0.1),), (LaplaceLoss(0.2),))
    for cap, fits in ((price, True), (math.nextafter(price, 0), False)):
        ledger, rules = Ledger(MemoryStore()), policy({"epsilon": cap, "delta": 1e-6})
        reserve(ledger, rules, 1, "2026-11-09", mechanisms)
        (reserve if fits else refused)(ledger, rules, 2, "2026-11-10", mechanisms)


def test_releases_compose_and_are_not_added_up(ledger):
    """20 releases of epsilon 0.2: together far less than 4."""
    rules = policy({"epsilon": 3.8, "delta": 1e-6})
    for number in range(20):
        reserve(ledger, rules, number, "2026-11-09", laplace(0.2))


def test_rho_is_added_up(ledger):
    rules = policy({"rho": 0.02})
    mechanisms = ((GaussianLoss(0.125),),)
    for number in range(2):
        reserve(ledger, rules, number, "2026-11-09", mechanisms)
    refused(ledger, rules, 3, "2026-11-09", mechanisms)


def test_failures_need_a_delta_under_rho(ledger):
    rules = policy({"rho": 1, "delta": 1.5e-9})
    mechanisms = ((GaussianLoss(0.1), FailureLoss(1e-9)),)
    reserve(ledger, rules, 1, "2026-11-09", mechanisms)
    assert refused(ledger, rules, 2, "2026-11-09", mechanisms).shortfalls[0].failed > 1.9e-9


def test_disjoint_days_compose_in_parallel_for_user_days(ledger):
    rules = policy({"every": "day", "epsilon": 1.0})
    for day in range(1, 29):
        reserve(ledger, rules, day, f"2026-11-{day:02}", laplace(1.0), unit=USER_DAY)
    refusal = refused(ledger, rules, 40, "2026-11-28 2026-11-30", laplace(0.1), unit=USER_DAY)
    (short,) = refusal.shortfalls
    assert short.cell.bucket == days("2026-11-28")
    assert refusal.returns == date(2026, 11, 29)
    reserve(ledger, rules, 40, "2026-11-29 2026-11-30", laplace(1.0), unit=USER_DAY)


def test_charges_for_a_user_compose_over_all_days(ledger):
    rules = policy({"epsilon": 1.0})
    reserve(ledger, rules, 1, "2020-01-01", laplace(0.6))
    refusal = refused(ledger, rules, 2, "2026-11-09", laplace(0.6))
    assert refusal.returns is None
    assert refusal.largest == 0.399 or refusal.largest == 0.4


def test_a_user_day_charge_counts_for_a_user_once_for_each_day_of_its_window(ledger):
    rules = policy({"epsilon": 0.7})
    week = "2026-11-09 2026-11-15"
    refused(ledger, rules, 1, week, laplace(0.1001), unit=USER_DAY)
    reserve(ledger, rules, 1, week, laplace(0.0999), unit=USER_DAY)
    refused(ledger, rules, 2, "2027-01-01", laplace(0.1), unit=USER_DAY)


def test_a_charge_for_a_user_counts_twice_for_its_days_and_not_for_others(ledger):
    rules = policy({"every": "day", "epsilon": 1.0})
    reserve(ledger, rules, 1, "2026-11-09 2026-11-10", laplace(0.5))
    refused(ledger, rules, 2, "2026-11-10", laplace(0.1), unit=USER_DAY)
    reserve(ledger, rules, 2, "2026-11-11", laplace(1.0), unit=USER_DAY)


def test_a_unit_that_a_cap_does_not_bound_is_refused(ledger):
    rules = policy({"epsilon": 100}, units=["user_id", "device"])
    refusal = refused(ledger, rules, 1, unit=PrivacyUnit(("device", "user_id")))
    assert "nothing bounds what is lost about that unit" in str(refusal)
    assert "the release protects one device + user_id; the policy caps: one user_id" in str(refusal)
    assert refusal.largest is None
    assert refusal.to_json()["shortfalls"][0]["needed"] is None


def test_a_cap_on_a_unit_that_the_release_does_not_have_names_both(ledger):
    caps = ({"unit": "userid", "epsilon": 9}, {"unit": "userid", "every": "day", "epsilon": 1})
    rules = policy(*caps, units=["user_id"])
    refusal = refused(ledger, rules, 1)
    line = "the release protects one user_id; the policy caps: one userid, one userid of one day"
    assert line in str(refusal).splitlines()
    found = refusal.to_json()
    assert (found["protects"], found["capped"]) == ("user_id", ["userid", "userid of one day"])


def test_a_refusal_for_want_of_room_does_not_speak_of_units(ledger):
    refusal = refused(ledger, policy({"epsilon": 0.1}), 1)
    assert "the policy caps" not in str(refusal)


def test_a_cap_per_release_counts_nothing_else(ledger):
    rules = policy({"epsilon": 0.5, "per": "release"})
    for number in range(5):
        reserve(ledger, rules, number, "2026-11-09", laplace(0.5))
    refusal = refused(ledger, rules, 9, "2026-11-09", laplace(0.6))
    assert refusal.returns is None
    assert 0.498 <= refusal.largest <= 0.5


def test_calendar_caps_begin_anew_and_sliding_ones_do_not(ledger):
    """The boundary effect: two days, two months, twice the cap; never so in 30 days in a row."""
    monthly = policy({"epsilon": 1, "per": "month"})
    reserve(ledger, monthly, 1, "2026-10-31", laplace(1.0))
    reserve(ledger, monthly, 2, "2026-11-01", laplace(1.0))
    sliding = policy({"epsilon": 1, "per": "30 days"})
    other = Ledger(MemoryStore())
    reserve(other, sliding, 1, "2026-10-31", laplace(1.0))
    refusal = refused(other, sliding, 2, "2026-11-01", laplace(1.0))
    assert refusal.returns == date(2026, 11, 30)
    refused(other, sliding, 2, "2026-11-29", laplace(1.0))
    reserve(other, sliding, 2, "2026-11-30", laplace(1.0))


def test_late_and_backfilled_releases_count_where_their_rows_are(ledger):
    sliding = policy({"epsilon": 1, "per": "7 days"})
    reserve(ledger, sliding, 1, "2026-11-09", laplace(1.0))
    reserve(ledger, sliding, 2, "2026-11-02", laplace(1.0))
    refused(ledger, sliding, 3, "2026-11-05", laplace(0.5))
    reserve(ledger, sliding, 3, "2026-10-26", laplace(1.0))


def test_a_window_of_many_days_counts_in_every_month_that_it_reads(ledger):
    monthly = policy({"epsilon": 1, "per": "month"})
    reserve(ledger, monthly, 1, "2026-10-20 2026-11-02", laplace(0.6))
    refused(ledger, monthly, 2, "2026-11-20", laplace(0.6))
    refused(ledger, monthly, 2, "2026-10-01", laplace(0.6))
    refusal = refused(ledger, monthly, 2, "2026-09-25 2026-10-03", laplace(0.6))
    assert refusal.shortfalls[0].cell.span == days("2026-10-01", "2026-10-31")
    assert refusal.returns == date(2026, 12, 1)


def test_every_cap_must_have_room(ledger):
    rules = policy({"epsilon": 10}, {"epsilon": 1, "per": "week"}, {"epsilon": 1.5, "per": "year"})
    reserve(ledger, rules, 1, "2026-11-09", laplace(1.0))
    refusal = refused(ledger, rules, 2, "2026-11-10", laplace(1.0))
    assert [short.cell.cap.per for short in refusal.shortfalls] == ["week", "year"]
    assert refusal.returns == date(2027, 1, 1)
    refused(ledger, rules, 2, "2026-11-16", laplace(1.0))
    reserve(ledger, rules, 2, "2026-11-16", laplace(0.5))


def test_voided_releases_give_room_back_and_abandoned_ones_do_not(ledger):
    rules = policy({"epsilon": 1})
    first = reserve(ledger, rules, 1, "2026-11-09", laplace(1.0))
    refused(ledger, rules, 2, "2026-11-09", laplace(1.0))
    ledger.void(first.key, "the input was late")
    second = reserve(ledger, rules, 2, "2026-11-09", laplace(1.0))
    ledger.draw(second)
    ledger.abandon(second.key, "the machine was lost")
    refused(ledger, rules, 3, "2026-11-09", laplace(0.1))
    refused(ledger, rules, 1, "2026-11-09", laplace(1.0))


def test_what_is_reserved_stays_so_under_a_stricter_policy(ledger):
    reserve(ledger, policy({"epsilon": 1}), 1, "2026-11-09", laplace(1.0))
    again = reserve(ledger, policy({"epsilon": 0.1}), 1, "2026-11-09", laplace(1.0))
    assert again.state == "reserved"
    assert len(ledger.store.lines) == 1


def test_a_tuning_counts_as_well(ledger):
    rules = policy({"epsilon": 1})
    ledger.tune(request("tuning", charge(mechanisms=laplace(0.8))), rules)
    refused(ledger, rules, 1, "2026-11-09", laplace(0.3))
    with pytest.raises(RefusedError):
        ledger.tune(request("more", charge(mechanisms=laplace(0.3))), rules)


def test_other_datasets_do_not_count_and_unknown_ones_are_refused(ledger):
    rules = policy({"epsilon": 1})
    refusal = refused(ledger, rules, 1, dataset="evnts")
    assert "charges the dataset 'evnts', which the policy does not have" in str(refusal)
    assert "did you mean 'events'?" in str(refusal)


def test_an_objection_is_refused_although_it_fits(ledger):
    rules = policy({"epsilon": 1}, min_pre_threshold=10)
    with pytest.raises(RefusedError, match="has a pre_threshold of 3; allowed: 10 or more"):
        ledger.reserve(request(pre_thresholds=(3,)), rules)
    assert ledger.store.lines == ()


def test_without_a_price_nothing_is_reserved(ledger, monkeypatch):
    def disagree(*_):
        raise AccountingError("two ways disagree")

    monkeypatch.setattr("pipelines.ledger.decision.fits", disagree)
    with pytest.raises(LedgerError, match="has no price: two ways disagree"):
        reserve(ledger, policy({"epsilon": 1}), 1)
    assert ledger.store.lines == ()


def test_the_explanation_names_entries_windows_what_fits_and_when(ledger):
    rules = policy({"epsilon": 1, "per": "28 days"})
    reserve(ledger, rules, 1, "2026-11-02 2026-11-08", laplace(0.5))
    reserve(ledger, rules, 2, "2026-11-09 2026-11-15", laplace(0.25))
    refusal = refused(ledger, rules, 3, "2026-11-16 2026-11-22", laplace(0.25, 0.25))
    assert str(refusal).splitlines() == [
        "weekly@p3 is refused; nothing was drawn and nothing is charged",
        "the cap of epsilon 1 at delta 0 per 28 days for one user_id: epsilon 0.75 is used by "
        "2 entries with input of 2026-11-08 to 2026-12-05, and 1.25 would be, at delta 0 for "
        "failures",
        "  entry 1: weekly@p1, reserved, input of 2026-11-02 to 2026-11-08",
        "  entry 2: weekly@p2, reserved, input of 2026-11-09 to 2026-11-15",
        f"it costs epsilon 0.5 alone; what would fit: epsilon {refusal.largest}",
        "room for the release as it is returns: for input that begins on 2026-12-06",
    ]
    assert 0.248 <= refusal.largest <= 0.25
    assert json.loads(json.dumps(refusal.to_json()))["returns"] == "2026-12-06"
    largest = refusal.largest / 2
    reserve(ledger, rules, 3, "2026-11-16 2026-11-22", laplace(largest, largest))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), min_size=1, max_size=12),
    st.integers(1, 20),
    st.tuples(st.integers(0, 60), st.integers(0, 9)),
)
def test_sliding_cells_hold_every_set_that_any_span_holds(windows, length, asked):
    """Of all spans, those that are looked at have the largest sets of releases."""
    start = date(2026, 1, 1)

    def window(first, more):
        return Days(start + timedelta(days=first), start + timedelta(days=first + more))

    releases = [
        Release(request(f"p{n}").key, "", charge(str_of(window(*each))), "reserved", entries=(n,))
        for n, each in enumerate(windows)
    ]
    new = window(*asked)
    cap = Cap(USER, f"{length} days", Budget(1.0))
    found = [{r.entries[0] for r in cell.releases} for cell in cells(cap, new, releases)]
    for first in range(-30, 100):
        span = window(first, length - 1)
        if span.overlaps(new):
            inside = {r.entries[0] for r in releases if r.charge.window.overlaps(span)}
            assert any(inside <= looked_at for looked_at in found)
    for cell in cells(cap, new, releases):
        assert cell.span.length == length
        assert cell.span.overlaps(new)


def str_of(window):
    return f"{window.first} {window.last}"


def test_a_clock_that_goes_backwards_moves_no_cap():
    """The same requests are accepted and refused whatever the clock says."""
    rules = policy({"epsilon": 1, "per": "month"})
    answers = []
    for hours in ([0, 1, 2], [0, -5000, -90000]):
        start = datetime(2026, 11, 23, tzinfo=UTC)
        ticks = iter([start + timedelta(hours=hour) for hour in hours])
        ledger = Ledger(MemoryStore(), clock=lambda ticks=ticks: next(ticks))
        given = []
        for number, window in enumerate(["2026-11-01", "2026-11-30", "2026-12-01"]):
            try:
                reserve(ledger, rules, number, window, laplace(0.75))
                given.append(True)
            except LedgerError:
                given.append(False)
        answers.append(given)
    assert answers == [[True, False, True]] * 2


def test_releases_with_other_keys_count_twice_about_rows_that_share_all_keys(ledger):
    """A user's rows with one country are in many emoji, so the account is about both keys."""
    rules = policy(
        {"bounding": "unit_partition", "epsilon": 4, "delta": 1e-6}, bounding=["unit_partition"]
    )
    by_country, by_emoji = (
        PrivacyUnit(("user_id",), bounding="unit_partition", keys=(key,))
        for key in ("country", "emoji")
    )
    for number in range(2):
        ledger.reserve(
            request(f"c{number}", charge(mechanisms=laplace(1.0), unit=by_country)), rules
        )
    with pytest.raises(RefusedError):
        ledger.reserve(request("e", charge(mechanisms=laplace(1.0), unit=by_emoji)), rules)
    ledger.reserve(request("c2", charge(mechanisms=laplace(1.0), unit=by_country)), rules)


def test_keys_of_a_charge_are_read_back(ledger):
    unit = PrivacyUnit(("user_id",), bounding="unit_partition", keys=("b", "k"))
    rules = policy({"bounding": "unit_partition", "epsilon": 4}, bounding=["unit_partition"])
    ledger.reserve(request("c", charge(unit=unit)), rules)
    (release,) = ledger.book().charged("events")
    assert release.charge.unit == unit
