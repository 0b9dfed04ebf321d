"""The command line. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, ParamSpec

import typer

if TYPE_CHECKING:
    from pipelines.output import Published

P = ParamSpec("P")

app = typer.Typer(
    help="Publishes differentially private statistics of telemetry: one YAML file per release.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The release YAML.")]


_NOBODY_READS = 141
"""Exit code of a program whose output goes to `head` and on: what a shell says of SIGPIPE."""


def _user_errors(command: Callable[P, None]) -> Callable[P, None]:
    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        from pipelines.spec import ConfigError

        try:
            command(*args, **kwargs)
        except ConfigError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        except BrokenPipeError:
            # Python flushes what is left when it ends, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(_NOBODY_READS) from None

    return wrapped


@app.command()
@_user_errors
def validate(config: Config) -> None:
    """Checks a release YAML and its public key files; reads no input."""
    from pipelines.plan import plan_release
    from pipelines.spec import load_release

    plan = plan_release(load_release(config))
    typer.echo(f"{config}: fine; {plan.spec.release} has {_several(len(plan.tables), 'table')}")


@app.command()
@_user_errors
def plan(
    config: Config,
    json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    at: Annotated[
        list[float] | None,
        typer.Option("--at", metavar="SIZE", help="Show the errors of numbers of this size."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="FILE",
            help="Compare with this plan file. Default: that of the output folder.",
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

    from pipelines.plan import plan_release
    from pipelines.plan.file import PlanFileError
    from pipelines.plan.report import report_plan
    from pipelines.spec import load_release

    if plot is not None and plot.suffix not in (".svg", ".html"):
        _refuse(f"--plot is {plot}; allowed: a file that ends in .svg or .html")
    release = load_release(config)
    planned = plan_release(release)
    try:
        report = report_plan(release, planned, at or (), against)
        if out is not None:
            out.write_text(str(report.file), encoding="utf-8")
        if plot is not None:
            from pipelines.plan.plot import plot_plan

            plot_plan(planned, plot)
    except (ValueError, PlanFileError) as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"{error.filename} cannot be written: {error.strerror}")
    typer.echo(report.json() if json else report.text(get_terminal_size((110, 24)).columns))


@app.command()
@_user_errors
def run(
    config: Config,
    beam_options: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- BEAM OPTIONS]", help="Options of the Beam runner."),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Draw again although the output folder holds a release. Both draws together "
            "spend the budget twice.",
        ),
    ] = False,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            metavar="FILE",
            help="Run only if this file of plan --out is still the plan of the config.",
        ),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Publish report.html with the tables.")
    ] = True,
) -> None:
    """Reads the input, draws the release and publishes it."""
    from pipelines.plan import plan_release
    from pipelines.spec import load_release

    strays = [option for option in (beam_options or [])[:1] if not option.startswith("--")]
    if strays:
        _refuse(f"{strays[0]!r} is not a Beam option; allowed: options after --")
    release = load_release(config)
    planned = plan_release(release)
    if plan is not None:
        from pipelines.plan.file import PlanFileError, check_plan_file, plan_file, read_plan_file

        try:
            check_plan_file(plan, read_plan_file(plan), plan_file(release, planned))
        except PlanFileError as error:
            _refuse(str(error))
    # Beam's log repeats exception texts, which may hold private values; they go to a private file.
    logging.basicConfig(level=logging.CRITICAL)
    from pipelines.run import RunError, run_release

    gc.freeze()
    gc.enable()
    try:
        done = run_release(release, planned, beam_options or [], replace=replace, report=report)
    except RunError as error:
        _refuse(str(error))
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing was published", err=True)
        raise typer.Exit(130) from None
    for table in done.published:
        _show(table)
    if done.without_report is not None:
        typer.echo(done.without_report, err=True)
    elif report:
        from pipelines.report.published import REPORT_FILE

        typer.echo(f"report in {_short(done.published[0].files[0].parent / REPORT_FILE)}")


@app.command()
@_user_errors
def report(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A published release, or a series of them.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where the page goes. Default: in the folder."),
    ] = None,
) -> None:
    """Makes the HTML page of a release, or the index of a series, from published files alone."""
    from pipelines.report.files import write_page
    from pipelines.report.published import ReportError

    try:
        path = write_page(folder, out)
    except ReportError as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"{error.filename} cannot be written: {error.strerror}")
    typer.echo(_short(path))


@app.command()
@_user_errors
def tune(
    config: Config,
    beam_options: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- BEAM OPTIONS]", help="Options of the Beam runner."),
    ] = None,
    public_data: Annotated[
        bool, typer.Option("--public-data", help="The input is public or synthetic.")
    ] = False,
    unaccounted: Annotated[
        bool,
        typer.Option(
            "--unaccounted", help="The input is private; look at it exactly, which is NOT private."
        ),
    ] = False,
    epsilon: Annotated[
        float | None,
        typer.Option(
            "--epsilon", help="The input is private; pay this much, beside the release, to look."
        ),
    ] = None,
    delta: Annotated[float | None, typer.Option("--delta", help="Goes with --epsilon.")] = None,
    table: Annotated[
        str | None, typer.Option("--table", metavar="NAME", help="Tune one table only.")
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            metavar="NAME=N,N,...",
            help="What to try: l0=, linf=, l1=, or clip= as multiples of the clips.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the changes as YAML.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw the errors, as .svg or .html."),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            metavar="FILE",
            help="Where to note a look at private data. Default: in the staging folder.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all that was tried as JSON.")] = False,
) -> None:
    """Finds better bounds, clips and shares, in one pass over the input; releases nothing."""
    from pipelines.tune_command import TuneError, TuneOptions, text
    from pipelines.tune_command import tune as tune_release

    options = TuneOptions(
        public_data, unaccounted, epsilon, delta, table, grid or (), out, plot, record, json
    )
    try:
        tuned = tune_release(config, options, beam_options or [])
    except TuneError as error:
        _refuse(str(error))
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(130) from None
    typer.echo(text(tuned, options))


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1) from None


def main() -> None:
    """Runs the command line."""
    # Click exits with 2 after a wrong command line, which stands for a refused budget here.
    usage_error: Any = typer.BadParameter.__base__
    usage_error.exit_code = 1
    # What is imported stays; looking through it for garbage takes a quarter of a second of a run.
    gc.disable()
    app()


def _show(table: Published, rows: int = 8) -> None:
    from pipelines.show import show_table

    show_table(table.plan, table.frame, rows)
    typer.echo(f"{_several(table.frame.height, 'row')} in {', '.join(map(_short, table.files))}\n")


def _short(path: Path) -> str:
    resolved = path.resolve()
    here = Path.cwd()
    return str(resolved.relative_to(here)) if resolved.is_relative_to(here) else str(resolved)


def _several(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"
