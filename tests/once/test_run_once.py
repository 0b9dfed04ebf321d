"""What a run does with a release that the ledger knows: goes on, returns, corrects, refuses it."""

import json
import shutil
import sqlite3
from datetime import date
from errno import ENOSPC

import polars as pl
import pytest
from once_release import command, files, run, write_release
from small_series import book, kinds, state

from pipelines.ledger import BrokenLedgerError, LedgerError, RefusedError, ReleaseKey
from pipelines.plan import plan_release
from pipelines.run import drawing
from pipelines.run.drawing import draw
from pipelines.run.exactly_once import publish_release
from pipelines.run.failures import RunError
from pipelines.run.staging import StagingError
from pipelines.spec import ConfigError, load_release
from transforms.hashing import HashKey

ATTEMPT = ".dp-release/r/all/v1/attempt-1"


@pytest.fixture
def config(tmp_path):
    return write_release(tmp_path)


def fail_at(monkeypatch, name):
    monkeypatch.setattr(name, lambda *_, **__: 1 / 0)


def run_until(config, monkeypatch, name):
    """Has a run fail at a function."""
    fail_at(monkeypatch, name)
    with pytest.raises(RunError):
        run(config)
    monkeypatch.undo()


DRAWING = "pipelines.run.steps.draw"
RENDERING = "pipelines.run.publishing.render_release"


# Again


def test_a_rerun_of_a_published_release_reads_no_input(config, tmp_path):
    first = run(config)
    shown, ledger = files(tmp_path / "out"), kinds(config)
    (tmp_path / "in.parquet").unlink()
    again = run(config)
    assert (files(tmp_path / "out"), kinds(config)) == (shown, ledger)
    assert again.release == first.release
    assert again.published[0].frame.equals(first.published[0].frame)


@pytest.mark.parametrize("what", ["gone", "edited", "empty"])
def test_a_rerun_puts_the_published_bytes_back(config, tmp_path, what):
    run(config)
    shown, ledger = files(tmp_path / "out"), kinds(config)
    match what:
        case "gone":
            shutil.rmtree(tmp_path / "out")
        case "edited":
            (tmp_path / "out" / "t.csv").write_text("country,n\nDE,1\n")
        case "empty":
            for path in (tmp_path / "out").iterdir():
                path.unlink()
    run(config)
    assert (files(tmp_path / "out"), kinds(config)) == (shown, ledger)


def test_another_folder_gets_the_same_bytes_and_no_other_draw(config, tmp_path):
    run(config)
    config.write_text(config.read_text().replace("folder: out", "folder: second"))
    run(config)
    assert files(tmp_path / "second") == files(tmp_path / "out")
    assert kinds(config)["drawn"] == 1


