"""Lines are canonical and chained; every edit, cut and repetition is found and named."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_examples import KEY, ONE_OF_EACH, ROOMY, MemoryStore, charge, fire, request

from pipelines.ledger import BrokenLedgerError, Charge, Head, Ledger, verify
from pipelines.ledger.entries import canonical_json, digest_of, head_of, parse_entries
from pipelines.ledger.losses_json import mechanisms_from_json, mechanisms_to_json
from transforms.accounting import ApproximateLoss, FailureLoss, GaussianLoss, LaplaceLoss


@pytest.fixture
def lines():
    """Two releases, a tuning and a note."""
    ledger = Ledger(MemoryStore())
    for event in ("reserve", "draw", "drawn", "publish", "withdraw"):
        fire(ledger, event)
    ledger.reserve(request("2026-W47", charge("2026-11-16 2026-11-22", ONE_OF_EACH)), ROOMY)
    ledger.tune(request("tuning"), ROOMY)
    ledger.note("events", "a look")
    return list(ledger.store.lines)


def rewritten(lines, number, /, **changes):
    """Changes one entry, and chains all after it anew, as a forger would."""
    made = []
    for position, line in enumerate(lines, 1):
        values = json.loads(line)
        values["number"] = position
        values["previous"] = head_of(made).digest
        if position == number:
            values |= changes
        made.append(canonical_json(values))
    return made


def broken(lines, *remembered):
    with pytest.raises(BrokenLedgerError) as caught:
        verify(lines, remembered)
    assert f"entry {caught.value.number} of the ledger: " in str(caught.value)
    return caught.value


def test_entries_come_back_as_they_were(lines):
    entries = parse_entries(lines)
    assert [entry.line() for entry in entries] == lines
    assert [entry.number for entry in entries] == list(range(1, 9))
    assert entries[5].charge == charge("2026-11-16 2026-11-22", ONE_OF_EACH)


def test_ids_differ_although_all_else_is_equal(lines):
    assert len({json.loads(line)["id"] for line in lines}) == len(lines)


positive = st.floats(1e-12, 25.0)
deltas = st.floats(0, 1, exclude_max=True)
losses = st.one_of(
    positive.map(LaplaceLoss),
    positive.map(GaussianLoss),
    deltas.map(FailureLoss),
    st.builds(ApproximateLoss, positive, deltas, st.integers(1, 1000)),
)


@given(st.lists(st.lists(losses, min_size=1).map(tuple), min_size=1).map(tuple))
def test_losses_come_back_to_the_last_bit(mechanisms):
    text = canonical_json(mechanisms_to_json(mechanisms))
    assert mechanisms_from_json(json.loads(text)) == mechanisms
    made = Charge.from_json(json.loads(canonical_json(charge(mechanisms=mechanisms).to_json())))
    assert made == charge(mechanisms=mechanisms)


@pytest.mark.parametrize(
    "value", [{}, {"loss": "x"}, {"loss": "laplace"}, {"loss": "laplace", "mu": 1}]
)
def test_what_is_no_loss_is_refused(value):
    with pytest.raises(ValueError, match="is no loss"):
        mechanisms_from_json([[value]])


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_changed_character_is_found(data):
    ledger = Ledger(MemoryStore())
    for event in ("reserve", "draw", "drawn", "publish"):
        fire(ledger, event)
    lines = list(ledger.store.lines)
    head = head_of(lines)
    number = data.draw(st.integers(1, len(lines)))
    place = data.draw(st.integers(0, len(lines[number - 1]) - 1))
    new = data.draw(st.characters(max_codepoint=255))
    line = lines[number - 1]
    if line[place] == new:
        return
    lines[number - 1] = line[:place] + new + line[place + 1 :]
    assert broken(lines, head).number in (number, number + 1)


@pytest.mark.parametrize("number", range(1, 9))
def test_a_missing_or_repeated_or_moved_entry_is_found(lines, number):
    missing = lines[: number - 1] + lines[number:]
    assert broken(missing, head_of(lines)).number == number
    repeated = lines[:number] + lines[number - 1 :]
    assert broken(repeated).number == number + 1
    if number < len(lines):
        swapped = [*lines[: number - 1], lines[number], lines[number - 1], *lines[number + 1 :]]
        assert broken(swapped).number == number


def test_a_tail_that_was_cut_off_is_found_by_a_remembered_head(lines):
    head = head_of(lines)
    for length in range(len(lines)):
        verify(lines[:length])
        error = broken(lines[:length], head)
        assert error.number == length + 1
        assert "8 entries are remembered" in str(error)
    verify([*lines], [head, Head(), head_of(lines[:3])])


def test_a_ledger_that_was_written_anew_is_found_by_a_remembered_head(lines):
    old = head_of(lines[:6])
    cheaper = charge("2026-11-16 2026-11-22").to_json()
    forged = rewritten(lines, 6, charge=cheaper)
    verify(forged)
    assert broken(forged, old).number == 6


def test_heads_are_remembered_by_the_ledger_itself(lines):
    ledger = Ledger(MemoryStore(lines[:4]), remembered=[head_of(lines)])
    with pytest.raises(BrokenLedgerError, match="entry 5"):
        fire(ledger, "withdraw")
    with pytest.raises(BrokenLedgerError, match="entry 1"):
        fire(Ledger(MemoryStore(), remembered=[head_of(lines)]), "reserve")


def test_impossible_events_are_found_although_the_chain_holds(lines):
    assert "cannot be published" in str(broken(rewritten([lines[0], lines[3]], 0)))
    assert "never reserved" in str(broken(rewritten([lines[1]], 0)))
    assert broken(rewritten([lines[0], lines[0]], 0)).number == 2
    again = [*lines[:2], lines[1]]
    assert "allowed: attempt 2" in str(broken(rewritten(again, 0)))
    assert "tuning" in str(broken(rewritten([lines[6], lines[6]], 0)))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"format": 2}, "format 2"),
        ({"kind": "refunded"}, "kind 'refunded'"),
        ({"number": True}, "values are not those"),
        ({"version": "1"}, "values are not those"),
        ({"version": 0}, "version is 0"),
        ({"more": 1}, "values are not those"),
        ({"charge": {}}, "no charge"),
        ({"charge": []}, "values are not those"),
    ],
)
def test_an_entry_of_another_shape_is_found(lines, changes, text):
    error = broken(rewritten(lines, 1, **changes))
    assert text in str(error)
    assert error.number == 1


def test_a_charge_of_another_shape_is_found(lines):
    good = json.loads(lines[0])["charge"]
    for name, value in (
        ("mechanisms", []),
        ("mechanisms", [[]]),
        ("window", ["2026-11-10", "2026-11-09"]),
        ("window", ["2026-11-10"]),
        ("window", ["soon", "later"]),
        ("unit", {**good["unit"], "columns": []}),
        ("unit", {**good["unit"], "every": "decade"}),
        ("delta", 1.0),
    ):
        assert broken(rewritten(lines, 1, charge={**good, name: value})).number == 1


def test_lines_that_are_not_canonical_are_found(lines):
    values = json.loads(lines[0])
    for line in (
        json.dumps(values),
        canonical_json(values) + " ",
        "",
        "null",
        "[" * 100_000,
        '{"a":NaN}',
    ):
        assert broken([line]).number == 1


def test_numbers_that_json_does_not_know_are_not_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"epsilon": float("inf")})


def test_nothing_depends_on_the_clock():
    """Times may go backwards, stand still, or be a century off: same chain, same states."""
    start = datetime(2026, 11, 23, tzinfo=UTC)
    offsets = iter([0, -3600, -3600, 3e9, -3e9])
    ledger = Ledger(MemoryStore(), clock=lambda: start + timedelta(seconds=next(offsets)))
    for event in ("reserve", "draw", "drawn", "publish", "withdraw"):
        fire(ledger, event)
    times = [json.loads(line)["time"] for line in ledger.store.lines]
    assert times != sorted(times)
    book = verify(ledger.store.lines)
    assert book.releases[KEY].state == "withdrawn"
    assert [entry.time for entry in parse_entries(ledger.store.lines)] == times


def test_the_head_stands_for_the_whole(lines):
    assert head_of([]) == Head() == Head(0, "0" * 64)
    assert head_of(lines) == Head(8, digest_of(lines[-1])) == verify(lines).head
