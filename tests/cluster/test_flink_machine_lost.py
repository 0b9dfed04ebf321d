"""A Flink cluster loses a machine during a release: it finishes, with one draw and one charge."""

from __future__ import annotations

import threading

import pytest
from emoji_release import check_one_release, run, write_release
from flink_cluster import flink_cluster
from job_server import job_server
from processes import wait_for

from pipelines.doctor.cluster import check_flink
from pipelines.run.runners import RunnerChoice

pytestmark = [pytest.mark.runner, pytest.mark.slow, pytest.mark.timeout(500)]

REACHED_SECONDS = 200


@pytest.mark.parametrize(("gate", "attempts"), [("bounding", 1), ("staging", 2)])
def test_a_release_survives_the_loss_of_a_machine(tmp_path, gate, attempts):
    """While units are bounded, nothing is drawn yet; while values are staged, some are."""
    config = write_release(tmp_path / "configs")
    gates = tmp_path / "gates"
    gates.mkdir()
    lost = []
    gate_of_workers = {"TEST_GATE": gate, "TEST_GATE_FOLDER": str(gates)}
    with (
        flink_cluster(tmp_path, gate_of_workers) as cluster,
        job_server("flink", tmp_path, cluster.rest) as endpoint,
    ):
        slots = check_flink(cluster.rest, 3)
        assert (slots.state, "task managers has 4 of 4 slots free" in slots.text) == ("ok", True)

        def lose_a_machine():
            wait_for(f"a worker that is {gate}", lambda: any(gates.iterdir()), REACHED_SECONDS)
            name = next(gates.iterdir()).name.removeprefix("reached-")
            cluster.machines[name].kill()
            lost.append(name)
            (gates / "open").touch()

        killer = threading.Thread(target=lose_a_machine)
        killer.start()
        environment = f"external:{cluster.workers}"
        done = run(config, RunnerChoice("flink", None, endpoint, 2, environment, "7m"))
        killer.join()
        assert done.is_new
        assert len(lost) == 1
        assert cluster.get("overview")["taskmanagers"] == 1
        assert cluster.get("jobs/overview")["jobs"][0]["state"] == "FINISHED"
    assert check_one_release(config)["drawing"] == attempts
