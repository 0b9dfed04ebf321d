"""`tune`, which looks at the input and releases nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.shared import BeamOptions, Config, Period, refuse, user_errors
from pipelines.log import tell_problem


@user_errors
def tune(
    config: Config,
    beam_options: BeamOptions = None,
    public_data: Annotated[
        bool, typer.Option("--public-data", help="The input is public or synthetic.")
    ] = False,
    unaccounted: Annotated[
        bool,
        typer.Option(
            "--unaccounted",
            help="The input is private; look at it exactly, which is NOT private. The ledger and "
            "the manifests of later releases say so.",
        ),
    ] = False,
    epsilon: Annotated[
        float | None,
        typer.Option(
            "--epsilon",
            help="The input is private; charge the ledger this much, beside the release, to look.",
        ),
    ] = None,
    delta: Annotated[float | None, typer.Option("--delta", help="Goes with --epsilon.")] = None,
    period: Period = None,
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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all that was tried as JSON.")
    ] = False,
) -> None:
    """Finds better bounds, clips and shares, in one pass over the input; releases nothing."""
    from pipelines.tune.options import TuneError, TuneOptions
    from pipelines.tune.tuning import text
    from pipelines.tune.tuning import tune as tune_release

    options = TuneOptions(
        public_data, unaccounted, epsilon, delta, period, table, grid or (), out, plot, as_json
    )
    try:
        tuned = tune_release(config, options, beam_options or [])
    except TuneError as error:
        refuse(str(error))
    except KeyboardInterrupt:
        tell_problem("interrupted; what was charged is spent")
        raise typer.Exit(130) from None
    typer.echo(text(tuned, options))
