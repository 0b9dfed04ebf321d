"""Runs whose input, staging, ledger and publication are all in a bucket."""

import json
import time
from types import SimpleNamespace

import polars as pl
import pytest
from release_on_gcs import command, drawn, objects, run, shown, write_release
from small_series import DOCUMENTS, kinds, state

from pipelines.ledger import LedgerError
from pipelines.plan import plan_release
from pipelines.run.exactly_once import RunError, publish_release
from pipelines.run.folders import scratch_folder
from pipelines.spec import ConfigError, load_release
from pipelines.storage.gcs import GcsFolder


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_a_release_is_published_in_a_bucket_once(tmp_path, bucket, file_format):
    config = write_release(tmp_path, bucket, file_format=file_format)
    done = run(config)
    assert done.is_new
    assert done.folder == f"{bucket}/out"
    found = shown(f"{bucket}/out")
    assert found.keys() == {*DOCUMENTS, "t.csv", "t.parquet"}
    assert pl.read_parquet(found["t.parquet"])["country"].to_list() == ["DE", "FR"]
    digest = done.release.publication
    assert [list(table.files) for table in done.published] == [
        [f"{bucket}/out/{digest}/t.parquet", f"{bucket}/out/{digest}/t.csv"]
    ]
    before = objects(bucket)
    again = run(config)
    assert not again.is_new
    assert again.published[0].frame.equals(done.published[0].frame)
    assert objects(bucket) == before
    assert kinds(config) == {"reserved": 1, "drawing": 1, "drawn": 1, "published": 1}
    assert not [name for name in before if "/shards/" in name]


def test_periods_are_published_side_by_side_and_listed(tmp_path, bucket):
    config = write_release(tmp_path, bucket, input_more=", time: at", more="period: week\n")
    for period in ("2026-W45", "2026-W46"):
        assert run(config, period=period).is_new
        assert shown(f"{bucket}/out/{period}").keys() >= DOCUMENTS
    index = json.loads(GcsFolder.of(f"{bucket}/out").read("releases.json"))
    assert [release["folder"] for release in index["releases"]] == ["2026-W45", "2026-W46"]
    (together,) = index["cumulative"]
    assert together["epsilon"] > 1


def test_a_correction_takes_the_place_of_the_release_and_its_objects_stay(tmp_path, bucket):
    config = write_release(tmp_path, bucket)
    first = run(config)
    before = objects(f"{bucket}/out")
    second = run(config, correct="a wrong file")
    after = objects(f"{bucket}/out")
    assert json.loads(after["current.json"])["version"] == 2
    assert json.loads(after["current.json"])["sha256sums_sha256"] == second.release.publication
    assert before.items() - {("current.json", before["current.json"])} <= after.items()
    assert first.release.publication != second.release.publication
    assert kinds(config)["withdrawn"] == 1


def test_the_last_run_of_a_failed_draw_says_so_and_the_next_one_goes_on(
    tmp_path, bucket, monkeypatch
):
    config = write_release(tmp_path, bucket)
    monkeypatch.setattr("pipelines.run.steps.draw", lambda *_: 1 / 0)
    with pytest.raises(RunError, match=f"details.*: {bucket}/private/error.txt"):
        run(config)
    monkeypatch.undo()
    assert b"ZeroDivisionError" in objects(f"{bucket}/private")["error.txt"]
    assert run(config).is_new
    assert kinds(config) == {"reserved": 1, "drawing": 2, "drawn": 1, "published": 1}
    assert drawn(bucket).keys() == {"attempt-2"}
    assert not [name for name in objects(f"{bucket}/private") if "attempt-1" in name]


def test_publish_reads_no_input_and_draws_nothing(tmp_path, bucket, monkeypatch):
    config = write_release(tmp_path, bucket)
    monkeypatch.setattr("pipelines.run.publishing.render_release", lambda *_: 1 / 0)
    with pytest.raises(RunError):
        run(config)
    monkeypatch.undo()
    folder = GcsFolder.of(f"{bucket}/in")
    folder.delete(folder.names())
    assert state(config) == "drawn"
    release = load_release(config)
    assert publish_release(release, plan_release(release)).is_new
    assert not publish_release(release, plan_release(release)).is_new
    assert shown(f"{bucket}/out").keys() >= DOCUMENTS


