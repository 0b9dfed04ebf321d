"""The DAG, loaded by Airflow itself where it is installed, in an environment of its own.

pip install 'apache-airflow==3.*' apache-airflow-providers-google pytest pytest-timeout
pip install --no-deps apache-airflow-providers-apache-beam
python -m pytest tests/deploy/test_airflow.py
"""

from __future__ import annotations

import inspect
import os
from datetime import UTC, datetime
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
from deploy_files import ROOT

if find_spec("airflow") is None:
    pytest.skip(
        "needs Airflow in an environment of its own: see the head of this file",
        allow_module_level=True,
    )

WEEK = {
    "data_interval_start": datetime(2026, 11, 16, 5, tzinfo=UTC),
    "params": SimpleNamespace(replace_attempt=0),
    "var": SimpleNamespace(
        value=SimpleNamespace(dp_release_project="proj-abc", dp_release_region="europe-west1")
    ),
}


@pytest.fixture(scope="module")
def dag(tmp_path_factory):
    os.environ["AIRFLOW_HOME"] = str(tmp_path_factory.mktemp("airflow"))
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(ROOT / "deploy" / "airflow"))
    assert bag.import_errors == {}
    (dag,) = bag.dags.values()
    return dag


def arguments(dag, task, **more):
    task = dag.get_task(task)
    overrides = task.render_template(task.overrides, {**WEEK, **more}, dag.get_template_env())
    (container,) = overrides["container_overrides"]
    return container["args"]


def test_it_draws_then_waits_then_publishes(dag):
    assert [task.task_id for task in dag.topological_sort()] == ["draw", "wait", "publish"]
    jobs = [dag.get_task(name).job_name for name in ("draw", "publish")]
    assert jobs == ["dp-release-draw", "dp-release-publish"]


def test_the_arguments_are_those_of_the_workflow(dag):
    assert arguments(dag, "draw") == [
        *("run", "configs/live/emoji_weekly.yaml", "--detach", "--json", "--period", "2026-W47"),
        *("--dataflow", "/etc/dp-release/dataflow.yaml"),
        *("--", "--job_name=dp-emoji-weekly-2026-w47"),
    ]
    assert arguments(dag, "publish") == [
        *("publish", "configs/live/emoji_weekly.yaml", "--json", "--period", "2026-W47")
    ]


def test_a_failed_job_is_launched_again_on_request_only(dag):
    again = arguments(dag, "draw", params=SimpleNamespace(replace_attempt=1))
    assert again[-4:-1] == ["--replace-attempt", "1", "--"]
    assert "--replace-attempt" not in arguments(dag, "draw")


def test_runs_do_not_overlap_nor_make_up_for_the_past(dag):
    assert (dag.max_active_runs, dag.catchup) == (1, False)
    assert all(task.retries == 0 for task in dag.tasks)


def test_the_interval_is_the_week_that_is_over(dag):
    monday = datetime(2026, 11, 23, 5, tzinfo=UTC)
    interval = dag.timetable.infer_manual_data_interval(run_after=monday)
    assert interval.start.strftime("%G-W%V") == "2026-W47"


def test_waiting_goes_on_after_a_refused_draw_and_looks_for_the_job_of_the_draw(dag):
    from airflow.providers.google.cloud.hooks.dataflow import DataflowHook

    wait = dag.get_task("wait")
    assert wait.trigger_rule == "all_done"
    asked = wait.render_template(wait.op_kwargs, WEEK, dag.get_template_env())
    assert asked == {
        "name": "dp-emoji-weekly-2026-w47",
        "project": "proj-abc",
        "region": "europe-west1",
    }
    known = inspect.signature(DataflowHook.is_job_dataflow_running).parameters
    assert {"name", "project_id", "location"} <= known.keys()
