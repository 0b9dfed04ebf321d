"""The options that say what runs a pipeline, of `run`, `backfill` and `doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

Runner = Annotated[
    str | None,
    typer.Option(
        "--runner",
        metavar="NAME",
        help="What runs the pipeline: local (default), flink, spark, prism, dataflow, or portable "
        "for any job server of Beam.",
    ),
]

Master = Annotated[
    str | None,
    typer.Option(
        "--master",
        metavar="ADDRESS",
        help="Where the cluster is: local (default), HOST:PORT of Flink's REST server, or "
        "spark://HOST:PORT.",
    ),
]

JobServer = Annotated[
    str | None,
    typer.Option(
        "--job-server",
        metavar="ADDRESS",
        help="HOST:PORT of a running job server of Beam, or the jar of one to start, "
        "such as deploy/flink/target/job-server.jar; of Prism the program.",
    ),
]

Parallelism = Annotated[
    int | None,
    typer.Option("--parallelism", metavar="N", help="Slots of Flink to use."),
]

Environment = Annotated[
    str | None,
    typer.Option(
        "--environment",
        metavar="WHERE",
        help="Where workers run: loopback (in this process), docker:IMAGE, external:HOST:PORT (a "
        "worker pool beside each task manager), or process:COMMAND.",
    ),
]

TimeLimit = Annotated[
    str | None,
    typer.Option(
        "--time-limit",
        metavar="TIME",
        help="Cancel a pipeline that takes longer, such as 90s, 30m or 2h. Default: 24h, and none "
        "for the local runner.",
    ),
]