@pytest.mark.parametrize("what", ["the pointer", "a file", "everything"])
def test_a_rerun_puts_back_what_was_deleted(tmp_path, bucket, what):
    config = write_release(tmp_path, bucket)
    digest = run(config).release.publication
    before = objects(f"{bucket}/out")
    folder = GcsFolder.of(f"{bucket}/out")
    gone = {"the pointer": ["current.json"], "a file": [f"{digest}/t.csv"]}
    folder.delete(gone.get(what, folder.names()))
    run(config)
    assert objects(f"{bucket}/out") == before


def test_draws_that_were_changed_are_not_published(tmp_path, bucket, monkeypatch):
    config = write_release(tmp_path, bucket)
    monkeypatch.setattr("pipelines.run.publishing.render_release", lambda *_: 1 / 0)
    with pytest.raises(RunError):
        run(config)
    monkeypatch.undo()
    folder = GcsFolder.of(f"{bucket}/private")
    (name,) = (n for n in folder.names() if "/drawn/" in n and n.endswith("t.parquet"))
    folder.swap(name, b"others", folder.read_with_generation(name)[1])
    done = command("publish", config)
    assert (done[0], done[1]) == (1, "")
    assert "are not those that were drawn" in done[2]
    assert done[2].count("\n") == 1
    assert shown(f"{bucket}/out") == {}


def test_the_commands_work_the_same(tmp_path, gcs):
    bucket = "gs://b/x"
    config = write_release(tmp_path, bucket)
    code, stdout, stderr = command("run", config)
    assert (code, stderr) == (0, "")
    assert f"2 rows in {bucket}/out/" in stdout
    assert json.loads(command("run", config, "--json")[1])["folder"] == f"{bucket}/out"
    code, stdout, stderr = command("verify", f"{bucket}/out")
    assert (code, stderr) == (0, "")
    assert stdout.startswith(f"{bucket}/out: verified r: 6 files")
    code, stdout, _ = command("budget", config)
    assert code == 0
    assert f"in the ledger {bucket}/ledger.jsonl" in stdout
    code, stdout, stderr = command("withdraw", config, "--reason", "a test", "--json")
    assert (code, json.loads(stdout)["state"]) == (0, "withdrawn")
    assert shown(f"{bucket}/out").keys() >= DOCUMENTS


def test_what_is_given_up_is_deleted(tmp_path, bucket, monkeypatch):
    config = write_release(tmp_path, bucket)
    monkeypatch.setattr("pipelines.run.publishing.render_release", lambda *_: 1 / 0)
    with pytest.raises(RunError):
        run(config)
    monkeypatch.undo()
    code, stdout, _ = command("abandon", config, "--reason", "a test", "--json")
    assert (code, json.loads(stdout)["state"]) == (0, "abandoned")
    assert objects(f"{bucket}/private").keys() == {"error.txt", "ledger-head.json", "series"}
    with pytest.raises(LedgerError, match="is abandoned"):
        run(config)


def test_a_ledger_without_what_the_index_remembers_is_refused(tmp_path, bucket):
    config = write_release(tmp_path, bucket)
    run(config)
    folder = GcsFolder.of(bucket)
    content, generation = folder.read_with_generation("ledger.jsonl")
    lines = content.splitlines(keepends=True)
    folder.swap("ledger.jsonl", b"".join(lines[:1]), generation)
    with pytest.raises(LedgerError):
        run(config)


def test_a_publication_of_another_ledger_is_not_replaced(tmp_path, bucket):
    config = write_release(tmp_path, bucket)
    run(config)
    before = objects(f"{bucket}/out")
    folder = GcsFolder.of(bucket)
    folder.delete(["ledger.jsonl", "releases.json", "private/ledger-head.json"])
    code, _, stderr = command("run", config)
    assert code == 1
    assert "holds a release that the ledger" in stderr
    assert objects(f"{bucket}/out") == before


