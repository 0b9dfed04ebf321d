"""The command line of `dp-release tune`: which data, what is tried, and where it is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.spec import did_you_mean
from pipelines.tune.plan import TuningMode
from pipelines.tune.plot import check_plot
from transforms.budget import Budget
from transforms.tuning.grid import Candidates

WHICH_DATA = (
    "tuning looks at the data, so say which data they are, with exactly one of: --public-data, if "
    "they are public or synthetic; --epsilon, to pay for it with a budget of its own, which the "
    "ledger is charged with: noisy histograms; --unaccounted, to look at private data exactly, "
    "which is not private and is noted in the ledger as unaccounted"
)
_WHOLE = ("l0", "linf", "l1")


class TuneError(Exception):
    """A wrong command line, or a tuning that failed. The text has no data."""


@dataclass(frozen=True)
class TuneOptions:
    """The command line.

    Attributes:
        public_data: The data are public or synthetic.
        unaccounted: The data are private and looked at without accounting.
        epsilon: Budget of accounted tuning.
        delta: Its delta.
        period: The period whose input is looked at; None for a series without periods.
        table: The one table to tune.
        grid: What to try: `l0=1,2,4`.
        out: File for the patch.
        plot: File for the plot.
        json: Whether to print JSON.
    """

    public_data: bool = False
    unaccounted: bool = False
    epsilon: float | None = None
    delta: float | None = None
    period: str | None = None
    table: str | None = None
    grid: Sequence[str] = ()
    out: Path | None = None
    plot: Path | None = None
    json: bool = False

    def mode(self) -> TuningMode:
        """Returns what the user says about the data.

        Raises:
            TuneError: Nothing, several things, or a budget out of range.
        """
        if [self.public_data, self.unaccounted, self.epsilon is not None].count(True) != 1:
            raise TuneError(WHICH_DATA)
        if self.epsilon is None:
            if self.delta is not None:
                raise TuneError("--delta is given without --epsilon; allowed: both, or neither")
            return TuningMode("public" if self.public_data else "unaccounted")
        try:
            return TuningMode("accounted", Budget(self.epsilon, self.delta or 0.0))
        except ValueError as error:
            raise TuneError(f"--{error}") from None

    def candidates(self) -> Candidates:
        """Returns what to try.

        Raises:
            TuneError: A grid cannot be read, or is out of range.
        """
        found: dict[str, tuple[float, ...]] = {}
        for given in self.grid:
            name, _, values = given.partition("=")
            allowed = [*_WHOLE, "clip"]
            if name not in allowed:
                meant = did_you_mean(name, allowed)
                raise TuneError(
                    f"--grid is {given!r}; allowed: l0=1,2,4, linf=, l1= or clip={meant}"
                )
            kind = int if name in _WHOLE else float
            try:
                found[name] = tuple(kind(value) for value in values.split(","))
            except ValueError:
                raise TuneError(f"--grid is {given!r}; allowed: numbers with commas") from None
        try:
            return Candidates(**found)  # type: ignore[arg-type]
        except ValueError as error:
            raise TuneError(f"--grid: {error}") from None

    def check_files(self) -> None:
        """Checks that what is found can be written, before it is paid for.

        Raises:
            TuneError: It cannot.
        """
        for option, path in (("--out", self.out), ("--plot", self.plot)):
            if path is None:
                continue
            if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
                raise TuneError(f"{option} is {path}; allowed: a file that can be written")
        if self.plot is not None:
            try:
                check_plot(self.plot)
            except ValueError as error:
                raise TuneError(str(error)) from None
