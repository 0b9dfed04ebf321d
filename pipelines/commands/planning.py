"""`validate` and `plan`, which read no input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.shared import Config, Period, refuse, several, short, user_errors


@user_errors
def validate(config: Config) -> None:
    """Checks a release YAML, its public key files and its policy file; reads no input."""
    from pipelines.plan import plan_release
    from pipelines.policy_check import check_policy
    from pipelines.spec import load_release

    release = load_release(config)
    plan = plan_release(release)
    check_policy(release)
    typer.echo(f"{config}: fine; {plan.spec.release} has {several(len(plan.tables), 'table')}")


@user_errors
def plan(
    config: Config,
    period: Period = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    at: Annotated[
        list[float] | None,
        typer.Option("--at", metavar="SIZE", help="Show the errors of numbers of this size."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="FILE",
            help="Compare with this plan file, or that of gs://bucket/folder, where a release is. "
            "Default: that of the last release.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write a plan file, for run --plan."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw errors and release probabilities, as .svg or .html.",
        ),
    ] = None,
) -> None:
    """Shows what a release costs and how good it will be; reads no input."""
    from shutil import get_terminal_size

    from pipelines import clock
    from pipelines.gates.planned_gates import planned_gates
    from pipelines.plan import plan_release
    from pipelines.plan.file import PlanFileError
    from pipelines.plan.ledger import ledger_effect
    from pipelines.plan.report import report_plan
    from pipelines.run.periods import chosen_period
    from pipelines.spec import load_release

    if plot is not None and plot.suffix not in (".svg", ".html"):
        refuse(f"--plot is {plot}; allowed: a file that ends in .svg or .html")
    release = load_release(config)
    planned = plan_release(release)
    try:
        report = report_plan(release, planned, at or (), against)
        today = clock.today()
        effect = ledger_effect(release, planned, report.file, period, today)
        gates = planned_gates(release, chosen_period(release.spec.period, period, today), today)
        report = replace(report, ledger=effect, gates=gates)
        if out is not None:
            out.write_text(str(report.file), encoding="utf-8")
        if plot is not None:
            from pipelines.plan.plot import plot_plan

            plot_plan(planned, plot)
    except (ValueError, PlanFileError) as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename} cannot be written: {error.strerror}")
    if as_json:
        typer.echo(report.json())
        return
    typer.echo(report.text(get_terminal_size((110, 24)).columns))
    for what, file in (("plan", out), ("plot", plot)):
        if file is not None:
            typer.echo(f"{what} in {short(file)}")
