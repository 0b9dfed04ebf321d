"""What a failed pass over the data says, and what it keeps for the owner of the data."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from pipelines.interrupts import noted_interrupts
from pipelines.ledger import LedgerError
from pipelines.release_staging import StagingError
from pipelines.spec import ConfigError


class RunError(Exception):
    """A run failed. The text has no data; details are in a private file that it names."""


@contextmanager
def failures(folder: Path, what: str, outcome: str) -> Iterator[None]:
    """Turns what goes wrong into a `RunError`, with details in a private file.

    Args:
        folder: Where the file goes.
        what: What failed: `the run`.
        outcome: What that means: `nothing was published`.

    Raises:
        RunError: Something went wrong that is not known to be free of private values.
    """
    with noted_interrupts() as interrupted:
        try:
            yield
        except (ConfigError, LedgerError, StagingError, RunError):
            raise
        except (Exception, pl.exceptions.PanicException) as error:
            if interrupted:
                raise KeyboardInterrupt from None
            details = folder / "error.txt"
            details.write_text(traceback.format_exc(), encoding="utf-8")
            raise RunError(
                f"{what} failed with {type(error).__name__}; {outcome}; "
                f"details, which may hold private values: {details}"
            ) from None
