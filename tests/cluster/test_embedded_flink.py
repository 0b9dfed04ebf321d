"""The emoji release on Flink in one Java process: the numbers of the local runner, one draw."""

from __future__ import annotations

import pytest
from emoji import check_one_release, exact_tables, recipe, run, write_release
from job_server import job_server

pytestmark = [pytest.mark.runner, pytest.mark.slow, pytest.mark.timeout(150)]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    with job_server("flink", tmp_path_factory.mktemp("flink"), "[local]") as endpoint:
        yield [
            *("--runner=PortableRunner", f"--job_endpoint={endpoint}"),
            *("--environment_type=LOOPBACK", "--parallelism=2"),
        ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("emoji") / "configs"
    write_release(folder)
    return folder


def test_tables_before_noise_are_those_of_the_local_runner(folder, monkeypatch, options):
    local = exact_tables(recipe(folder, "local"), monkeypatch)
    flink = exact_tables(recipe(folder, "flink"), monkeypatch, *options)
    assert local["by_country"].height > 1_000
    assert {name: table.height for name, table in flink.items()} == {
        name: table.height for name, table in local.items()
    }
    for name, table in local.items():
        assert flink[name].equals(table)


def test_a_release_is_drawn_and_charged_once(folder, options):
    config = recipe(folder, "real")
    first = run(config, *options)
    assert first.is_new
    assert check_one_release(config)["drawing"] == 1
    again = run(config, *options)
    assert not again.is_new
    assert again.published[0].frame.equals(first.published[0].frame)
    assert check_one_release(config)["drawing"] == 1
