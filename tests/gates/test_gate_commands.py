"""Gates on the command line: exit codes, messages, and what `plan` says of them."""

import json
from datetime import date

import pytest
from commands import command_here
from gated import DAYS, WEEK, states, write_week


def command(*arguments, today="2026-11-16"):
    """Runs `dp-release` on a day."""
    return command_here(*arguments, today=date.fromisoformat(today))


def test_a_gate_leaves_with_1_and_says_where_and_what_is_allowed(tmp_path):
    config = write_week(tmp_path, "{on_missing: stop}", missing=DAYS[:1])
    done = command("run", config, "--period", WEEK)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"{config}:9:8: gates: stopped: 1 of 7 days of the input are missing: 2026-11-09; "
        "allowed: to run once they are there, or gates.on_missing: publish or --incomplete, which "
        "publish it with this status\n"
    )
    assert states(config) == {}


def test_json_says_which_gate(tmp_path):
    config = write_week(tmp_path, missing=DAYS[:1])
    done = command("run", config, "--period", WEEK, "--json")
    assert done.returncode == 1
    (stopped,) = json.loads(done.stdout)["stopped"]
    assert stopped["gate"] == "days"
    assert stopped["message"].startswith("stopped: 1 of 7 days")


def test_an_incomplete_release_says_so_on_the_terminal(tmp_path):
    config = write_week(tmp_path, missing=DAYS[:1])
    done = command("run", config, "--period", WEEK, "--incomplete")
    assert (done.returncode, done.stderr) == (0, "")
    said = f"r@{WEEK} is incomplete: 1 of 7 days of the input are missing: 2026-11-09"
    assert said in done.stdout.splitlines()
    again = json.loads(command("run", config, "--period", WEEK, "--json").stdout)
    assert again["completeness"]["status"] == "incomplete"
    assert not again["is_new"]


def test_a_backfill_stops_at_a_period_that_is_not_over(tmp_path):
    config = write_week(tmp_path)
    done = command("backfill", config, "--from", WEEK, "--to", "2026-W47")
    assert done.returncode == 1
    assert done.stdout.startswith(f"r@{WEEK}: published, in ")
    assert "the period is not over" in done.stderr


@pytest.mark.parametrize(
    ("today", "says"),
    [
        ("2026-11-12", "would stop today: the period is not over, its last day is 2026-11-15"),
        ("2026-11-16", None),
        ("2027-11-16", "would stop today: is 90 days, and the period begins on 2026-11-09; "),
    ],
)
def test_plan_shows_the_gates_and_which_would_stop_today(tmp_path, today, says):
    gates = "{retention: 90 days, files: [7, 9], partitions: {t: {number: [1, 2]}}}"
    config = write_week(tmp_path, gates)
    done = command("plan", config, "--period", WEEK, today=today)
    assert done.returncode == 0
    assert "gates of 2026-W46: the period is over; days of dt; 7 to 9 files; " in done.stdout
    assert ("would stop" in done.stdout) == (says is not None)
    assert says is None or says in " ".join(done.stdout.split())
    shown = json.loads(command("plan", config, "--period", WEEK, "--json", today=today).stdout)
    assert shown["gates"]["stops"] == ([] if says is None else shown["gates"]["stops"])
    assert len(shown["gates"]["expects"]) == 5
