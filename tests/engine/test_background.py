"""Jobs on threads: in order, bounded, and gone after a failure."""

from __future__ import annotations

import threading
import time

import pytest

from transforms.background import Background


def test_results_come_in_the_order_of_submission():
    background = Background(2)

    def job(number):
        time.sleep(0.01 * (number % 3))
        return number

    results = [r for n in range(10) for r in background.submit(lambda n=n: job(n))]
    assert [*results, *background.drain()] == list(range(10))
    background.close()


def test_no_more_than_the_allowed_jobs_run_at_once():
    background = Background(2)
    running, most, lock = 0, 0, threading.Lock()

    def job():
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    for _ in range(8):
        list(background.submit(job))
    list(background.drain())
    background.close()
    assert most <= 2


def test_an_error_reaches_whoever_waits_and_the_rest_can_be_forgotten():
    background = Background(1)

    def fail():
        raise ValueError("no")

    list(background.submit(fail))
    with pytest.raises(ValueError, match="no"):
        list(background.submit(lambda: "left behind"))
    list(background.submit(lambda: "left behind"))
    background.discard()
    assert list(background.drain()) == []
    list(background.submit(lambda: "next bundle"))
    assert list(background.drain()) == ["next bundle"]
    background.close()
