"""The emoji release on Spark in one Java process: the numbers of the local runner, one draw."""

from __future__ import annotations

import pytest
from emoji_release import check_one_release, exact_tables, recipe, run
from job_server import job_server

from pipelines.run.runners import RunnerChoice

pytestmark = [
    *(pytest.mark.runner, pytest.mark.slow, pytest.mark.timeout(400)),
    # Threads of Beam see their connections end with the job.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture(scope="module")
def choice(tmp_path_factory):
    with job_server("spark", tmp_path_factory.mktemp("spark"), "local[2]") as endpoint:
        yield RunnerChoice("spark", None, endpoint, None, "loopback", "5m")


def test_tables_before_noise_are_those_of_the_local_runner(folder, local, monkeypatch, choice):
    spark = exact_tables(recipe(folder, "spark"), monkeypatch, choice)
    for name, table in local.items():
        assert spark[name].equals(table)


def test_a_release_is_drawn_and_charged_once(folder, choice):
    config = recipe(folder, "spark-real")
    assert run(config, choice).is_new
    assert check_one_release(config)["drawing"] == 1
