"""What a failed pass over the data says, and what it keeps for the owner of the data."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from pipelines.ledger import LedgerError
from pipelines.run.interrupts import noted_interrupts
from pipelines.spec import ConfigError
from pipelines.storage.errors import StorageError
from pipelines.storage.storage import Storage
from transforms.worker_errors import kind_of


class RunError(Exception):
    """A run failed. The text has no data; details are in a private file that it names."""


@contextmanager
def failures(kept_in: Storage, what: str, outcome: str) -> Iterator[None]:
    """Turns what goes wrong into a `RunError`, with details in a private file.

    Args:
        kept_in: Where the file goes.
        what: What failed: `the run`.
        outcome: What that means: `nothing was published`.

    Raises:
        RunError: Something went wrong that is not known to be free of private values.
    """
    with noted_interrupts() as interrupted:
        try:
            yield
        except (ConfigError, LedgerError, StorageError, RunError):
            raise
        except (Exception, pl.exceptions.PanicException) as error:
            if interrupted:
                raise KeyboardInterrupt from None
            raise RunError(_what_failed(error, kept_in, what, outcome)) from None


def _what_failed(error: BaseException, kept_in: Storage, what: str, outcome: str) -> str:
    """Keeps the details of a failure, if that can be, and returns what may be said of it."""
    said = f"{what} failed with {kind_of(error)}; {outcome}"
    details = kept_in.where("error.txt")
    try:
        kept_in.write("error.txt", "".join(traceback.format_exception(error)).encode())
    except OSError as problem:
        return f"{said}; {details} cannot be written: {problem.strerror}"
    except StorageError as problem:
        return f"{said}; {problem}"
    return f"{said}; details, which may hold private values: {details}"
