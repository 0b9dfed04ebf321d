"""What a command logs as JSON: lines for programs, which say nothing about rows."""

import io
import json
import time
from contextlib import redirect_stderr
from datetime import datetime

import polars as pl
import pytest
from once_release import command, write_release, write_weekly
from small_series import MONDAYS

from pipelines import log
from pipelines.run.progress import count_bytes, progress

LINE = {"time", "severity", "event", "message"}
RELEASE = {"series", "period", "version"}
DIFFERENT_EACH_TIME = ("time", "seconds", "draw_sha256", "publication_sha256")
SECRET = "ada@example.org"


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def logged(*arguments, program=None):
    done = command("--log", "json", *arguments, program=program)
    return lines(done.stderr), done


def same_each_time(found):
    return [
        {name: value for name, value in line.items() if name not in DIFFERENT_EACH_TIME}
        for line in found
    ]


@pytest.fixture
def text_again():
    yield
    log.set_format("text")


def test_a_run_says_how_far_it_is(tmp_path):
    found, done = logged("run", write_weekly(tmp_path), "--period", "2026-W46", "--no-report")
    assert done.returncode == 0, done.stderr
    events = ["began", "looked", "charged", "drawing", "drawn", "published", "ended"]
    assert [line["event"] for line in found] == events
    named = {"series": "r", "period": "2026-W46", "version": 1}
    for line in found[1:]:
        assert {name: line[name] for name in RELEASE} == named
    charged, ended = found[2], found[-1]
    assert charged["epsilon"] == pytest.approx(1, abs=0.01)
    assert charged["ledger_entries"] == [1]
    assert (ended["exit_code"], ended["command"]) == (0, "run")
    assert 0 < ended["seconds"] < 50
    times = [datetime.fromisoformat(line["time"]) for line in found]
    assert times == sorted(times)
    assert all(time.tzinfo is not None for time in times)


def test_lines_have_no_other_fields_than_those_that_are_known_to_be_harmless(tmp_path):
    found, _ = logged("run", write_weekly(tmp_path), "--period", "2026-W46", "--no-report")
    known = LINE | RELEASE | log.Fields.__annotations__.keys()
    for line in found:
        assert LINE <= line.keys() <= known


def test_two_inputs_are_logged_alike(tmp_path):
    """More than neighbours: all rows of all people may be others, and fewer."""
    logs = []
    for name, users in (("few", 2), ("many", 4000)):
        folder = tmp_path / name
        folder.mkdir()
        config = write_release(folder)
        config.write_text(config.read_text() + "ledger: ledger.db\n")
        rows = pl.DataFrame({"user": [f"{name} {user}" for user in range(users)]})
        rows = rows.with_columns(at=pl.lit(MONDAYS[0]), country=pl.lit("FR"))
        rows.write_parquet(folder / "in.parquet")
        found, done = logged("run", config, "--no-report")
        assert done.returncode == 0, done.stderr
        text = json.dumps(same_each_time(found)).replace(str(folder), "")
        logs.append(text)
    assert logs[0] == logs[1]


def test_a_rerun_says_that_there_was_nothing_to_do(tmp_path):
    config = write_release(tmp_path)
    command("run", config, "--no-report")
    found, _ = logged("run", config, "--no-report")
    assert [line["event"] for line in found] == ["began", "looked", "ended"]
    assert found[1]["state"] == "published"


def test_a_correction_says_what_it_withdraws(tmp_path):
    config = write_release(tmp_path)
    command("run", config, "--no-report")
    found, _ = logged("run", config, "--no-report", "--correct", "rows were missing")
    (withdrawn,) = (line for line in found if line["event"] == "withdrawn")
    assert withdrawn["version"] == 1
    assert {line["version"] for line in found[1:] if line is not withdrawn} == {2}
    assert found[-1]["version"] == 2


def test_what_is_wrong_is_a_line_too(tmp_path):
    found, done = logged("run", tmp_path / "none.yaml")
    assert done.returncode == found[-1]["exit_code"] == 1
    (problem,) = (line for line in found if line["event"] == "problem")
    assert problem["severity"] == "ERROR"
    assert "no such file" in problem["message"]


