"""Private metrics and scratch files of a run are not where readers look, and replace nothing."""

from __future__ import annotations

import json

import pytest
from once_release import command, files, run, write_release, write_weekly
from small_series import kinds

from pipelines.plan import plan_release
from pipelines.run.exactly_once import publish_release
from pipelines.run.failures import RunError
from pipelines.spec import load_release

WEEK = ("--period", "2026-W46")


@pytest.fixture
def config(tmp_path):
    """A series whose private things are elsewhere than beside what is published."""
    config = write_weekly(tmp_path, more="ledger: private/ledger.db\n")
    text = config.read_text()
    config.write_text(text.replace("{folder: out,", "{folder: public/r, staging: private/staging,"))
    (tmp_path / "private" / "staging").mkdir(parents=True)
    (tmp_path / "public" / "other").mkdir(parents=True)
    (tmp_path / "scratch").mkdir()
    return config


def refused(config, *arguments):
    """Runs, and returns why that was refused before anything was charged."""
    done = command("run", config, *WEEK, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert not (config.parent / "private" / "ledger.db").exists()
    (line,) = done.stderr.splitlines()
    return line


def test_metrics_are_in_a_new_file_for_its_owner(config, tmp_path):
    file = tmp_path / "metrics.json"
    done = command("run", config, *WEEK, "--private-metrics", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o600


def test_metrics_replace_no_file(config, tmp_path):
    file = tmp_path / "precious"
    file.write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("precious", "link"):
        line = refused(config, "--private-metrics", tmp_path / name)
        assert line == (
            f"--private-metrics is {tmp_path / name}, which is there already; allowed: a new file"
        )
    assert file.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_comes_meanwhile_is_not_replaced(config, tmp_path, monkeypatch):
    file = tmp_path / "metrics.json"
    monkeypatch.setattr(
        "pipelines.run.drawing.private_numbers", lambda _: file.write_text("precious") and {}
    )
    done = command("run", config, *WEEK, "--private-metrics", file)
    assert (done.returncode, done.stderr) == (0, f"{file} cannot be written: File exists\n")
    assert file.read_text() == "precious"
    assert kinds(config)["published"] == 1


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("public/r/m.json", "public/r, which is published"),
        ("public/r/2026-W46/m.json", "public/r, which is published"),
        ("public/m.json", "public, which has publications"),
        ("public/other/m.json", "public, which has publications"),
        ("way/m.json", "public, which has publications"),
        ("private/staging/m.json", "private/staging, where releases are deleted"),
        ("scratch/m.json", "scratch, whose files are deleted"),
    ],
)
def test_metrics_are_not_where_readers_look_or_files_are_deleted(config, tmp_path, place, why):
    (tmp_path / "way").symlink_to(tmp_path / "public" / "other")
    before = files(tmp_path)
    line = refused(
        config, "--private-metrics", tmp_path / place, "--", f"--scratch={tmp_path / 'scratch'}"
    )
    assert line == (
        f"--private-metrics is {tmp_path / place}, in {tmp_path}/{why}; allowed: outside it"
    )
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", ["run", "backfill"])
@pytest.mark.parametrize("place", ["public/r", "public/r/x", "public"])
def test_scratch_is_not_where_readers_look(config, tmp_path, name, place):
    period = WEEK if name == "run" else ("--from", WEEK[1], "--to", WEEK[1])
    done = command(name, config, *period, "--", f"--scratch={tmp_path / place}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"--scratch is {tmp_path / place}, in {tmp_path}/public")


def test_the_folder_above_counts_not_where_private_things_are_kept_in_it(tmp_path):
    config = write_release(tmp_path)  # It is published to out, beside .dp-release and its ledger.
    done = command("run", config, "--private-metrics", tmp_path / "metrics.json")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_that_is_not_there_is_named(config, tmp_path):
    file = tmp_path / "none" / "metrics.json"
    line = refused(config, "--private-metrics", file)
    assert line == f"--private-metrics is {file}; allowed: a file that can be written"


def test_a_wrong_option_is_told_before_a_wrong_place(config):
    assert "'--scrach=x' is not a Beam option" in refused(config, "--", "--scrach=x")


def test_a_release_that_is_out_reads_nothing_and_says_so(config, tmp_path):
    run(config, period=WEEK[1])
    file = tmp_path / "metrics.json"
    done = command("run", config, *WEEK, "--private-metrics", file, "--json")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line == f"nothing was read, or the runner told no metrics, so {file} was not written"
    assert json.loads(done.stdout)["is_new"] is False
    assert not file.exists()


def test_metrics_of_a_draw_whose_publication_fails_are_kept(config, tmp_path, monkeypatch):
    def fail(*_):
        raise RunError("cannot publish")

    file = tmp_path / "metrics.json"
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.run.steps.RunSteps.publish", fail)
        done = command("run", config, *WEEK, "--private-metrics", file)
    assert (done.returncode, done.stderr) == (1, "cannot publish\n")
    assert json.loads(file.read_text())
    release = load_release(config)
    published = publish_release(release, plan_release(release), period=WEEK[1])
    assert published.is_new