def test_files_that_are_nowhere_are_a_user_error(config, tmp_path):
    run(config)
    shutil.rmtree(tmp_path / ".dp-release" / "r")
    shutil.rmtree(tmp_path / "out")
    done = command("run", config)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("the files of r@all are neither in ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("can_be_kept", [True, False])
def test_a_full_disk_is_told_without_what_the_error_says(
    config, tmp_path, monkeypatch, can_be_kept
):
    def full(*_, **__):
        raise OSError(ENOSPC, "somebody's data")

    if not can_be_kept:
        (tmp_path / ".dp-release" / "r" / "error.txt").mkdir(parents=True)
    monkeypatch.setattr(DRAWING, full)
    with pytest.raises(RunError) as failed:
        run(config)
    text = str(failed.value)
    assert "the run failed with OSError (No space left on device); nothing was published" in text
    assert ("error.txt cannot be written: Is a directory" in text) is not can_be_kept
    assert "somebody" not in text


def test_a_published_release_whose_staging_is_gone_stays(config, tmp_path):
    run(config)
    shown = files(tmp_path / "out")
    shutil.rmtree(tmp_path / ".dp-release" / "r")
    assert run(config).published == []
    assert files(tmp_path / "out") == shown
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(StagingError, match=r"neither in .*out nor in"):
        run(config)
    assert kinds(config)["drawing"] == 1


def test_titles_and_comments_may_change(config, tmp_path):
    run(config)
    shown = files(tmp_path / "out")
    config.write_text(f"# A comment.\ntitle: Another\n{config.read_text()}")
    run(config)
    assert files(tmp_path / "out") == shown


# On from where it was


def test_a_failed_draw_is_drawn_again_with_the_same_secret(config, tmp_path, monkeypatch):
    secrets = []

    def draw_and_fail(checked, key, *others):
        secrets.append(key)
        if len(secrets) < 3:
            raise ValueError
        return draw(checked, key, *others)

    monkeypatch.setattr(DRAWING, draw_and_fail)
    for _ in range(2):
        with pytest.raises(RunError):
            run(config)
    (file,) = (tmp_path / ".dp-release").rglob("hash-key*")
    assert file.stat().st_mode & 0o077 == 0
    assert HashKey(file.read_bytes()) == secrets[0]
    run(config)
    assert len({key.secret for key in secrets}) == 1
    assert kinds(config) == {"reserved": 1, "drawing": 3, "drawn": 1, "published": 1}


def test_a_release_that_was_voided_gets_another_secret(config, monkeypatch):
    found = []
    for _ in range(2):
        fail_at(monkeypatch, "pipelines.run.staging.ReleaseStaging.begin")
        with pytest.raises(RunError):
            run(config)
        monkeypatch.undo()
        (file,) = config.parent.rglob("hash-key*")
        found.append(file.read_bytes())
        assert command("void", config, "--reason", "a test").returncode == 0
        assert not list(config.parent.rglob("hash-key*"))
    assert found[0] != found[1]
    run(config)
    assert kinds(config) == {"reserved": 3, "voided": 2, "drawing": 1, "drawn": 1, "published": 1}


def test_publish_reads_no_input(config, tmp_path, monkeypatch):
    run_until(config, monkeypatch, RENDERING)
    drawn = pl.read_parquet(tmp_path / ATTEMPT / "drawn" / "t.parquet").sort("country")
    (tmp_path / "in.parquet").unlink()
    release = load_release(config)
    done = publish_release(release, plan_release(release))
    assert done.is_new
    assert done.published[0].frame["n"].to_list() == drawn["n"].to_list()
    assert not publish_release(release, plan_release(release)).is_new
    assert kinds(config) == {"reserved": 1, "drawing": 1, "drawn": 1, "published": 1}


@pytest.mark.parametrize(("failures", "attempts"), [(1, 2), (2, 3)])
def test_values_that_a_runner_drew_twice_are_deleted_and_drawn_again(
    config, tmp_path, monkeypatch, failures, attempts
):
    """One charge, one frozen draw, and nothing is left of the others."""
    folders = []

    def draw_twice_at_first(checked, key, folder, options, *more):
        folders.append(folder)
        once(checked, key, folder, options, *more)
        if len(folders) <= failures:
            once(checked, key, folder, options, *more)

    once = drawing._run_pipeline
    monkeypatch.setattr(drawing, "_run_pipeline", draw_twice_at_first)
    run(config)
    assert kinds(config) == {"reserved": 1, "drawing": attempts, "drawn": 1, "published": 1}
    assert [folder.parent.name for folder in folders] == [
        f"attempt-{number}" for number in range(1, attempts + 1)
    ]
    assert [path.name for path in tmp_path.glob(".dp-release/r/all/v1/attempt-*")] == [
        f"attempt-{attempts}"
    ]


def test_a_run_that_always_draws_twice_gives_up_and_publishes_nothing(
    config, tmp_path, monkeypatch
):
    def draw_twice(*arguments):
        once(*arguments)
        once(*arguments)

    once = drawing._run_pipeline
    monkeypatch.setattr(drawing, "_run_pipeline", draw_twice)
    with pytest.raises(RunError, match="failed with DrawnTwiceError; nothing was published"):
        run(config)
    assert kinds(config) == {"reserved": 1, "drawing": 3}
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("what", ["staged-files-*", "t-*.parquet"])
def test_files_that_only_workers_see_are_missed(config, tmp_path, monkeypatch, what):
    """What is not in the staging folder of the launcher is no empty table."""

    def draw_elsewhere(checked, key, folder, options, *more):
        once(checked, key, folder, options, *more)
        for path in folder.glob(what):
            path.unlink()

    once = drawing._run_pipeline
    monkeypatch.setattr(drawing, "_run_pipeline", draw_elsewhere)
    with pytest.raises(StagingError, match="workers staged files that are not in"):
        run(config)
    assert kinds(config) == {"reserved": 1, "drawing": 1}
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    run(config)
    assert kinds(config) == {"reserved": 1, "drawing": 2, "drawn": 1, "published": 1}


def test_what_workers_wrote_is_not_kept(config, tmp_path, monkeypatch):
    with monkeypatch.context() as failing:
        failing.setattr("pipelines.run.staging.ReleaseStaging.freeze", lambda *_: 1 / 0)
        with pytest.raises(RunError):
            run(config)
        assert not list(tmp_path.glob("**/shards"))
    run(config)
    assert not list(tmp_path.glob("**/shards"))


def test_publish_draws_nothing(config, monkeypatch):
    release = load_release(config)
    with pytest.raises(LedgerError, match="r@all is not reserved; allowed: drawn or published"):
        publish_release(release, plan_release(release))
    run_until(config, monkeypatch, DRAWING)
    with pytest.raises(LedgerError, match="r@all is drawing; allowed: drawn or published"):
        publish_release(release, plan_release(release))
    assert kinds(config)["drawing"] == 1


def test_drawn_values_that_were_changed_are_not_published(config, tmp_path, monkeypatch):
    run_until(config, monkeypatch, RENDERING)
    file = tmp_path / ATTEMPT / "drawn" / "t.parquet"
    pl.read_parquet(file).with_columns(n=pl.lit(7)).write_parquet(file)
    with pytest.raises(StagingError, match="are not those that were drawn"):
        run(config)
    assert not (tmp_path / "out").exists()
    assert state(config) == "drawn"


def test_files_that_were_rendered_before_the_ledger_knew_are_rendered_anew(
    config, tmp_path, monkeypatch
):
    run_until(config, monkeypatch, RENDERING)
    publication = tmp_path / ATTEMPT / "publication"
    publication.mkdir()
    (publication / "t.csv").write_text("leftover")
    run(config)
    assert files(tmp_path / "out") == files(publication)
    assert b"leftover" not in files(tmp_path / "out").values()


# Elsewhere


def test_an_attempt_that_was_not_made_here_is_left_alone(config, tmp_path, monkeypatch):
    """Its folder is on another machine, where it may be alive."""
    run_until(config, monkeypatch, DRAWING)
    (tmp_path / ".dp-release" / "r").rename(tmp_path / "other machine")
    with pytest.raises(LedgerError, match=r"attempt 1 to draw r@all is not in .*: it is under way"):
        run(config)
    assert kinds(config)["drawing"] == 1
    assert not list((tmp_path / ".dp-release" / "r").rglob("attempt-*"))


def test_of_two_machines_with_one_ledger_one_draws(config, tmp_path, monkeypatch):
    """The second begins between the reservation of the first and its draw."""
    other = config.with_name("other.yaml")
    text = config.read_text().replace("folder: out", "folder: other, staging: other staging")
    other.write_text(text)
    begin = "pipelines.run.staging.ReleaseStaging.begin"
    from pipelines.run.staging import ReleaseStaging

    original = ReleaseStaging.begin

    def begin_after_the_other(self, attempt):
        folder = original(self, attempt)
        monkeypatch.undo()
        run(other)
        return folder

    monkeypatch.setattr(begin, begin_after_the_other)
    with pytest.raises(LedgerError):
        run(config)
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / ".dp-release" / "r").rglob("attempt-*"))
    assert kinds(config) == {"reserved": 1, "drawing": 1, "drawn": 1, "published": 1}


