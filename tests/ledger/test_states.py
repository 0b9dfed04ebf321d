"""The ledger against a model that is a table of allowed moves; every order of events."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ledger_examples import KEY, ROOMY, MemoryStore, charge, draw, fire, request

from pipelines.ledger import Ledger, LedgerError, ReleaseKey, verify

ALLOWED = {
    "none": {"reserve": "reserved"},
    "reserved": {"reserve": "reserved", "draw": "drawing", "void": "voided"},
    "drawing": {
        "reserve": "drawing",
        "redraw": "drawing",
        "drawn": "drawn",
        "abandon": "abandoned",
    },
    "drawn": {
        "reserve": "drawn",
        "drawn": "drawn",
        "publish": "published",
        "abandon": "abandoned",
    },
    "published": {
        "reserve": "published",
        "drawn": "published",
        "publish": "published",
        "withdraw": "withdrawn",
    },
    "voided": {"reserve": "reserved", "void": "voided"},
    "abandoned": {"reserve": "abandoned", "abandon": "abandoned"},
    "withdrawn": {
        "reserve": "withdrawn",
        "publish": "withdrawn",
        "drawn": "withdrawn",
        "withdraw": "withdrawn",
    },
}
"""State by event; what is not here is refused. A repeated event changes nothing."""

EVENTS = ["reserve", "draw", "redraw", "drawn", "publish", "void", "abandon", "withdraw"]


class Machine(RuleBasedStateMachine):
    """Two periods, up to three versions each, in one ledger."""

    def __init__(self):
        super().__init__()
        self.ledger = Ledger(MemoryStore())
        self.states = {}
        self.attempts = {}
        self.charges = 0
        self.lengths = [0]

    @rule(
        event=st.sampled_from(EVENTS),
        period=st.sampled_from(["2026-W46", "2026-W47"]),
        version=st.integers(1, 3),
    )
    def event(self, event, period, version):
        key = ReleaseKey("weekly", period, version)
        state = self.states.get(key, "none")
        after = ALLOWED[state].get(event)
        if state == "abandoned" and event == "drawn" and self.drawn_before_abandoned(key):
            after = "abandoned"
        if event == "reserve" and state in ("none", "voided") and not self.is_next(key):
            after = None
        before = self.ledger.store.lines
        attempt = self.attempts.get(key, 0)
        if after is None:
            with pytest.raises(LedgerError):
                fire(self.ledger, event, key, attempt)
            assert self.ledger.store.lines == before
            return
        release = fire(self.ledger, event, key, attempt)
        assert release.state == after
        changed = state != after or event == "redraw"
        assert len(self.ledger.store.lines) - len(before) == changed
        if event in ("draw", "redraw"):
            self.attempts[key] = attempt + 1
        if event == "reserve" and changed:
            self.attempts[key] = 0
        assert release.attempt == self.attempts[key]
        self.states[key] = after

    def drawn_before_abandoned(self, key):
        return self.ledger.book().releases[key].staged != ""

    def is_next(self, key):
        versions = {
            other.version: state
            for other, state in self.states.items()
            if other.period == key.period and state != "voided"
        }
        last = max(versions, default=0)
        ended = last == 0 or versions[last] in ("published", "abandoned", "withdrawn")
        return key.version == last + 1 and ended

    @precondition(lambda self: any(s == "drawing" for s in self.states.values()))
    @rule()
    def an_attempt_that_was_replaced_is_refused(self):
        key = next(k for k, state in self.states.items() if state == "drawing")
        for attempt in {self.attempts[key] - 1, self.attempts[key] + 1} - {0}:
            with pytest.raises(LedgerError, match="attempt"):
                self.ledger.drawn(key, attempt, "d" * 64)

    @invariant()
    def the_ledger_verifies_and_says_what_the_model_says(self):
        book = verify(self.ledger.store.lines)
        assert {key: release.state for key, release in book.releases.items()} == self.states
        charged = {release.key for release in book.charged("events")}
        assert charged == {key for key, state in self.states.items() if state != "voided"}

    @invariant()
    def one_draw_at_most_is_ever_shown_for_one_charge(self):
        book = verify(self.ledger.store.lines)
        for release in book.releases.values():
            if release.publication:
                assert release.staged
                assert release.is_charged


Machine.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestTheStateMachine = Machine.TestCase


@pytest.mark.parametrize("state", [state for state in ALLOWED if state != "none"])
def test_only_a_voided_release_gives_its_charge_back(state):
    ledger = Ledger(MemoryStore())
    ways = {
        "reserved": ["reserve"],
        "drawing": ["reserve", "draw"],
        "drawn": ["reserve", "draw", "drawn"],
        "published": ["reserve", "draw", "drawn", "publish"],
        "voided": ["reserve", "void"],
        "abandoned": ["reserve", "draw", "abandon"],
        "withdrawn": ["reserve", "draw", "drawn", "publish", "withdraw"],
    }
    for event in ways[state]:
        fire(ledger, event)
    (release,) = ledger.book().releases.values()
    assert release.state == state
    assert ledger.book().charged("events") == ([] if state == "voided" else [release])


@pytest.mark.parametrize("events", [["reserve", "draw"], ["reserve", "draw", "drawn"]])
def test_nothing_is_voided_once_a_worker_was_told_to_draw(events):
    ledger = Ledger(MemoryStore())
    for event in events:
        fire(ledger, event)
    with pytest.raises(LedgerError, match="cannot be voided"):
        fire(ledger, "void")
    assert len(ledger.book().charged("events")) == 1


def test_a_worker_is_not_told_to_draw_what_was_voided():
    ledger = Ledger(MemoryStore())
    fire(ledger, "reserve")
    fire(ledger, "void")
    with pytest.raises(LedgerError, match="cannot be drawing, as it is voided"):
        fire(ledger, "draw")


def test_a_reservation_that_was_voided_is_not_drawn_for_the_next_one():
    """The first run would draw its plan under the charge of the second."""
    ledger = Ledger(MemoryStore())
    first = fire(ledger, "reserve")
    fire(ledger, "void")
    second = ledger.reserve(request(plan="b" * 64, charged=charge("2026-11-10")), ROOMY)
    with pytest.raises(LedgerError, match=r"voided since this run reserved it \(entry 1\)"):
        ledger.draw(first)
    assert ledger.draw(second).plan == "b" * 64


def test_a_second_worker_does_not_draw_while_another_may():
    ledger = Ledger(MemoryStore())
    fire(ledger, "reserve")
    assert fire(ledger, "draw").attempt == 1
    with pytest.raises(LedgerError, match=r"attempt 1 to draw .* is under way, or died"):
        fire(ledger, "draw")
    with pytest.raises(LedgerError, match="under way"):
        draw(ledger, KEY, replaces=2)


def test_a_dead_attempt_is_replaced_and_cannot_come_back():
    ledger = Ledger(MemoryStore())
    fire(ledger, "reserve")
    fire(ledger, "draw")
    assert draw(ledger, KEY, replaces=1).attempt == 2
    with pytest.raises(LedgerError, match="allowed: attempt 2"):
        ledger.drawn(KEY, 1, "d" * 64)
    assert ledger.drawn(KEY, 2, "f" * 64).staged == "f" * 64
    with pytest.raises(LedgerError, match="cannot be drawn"):
        ledger.drawn(KEY, 2, "d" * 64)


def test_there_is_no_other_draw_once_one_is_committed():
    ledger = Ledger(MemoryStore())
    for event in ("reserve", "draw", "drawn"):
        fire(ledger, event)
    with pytest.raises(LedgerError, match="cannot be drawing, as it is drawn"):
        draw(ledger, KEY, replaces=1)
    with pytest.raises(LedgerError, match="under way, or died"):
        draw(ledger, KEY)
    fire(ledger, "publish")
    with pytest.raises(LedgerError, match="cannot be published"):
        ledger.publish(KEY, "0" * 64)


def test_another_plan_of_the_same_period_is_refused():
    ledger = Ledger(MemoryStore())
    fire(ledger, "reserve")
    with pytest.raises(LedgerError, match=r"another plan .*allowed: .*a correction"):
        ledger.reserve(request(plan="b" * 64), ROOMY)
    assert len(ledger.store.lines) == 1


def test_the_same_plan_with_another_charge_is_refused():
    ledger = Ledger(MemoryStore())
    fire(ledger, "reserve")
    with pytest.raises(LedgerError, match="another charge"):
        ledger.reserve(request(charged=charge("2026-11-10")), ROOMY)


def test_a_correction_needs_a_reason_and_something_to_correct():
    ledger = Ledger(MemoryStore())
    correction = request(version=2, plan="b" * 64, reason="late events")
    with pytest.raises(LedgerError, match="allowed: version 1"):
        ledger.reserve(correction, ROOMY)
    fire(ledger, "reserve")
    with pytest.raises(LedgerError, match="as weekly@2026-W46 is reserved"):
        ledger.reserve(correction, ROOMY)
    for event in ("draw", "drawn", "publish"):
        fire(ledger, event)
    with pytest.raises(LedgerError, match="without a reason"):
        ledger.reserve(request(version=2, plan="b" * 64), ROOMY)
    ledger.reserve(correction, ROOMY)
    assert len(ledger.book().charged("events")) == 2


def test_a_tuning_is_spent_at_once_and_once():
    ledger = Ledger(MemoryStore())
    tuning = request("thresholds of November")
    assert ledger.tune(tuning, ROOMY).state == "tuning"
    assert ledger.tune(tuning, ROOMY).is_charged
    assert len(ledger.book().charged("events")) == 1
    ledger.tune(request("thresholds of November", plan="c" * 64), ROOMY)
    assert len(ledger.book().charged("events")) == 2


def test_a_note_is_kept_and_charges_nothing():
    ledger = Ledger(MemoryStore())
    ledger.note("events", "thresholds were chosen on the raw data of 2025")
    (note,) = ledger.book().notes
    assert (note.dataset, note.entry) == ("events", 1)
    assert not ledger.book().charged("events")
