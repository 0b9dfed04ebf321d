"""Waits for an answer no longer than it may take."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class TooSlowError(Exception):
    """Something did not end in its time."""


def within(seconds: float, what: str, look: Callable[[], Result]) -> Result:
    """Returns what a function returns, if it does so in time; else it is left alone.

    Args:
        seconds: Its time.
        what: What is waited for.
        look: The function.

    Raises:
        TooSlowError: It was not done.
        Exception: Whatever it raises.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(look())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TooSlowError(f"no answer of {what} in {seconds:g} s")
    return results[0]
