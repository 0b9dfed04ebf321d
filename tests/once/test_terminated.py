"""A run that is told to end (SIGTERM, as Cloud Run says it) ends as after Ctrl-C."""

from __future__ import annotations

import json
import signal
import time

import pytest
import typer
from once_release import run, write_release
from small_series import kinds, state
from test_one_run_at_a_time import DRAW, finish, go, held_run

from pipelines.commands.under_way import under_way

SAID = "terminated; the same command goes on from here\n"


def test_a_terminated_run_says_so_and_the_next_one_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("DP_RELEASE_LOG", "json")
    config = write_release(tmp_path)
    with held_run(config, DRAW) as process:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        go(config)
        code, stdout, stderr = finish(process)
    assert (code, stdout) == (143, "")
    lines = [json.loads(line) for line in stderr.splitlines()]
    assert [line["message"] for line in lines if line["event"] == "problem"] == [SAID.strip()]
    assert (lines[-1]["event"], lines[-1]["exit_code"]) == ("ended", 143)
    assert not (tmp_path / "out").exists()
    assert state(config) == "drawing"
    done = run(config)
    assert (done.release.state, done.release.attempt) == ("published", 2)
    assert kinds(config)["reserved"] == 1


@pytest.mark.parametrize("ignored", [False, True], ids=["", "Ctrl-C ignored"])
def test_the_first_signal_counts_and_handlers_are_put_back(capsys, ignored):
    """A shell starts what runs in its background with Ctrl-C ignored."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    if ignored:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    cleaned = []

    def work():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            cleaned.append(True)

    try:
        with pytest.raises(typer.Exit) as caught, under_way():
            work()
    finally:
        signal.signal(signal.SIGINT, before[0])
    assert caught.value.exit_code == 143
    assert cleaned == [True]
    assert capsys.readouterr().err == SAID
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_an_interrupt_is_one_still(capsys):
    with pytest.raises(typer.Exit) as caught, under_way():
        signal.raise_signal(signal.SIGINT)
    assert caught.value.exit_code == 130
    assert capsys.readouterr().err == "interrupted; the same command goes on from here\n"
