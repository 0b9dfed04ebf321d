"""A run under way, as a command: its errors in one line, and Ctrl-C and SIGTERM in order."""

from __future__ import annotations

import gc
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from pipelines.commands.shared import refuse
from pipelines.log import tell_problem

_INTERRUPTED = 130
_TERMINATED = 143
"""Exit codes: what a shell says of SIGINT and SIGTERM."""


@contextmanager
def under_way() -> Iterator[None]:
    """Turns what ends a run into one line and an exit code.

    Raises:
        typer.Exit: With 1 it failed; with 130 it was interrupted, with 143 terminated.
    """
    # Beam's log repeats exception texts, which may hold private values; they go to a private file.
    logging.basicConfig(level=logging.CRITICAL)
    from pipelines.run.failures import RunError
    from pipelines.run.staging import StagingError

    gc.freeze()
    gc.enable()
    with _terminated_as_interrupted() as terminated:
        try:
            yield
        except (RunError, StagingError) as error:
            refuse(str(error))
        except KeyboardInterrupt:
            how, code = ("terminated", _TERMINATED) if terminated else ("interrupted", _INTERRUPTED)
            tell_problem(f"{how}; the same command goes on from here")
            raise typer.Exit(code) from None


@contextmanager
def _terminated_as_interrupted() -> Iterator[list[bool]]:
    """Has SIGTERM do what Ctrl-C does; else nobody notes that an attempt to draw is over.

    Whoever terminates a job may say so several times. The first is enough: a second one would end
    what the first has begun.

    Yields:
        A list that is empty until there is a SIGTERM.
    """
    seen: list[bool] = []

    def terminate(_: int, frame: FrameType | None) -> None:
        if seen:
            return
        seen.append(True)
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            handler(signal.SIGINT, frame)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield seen
        return
    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGTERM, previous)