def test_a_refused_release_ends_with_its_exit_code(tmp_path):
    config = write_release(tmp_path, more="policy: policy.yaml\n")
    policy = "datasets: {r: {columns: [user, country], caps: [{unit: user, epsilon: 0.5}]}}"
    (tmp_path / "policy.yaml").write_text(policy)
    found, done = logged("run", config)
    assert done.returncode == found[-1]["exit_code"] == 2
    assert any(line["event"] == "problem" for line in found)


CRASHING = f"""
import pipelines.plan
def fail(*arguments, **named): raise ValueError('cannot read {SECRET}')
pipelines.plan.plan_release = fail
from pipelines.cli import main
main()
"""


def test_a_failure_of_workers_is_logged_without_its_text(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ValueError(f"cannot read {SECRET}")

    monkeypatch.setattr("transforms.stages.Engine.batch", fail)
    found, done = logged("run", write_release(tmp_path))
    assert done.returncode == found[-1]["exit_code"] == 1
    assert "the run failed" in next(x["message"] for x in found if x["event"] == "problem")
    assert SECRET not in done.stderr + done.stdout


def test_a_crash_is_logged_by_its_kind_and_place(tmp_path):
    found, done = logged("run", write_release(tmp_path), program=CRASHING)
    assert done.returncode == 1
    assert [line["event"] for line in found] == ["began", "ended", "crashed"]
    assert found[-1]["message"] == "ValueError at <string>:3"
    assert found[-1]["severity"] == "CRITICAL"
    assert SECRET not in done.stderr + done.stdout


def test_a_problem_names_the_release_once_it_is_known(tmp_path):
    config = write_weekly(tmp_path)
    config.write_text(config.read_text().replace("user, eps", "usr, eps"))
    found, _ = logged("run", config, "--period", "2026-W46")
    (problem,) = (line for line in found if line["event"] == "problem")
    assert (problem["series"], problem["period"]) == ("r", "2026-W46")


def test_a_rerun_does_not_log_the_charge_again(tmp_path, monkeypatch):
    config = write_release(tmp_path)
    with monkeypatch.context() as failing:
        failing.setattr("pipelines.run.drawing._run_pipeline", lambda *_: 1 / 0)
        first, _ = logged("run", config, "--no-report")
    second, _ = logged("run", config, "--no-report")
    events = [line["event"] for line in (*first, *second)]
    assert events.count("charged") == 1
    assert [line["attempt"] for line in second if line["event"] == "drawing"] == [2]


def test_an_ending_is_logged(tmp_path):
    config = write_release(tmp_path)
    command("run", config, "--no-report")
    found, _ = logged("withdraw", config, "--reason", "wrong")
    assert [line["event"] for line in found] == ["began", "withdrawn", "ended"]
    assert found[1]["period"] == "all"


def test_a_thread_that_crashes_is_logged_without_its_text(tmp_path):
    program = (
        "import threading\n"
        "def fail():\n"
        f"    raise ValueError('{SECRET}')\n"
        "from pipelines.commands import planning\n"
        "from pipelines import cli, log\n"
        "log.set_format('json')\n"
        "thread = threading.Thread(target=fail)\n"
        "thread.start()\n"
        "thread.join()\n"
    )
    done = command(program=program)
    (line,) = lines(done.stderr)
    assert (line["event"], line["message"]) == ("crashed", "ValueError at <string>:3")


def test_the_environment_may_ask_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("DP_RELEASE_LOG", "json")
    assert lines(command("validate", tmp_path / "none.yaml").stderr)[0]["command"] == "validate"


def test_texts_for_people_stay_as_they_are(tmp_path):
    done = command("--log", "text", "validate", tmp_path / "none.yaml")
    assert "{" not in done.stderr
    assert "no such file" in done.stderr


def test_progress_is_in_percent(text_again):
    with redirect_stderr(io.StringIO()) as written:
        log.set_format("json")
        with progress(123_400, interval=0.01):
            count_bytes(61_700)
            time.sleep(0.2)
    found = lines(written.getvalue())
    assert {line["percent"] for line in found} <= {0, 50}
    assert found[-1]["percent"] == 50
    assert "123" not in found[-1]["message"]
    assert found[-1].keys() == LINE | {"percent"}
