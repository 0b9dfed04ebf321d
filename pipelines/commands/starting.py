"""What `run`, `backfill` and `publish` start with: their common options, plan and Beam options."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.shared import refuse
from pipelines.run.runners import RunnerChoice, RunnerError

if TYPE_CHECKING:
    from pipelines.plan import ReleasePlan
    from pipelines.spec import LoadedRelease

Incomplete = Annotated[
    bool,
    typer.Option(
        "--incomplete",
        help="Publish what a gate would stop because something is missing, and say so in it.",
    ),
]

Plan = Annotated[
    Path | None,
    typer.Option(
        "--plan",
        metavar="FILE",
        help="Run only if this file of plan --out is still the plan of the config.",
    ),
]

Report = Annotated[
    bool, typer.Option("--report/--no-report", help="Publish report.html with the tables.")
]

Dataflow = Annotated[
    Path | None,
    typer.Option(
        "--dataflow",
        metavar="FILE",
        help="Draw on Dataflow, as this YAML file says; options after -- come on top.",
    ),
]

Detach = Annotated[
    bool,
    typer.Option(
        "--detach", help="Start the workers and leave; `publish` goes on when they are done."
    ),
]


def runner_options(
    chosen: RunnerChoice, beam_options: list[str] | None, dataflow: Path | None
) -> list[str]:
    """Returns all options for Beam; leaves with 1 where they cannot be used.

    Args:
        chosen: The options of the command.
        beam_options: Those after `--`.
        dataflow: File of an environment on Dataflow; None for none.
    """
    if dataflow is None:
        return _options(chosen, beam_options)
    from pipelines.run.dataflow import dataflow_arguments, load_dataflow

    if chosen.runner not in (None, "dataflow"):
        refuse(f"--runner is {chosen.runner!r}; allowed: none or dataflow beside --dataflow")
    as_dataflow = replace(chosen, runner="dataflow")
    return dataflow_arguments(load_dataflow(dataflow), _options(as_dataflow, beam_options))


def planned_release(config: Path, plan: Path | None) -> tuple[LoadedRelease, ReleasePlan]:
    """Loads and plans a release, and holds it to a plan file if there is one.

    Raises:
        ConfigError: The config is wrong.
    """
    from pipelines.plan import plan_release
    from pipelines.spec import load_release

    release = load_release(config)
    planned = plan_release(release)
    if plan is not None:
        from pipelines.plan.file import PlanFileError, check_plan_file, plan_file, read_plan_file

        try:
            check_plan_file(plan, read_plan_file(plan), plan_file(release, planned))
        except PlanFileError as error:
            refuse(str(error))
    return release, planned


def _options(chosen: RunnerChoice, beam_options: list[str] | None) -> list[str]:
    strays = [option for option in (beam_options or [])[:1] if not option.startswith("--")]
    if strays:
        refuse(f"{strays[0]!r} is not a Beam option; allowed: options after --")
    try:
        options = chosen.beam_options(beam_options or [])
    except RunnerError as error:
        refuse(str(error))
    if chosen.runner is not None:
        from pipelines.doctor.reach import hopeless

        if (problem := hopeless(chosen)) is not None:
            refuse(problem)
    return options