def test_an_attempt_that_was_replaced_cannot_be_drawn(config, tmp_path, monkeypatch):
    """It comes back to life after another run took over."""
    from pipelines.run import steps as run_steps

    def draw_slowly(*arguments):
        monkeypatch.undo()
        drawn = draw(*arguments)
        ledger = run_steps.ReleaseLedger.of(load_release(config)).ledger
        ledger.draw(book(config).releases[ReleaseKey("r", "all")], replaces=1)
        return drawn

    monkeypatch.setattr(DRAWING, draw_slowly)
    with pytest.raises(LedgerError, match="by attempt 1; allowed: attempt 2"):
        run(config)
    assert not (tmp_path / "out").exists()
    assert state(config) == "drawing"


# Refused


def test_another_plan_is_refused_with_what_is_allowed_in_its_state(config, monkeypatch):
    text = config.read_text()
    changed = text.replace("epsilon: 1.0", "epsilon: 2.0")
    for fails_at, allowed in [
        ("pipelines.run.staging.ReleaseStaging.begin", "dp-release void, which gives"),
        (DRAWING, "dp-release abandon, which spends its charge"),
        (RENDERING, "dp-release abandon, which spends its charge"),
        ("pipelines.run.publishing.published_tables", "dp-release run --correct REASON"),
    ]:
        run_until(config, monkeypatch, fails_at)
        config.write_text(changed)
        with pytest.raises(LedgerError) as caught:
            run(config)
        assert f"allowed: the config as it was, or {allowed}" in str(caught.value)
        config.write_text(text)
    assert kinds(config)["reserved"] == 1


