"""The command `dp-release` in this process, as a process of its own would leave it.

A process takes seconds to import Beam, which is what most tests of commands do not test. Here a
command has what it has there: its arguments, folder and environment, streams that take what Rust
and C++ write too, a log and warnings that nobody has set up, and its exit code. What a process
leaves behind in itself is put back.

Real processes are for kills, signals, locks, broken pipes, imports and memory, and once for each
command, in `test_processes`.
"""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path

import pytest
import typer
from small_series import SECONDS, environment

from pipelines import cli, log

COMMAND = Path(sys.executable).with_name("dp-release")
NOT_SHOWN = (
    DeprecationWarning,
    PendingDeprecationWarning,
    ImportWarning,
    ResourceWarning,
)
"""Warnings that Python ignores unless it is asked for them."""

Done = subprocess.CompletedProcess[str]


def command_here(
    *arguments: object,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    today: date | None = None,
) -> Done:
    """Runs `dp-release` in this process.

    Args:
        *arguments: Its arguments.
        cwd: The folder that it runs in. Default: that of the tests.
        env: More variables of its environment.
        today: What the clock shows. Default: today.
    """
    given = ["dp-release", *map(str, arguments)]
    with ExitStack() as stack:
        out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(sys, "argv", given)
        for name, value in environment(**(env or {})).items():
            patch.setenv(name, value)
        if cwd is not None:
            patch.chdir(cwd)
        if today is not None:
            patch.setattr("pipelines.clock.today", lambda: today)
        stack.enter_context(_put_back())
        with _written_to(out.fileno(), err.fileno()):
            code = _left_with()
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode())
    return subprocess.CompletedProcess(given, code, *texts)


def command_in_process(
    *arguments: object,
    program: str | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Done:
    """Runs `dp-release`, or a Python program that calls its `main`, in a process of its own."""
    start = [COMMAND] if program is None else [sys.executable, "-c", program]
    return subprocess.run(
        [*start, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env=environment(**(env or {})),
        timeout=SECONDS,
    )


def _left_with() -> int:
    """Runs the command, and returns its exit code."""
    try:
        cli.main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    else:
        return 0
    return 1


@contextmanager
def _written_to(out: int, err: int) -> Iterator[None]:
    """Has both streams, and what other languages write to them, go to files."""
    before = sys.stdout, sys.stderr
    for stream in before:
        stream.flush()
    kept = os.dup(1), os.dup(2)
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        with (
            open(1, "w", encoding="utf-8", closefd=False) as sys.stdout,
            open(2, "w", encoding="utf-8", closefd=False, buffering=1) as sys.stderr,
        ):
            yield
    finally:
        sys.stdout, sys.stderr = before
        for number, kept_one in enumerate(kept, 1):
            os.dup2(kept_one, number)
            os.close(kept_one)


@contextmanager
def _put_back() -> Iterator[None]:
    """Has a log and warnings as in a new process; afterwards all is as the tests have it."""
    usage_error = typer.BadParameter.__base__
    exit_code, hook, root = usage_error.exit_code, sys.excepthook, logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    root.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for category in NOT_SHOWN:
            warnings.simplefilter("ignore", category)
        warnings.showwarning = _show_warning
        try:
            yield
        finally:
            gc.unfreeze()
            gc.enable()
            root.handlers[:] = handlers
            root.setLevel(level)
            log.set_format("text")
            sys.excepthook = hook
            usage_error.exit_code = exit_code


def _show_warning(message, category, filename, lineno, file=None, line=None):
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))
