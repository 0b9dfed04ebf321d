"""All checks, in the order in which one needs the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions, WorkerOptions

from pipelines.doctor import cluster, machine, places, probe
from pipelines.doctor.budget import check_budget
from pipelines.doctor.finding import Finding, failed, first_line, ok, skipped
from pipelines.plan import ReleasePlan, plan_release
from pipelines.policy_check import check_policy
from pipelines.run.dataflow import dataflow_arguments, load_dataflow
from pipelines.run.options import NoAnswerError, OptionError, is_local, pipeline_options
from pipelines.run.runners import RunnerChoice, RunnerError
from pipelines.spec import ConfigError, LoadedRelease, load_release
from pipelines.storage.storage import is_url


def examine(
    config: Path | None,
    chosen: RunnerChoice,
    beam_options: Sequence[str] = (),
    dataflow: Path | None = None,
    duty: places.Duty = "all",
) -> Iterator[Finding]:
    """Checks everything that a run needs.

    Args:
        config: The release YAML; None to leave out its places, and the job that needs them.
        chosen: What runs the pipeline. A master beside a running job server says where the cluster
            of that job server is.
        beam_options: More options for Beam.
        dataflow: File of an environment on Dataflow; None for none.
        duty: What this account does; who only publishes starts no workers.

    Yields:
        What each check found.
    """
    yield machine.check_python()
    yield from machine.check_packages()
    loaded = None
    if config is not None:
        loaded, found = _loaded(config)
        yield found
    options = None
    if duty != "publish":
        options, found = _options(chosen, beam_options, dataflow)
        yield found
    if loaded is not None:
        yield from _places(*loaded, duty)
    if duty == "publish":
        return
    runs = options is not None
    for found in _runner(chosen):
        runs = runs and found.state != "failed"
        yield found
    if options is None or is_local(options):
        return
    if loaded is None:
        yield skipped("job", "with a CONFIG, a job would look for workers that share its staging")
    elif not runs:
        yield skipped("job", "not tried, as what it needs has failed")
    else:
        seconds = probe.SECONDS if dataflow is None else probe.DATAFLOW_SECONDS
        yield probe.check_job(options, loaded[0].staging_folder, seconds)


def _loaded(config: Path) -> tuple[tuple[LoadedRelease, ReleasePlan] | None, Finding]:
    try:
        release = load_release(config)
        plan = plan_release(release)
        check_policy(release)
    except ConfigError as error:
        return None, failed("config", first_line(error), "see dp-release validate")
    text = f"{config}: {plan.spec.release} with {len(plan.tables)} tables"
    return (release, plan), ok("config", text)


def _options(
    chosen: RunnerChoice, more: Sequence[str], dataflow: Path | None
) -> tuple[PipelineOptions | None, Finding]:
    if chosen.endpoint is not None:
        chosen = replace(chosen, master=None)
    try:
        if dataflow is not None and chosen.runner not in (None, "dataflow"):
            raise RunnerError(f"--runner is {chosen.runner!r}; allowed: none beside --dataflow")
        arguments = chosen.beam_options(more)
        if dataflow is not None:
            arguments = dataflow_arguments(load_dataflow(dataflow), arguments)
        options = pipeline_options(arguments)
    except ConfigError as error:
        return None, failed("runner", first_line(error), "see deploy/dataflow.example.yaml")
    except NoAnswerError as error:
        mend = "see the name of the bucket, the network and the credentials"
        return None, failed("runner", str(error), mend)
    except (RunnerError, OptionError) as error:
        return None, failed("runner", str(error), "see dp-release run --help")
    if dataflow is not None:
        image = options.view_as(WorkerOptions).sdk_container_image
        return options, ok("runner", f"dataflow, with workers of {image}")
    return options, ok("runner", chosen.runner or ("local" if is_local(options) else "as after --"))


def _places(release: LoadedRelease, plan: ReleasePlan, duty: places.Duty) -> Iterator[Finding]:
    ledger = places.check_ledger(release)
    yield ledger
    if ledger.state == "ok" and duty != "publish":
        yield from check_budget(release, plan)
    folders = {"staging": release.staging_folder, "output": release.output_folder}
    for name, place in folders.items():
        if is_url(place):
            continue
        is_read = name == "output" and duty == "draw"
        yield (places.check_readable if is_read else places.check_folder)(name, place)
    if duty != "publish":
        yield from places.check_input(release)
    inputs = [("input", files) for files in release.input_files]
    named = [*inputs, ("ledger", release.ledger), *folders.items()]
    yield from places.check_buckets(named, duty)


def _runner(chosen: RunnerChoice) -> Iterator[Finding]:
    if chosen.endpoint is not None:
        yield cluster.check_job_server(chosen.endpoint)
    elif chosen.runner in ("flink", "spark"):
        jar = None if chosen.job_server is None else Path(chosen.job_server)
        opened = machine.OPENED if chosen.runner == "flink" else machine.OPENED_FOR_SPARK
        yield from machine.check_java(jar, opened)
    if chosen.flink_rest is not None:
        yield cluster.check_flink(chosen.flink_rest, chosen.parallelism)
    if chosen.worker_pool is not None:
        yield cluster.check_worker_pool(chosen.worker_pool)
