"""Why a release is refused, and what would not be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipelines.ledger.cells import Cell
from pipelines.ledger.charges import Charge, ReleaseKey
from pipelines.ledger.composition import RhoBudget, epsilon_at, rho_and_failure
from pipelines.ledger.errors import LedgerError
from pipelines.ledger.units import PrivacyUnit

_MOST_LINES = 10


@dataclass(frozen=True)
class Shortfall:
    """A cap under which a release does not fit.

    Attributes:
        cell: Where it is worst: the cap, days, and the releases that use it.
        used: Epsilon at the delta of the cap, or rho, that these have used.
        needed: The same with the release; infinite where there is no bound.
        failed: Probability of failures of all together.
    """

    cell: Cell
    used: float
    needed: float
    failed: float

    @classmethod
    def of(cls, cell: Cell, charge: Charge) -> Shortfall:
        """Returns how far a cell falls short of a charge."""
        used, _ = usage(cell)
        needed, failed = usage(cell, charge)
        return cls(cell, used, needed, failed)

    @property
    def is_of_another_unit(self) -> bool:
        """Whether nothing bounds what a release loses about the unit of the cap, at any price."""
        return math.isinf(self.needed) and self.failed == 1

    def lines(self) -> list[str]:
        """Returns the explanation, line by line."""
        cap, releases = self.cell.cap, self.cell.releases
        what = "rho" if isinstance(cap.budget, RhoBudget) else "epsilon"
        text = f"the cap of {cap}"
        if self.is_of_another_unit:
            return [
                f"{text}: nothing bounds what is lost about that unit, as a release "
                "protects less than it, or something else"
            ]
        if math.isinf(self.needed):
            return [
                f"{text}: no epsilon is enough at that delta, of which failures take "
                f"{_up(self.failed)}; a cap with a larger delta could hold"
            ]
        lines = [
            f"{text}: {what} {_up(self.used)} is used by {len(releases)} entries"
            f"{self._where()}, and {_up(self.needed)} would be, at delta {_up(self.failed)} "
            f"for failures"
        ]
        for release in releases[-_MOST_LINES:]:
            lines.append(
                f"  entry {release.entries[0]}: {release.key}, {release.state}, "
                f"input of {release.charge.window}"
            )
        if len(releases) > _MOST_LINES:
            lines.insert(1, f"  {len(releases) - _MOST_LINES} earlier ones, and")
        return lines

    def _where(self) -> str:
        places = []
        if self.cell.cap.unit.every:
            places.append(f"about {self.cell.bucket}")
        if self.cell.cap.per not in ("lifetime", "release"):
            places.append(f"with input of {self.cell.span}")
        return " " + " ".join(places) if places else ""


@dataclass(frozen=True)
class Refusal:
    """Why a release is refused.

    Attributes:
        key: The release.
        objections: What is not allowed at any price.
        shortfalls: Caps under which it does not fit, each where it is worst.
        epsilon: What it costs alone, at the delta that it states.
        largest: Epsilon of the largest plan of the same proportions that would fit, rounded down;
            None where even the least would not.
        returns: First day on which an input window as long would have to begin to fit; None where
            no day would do.
        protects: The privacy unit of the release; None where that does not matter.
        capped: Privacy units that the policy has caps for.
    """

    key: ReleaseKey
    objections: tuple[str, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()
    epsilon: float = 0.0
    largest: float | None = None
    returns: date | None = None
    protects: PrivacyUnit | None = None
    capped: tuple[PrivacyUnit, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.key} is refused; nothing was drawn and nothing is charged"]
        lines += [f"it {objection}" for objection in self.objections]
        for shortfall in self.shortfalls:
            lines += shortfall.lines()
        if any(shortfall.is_of_another_unit for shortfall in self.shortfalls):
            capped = ", ".join(f"one {unit}" for unit in self.capped)
            lines.append(f"the release protects one {self.protects}; the policy caps: {capped}")
        if self.shortfalls:
            fit = "no epsilon" if self.largest is None else f"epsilon {self.largest:g}"
            lines.append(f"it costs epsilon {_up(self.epsilon)} alone; what would fit: {fit}")
            when = "never" if self.returns is None else f"for input that begins on {self.returns}"
            lines.append(f"room for the release as it is returns: {when}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Returns the explanation as JSON values; infinite numbers are null."""
        return {
            "release": str(self.key),
            "objections": list(self.objections),
            "shortfalls": [
                {
                    "cap": str(short.cell.cap),
                    "span": str(short.cell.span),
                    "bucket": str(short.cell.bucket),
                    "entries": [release.entries[0] for release in short.cell.releases],
                    "used": short.used if math.isfinite(short.used) else None,
                    "needed": short.needed if math.isfinite(short.needed) else None,
                }
                for short in self.shortfalls
            ],
            "epsilon": self.epsilon if math.isfinite(self.epsilon) else None,
            "largest": self.largest,
            "returns": None if self.returns is None else str(self.returns),
            "protects": None if self.protects is None else str(self.protects),
            "capped": [str(unit) for unit in self.capped],
        }


class RefusedError(LedgerError):
    """A release is not allowed, or does not fit; the command line leaves with 2.

    Attributes:
        refusal: Why.
    """

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(str(refusal))


def usage(cell: Cell, *more: Charge) -> tuple[float, float]:
    """Returns what is lost in a cell, in the terms of its cap, and the probability of failures.

    Args:
        cell: The cell.
        more: Charges beside those of its releases.

    Returns:
        Epsilon at the delta of the cap, or rho, infinite where there is no bound; and the failures.
    """
    losses = cell.losses(more)
    if losses is None:
        return math.inf, 1.0
    rho, failed = rho_and_failure(losses)
    budget = cell.cap.budget
    used = rho if isinstance(budget, RhoBudget) else epsilon_at(losses, budget.delta)
    return used, failed


def _up(value: float) -> str:
    return f"{value:.4g}"
