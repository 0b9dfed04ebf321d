"""Tells whoever waits how far a run is: in bytes of input to a person, in percent to programs."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines import log

_lock = threading.Lock()
_bytes_read = 0


def count_bytes(size: int) -> None:
    """Adds to the input bytes read by this process."""
    global _bytes_read
    with _lock:
        _bytes_read += size


def bytes_read() -> int:
    """Returns the input bytes read by this process so far."""
    return _bytes_read


@contextmanager
def progress(total_bytes: int, *, interval: float = 30.0) -> Iterator[None]:
    """Shows progress on the standard error stream while the body runs.

    On a terminal it is a bar; elsewhere a line of text each `interval` seconds, and in JSON the
    percentage only.

    Args:
        total_bytes: Size of the input.
        interval: Seconds between two lines.

    Yields:
        Nothing.
    """
    start = bytes_read()
    show = _bar if sys.stderr.isatty() and not log.is_json() else _lines
    done = threading.Event()
    thread = threading.Thread(target=show, args=(start, total_bytes, done, interval), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _lines(start: int, total: int, done: threading.Event, interval: float) -> None:
    began = time.monotonic()
    while not done.wait(interval):
        read = min(bytes_read() - start, total)
        seconds = time.monotonic() - began
        if log.is_json():
            log.say("progress", _what(read, total), percent=100 * read // max(1, total))
            continue
        print(
            f"{seconds:6.0f} s  {_what(read, total)}  {read / 1e6:.0f} of {total / 1e6:.0f} MB"
            f"  {read / 1e6 / seconds:.1f} MB/s",
            file=sys.stderr,
            flush=True,
        )


def _bar(start: int, total: int, done: threading.Event, interval: float) -> None:  # noqa: ARG001
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=total)
        while not done.wait(0.2):
            read = min(bytes_read() - start, total)
            bar.update(task, completed=read, description=_what(read, total))


def _what(read: int, total: int) -> str:
    return "reading" if read < total else "bounding and drawing"
