"""Runs that launch a job and leave: one draw and one charge, whoever comes when."""

from __future__ import annotations

import shutil

import polars as pl
import pytest
from apache_beam.options.pipeline_options import StandardOptions
from once_release import command, run, write_release
from small_series import book, kinds, state

from pipelines.ledger import LedgerError, RefusedError
from pipelines.plan import plan_release
from pipelines.run import drawing
from pipelines.run.exactly_once import RunError, publish_release
from pipelines.run.staging import StagingError
from pipelines.spec import ConfigError, load_release

SHARDS = ".dp-release/r/all/v1/attempt-1/shards"
NOT_DONE = "attempt 1 to draw r@all was launched as a job that has not finished"


@pytest.fixture
def config(tmp_path):
    return write_release(tmp_path)


def publish(config):
    release = load_release(config)
    return publish_release(release, plan_release(release))


@pytest.fixture
def job(monkeypatch):
    """A runner that only takes a job; calling what it returns does the work."""
    jobs = []
    pipeline = drawing._run_pipeline

    def submit(checked, key, folder, options, *more):
        assert options.view_as(StandardOptions).no_wait_until_finish
        jobs.append(lambda: pipeline(checked, key, folder, options, *more))

    monkeypatch.setattr(drawing, "_run_pipeline", submit)
    return lambda: jobs.pop(0)()


def test_a_launched_release_is_drawn_by_the_job_and_published_by_another_run(config, tmp_path, job):
    launched = run(config, detach=True)
    assert launched.release.state == "drawing"
    assert launched.is_new
    assert launched.published == []
    assert not (tmp_path / "out").exists()
    job()
    (tmp_path / "in.parquet").unlink()  # Who publishes need not see the input.
    done = publish(config)
    assert done.is_new
    assert (done.release.state, done.release.attempt) == ("published", 1)
    assert done.published[0].frame["country"].to_list() == ["DE", "FR"]
    assert (kinds(config)["reserved"], kinds(config)["drawn"]) == (1, 1)
    assert not (tmp_path / SHARDS).exists()


@pytest.mark.parametrize("again", [publish, run, lambda config: run(config, detach=True)])
def test_nobody_goes_on_before_the_job_is_done(config, tmp_path, job, again):
    run(config, detach=True)
    before = kinds(config)
    with pytest.raises(LedgerError, match=NOT_DONE):
        again(config)
    assert kinds(config) == before
    job()
    publish(config)
    assert state(config) == "published"


def test_half_of_what_a_job_stages_is_not_taken_for_all(config, tmp_path, job):
    run(config, detach=True)
    job()
    next((tmp_path / SHARDS).glob("staged-files-*")).unlink()
    with pytest.raises(LedgerError, match=NOT_DONE):
        publish(config)
    assert state(config) == "drawing"


def test_a_staged_file_that_is_gone_is_missed(config, tmp_path, job):
    run(config, detach=True)
    job()
    next((tmp_path / SHARDS).glob("t-*.parquet")).unlink()
    with pytest.raises(StagingError, match=r"not in .* run again, with --replace-attempt 1$"):
        publish(config)
    assert state(config) == "drawing"
    run(config, detach=True, replace_attempt=1)
    job()
    assert publish(config).release.attempt == 2


@pytest.mark.parametrize("again", [run, publish])
def test_a_run_after_the_job_takes_its_values(config, job, again):
    run(config, detach=True)
    job()
    done = again(config)
    assert (done.release.state, done.release.attempt) == ("published", 1)


def test_a_second_launch_after_the_job_draws_nothing(config, job):
    run(config, detach=True)
    job()
    again = run(config, detach=True)
    assert again.release.state == "drawn"
    drawn = book(config).releases[again.release.key].staged
    assert publish(config).release.staged == drawn


def test_a_failed_job_is_launched_again_and_nothing_of_it_is_used(config, tmp_path, job):
    run(config, detach=True)
    staged = tmp_path / SHARDS
    again = run(config, detach=True, replace_attempt=1)
    assert (again.release.state, again.release.attempt) == ("drawing", 2)
    assert not staged.exists()
    staged.mkdir(parents=True)
    job()  # It was not dead: what it draws stays where nobody looks.
    with pytest.raises(LedgerError, match="attempt 2 to draw r@all was launched"):
        publish(config)
    job()
    done = publish(config)
    assert done.release.attempt == 2
    assert kinds(config)["drawn"] == 1


def test_a_job_that_is_done_is_not_launched_again(config, job):
    run(config, detach=True)
    job()
    assert run(config, detach=True, replace_attempt=1).release.attempt == 1


