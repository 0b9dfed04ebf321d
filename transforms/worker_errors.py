"""Errors of workers without their texts, which may quote values of rows.

What a worker raises ends in the logs of a runner (Cloud Logging, a job server), which are read by
more people than the rows. Polars quotes what it cannot convert, and Python the key that is
missing. So what leaves a worker is the kind of an error and where it was raised: names of files and
functions, and numbers of lines, none of which depends on a value. A process that keeps texts for
itself, in a private file, shows them (`shown_texts`).
"""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import isgeneratorfunction
from pathlib import Path
from typing import Any, TypeVar, cast

import polars as pl

FRAMES = 6
"""Calls that are named, the last ones."""

Raising = TypeVar("Raising", bound=Callable[..., Any])

_METHODS = ("setup", "start_bundle", "process", "finish_bundle", "teardown")

_ERRORS = (Exception, pl.exceptions.PanicException)

_shown = False


class NoValuesError(Exception):
    """An error whose text never quotes a value of a row."""


class WorkerError(NoValuesError):
    """Something was raised on a worker: its kind, and where."""


def without_texts(raising: Raising) -> Raising:
    """Makes a function, or all methods of a `DoFn` that Beam calls, raise errors without texts."""
    if not isinstance(raising, type):
        return cast(Raising, _guarded(raising))
    for name in _METHODS:
        if name in vars(raising):
            setattr(raising, name, _guarded(vars(raising)[name]))
    return raising


@contextmanager
def shown_texts() -> Iterator[None]:
    """Leaves errors in this process as they are, while the body runs."""
    global _shown
    before, _shown = _shown, True
    try:
        yield
    finally:
        _shown = before


def kind_of(error: BaseException) -> str:
    """Returns the kind of an error, and the system's text of its number if it has one.

    The error itself may say that number together with anything.
    """
    kind = type(error).__name__
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(number, int) and number in errno.errorcode:
        return f"{kind} ({os.strerror(number)})"
    return kind


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a function; what it tells is raised after the handler, or it would keep the error."""
    if isgeneratorfunction(method):

        @wraps(method)
        def generating(*args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                yield from method(*args, **kwargs)
                return
            except _ERRORS as error:
                raised = error
            raise _told(raised)

        return generating

    @wraps(method)
    def returning(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except _ERRORS as error:
            raised = error
        raise _told(raised)

    return returning


def _told(error: BaseException) -> BaseException:
    """Returns what may be told of an error."""
    if _shown:
        return error
    if isinstance(error, NoValuesError):
        error.__cause__ = error.__context__ = None
        return error
    return WorkerError(_kind_and_place(error))


def _kind_and_place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[:0:-1][:FRAMES]
    places = [f"{frame.name} ({Path(frame.filename).name}:{frame.lineno})" for frame in frames]
    where = f" in {', called by '.join(places)}" if places else ""
    return f"{kind_of(error)}{where}; its text may quote values, and is left out"