def test_an_input_in_a_bucket_goes_to_folders_here(tmp_path, bucket):
    """Each place is said for itself: only the input is in the bucket."""
    config = write_release(tmp_path, bucket)
    text = config.read_text().replace(f"ledger: {bucket}/ledger.jsonl\n", "")
    text = text.replace(f"{bucket}/out", "out").replace(f", staging: {bucket}/private", "")
    config.write_text(text)
    assert run(config).folder == tmp_path / "out"
    assert objects(bucket).keys() == {"in/0.parquet"}


def test_staging_here_goes_to_a_publication_in_a_bucket(tmp_path, bucket):
    config = write_release(tmp_path, bucket)
    config.write_text(config.read_text().replace(f"{bucket}/private", "private"))
    run(config)
    assert shown(f"{bucket}/out").keys() >= DOCUMENTS
    assert (tmp_path / "private" / "all" / "v1" / "attempt-1" / "drawn").is_dir()


# What goes wrong


def assert_one_line(done, *texts):
    code, stdout, stderr = done
    assert (code, stdout, stderr.count("\n")) == (1, "", 1), done
    for text in texts:
        assert text in stderr


def test_a_service_that_is_ill_now_and_then_makes_no_difference(tmp_path, gcs, monkeypatch):
    """Each seventh request is answered busy, or not at all after it was done.

    Google's library waits for seconds before it asks again; here it asks at once.
    """
    clock = SimpleNamespace(sleep=lambda _: None, monotonic=time.monotonic)
    monkeypatch.setattr("google.api_core.retry.retry_unary.time", clock)
    config = write_release(tmp_path, "gs://b/x")
    gcs.flaky = 7
    assert run(config).is_new
    assert not run(config).is_new
    gcs.flaky = 0
    assert kinds(config) == {"reserved": 1, "drawing": 1, "drawn": 1, "published": 1}
    assert shown("gs://b/x/out").keys() >= DOCUMENTS


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("gs://b/x/out", "gs://none/out", "output.folder: gs://none"),
        ("gs://b/x/private", "gs://none/private", "gs://none/private"),
        ("gs://b/x/out", "gs://b", "output.folder: 'gs://b' is no place for files; allowed: gs:"),
        ("gs://b/x/out", "s3://b/x", "output.folder: 's3://b/x' is no place for files; allowed"),
        ("gs://b/x/private", "gs://b/x/out/p", "output.staging: gs://b/x/out/p is private, and"),
        ("gs://b/x/ledger.jsonl", "gs://none/ledger.jsonl", "there is no such bucket"),
        ("gs://b/x/in/", "gs://none/in/", "input.files: "),
    ],
)
def test_a_place_that_cannot_be_used_is_one_clear_line(tmp_path, gcs, old, new, text):
    config = write_release(tmp_path, "gs://b/x")
    config.write_text(config.read_text().replace(old, new))
    assert_one_line(command("run", config), text)
    assert not [name for name in gcs.objects if "drawn" in name]


def test_a_permission_that_is_missing_for_publication_is_one_line_and_the_draw_stays(tmp_path, gcs):
    config = write_release(tmp_path, "gs://b/x")
    gcs.refuse_below = "x/out/"
    assert_one_line(command("run", config), "gs://b/x/out/", "no permission; allowed: an account")
    assert state(config) == "published"
    assert shown("gs://b/x/out") == {}
    gcs.refuse_below = None
    run(config)
    assert kinds(config) == {"reserved": 1, "drawing": 1, "drawn": 1, "published": 1}
    assert shown("gs://b/x/out").keys() >= DOCUMENTS


def test_tuning_wants_staging_here(tmp_path, gcs):
    release = load_release(write_release(tmp_path, "gs://b/x"))
    with (
        pytest.raises(ConfigError, match=r"output.staging: gs://b/x/private is no folder here"),
        scratch_folder(release),
    ):
        pass