def test_a_publisher_that_dies_after_freezing_is_followed_by_another(config, job, monkeypatch):
    run(config, detach=True)
    job()
    monkeypatch.setattr("pipelines.ledger.Ledger.drawn", lambda *_: 1 / 0)
    with pytest.raises(RunError):
        publish(config)
    monkeypatch.undo()
    assert publish(config).release.attempt == 1


def test_a_launcher_that_dies_before_it_notes_the_job_is_followed_by_a_new_attempt(
    config, tmp_path, job, monkeypatch
):
    monkeypatch.setattr("pipelines.run.staging.ReleaseStaging.note_launch", lambda *_: 1 / 0)
    with pytest.raises(RunError):
        run(config, detach=True)
    monkeypatch.setattr(drawing, "_run_pipeline", lambda *_: None)
    monkeypatch.undo()
    done = run(config)
    assert (done.release.state, done.release.attempt) == ("published", 2)


def test_a_run_that_waits_does_not_take_a_job_that_nobody_waited_for(config, tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "_run_pipeline", lambda *_: None)
    with pytest.raises(StagingError, match="workers staged files that are not in"):
        run(config)
    assert state(config) == "drawing"


def test_what_a_job_drew_twice_is_launched_again(config, tmp_path, monkeypatch):
    """Nothing of either draw is used, and the job is not waited for any more."""

    def draw_twice(checked, key, folder, options, *more):
        pipeline(checked, key, folder, options, *more)
        pipeline(checked, key, folder, options, *more)

    pipeline = drawing._run_pipeline
    monkeypatch.setattr(drawing, "_run_pipeline", draw_twice)
    run(config, detach=True)
    monkeypatch.undo()
    for _ in range(2):
        with pytest.raises(LedgerError, match="r@all is drawing; allowed: drawn or published"):
            publish(config)
    again = run(config, detach=True)
    assert (again.release.state, again.release.attempt) == ("drawing", 2)
    assert not (tmp_path / SHARDS).parent.exists()
    assert publish(config).release.attempt == 2
    assert kinds(config) == {"reserved": 1, "drawing": 2, "drawn": 1, "published": 1}


def test_a_launcher_need_not_write_to_the_public(config, job, monkeypatch):
    monkeypatch.setattr("pipelines.run.outlet.os.access", lambda *_: False)
    with pytest.raises(ConfigError, match="cannot be written to"):
        run(config)
    assert run(config, detach=True).release.state == "drawing"
    job()
    with pytest.raises(ConfigError, match="cannot be written to"):
        publish(config)
    monkeypatch.undo()
    assert publish(config).release.state == "published"


def test_a_launch_that_fails_is_followed_by_another(config, tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "_run_pipeline", lambda *_: 1 / 0)
    with pytest.raises(RunError):
        run(config, detach=True)
    assert not (tmp_path / SHARDS).exists()
    monkeypatch.undo()
    assert run(config, detach=True).release.attempt == 2
    assert publish(config).release.attempt == 2


def test_what_the_policy_refuses_is_not_launched(config, tmp_path, job):
    (tmp_path / "policy.yaml").write_text(
        "datasets: {r: {columns: [user, country], "
        "caps: [{unit: user, per: lifetime, epsilon: 0.1}]}}\n"
    )
    config.write_text(config.read_text() + "policy: policy.yaml\n")
    with pytest.raises(RefusedError):
        run(config, detach=True)
    with pytest.raises(IndexError):
        job()


def test_the_commands_launch_and_publish(config, tmp_path):
    launched = command("run", config, "--detach")
    assert (launched.returncode, launched.stderr) == (0, "")
    assert launched.stdout == "r@all is drawing; dp-release publish goes on\n"
    published = command("publish", config)
    assert (published.returncode, published.stderr) == (0, "")
    assert pl.read_csv(tmp_path / "out" / "t.csv")["country"].to_list() == ["DE", "FR"]
    assert kinds(config)["drawn"] == 1
    again = command("run", config, "--detach")
    assert "was published before; nothing was drawn or charged" in again.stdout


def test_missing_values_are_one_line(config, tmp_path):
    assert command("run", config).returncode == 0
    shutil.rmtree(tmp_path / "out")
    shutil.rmtree(tmp_path / ".dp-release" / "r")
    done = command("publish", config)
    assert done.returncode == 1
    assert done.stderr.startswith("the files of r@all are neither in")
    assert done.stderr.count("\n") == 1


def test_selected_keys_have_their_types_without_the_input(config, tmp_path, job):
    text = config.read_text().replace("public: {country: [DE, FR]}", "keys: [country]")
    config.write_text(text.replace("epsilon: 1.0", "epsilon: 0.01, delta: 1e-9"))
    run(config, detach=True)
    job()
    (tmp_path / "in.parquet").unlink()
    assert publish(config).published[0].frame.schema["country"] == pl.String
