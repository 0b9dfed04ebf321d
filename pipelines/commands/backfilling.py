"""`backfill`: a release for each period of a range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines import log
from pipelines.commands.private_places import private_metrics
from pipelines.commands.run_results import tell_result
from pipelines.commands.runner_options import (
    Environment,
    JobServer,
    Master,
    Parallelism,
    Runner,
    TimeLimit,
)
from pipelines.commands.shared import BeamOptions, Config, Json, echo_json, refuse, user_errors
from pipelines.commands.starting import (
    Dataflow,
    Detach,
    Incomplete,
    Plan,
    Report,
    planned_release,
    runner_options,
)
from pipelines.commands.under_way import under_way
from pipelines.run.runners import RunnerChoice

if TYPE_CHECKING:
    from pipelines.ledger import Release
    from pipelines.run.periods import ReleasePeriod
    from pipelines.spec import LoadedRelease


@user_errors
def backfill(
    config: Config,
    first: Annotated[str, typer.Option("--from", metavar="PERIOD", help="First period.")],
    last: Annotated[str, typer.Option("--to", metavar="PERIOD", help="Last period.")],
    beam_options: BeamOptions = None,
    plan: Plan = None,
    report: Report = True,
    dataflow: Dataflow = None,
    detach: Detach = False,
    incomplete: Incomplete = False,
    runner: Runner = None,
    master: Master = None,
    job_server: JobServer = None,
    parallelism: Parallelism = None,
    environment: Environment = None,
    time_limit: TimeLimit = None,
    as_json: Json = False,
) -> None:
    """Runs a release for all periods of a range, in order; those that are published stay.

    Those that are withdrawn or abandoned stay too. With --detach it launches each period, and
    `publish` goes on for each.
    """
    chosen = RunnerChoice(runner, master, job_server, parallelism, environment, time_limit)
    options = runner_options(chosen, beam_options, dataflow)
    release, planned = planned_release(config, plan)
    periods = _periods(release, first, last)
    with under_way(), private_metrics(None, release, options):
        from pipelines.run.exactly_once import run_release

        for period in periods:
            ended = _ended(release, period)
            if ended is not None:
                _tell_ended(ended, as_json=as_json)
                continue
            done = run_release(
                release,
                planned,
                options,
                period=period.name,
                detach=detach,
                incomplete=incomplete,
                report=report,
            )
            tell_result(done, as_json=as_json, brief=True)


def _periods(release: LoadedRelease, first: str, last: str) -> list[ReleasePeriod]:
    from pipelines.run.periods import PeriodError, periods_between, read_period

    every = release.spec.period
    try:
        return list(periods_between(read_period(every, first), read_period(every, last)))
    except PeriodError as error:
        refuse(str(error))


def _ended(release: LoadedRelease, period: ReleasePeriod) -> Release | None:
    """Returns the latest version of a release if it was given up; None if it can go on."""
    from pipelines.ledger import ReleaseKey
    from pipelines.run.ledger import ReleaseLedger

    book = ReleaseLedger.of(release).ledger.book()
    latest = book.latest(ReleaseKey(release.spec.release, period.name))
    return latest if latest is not None and latest.state in ("abandoned", "withdrawn") else None


def _tell_ended(ended: Release, *, as_json: bool) -> None:
    key = ended.key
    log.say("looked", f"{key} is {ended.state}", key, state=ended.state)
    if as_json:
        echo_json(
            {
                "release": key.series,
                "period": key.period,
                "version": key.version,
                "state": ended.state,
                "is_new": False,
                "plan_hash": ended.plan,
                "ledger_entries": list(ended.entries),
            }
        )
    else:
        typer.echo(f"{key} is {ended.state}; left as it is")
