"""64 processes race for room for one."""

import json
import multiprocessing
import os
import sys
from pathlib import Path

import pytest
from ledger_examples import charge, laplace, policy, request

from pipelines.ledger import Ledger, RefusedError, verify
from pipelines.ledger.store import open_store

RACERS = 64
PROCESSES = 2
"""Each races with 32 threads at once, as 64 starts of Python take too long on two cores."""


def race(place, numbers, gate, results):
    """Reserves one release per thread, all at once, for one cap with room for one."""
    from concurrent.futures import ThreadPoolExecutor

    rules = policy({"epsilon": 1.0})

    def reserve(number):
        ledger = Ledger(open_store(place))
        try:
            return ledger.reserve(request(f"p{number}", charge(mechanisms=laplace(0.6))), rules)
        except RefusedError:
            return None

    gate.wait(50)
    with ThreadPoolExecutor(len(numbers)) as threads:
        results.put([release is not None for release in threads.map(reserve, numbers)])


def draw(place, numbers, gate, results):
    """Asks to draw one release, once per thread."""
    from concurrent.futures import ThreadPoolExecutor

    from ledger_examples import draw as draw_once

    from pipelines.ledger import LedgerError

    def ask(_):
        try:
            return draw_once(Ledger(open_store(place)))
        except LedgerError:
            return None

    gate.wait(50)
    with ThreadPoolExecutor(len(numbers)) as threads:
        results.put([release is not None for release in threads.map(ask, numbers)])


def winners(target, place):
    """Runs a race in processes that are started anew, and counts who won."""
    context = multiprocessing.get_context("spawn")
    gate, results = context.Barrier(PROCESSES), context.Queue()
    each = RACERS // PROCESSES
    processes = [
        context.Process(target=target, args=(place, range(n * each, (n + 1) * each), gate, results))
        for n in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    won = [won for _ in processes for won in results.get(timeout=50)]
    for process in processes:
        process.join(10)
    assert len(won) == RACERS
    return sum(won)


@pytest.fixture(autouse=True)
def path_for_children(monkeypatch):
    paths = [str(Path(__file__).parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    assert sys.version_info >= (3, 11)


@pytest.mark.slow
def test_exactly_one_of_64_gets_the_room_for_one(place):
    assert winners(race, place) == 1
    lines = open_store(place).read().lines
    verify(lines)
    assert [json.loads(line)["kind"] for line in lines] == ["reserved"]


@pytest.mark.slow
def test_exactly_one_of_64_may_draw(place):
    Ledger(open_store(place)).reserve(request(), policy({"epsilon": 1.0}))
    assert winners(draw, place) == 1
    lines = open_store(place).read().lines
    verify(lines)
    assert [json.loads(line)["kind"] for line in lines] == ["reserved", "drawing"]
