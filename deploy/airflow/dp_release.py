"""The schedule of a release for Airflow, instead of Cloud Scheduler and Workflows.

Reserve and draw, wait, publish: the same two Cloud Run jobs as in deploy/schedule, under the same
accounts. A task that runs again is harmless: the ledger lets a release be drawn once. If a job on
Dataflow failed, trigger the DAG for the same interval with the number of its attempt. Corrections
are made by hand (deploy/README.md): of one that is refused, publish would find the version before,
and the run would look done.

Airflow 3 with the google provider. Variables: dp_release_project, dp_release_region.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.google.cloud.hooks.dataflow import DataflowHook
from airflow.providers.google.cloud.operators.cloud_run import CloudRunExecuteJobOperator
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.sdk import DAG, Param
from airflow.timetables.interval import CronDataIntervalTimetable

CONFIG = "configs/live/emoji_weekly.yaml"
PERIOD = "{{ data_interval_start.strftime('%G-W%V') }}"
JOB = "dp-emoji-weekly-{{ data_interval_start.strftime('%G-w%V') }}"
PROJECT = "{{ var.value.dp_release_project }}"
REGION = "{{ var.value.dp_release_region }}"


def no_job_is_running(name: str, project: str, region: str) -> bool:
    """Returns whether no job of a name is under way on Dataflow."""
    return not DataflowHook().is_job_dataflow_running(
        name=name, project_id=project, location=region
    )


def _job(
    name: str, task: str, arguments: list[str] | str, hours: int
) -> CloudRunExecuteJobOperator:
    return CloudRunExecuteJobOperator(
        task_id=task,
        project_id=PROJECT,
        region=REGION,
        job_name=name,
        overrides={"container_overrides": [{"args": arguments}]},
        deferrable=True,
        timeout_seconds=hours * 3600,
        execution_timeout=timedelta(hours=hours),
    )


with DAG(
    dag_id="dp_release_emoji_weekly",
    description="Releases the emoji statistics of the week that is over.",
    # Of a plain cron expression, Airflow 3 makes intervals without length.
    schedule=CronDataIntervalTimetable("0 5 * * 1", timezone="UTC"),
    start_date=datetime(2026, 1, 5),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 0},
    params={
        "replace_attempt": Param(0, type="integer", description="Attempt whose job has failed.")
    },
    render_template_as_native_obj=True,
    tags=["dp-release"],
) as dag:
    draw = _job(
        "dp-release-draw",
        "draw",
        "{{ ['run', '" + CONFIG + "', '--detach', '--json', '--period', "
        "data_interval_start.strftime('%G-W%V'), "
        "'--dataflow', '/etc/dp-release/dataflow.yaml'] "
        "+ (['--replace-attempt', params.replace_attempt | string] "
        "if params.replace_attempt else []) "
        "+ ['--', '--job_name=dp-emoji-weekly-' + data_interval_start.strftime('%G-w%V')] }}",
        24,
    )
    wait = PythonSensor(
        task_id="wait",
        python_callable=no_job_is_running,
        op_kwargs={"name": JOB, "project": PROJECT, "region": REGION},
        trigger_rule="all_done",
        mode="reschedule",
        poke_interval=60,
        timeout=24 * 3600,
    )
    publish = _job(
        "dp-release-publish",
        "publish",
        ["publish", CONFIG, "--json", "--period", PERIOD],
        2,
    )
    draw >> wait >> publish
