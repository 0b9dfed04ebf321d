"""What is left, what was spent and on what, as the ledger says."""

import math
from datetime import date

import pytest
from ledger_examples import (
    ONE_OF_EACH,
    USER,
    USER_DAY,
    MemoryStore,
    charge,
    days,
    laplace,
    policy,
    request,
)

from pipelines.ledger import Ledger, PrivacyUnit
from pipelines.ledger.budget import cumulative, history, remaining
from transforms.accounting import price

RULES = policy(
    {"epsilon": 1, "per": "release", "delta": 1e-6},
    {"epsilon": 2, "per": "month", "delta": 1e-6},
    {"epsilon": 9, "every": "day", "delta": 1e-6},
    {"rho": 5, "delta": 1e-3},
)


@pytest.fixture
def ledger():
    """Two user-level releases, one for user-days, one that was voided."""
    ledger = Ledger(MemoryStore())
    for number, charged in enumerate(
        [
            charge("2026-10-26 2026-11-01", laplace(0.5)),
            charge("2026-11-02 2026-11-08", laplace(0.25)),
            charge("2026-11-08", laplace(0.125), unit=USER_DAY),
            charge("2026-11-08", laplace(0.5)),
        ]
    ):
        release = ledger.reserve(request(f"p{number}", charged), RULES)
    ledger.void(release.key, "not needed")
    return ledger


def test_each_cap_has_what_is_left_for_a_day(ledger):
    rooms = remaining(RULES.datasets["events"], ledger.book(), "events", date(2026, 11, 8))
    release, month, day, life = rooms
    assert (release.used, release.entries) == (0, ())
    assert month.entries == (1, 2, 3)
    assert month.span == days("2026-11-01", "2026-11-30")
    assert month.used == pytest.approx(0.875, abs=1e-4)
    assert month.remaining == pytest.approx(2 - month.used)
    assert day.bucket == days("2026-11-08")
    assert day.entries == (2, 3)
    assert day.used == pytest.approx(2 * 0.25 + 0.125, abs=1e-4)
    assert life.limit == 5
    assert life.used + life.remaining == pytest.approx(5)


def test_what_is_left_fits(ledger):
    """Pure epsilons add up, so the remaining epsilon fits whatever was spent before."""
    rules = policy({"epsilon": 2, "per": "month", "delta": 1e-6})

    def left():
        (room,) = remaining(rules.datasets["events"], ledger.book(), "events", date(2026, 11, 8))
        return room.remaining

    nearly_all = left() * 0.999
    ledger.reserve(request("last", charge("2026-11-08", laplace(nearly_all))), rules)
    assert 0 <= left() < 0.01


def test_history_is_in_order_with_what_each_costs_and_all_so_far(ledger):
    lines = history(ledger.book(), "events", 0.0)
    assert [line.release.key.period for line in lines] == ["p0", "p1", "p2"]
    assert [line.epsilon for line in lines] == pytest.approx([0.5, 0.25, 0.125], abs=1e-5)
    assert [line.cumulative for line in lines] == pytest.approx([0.5, 0.75, 0.875])
    assert all(0 < line.rho < line.epsilon for line in lines)


def test_cumulative_loss_is_about_user_days_and_about_users(ledger):
    user, user_day = cumulative(ledger.book(), "events", 0.0)
    assert (user.unit, user_day.unit) == (USER, USER_DAY)
    assert user.epsilon == pytest.approx(0.875)
    assert user.entries == (1, 2, 3)
    assert user_day.epsilon == pytest.approx(2 * 0.5)
    assert user_day.bucket == days("2026-10-26")
    assert user_day.entries == (1,)


def test_days_compose_in_parallel_and_the_user_still_loses_all():
    """A month of daily user-day releases: one day each for a day, thirty for a user."""
    ledger = Ledger(MemoryStore())
    rules = policy({"every": "day", "epsilon": 2, "delta": 1e-6})
    for day in range(1, 31):
        charged = charge(f"2026-11-{day:02}", ONE_OF_EACH, unit=USER_DAY)
        ledger.reserve(request(f"p{day}", charged), rules)
    user_day, user = cumulative(ledger.book(), "events", 1e-6)
    losses = [loss for mechanism in ONE_OF_EACH for loss in mechanism]
    assert user_day.epsilon == pytest.approx(price(losses, 1e-6).epsilon, rel=1e-6)
    assert len(user_day.entries) == 1
    assert user.epsilon == pytest.approx(price(losses * 30, 1e-6).epsilon, rel=1e-6)
    assert user.epsilon > 4 * user_day.epsilon
    assert history(ledger.book(), "events", 1e-6)[-1].cumulative >= user.epsilon


def test_there_is_no_figure_for_users_where_nothing_bounds_it():
    ledger = Ledger(MemoryStore())
    row = PrivacyUnit((), "day", bounding="row")
    rules = policy({"bounding": "row", "every": "day", "epsilon": 2}, bounding=["row"])
    ledger.reserve(request(charged=charge(unit=row)), rules)
    (loss,) = cumulative(ledger.book(), "events", 0.0)
    assert (loss.unit, loss.epsilon) == (row, 0.5)
    assert history(ledger.book(), "events", 0.0)[0].cumulative == math.inf
    pair = PrivacyUnit(("user_id",), bounding="unit_partition")
    lax = policy(
        {"bounding": "unit_partition", "epsilon": 2},
        bounding=["unit_partition"],
    )
    other = Ledger(MemoryStore())
    other.reserve(request(charged=charge(unit=pair)), lax)
    losses = {loss.unit: loss.epsilon for loss in cumulative(other.book(), "events", 0.0)}
    assert losses == {pair: 0.5, USER: math.inf}


def test_nothing_spent_is_nothing_to_show():
    book = Ledger(MemoryStore()).book()
    assert history(book, "events", 1e-6) == cumulative(book, "events", 1e-6) == []
    rooms = remaining(RULES.datasets["events"], book, "events", date(2026, 11, 8))
    assert [room.used for room in rooms] == [0, 0, 0, 0]
    assert all(room.remaining == pytest.approx(room.limit) for room in rooms)
