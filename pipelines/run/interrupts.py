"""Ctrl-C while a Beam pipeline runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def noted_interrupts() -> Iterator[list[bool]]:
    """Notes a keyboard interrupt, which Beam turns into an error of the pipeline.

    Yields:
        A list that is empty until there is one.
    """
    seen: list[bool] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(True)
        signal.default_int_handler(number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield seen
        return
    previous = signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, previous)
