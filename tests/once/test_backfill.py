"""Backfills of a series with releases that were given up, and backfills that launch jobs."""

from __future__ import annotations

import json

import pytest
import yaml
from once_release import command, run, write_weekly
from small_series import book

from pipelines.run import drawing
from pipelines.run import exactly_once as runs

WEEKS = ("--from", "2026-W45", "--to", "2026-W47")


@pytest.fixture
def config(tmp_path):
    return write_weekly(tmp_path)


@pytest.fixture
def jobs(monkeypatch):
    """A runner that only takes jobs; calling one does its work."""
    taken = []
    pipeline = drawing._run_pipeline
    monkeypatch.setattr(drawing, "_run_pipeline", lambda *job: taken.append(lambda: pipeline(*job)))
    return taken


def abandon(config, period):
    def fail(*_):
        raise ValueError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "_run_pipeline", fail)
        with pytest.raises(runs.RunError):
            run(config, period=period)
    done = command("abandon", config, "--period", period, "--reason", "a test")
    assert done.returncode == 0, done.stderr


def withdraw(config, period):
    run(config, period=period)
    done = command("withdraw", config, "--period", period, "--reason", "a test")
    assert done.returncode == 0, done.stderr


def states(config):
    return {key.period: release.state for key, release in book(config).releases.items()}


@pytest.mark.parametrize(("give_up", "state"), [(withdraw, "withdrawn"), (abandon, "abandoned")])
def test_a_backfill_passes_by_what_was_given_up(config, give_up, state):
    give_up(config, "2026-W45")
    done = command("backfill", config, *WEEKS)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(", in ")[0] for line in done.stdout.splitlines()] == [
        f"r@2026-W45 is {state}; left as it is",
        "r@2026-W46: published",
        "r@2026-W47: published",
    ]
    assert states(config) == {
        "2026-W45": state,
        "2026-W46": "published",
        "2026-W47": "published",
    }
    shown = command("backfill", config, "--from", "2026-W45", "--to", "2026-W45", "--json")
    told = json.loads(shown.stdout)
    assert (told["period"], told["state"], told["is_new"]) == ("2026-W45", state, False)


def test_a_correction_of_what_was_withdrawn_is_published_before(config):
    withdraw(config, "2026-W45")
    run(config, period="2026-W45", correct="better")
    done = command("backfill", config, "--from", "2026-W45", "--to", "2026-W45")
    assert "published before" in done.stdout


def test_another_plan_stops_a_backfill(config):
    run(config, period="2026-W45")
    config.write_text(config.read_text().replace("epsilon: 1.0", "epsilon: 2.0"))
    done = command("backfill", config, *WEEKS)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is published with the plan" in done.stderr


def test_a_detached_backfill_launches_each_period_and_publish_goes_on(config, tmp_path, jobs):
    done = command("backfill", config, "--from", "2026-W45", "--to", "2026-W46", "--detach")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"r@{week}: drawing; dp-release publish --period {week} goes on when its job is done"
        for week in ("2026-W45", "2026-W46")
    ]
    assert not (tmp_path / "out").exists()
    for job in jobs:
        job()
    for week in ("2026-W45", "2026-W46"):
        published = command("publish", config, "--period", week, "--json")
        assert json.loads(published.stdout)["is_new"] is True
    assert set(states(config).values()) == {"published"}


def test_a_launched_release_is_not_new_before_it_is_published(config, jobs):
    week = ("--period", "2026-W45")
    launched = json.loads(command("run", config, *week, "--detach", "--json").stdout)
    assert (launched["state"], launched["is_new"]) == ("drawing", False)
    jobs.pop()()
    drawn = json.loads(command("run", config, *week, "--detach", "--json").stdout)
    assert (drawn["state"], drawn["is_new"]) == ("drawn", False)
    assert json.loads(command("publish", config, *week, "--json").stdout)["is_new"] is True
    assert json.loads(command("publish", config, *week, "--json").stdout)["is_new"] is False


def test_a_backfill_draws_on_dataflow_as_its_file_says(config, tmp_path, monkeypatch):
    asked = []

    def run_release(_, __, options, **more):
        asked.append((options, more["period"], more["detach"]))
        raise runs.RunError("enough")

    monkeypatch.setattr(runs, "run_release", run_release)
    file = tmp_path / "dataflow.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "project": "proj-abc",
                "region": "europe-west1",
                "temp": "gs://proj-abc-staging/temp",
                "worker_image": f"europe-docker.pkg.dev/p/d/r@sha256:{'0' * 64}",
                "service_account": "worker@proj-abc.iam.gserviceaccount.com",
            }
        )
    )
    done = command("backfill", config, *WEEKS, "--dataflow", file, "--detach")
    assert (done.returncode, done.stderr) == (1, "enough\n")
    ((options, period, detach),) = asked
    assert (period, detach) == ("2026-W45", True)
    assert "--project=proj-abc" in options
    assert "--runner=DataflowRunner" in options
