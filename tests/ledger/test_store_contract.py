"""What every store must do, whatever it is."""

import threading

import pytest
from ledger_examples import charge, laplace, policy, request

from pipelines.ledger import Ledger, RefusedError, verify
from pipelines.ledger.errors import HeadMovedError
from pipelines.ledger.store import Snapshot, open_store

LINES = ('{"a":1}', '{"text":"\\u00fc\\n"}', "x" * 200_000)


def test_a_new_store_is_empty_and_reading_does_not_make_it(store):
    assert store.read() == Snapshot()
    assert store.read() == Snapshot()


def test_lines_come_back_as_they_were_in_their_order(store):
    for number, line in enumerate(LINES):
        snapshot = store.read()
        assert snapshot.lines == LINES[:number]
        store.append(snapshot, line)
    assert store.read().lines == LINES


def test_an_append_on_an_old_snapshot_is_refused_and_leaves_nothing(store):
    empty = store.read()
    store.append(empty, LINES[0])
    with pytest.raises(HeadMovedError):
        store.append(empty, LINES[1])
    one = store.read()
    store.append(one, LINES[1])
    for old in (empty, one):
        with pytest.raises(HeadMovedError):
            store.append(old, LINES[2])
    assert store.read().lines == LINES[:2]


def test_what_one_opens_another_sees(place):
    first, second = open_store(place), open_store(place)
    snapshot = second.read()
    first.append(first.read(), LINES[0])
    assert second.read().lines == LINES[:1]
    with pytest.raises(HeadMovedError):
        second.append(snapshot, LINES[1])


def test_threads_at_once_lose_no_line_and_write_none_twice(place):
    def append(name):
        mine = open_store(place)
        for number in range(5):
            while True:
                try:
                    mine.append(mine.read(), f"{name}-{number}")
                    break
                except HeadMovedError:
                    pass

    threads = [threading.Thread(target=append, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    lines = open_store(place).read().lines
    assert sorted(lines) == [f"{name}-{number}" for name in "abcdef" for number in range(5)]
    for name in "abcdef":
        assert [line for line in lines if line[0] == name] == [f"{name}-{n}" for n in range(5)]


def test_the_place_is_named(place):
    assert open_store(place).place == place


def test_of_many_threads_one_gets_the_room_for_one(place):
    """As `test_race` has it for processes, and faster."""
    rules = policy({"epsilon": 1.0})
    start, won = threading.Barrier(12), []

    def reserve(number):
        ledger = Ledger(open_store(place))
        start.wait(30)
        try:
            ledger.reserve(request(f"p{number}", charge(mechanisms=laplace(0.6))), rules)
            won.append(number)
        except RefusedError:
            pass

    threads = [threading.Thread(target=reserve, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    (winner,) = won
    (release,) = verify(open_store(place).read().lines).charged("events")
    assert release.key.period == f"p{winner}"
