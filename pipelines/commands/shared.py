"""What commands have in common: arguments, errors and exit codes.

0 done, 1 user error, 2 budget refused, 3 verification failed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NoReturn, ParamSpec

import typer

from pipelines.log import logged_command, tell_problem
from pipelines.storage.storage import Where

P = ParamSpec("P")

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The release YAML.")]

BeamOptions = Annotated[
    list[str] | None,
    typer.Argument(metavar="[-- BEAM OPTIONS]", help="Options of the Beam runner."),
]

Period = Annotated[
    str | None,
    typer.Option(
        "--period",
        metavar="PERIOD",
        help="Period of the release: 2026-11-09, 2026-W46 or 2026-11, as the config says.",
    ),
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

REFUSED = 2
"""Exit code of a release that the budget refuses."""

NOT_VERIFIED = 3
"""Exit code of a verification that failed."""

_NOBODY_READS = 141
"""Exit code of a program whose output goes to `head` and on: what a shell says of SIGPIPE."""


def user_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Makes a command say what is wrong, without a traceback, and leave with its code."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        with logged_command(command.__name__), _errors_told(as_json=bool(kwargs.get("as_json"))):
            command(*args, **kwargs)

    return wrapped


@contextmanager
def _errors_told(*, as_json: bool) -> Iterator[None]:
    from pipelines.gates.outcome import GateError
    from pipelines.ledger import LedgerError, RefusedError
    from pipelines.spec import ConfigError
    from pipelines.storage.errors import StorageError

    try:
        yield
    except RefusedError as error:
        if as_json:
            echo_json({"refused": error.refusal.to_json()})
        tell_problem(str(error))
        raise typer.Exit(REFUSED) from None
    except GateError as error:
        if as_json:
            echo_json({"stopped": error.to_json()})
        refuse(str(error))
    except (ConfigError, LedgerError, StorageError) as error:
        refuse(str(error))
    except BrokenPipeError:
        # Python flushes what is left when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(_NOBODY_READS) from None


def refuse(message: str) -> NoReturn:
    """Says what the user did wrong, and leaves with 1."""
    tell_problem(message)
    raise typer.Exit(1) from None


def echo_json(value: Any) -> None:
    """Prints JSON values."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def several(number: int, noun: str) -> str:
    """Returns `1 row` or `2 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"


def short(path: Where) -> str:
    """Returns a path as seen from here, if it is below; URLs stay as they are."""
    if isinstance(path, str):
        return path
    resolved = path.resolve()
    here = Path.cwd()
    return str(resolved.relative_to(here)) if resolved.is_relative_to(here) else str(resolved)
