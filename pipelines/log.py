"""Tells other programs what a command does: JSON, an object a line, on the standard error stream.

Who reads logs is seldom who may read the data. So lines hold what the publisher states, what is
published, and what a ledger has: names, periods, prices, hashes, states. What is counted before the
noise (rows, units, bytes of input) has no place in them: `Fields` is the whole list, which mypy
holds callers to. Times are there, as they are in any log; how long a step took is a side channel
that each publication states.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import typer

if TYPE_CHECKING:
    from pipelines.ledger import ReleaseKey

Format = Literal["text", "json"]

Event = Literal[
    "began",
    "looked",
    "charged",
    "drawing",
    "progress",
    "launched",
    "drawn",
    "published",
    "voided",
    "abandoned",
    "withdrawn",
    "problem",
    "crashed",
    "ended",
]
"""What a line is about."""


class Fields(TypedDict, total=False):
    """What a line may have beside `time`, `severity`, `event`, `message` and the release's name.

    The name is `series`, `period` and `version`, once it is known.

    Attributes:
        command: The command: `run`.
        attempt: Number of the attempt to draw.
        state: How far the release is in the ledger.
        epsilon: What the release costs by its plan.
        delta: The same.
        plan_sha256: Hash of the plan.
        draw_sha256: Hash of the values as drawn, which are to be published.
        publication_sha256: Hash of what is published.
        ledger_entries: Entries of the ledger for the release.
        place: Folder or URL of what is published.
        percent: How much of the input is read.
        seconds: How long it took.
        exit_code: With which code the command ended.
    """

    command: str
    attempt: int
    state: str
    epsilon: float
    delta: float
    plan_sha256: str
    draw_sha256: str
    publication_sha256: str
    ledger_entries: list[int]
    place: str
    percent: int
    seconds: float
    exit_code: int


_logger = logging.getLogger("dp_release")
_logger.propagate = False
_logger.setLevel(logging.INFO)
_handler: logging.Handler | None = None
_about: ReleaseKey | None = None
_hooks = (sys.excepthook, sys.unraisablehook, threading.excepthook)


def set_format(chosen: Format) -> None:
    """Chooses what a command writes to the standard error stream: texts, or JSON."""
    global _handler
    if _handler is not None:
        _logger.removeHandler(_handler)
        _handler = None
        sys.excepthook, sys.unraisablehook, threading.excepthook = _hooks
    if chosen == "json":
        from pythonjsonlogger.json import JsonFormatter

        _handler = logging.StreamHandler(sys.stderr)
        names = {"levelname": "severity"}
        _handler.setFormatter(
            JsonFormatter("%(levelname)s%(message)s", rename_fields=names, timestamp="time")
        )
        _logger.addHandler(_handler)
        sys.excepthook = _crashed
        sys.unraisablehook = threading.excepthook = _crashed_elsewhere


def is_json() -> bool:
    """Returns whether JSON is written."""
    return _handler is not None


def say(
    event: Event, message: str, about: ReleaseKey | None = None, **fields: Unpack[Fields]
) -> None:
    """Writes a line where JSON is asked for; people are told the same by other means.

    Args:
        event: What it is about.
        message: The same for people.
        about: The release, where it is not that of `is_about`.
        **fields: More fields.
    """
    if is_json():
        _logger.info(message, extra={"event": event, **_naming(about), **fields})


def is_about(key: ReleaseKey | None) -> None:
    """Says which release the following lines are about; None for none that is known."""
    global _about
    _about = key


def tell_problem(message: str) -> None:
    """Tells what went wrong, to people as it is."""
    if is_json():
        _logger.error(message, extra={"event": "problem", **_naming(None)})
    else:
        typer.echo(message, err=True)


@contextmanager
def logged_command(name: str) -> Iterator[None]:
    """Says when a command begins and ends, and with which exit code."""
    is_about(None)
    say("began", f"dp-release {name}", command=name)
    start, code = time.monotonic(), 0
    try:
        yield
    except typer.Exit as ended:
        code = ended.exit_code
        raise
    except BaseException:
        code = 1
        raise
    finally:
        seconds = round(time.monotonic() - start, 3)
        say("ended", f"exit code {code}", command=name, exit_code=code, seconds=seconds)


def _naming(about: ReleaseKey | None) -> dict[str, Any]:
    key = about or _about
    return {} if key is None else vars(key)


def _crashed(
    kind: type[BaseException],
    error: BaseException,  # noqa: ARG001
    frames: TracebackType | None,
) -> None:
    """Tells of an error that nobody expected by its kind and place: its text may hold anything."""
    where = traceback.extract_tb(frames)[-1:]
    place = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in where)
    message = f"{kind.__name__}{place}"
    _logger.critical(message, extra={"event": "crashed", **_naming(None)})


def _crashed_elsewhere(told: threading.ExceptHookArgs | sys.UnraisableHookArgs) -> None:
    """Does the same for a thread, or for what Python could not raise."""
    _crashed(told.exc_type, told.exc_value or told.exc_type(), told.exc_traceback)