def test_a_release_that_does_not_fit_leaves_with_2_and_an_explanation(config, tmp_path):
    caps = "{unit: user, epsilon: 1.5}"
    policy = f"datasets: {{r: {{columns: [user, country], caps: [{caps}]}}}}"
    (tmp_path / "policy.yaml").write_text(policy)
    config.write_text(f"{config.read_text()}policy: policy.yaml\n")
    assert command("run", config).returncode == 0
    done = command("run", config, "--correct", "again")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("r@all version 2 is refused; nothing was drawn and nothing is ")
    assert "entry 1: r@all, published" in done.stderr
    done = command("run", config, "--correct", "again", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["refused"]["release"] == "r@all version 2"
    assert kinds(config)["reserved"] == 1


def test_a_column_that_the_policy_does_not_allow_is_refused(config, tmp_path):
    policy = "datasets: {r: {columns: [user], caps: [{unit: user, epsilon: 9}]}}"
    (tmp_path / "policy.yaml").write_text(policy)
    config.write_text(f"{config.read_text()}policy: policy.yaml\n")
    with pytest.raises(RefusedError, match="reads the column 'country'; allowed: user"):
        run(config)
    assert kinds(config) == {}


def test_a_policy_that_cannot_be_read_is_an_error_of_the_user(config):
    config.write_text(f"{config.read_text()}policy: policy.yaml\n")
    done = command("run", config)
    assert (done.returncode, done.stdout) == (1, "")
    assert "policy.yaml" in done.stderr


def test_a_published_release_that_the_ledger_does_not_know_is_not_drawn_again(config, tmp_path):
    run(config)
    shown = files(tmp_path / "out")
    (tmp_path / ".dp-release" / "ledger.db").unlink()
    with pytest.raises(BrokenLedgerError, match="it is missing: 3 entries are remembered, and 0 "):
        run(config)
    (tmp_path / "out" / "datapackage.json").unlink()
    (tmp_path / ".dp-release" / "r" / "ledger-head.json").unlink()
    shown = files(tmp_path / "out")
    with pytest.raises(ConfigError, match=r"holds a release that the ledger .* does not know"):
        run(config)
    assert files(tmp_path / "out") == shown
    assert kinds(config) == {}


def test_a_ledger_whose_end_was_cut_off_is_refused(config, tmp_path):
    run(config)
    with sqlite3.connect(tmp_path / ".dp-release" / "ledger.db") as connection:
        connection.execute("DELETE FROM entries WHERE number > 2")
    for again in (None, "to draw once more"):
        with pytest.raises(BrokenLedgerError, match="3 entries are remembered, and 2 are there"):
            run(config, correct=again)


def test_an_edited_ledger_stops_the_run(config, tmp_path):
    run(config)
    with sqlite3.connect(tmp_path / ".dp-release" / "ledger.db") as connection:
        connection.execute("UPDATE entries SET line = replace(line, 'epsilon', 'Epsilon')")
    with pytest.raises(BrokenLedgerError):
        run(config)


def test_a_typo_charges_nothing(config):
    config.write_text(config.read_text().replace("user, eps", "usr, eps"))
    with pytest.raises(ConfigError, match="no column 'usr'"):
        run(config)
    assert kinds(config) == {}


# Corrections


def test_a_correction_is_a_new_version_with_its_own_charge(config, tmp_path):
    first = run(config)
    text = config.read_text()
    config.write_text(text.replace("epsilon: 1.0", "epsilon: 2.0"))
    second = run(config, correct="a larger budget")
    third = run(config, correct="a third")
    assert [done.release.key.version for done in (first, second, third)] == [1, 2, 3]
    releases = book(config).releases
    assert [(one.state, one.reason) for one in releases.values()] == [
        ("withdrawn", "corrected by version 2: a larger budget"),
        ("withdrawn", "corrected by version 3: a third"),
        ("published", "a third"),
    ]
    assert len(book(config).charged("r")) == 3
    assert run(config).release == third.release
    assert not run(config, correct="a third").is_new


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_correction_needs_a_reason(config, reason):
    run(config)
    with pytest.raises(LedgerError, match="the reason of the correction is empty"):
        run(config, correct=reason)


def test_there_must_be_something_to_correct(config, monkeypatch):
    with pytest.raises(LedgerError, match="r@all has nothing to correct"):
        run(config, correct="again")
    run_until(config, monkeypatch, DRAWING)
    with pytest.raises(LedgerError, match="r@all is drawing, so that there is nothing to correct"):
        run(config, correct="again")


# Ends


def test_an_abandoned_release_is_spent_and_its_values_are_deleted(config, tmp_path, monkeypatch):
    run_until(config, monkeypatch, RENDERING)
    done = command("abandon", config, "--reason", "a wrong file", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["state"], found["reason"]) == ("abandoned", "a wrong file")
    assert not list((tmp_path / ".dp-release").rglob("*.parquet"))
    done = command("run", config)
    assert (done.returncode, done.stdout) == (1, "")
    assert "r@all is abandoned (a wrong file), and its charge is spent; allowed: " in done.stderr
    assert run(config, correct="the right file").release.key.version == 2
    assert len(book(config).charged("r")) == 2


def test_what_may_have_been_drawn_is_not_voided(config, monkeypatch):
    run_until(config, monkeypatch, DRAWING)
    done = command("void", config, "--reason", "again")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be voided, as it is drawing; allowed: after reserved" in done.stderr


def test_a_withdrawn_release_keeps_its_files_and_is_not_published_again(config, tmp_path):
    run(config)
    shown = files(tmp_path / "out")
    done = command("withdraw", config, "--reason", "wrong")
    assert (done.returncode, done.stdout) == (0, "r@all is withdrawn; its charge is spent\n")
    assert files(tmp_path / "out") == shown
    with pytest.raises(LedgerError, match="is withdrawn"):
        run(config)


@pytest.mark.parametrize("name", ["void", "abandon", "withdraw"])
def test_what_is_not_there_cannot_end(config, name):
    done = command(name, config, "--reason", "x")
    assert done.returncode == 1
    assert "r@all is not in the ledger" in done.stderr
    assert command(name, config, "--reason", " ").returncode == 1


def test_the_ledger_can_be_anywhere(config, tmp_path):
    config.write_text(f"{config.read_text()}ledger: shared/budget.db\n")
    run(config)
    assert (tmp_path / "shared" / "budget.db").is_file()
    assert not (tmp_path / ".dp-release" / "ledger.db").exists()
    (release,) = book(config).releases.values()
    assert release.charge.window.contains(type(release.charge.window)(date.today(), date.today()))
