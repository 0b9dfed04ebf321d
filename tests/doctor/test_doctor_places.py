"""The doctor looks at config, ledger, folders and buckets, and leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from apache_beam.options.pipeline_options import PipelineOptions, WorkerOptions
from commands import command_here

from pipelines.doctor import places, probe
from pipelines.doctor.examine import examine
from pipelines.doctor.finding import ok
from pipelines.in_time import TooSlowError, within
from pipelines.ledger import LedgerError
from pipelines.plan import plan_release
from pipelines.run.exactly_once import run_release
from pipelines.run.options import NoAnswerError
from pipelines.run.runners import RunnerChoice
from pipelines.run.waiting import TimeLimitError
from pipelines.spec import ConfigError, load_release

COMMAND = Path(sys.executable).with_name("dp-release")
LOCAL = PipelineOptions(["--runner=FnApiRunner"])


@pytest.fixture
def config(tmp_path):
    frame = pl.DataFrame({"user": ["a", "b"], "country": ["DE", "FR"]})
    frame.write_parquet(tmp_path / "in.parquet")
    path = tmp_path / "release.yaml"
    path.write_text(
        "release: r\ninput: {files: in.parquet}\nprivacy: {unit: user, epsilon: 1}\n"
        "tables: {t: {public: {country: [DE, FR]}, metrics: {n: count}}}\n"
        "output: {folder: out/r, formats: [csv]}\n"
    )
    return path


def states(findings):
    return {found.check: found.state for found in findings}


# Time


def test_what_takes_too_long_is_left_alone():
    started = time.monotonic()
    with pytest.raises(TooSlowError, match=r"no answer of the moon in 0\.1 s"):
        within(0.1, "the moon", lambda: time.sleep(5))
    assert time.monotonic() - started < 3


def test_results_and_errors_of_a_look_come_back():
    assert within(5, "this", lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, "this", lambda: 1 / 0)


# Folders and ledger


def test_a_release_that_can_run_is_fine_and_is_left_as_it_was(config, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    found = states(examine(config, RunnerChoice()))
    assert set(found) == {
        *("python", "beam", "packages", "config", "runner"),
        *("ledger", "staging", "output", "input"),
    }
    assert set(found.values()) == {"ok"}
    assert sorted(tmp_path.rglob("*")) == before


def test_a_ledger_is_read_and_its_hashes_are_checked(config):
    release = load_release(config)
    run_release(release, plan_release(release))
    assert "has 4 entries" in places.check_ledger(release).text
    Path(release.ledger).write_bytes(b"no ledger")
    found = places.check_ledger(release)
    assert found.state == "failed"
    assert "ledger.db" in found.text


@pytest.mark.parametrize("kept", [".dp-release", "out"])
def test_a_ledger_that_others_remember_entries_of_is_missed(config, tmp_path, kept):
    """A run refuses it too, whether the staging or a published release remembers it."""
    release = load_release(config)
    run_release(release, plan_release(release))
    ledger = Path(release.ledger)
    shutil.copyfile(ledger, tmp_path / "backup")
    for folder in {".dp-release", "out"} - {kept}:
        shutil.rmtree(tmp_path / folder)
    ledger.unlink(missing_ok=True)
    found = {one.check: one for one in examine(config, RunnerChoice())}["ledger"]
    assert found.state == "failed"
    with pytest.raises(LedgerError) as refused:
        run_release(release, plan_release(release))
    assert found.text == str(refused.value)
    ledger.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tmp_path / "backup", ledger)
    assert places.check_ledger(release).state == "ok"


# Input


def test_input_that_is_not_there_is_a_finding_in_the_words_of_a_run(config):
    config.write_text(config.read_text().replace("in.parquet", "inn.parquet"))
    found = {one.check: one for one in examine(config, RunnerChoice())}["input"]
    assert found.state == "failed"
    release = load_release(config)
    with pytest.raises(ConfigError) as refused:
        run_release(release, plan_release(release))
    assert found.text == str(refused.value)
    assert "release.yaml:2:16: input.files: no file matches" in found.text


def test_of_input_by_period_what_is_there_for_none_is_a_finding(config, tmp_path):
    text = config.read_text().replace(
        "files: in.parquet", "files: 'in/{period}/*.parquet', time: t"
    )
    config.write_text(f"{text}period: week\n")
    found = {one.check: one for one in examine(config, RunnerChoice())}["input"]
    assert (found.state, "in/*/*.parquet" in found.text) == ("failed", True)
    (tmp_path / "in" / "2020-W01").mkdir(parents=True)
    shutil.copyfile(tmp_path / "in.parquet", tmp_path / "in" / "2020-W01" / "a.parquet")
    found = {one.check: one for one in examine(config, RunnerChoice())}["input"]
    assert (found.state, found.text) == ("ok", "1 files are there, of all periods")


# Policy and budget


def with_policy(config, epsilon):
    config.write_text(f"{config.read_text()}policy: policy.yaml\n")
    config.with_name("policy.yaml").write_text(
        f"datasets: {{r: {{columns: [user, country], caps: [{{unit: user, epsilon: {epsilon}}}]}}}}"
    )


def test_a_cap_that_the_release_never_fits_is_a_finding(config):
    with_policy(config, 0.5)
    found = {one.check: one for one in examine(config, RunnerChoice())}["budget"]
    assert found.state == "failed"
    assert found.text.startswith(
        "a run would be refused for period all: the cap of epsilon 0.5 at delta 0 per lifetime"
    )
    config.with_name("policy.yaml").write_text(
        config.with_name("policy.yaml").read_text().replace("0.5", "1.5")
    )
    assert states(examine(config, RunnerChoice()))["budget"] == "ok"


def test_a_policy_that_is_not_there_is_a_finding(config):
    config.write_text(f"{config.read_text()}policy: polcy.yaml\n")
    found = {one.check: one for one in examine(config, RunnerChoice())}["config"]
    assert found.state == "failed"
    assert "polcy.yaml: no such file" in found.text


def test_a_published_release_whose_config_is_another_now_is_a_finding(config):
    release = load_release(config)
    run_release(release, plan_release(release))
    assert states(examine(config, RunnerChoice()))["budget"] == "ok"
    config.write_text(config.read_text().replace("epsilon: 1", "epsilon: 2"))
    found = {one.check: one for one in examine(config, RunnerChoice())}["budget"]
    assert found.state == "failed"
    assert "allowed: the config as it was, or dp-release run --correct REASON" in found.text


# Folders


def test_folders_that_cannot_be_made_are_named(config, tmp_path):
    (tmp_path / "out").write_text("a file")
    (tmp_path / ".dp-release").write_text("a file")
    found = {one.check: one for one in examine(config, RunnerChoice())}
    for name in ("output", "staging", "ledger"):
        assert found[name].state == "failed"
        assert "is not a folder" in found[name].text
        assert found[name].mend


def test_a_full_or_closed_folder_is_named(tmp_path, monkeypatch):
    def refuse(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(places.tempfile, "TemporaryFile", refuse)
    found = places.check_folder("staging", str(tmp_path))
    assert found.text == f"{tmp_path} cannot be written to: No space left on device"


def test_a_config_that_does_not_load_is_one_line(config):
    config.write_text(config.read_text().replace("release: r", "relase: r"))
    found = {one.check: one for one in examine(config, RunnerChoice())}
    assert found["config"].state == "failed"
    assert "relase" in found["config"].text
    assert "\n" not in str(found["config"])


# Buckets


class Client:
    """Grants rights on buckets."""

    def __init__(self, rights, error=None):
        self.rights, self.error = rights, error

    def bucket(self, name):
        return Bucket(name, self)


class Bucket:
    def __init__(self, name, client):
        self.name, self.client = name, client

    def test_iam_permissions(self, wanted, timeout):
        if self.client.error is not None:
            raise self.client.error
        return [right for right in wanted if right in self.client.rights[self.name]]


PLACES = [
    ("input", "gs://raw/in/*.parquet"),
    ("staging", "gs://staging/x"),
    ("output", "/here"),
]
RIGHTS = places.PERMISSIONS["all"]


def test_rights_on_buckets_are_asked_for():
    rights = {"raw": RIGHTS["input"], "staging": RIGHTS["staging"]}
    found = list(places.check_buckets(PLACES, connect=lambda: Client(rights)))
    assert states(found) == {"credentials": "ok", "input": "ok", "staging": "ok"}


def test_rights_that_are_missing_are_named():
    rights = {"raw": RIGHTS["input"], "staging": ["storage.objects.get"]}
    found = {one.check: one for one in places.check_buckets(PLACES, connect=lambda: Client(rights))}
    assert found["input"].state == "ok"
    assert found["staging"].state == "failed"
    assert found["staging"].text == (
        "gs://staging/x: not allowed: storage.objects.list, storage.objects.create, "
        "storage.objects.delete"
    )


ACCOUNTS = {  # As deploy/terraform/iam.tf has them.
    "draw": {"raw": "viewer", "staging": "user", "ledger": "user", "public": "viewer"},
    "publish": {"staging": "user", "ledger": "user", "public": "user"},
}
ROLES = {
    "viewer": ["storage.objects.get", "storage.objects.list"],
    "user": [f"storage.objects.{verb}" for verb in ("get", "list", "create", "delete", "update")],
}
IN_THE_CLOUD = [
    ("input", "gs://raw/a/*.parquet"),
    ("input", "gs://raw/b/*.parquet"),
    ("ledger", "gs://ledger/l"),
    ("staging", "gs://staging/x"),
    ("output", "gs://public/x"),
]


class ClientOf(Client):
    """Grants an account what it has, and nothing on other buckets."""

    def __init__(self, account):
        buckets = ("raw", "staging", "ledger", "public")
        super().__init__({name: ROLES.get(ACCOUNTS[account].get(name), []) for name in buckets})


@pytest.mark.parametrize("duty", ACCOUNTS)
def test_the_accounts_of_the_cloud_may_do_their_duty_and_not_all(duty):
    own = list(places.check_buckets(IN_THE_CLOUD, duty, lambda: ClientOf(duty)))
    assert {found.state for found in own} == {"ok"}
    assert [found.check for found in own].count("input") == (2 if duty == "draw" else 0)
    for other in {*places.PERMISSIONS, *ACCOUNTS} - {duty}:
        found = list(places.check_buckets(IN_THE_CLOUD, other, lambda: ClientOf(duty)))
        assert "failed" in {one.state for one in found}


def test_each_glob_of_the_input_is_looked_at(config, monkeypatch):
    globs = "[gs://raw/*.parquet, gs://old/*.parquet, gs://older/*.parquet]"
    config.write_text(config.read_text().replace("files: in.parquet", f"files: {globs}"))
    rights = {"raw": RIGHTS["input"], "old": RIGHTS["input"], "older": []}
    monkeypatch.setattr(places, "_connect", lambda: Client(rights))
    found = [one for one in examine(config, RunnerChoice()) if one.check == "input"]
    assert [one.state for one in found] == ["ok", "ok", "failed"]
    assert found[2].text.startswith("gs://older/*.parquet: not allowed: storage.objects.get")


def test_a_table_of_bigquery_is_skipped_with_what_is_not_checked(config):
    text = config.read_text()
    config.write_text(text.replace("{files: in.parquet}", "{bigquery: {table: proj.data.events}}"))
    found = {one.check: one for one in examine(config, RunnerChoice())}
    assert found["input"].state == "skipped"
    assert "proj.data.events is in BigQuery; not checked: whether" in found["input"].text
    assert "input" not in states(examine(config, RunnerChoice(), duty="publish"))


def test_whoever_draws_needs_only_to_read_the_output(config, tmp_path, monkeypatch):
    output = tmp_path / "out" / "r"
    output.mkdir(parents=True)
    access = places.os.access

    def closed(path, mode):
        return access(path, mode) and not (Path(path) == output and mode & places.os.W_OK)

    def refuse(dir):
        if Path(dir) == output:
            raise OSError(30, "Read-only file system")
        return tempfile.TemporaryFile(dir=dir)

    monkeypatch.setattr(places.os, "access", closed)
    monkeypatch.setattr(places, "tempfile", SimpleNamespace(TemporaryFile=refuse))
    assert states(examine(config, RunnerChoice()))["output"] == "failed"
    assert states(examine(config, RunnerChoice(), duty="draw"))["output"] == "ok"
    assert states(examine(config, RunnerChoice(), duty="publish"))["output"] == "failed"


def test_whoever_publishes_needs_no_runner(config):
    found = states(examine(config, RunnerChoice(), duty="publish"))
    assert "runner" not in found
    assert set(found.values()) == {"ok"}


def test_missing_credentials_are_one_line():
    def connect():
        raise RuntimeError("Your default credentials were not found.\nSee somewhere.")

    (found,) = places.check_buckets(PLACES, connect=connect)
    assert found.text == "Your default credentials were not found."
    assert "gcloud auth application-default login" in found.mend


def test_a_missing_library_is_one_line():
    def connect():
        raise ImportError("google.cloud")

    (found,) = places.check_buckets(PLACES, connect=connect)
    assert found.mend == "install dp-release[gcs]"


def test_a_cloud_that_does_not_answer_is_left_alone():
    (found,) = places.check_buckets(PLACES, connect=lambda: time.sleep(5), seconds=0.1)
    assert found.text == "no answer of the credentials in 0.1 s"
    found = list(places.check_buckets(PLACES, connect=lambda: Client({}, OSError("offline"))))
    assert states(found) == {"credentials": "ok", "input": "failed", "staging": "failed"}
    assert "offline" in found[1].text


def test_places_here_need_no_credentials():
    assert list(places.check_buckets([("output", "/here")], connect=lambda: 1 / 0)) == []


# The job


def test_a_job_of_no_data_leaves_nothing_behind(tmp_path):
    found = probe.check_job(LOCAL, str(tmp_path))
    assert found.state == "ok"
    assert "share the staging" in found.text
    assert list(tmp_path.iterdir()) == []


def test_workers_with_a_disk_of_their_own_are_noticed(tmp_path, monkeypatch):
    def mislaid(path, **more):
        return create(path.replace("/staging/", "/elsewhere/"), **more)

    create = probe.FileSystems.create
    monkeypatch.setattr(probe.FileSystems, "create", mislaid)
    found = probe.check_job(LOCAL, str(tmp_path / "staging"))
    assert found.state == "failed"
    assert "8 of 8 files that workers wrote to " in found.text
    assert found.mend == "set output.staging to a folder that all workers share"


def test_workers_of_other_versions_are_noticed(tmp_path, monkeypatch):
    here = probe.versions()
    told = iter([*[here] * 7, {**here, "apache-beam": "2.70.0"}, here])
    monkeypatch.setattr(probe, "versions", lambda: next(told))
    found = probe.check_job(LOCAL, str(tmp_path))
    assert found.state == "failed"
    assert found.text.startswith("apache-beam is 2.70.0 at ")
    assert "same image" in found.mend


def test_workers_with_other_code_are_noticed(tmp_path, monkeypatch):
    here = probe.versions()
    assert len(here["code"]) == 16
    other = {**here, "code": "0123456789abcdef"}
    told = iter([*[other] * 8, here])
    monkeypatch.setattr(probe, "versions", lambda: next(told))
    found = probe.check_job(LOCAL, str(tmp_path))
    assert found.text.startswith("code is 0123456789abcdef at ")


def test_a_job_that_hangs_or_fails_is_one_line(tmp_path, monkeypatch):
    errors = {"job": RuntimeError("lost\nmore"), "time": TimeLimitError("late")}
    for error in errors.values():

        def fail(pipeline, seconds, error=error):
            raise error

        monkeypatch.setattr(probe, "run_pipeline", fail)
        found = probe.check_job(LOCAL, str(tmp_path), seconds=3)
        assert found.state == "failed"
        assert "\n" not in str(found)
        assert list(tmp_path.iterdir()) == []


def test_a_job_needs_a_config_and_what_comes_before_it(config):
    choice = RunnerChoice("flink", None, "localhost:1", 1, "loopback")
    found = {one.check: one for one in examine(config, choice)}
    assert found["job server"].state == "failed"
    assert found["job"].text == "not tried, as what it needs has failed"
    found = {one.check: one for one in examine(None, choice)}
    assert found["job"].text.startswith("with a CONFIG")
    found = states(examine(config, RunnerChoice("fink")))
    assert found["runner"] == "failed"
    assert "job" not in found


def test_a_file_of_dataflow_is_checked(config, tmp_path):
    example = Path(__file__).parents[2] / "deploy" / "dataflow.example.yaml"
    other = tmp_path / "dataflow.yaml"
    other.write_text(example.read_text().replace("@sha256:", ":latest-"))
    found = {one.check: one for one in examine(config, RunnerChoice(), (), other)}
    assert found["runner"].state == "failed"
    assert "worker_image" in found["runner"].text
    assert "job" not in found
    found = {one.check: one for one in examine(config, RunnerChoice("flink"), (), example)}
    assert found["runner"].text == "--runner is 'flink'; allowed: none beside --dataflow"


def test_a_cloud_that_does_not_answer_keeps_nothing_else_from_being_checked(config, monkeypatch):
    def silent(arguments):
        raise NoAnswerError("gs://bucket did not answer in 30 s")

    monkeypatch.setattr("pipelines.doctor.examine.pipeline_options", silent)
    example = Path(__file__).parents[2] / "deploy" / "dataflow.example.yaml"
    found = {one.check: one for one in examine(config, RunnerChoice(), (), example)}
    assert str(found["runner"]) == (
        "failed  runner        gs://bucket did not answer in 30 s; mend: see the name of the "
        "bucket, the network and the credentials"
    )
    assert found["staging"].state == "ok"
    assert "job" not in found


def test_a_job_on_dataflow_is_tried_with_the_image_and_the_time_that_machines_take(
    config, monkeypatch
):
    asked = []

    def check_job(options, staging, seconds):
        asked.append((options.view_as(WorkerOptions).sdk_container_image, seconds))
        return ok("job", "")

    monkeypatch.setattr(probe, "check_job", check_job)
    monkeypatch.setattr("pipelines.doctor.examine.pipeline_options", PipelineOptions)
    example = Path(__file__).parents[2] / "deploy" / "dataflow.example.yaml"
    found = {one.check: one for one in examine(config, RunnerChoice(), (), example)}
    ((image, seconds),) = asked
    assert found["runner"].text.endswith(image)
    assert "@sha256:" in image
    assert seconds == probe.DATAFLOW_SECONDS


# The command


def command(*arguments):
    return subprocess.run(
        [COMMAND, "doctor", *map(str, arguments)], capture_output=True, text=True, timeout=55
    )


def test_the_command_leaves_with_0_where_all_is_fine(config):
    done = command(config)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["ok"] * 9


def test_the_command_leaves_with_1_where_something_is_wrong(config):
    done = command(config, "--runner", "flink", "--job-server", "localhost:1", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    found = {one["check"]: one for one in json.loads(done.stdout)["findings"]}
    assert found["runner"]["state"] == "failed"
    assert found["runner"]["text"].startswith("--environment is missing; allowed: loopback")
    assert found["job server"]["mend"].startswith("java -jar deploy/flink/target/job-server.jar")


def test_an_option_of_a_runner_is_refused_where_nothing_runs(config):
    done = command_here("doctor", config, "--duty", "publish", "--runner", "flink")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--duty is publish, which starts no workers; allowed: no options" in done.stderr
    done = command_here("doctor", config, "--duty", "publish")
    assert (done.returncode, done.stderr) == (0, "")
