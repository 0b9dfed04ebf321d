"""The emoji release on Prism: the numbers of the local runner, one draw, no process left behind."""

from __future__ import annotations

import os

import pytest
from emoji_release import check_one_release, exact_tables, recipe, run_command

from pipelines.run.runners import RunnerChoice

pytestmark = [
    *(pytest.mark.runner, pytest.mark.slow, pytest.mark.timeout(400)),
    # Threads of Beam see their connections end with the job.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture
def program():
    program = os.environ.get("DP_RELEASE_PRISM")
    if not program:
        pytest.skip("DP_RELEASE_PRISM is not set: make test-prism builds Prism and sets it")
    return os.path.realpath(program)


def test_tables_before_noise_are_those_of_the_local_runner(folder, local, monkeypatch, program):
    choice = RunnerChoice("prism", job_server=program, time_limit="5m")
    prism = exact_tables(recipe(folder, "prism"), monkeypatch, choice)
    for name, table in local.items():
        assert prism[name].equals(table)


def test_a_release_is_drawn_and_charged_once(folder, program):
    config = recipe(folder, "prism-real")
    run_command(config, "--runner", "prism", "--job-server", program, "--time-limit", "5m")
    assert check_one_release(config)["drawing"] == 1
