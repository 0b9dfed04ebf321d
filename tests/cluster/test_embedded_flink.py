"""The emoji release on Flink in one Java process: the numbers of the local runner, one draw."""

from __future__ import annotations

import pytest
from emoji_release import check_one_release, exact_tables, recipe, run, run_command
from job_server import jar_of, job_server

from pipelines.run.runners import RunnerChoice

pytestmark = [
    *(pytest.mark.runner, pytest.mark.slow, pytest.mark.timeout(400)),
    # Threads of Beam see their connections end with the job.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture(scope="module")
def choice(tmp_path_factory):
    with job_server("flink", tmp_path_factory.mktemp("flink"), "[local]") as endpoint:
        yield RunnerChoice("flink", None, endpoint, 2, "loopback", "5m")


def test_tables_before_noise_are_those_of_the_local_runner(folder, local, monkeypatch, choice):
    flink = exact_tables(recipe(folder, "flink"), monkeypatch, choice)
    for name, table in local.items():
        assert flink[name].height == table.height
        assert flink[name].equals(table)


def test_a_release_is_drawn_and_charged_once(folder, choice):
    config = recipe(folder, "flink-real")
    first = run(config, choice)
    assert first.is_new
    assert check_one_release(config)["drawing"] == 1
    again = run(config, choice)
    assert not again.is_new
    assert again.published[0].frame.equals(first.published[0].frame)
    assert check_one_release(config)["drawing"] == 1


def test_the_command_starts_a_job_server_and_ends_it(folder):
    config = recipe(folder, "flink-command")
    options = ["--runner", "flink", "--job-server", jar_of("flink"), "--parallelism", "2"]
    assert "rows in " in run_command(config, *options, "--time-limit", "5m")
    assert check_one_release(config)["drawing"] == 1
