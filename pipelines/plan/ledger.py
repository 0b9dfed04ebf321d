"""What a release would take from the ledger: what is left under each cap before and after it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipelines.ledger import (
    Book,
    Charge,
    LedgerError,
    Refusal,
    RefusedError,
    Request,
    StoreError,
)
from pipelines.ledger.cells import Cell, cells
from pipelines.ledger.composition import RhoBudget
from pipelines.ledger.decision import check_request
from pipelines.ledger.policy import Cap
from pipelines.ledger.refusal import usage
from pipelines.plan import ReleasePlan
from pipelines.plan.compared import SHORT_PATIENCE
from pipelines.plan.file import PlanFile
from pipelines.run.ledger import ReleaseLedger
from pipelines.run.periods import ReleasePeriod, chosen_period
from pipelines.run.versions import Aim
from pipelines.spec import LoadedRelease

_RUNS = {
    None: "charges and draws it",
    "reserved": "charges nothing more, and draws it",
    "drawing": "charges nothing more, and finishes it, or draws it again if that attempt is dead",
    "drawn": "charges nothing more, and publishes what is drawn",
    "published": "charges nothing more, and draws nothing",
}
"""What a run does with a release in a state of the ledger that it can go on from."""


@dataclass(frozen=True)
class CapEffect:
    """One cap, where the release leaves least of it.

    Attributes:
        cap: The cap.
        before: Epsilon at the delta of the cap, or rho, that is used; infinite for no bound.
        after: The same with the release.
        limit: The most that may be used.
    """

    cap: Cap
    before: float
    after: float
    limit: float

    @classmethod
    def of(cls, cell: Cell, charge: Charge) -> CapEffect:
        """Returns the effect of a charge in one cell of a cap."""
        budget = cell.cap.budget
        limit = budget.rho if isinstance(budget, RhoBudget) else budget.epsilon
        return cls(cell.cap, usage(cell)[0], usage(cell, charge)[0], limit)

    def to_dict(self) -> dict[str, Any]:
        """Returns the effect as JSON values; what has no bound is null."""
        numbers = {"used_before": self.before, "used_after": self.after}
        return {
            "cap": str(self.cap),
            **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
            "limit": self.limit,
        }

    def __str__(self) -> str:
        before, after = (_number(value) for value in (self.before, self.after))
        return f"{self.cap}: {before} used before, {after} after"


@dataclass(frozen=True)
class LedgerEffect:
    """What a release would take from the ledger.

    Attributes:
        period: Its period.
        place: Where the ledger is.
        state: State of its latest version in the ledger; None for none.
        caps: The caps of the policy, where a run would charge it.
        refusal: Why its charge would be refused; None if it would not be.
        stopped: Why a run cannot go on with the version that is there; None if it can.
        problem: Why the ledger could not be read; None if it could.
    """

    period: ReleasePeriod
    place: str
    state: str | None = None
    caps: Sequence[CapEffect] = ()
    refusal: Refusal | None = None
    stopped: str | None = None
    problem: str | None = None

    @property
    def run(self) -> str | None:
        """What a run would do, after "a run"; None where that is not known."""
        if self.problem is not None:
            return None
        if self.refusal is not None or self.stopped is not None:
            return "would be refused"
        return _RUNS[self.state]

    def to_dict(self) -> dict[str, Any]:
        """Returns the effect as JSON values."""
        return {
            "period": self.period.name,
            "ledger": self.place,
            "state": self.state,
            "run": self.run,
            "stopped": self.stopped,
            "caps": [cap.to_dict() for cap in self.caps],
            "refusal": None if self.refusal is None else self.refusal.to_json(),
            "problem": self.problem,
        }

    def lines(self) -> Iterator[str]:
        """Yields the effect in words."""
        yield f"ledger {self.place}, period {self.period.name}"
        if self.problem is not None:
            yield f"  not looked at: {self.problem}"
        if self.stopped is not None:
            yield f"  a run would be refused: {self.stopped}"
        elif self.state is not None:
            yield f"  it is {self.state} already, so a run {self.run}"
        elif self.problem is None and self.refusal is None and not self.caps:
            yield f"  no policy caps what releases lose together; a run {self.run}"
        for cap in self.caps:
            yield f"  cap of {cap}"
        if self.refusal is not None:
            yield "  a run would be refused:"
            yield from (f"  {line}" for line in str(self.refusal).splitlines()[1:])


def ledger_effect(
    release: LoadedRelease, plan: ReleasePlan, planned: PlanFile, period: str | None, today: date
) -> LedgerEffect | None:
    """Returns what a release would take from the ledger.

    Args:
        release: The release series.
        plan: Its plan.
        planned: The file of the plan.
        period: Period of the release; None for the last one that is over, or for none.
        today: Today.

    Returns:
        The effect; None where there is neither a policy nor an entry in the ledger.

    Raises:
        PeriodError: The period is none of the series.
        LedgerError: The ledger was edited.
    """
    chosen = chosen_period(release.spec.period, period, today)
    try:
        ledger = ReleaseLedger.of(release, SHORT_PATIENCE)
        book = ledger.ledger.book()
    except StoreError as error:
        return LedgerEffect(chosen, release.ledger, problem=str(error))
    if ledger.policy is None and not book.head.entries:
        return None
    request = ledger.request(plan, planned, chosen)
    latest = book.latest(request.key)
    place = ledger.ledger.store.place
    if latest is not None:
        stopped = _stopped(book, request)
        return LedgerEffect(chosen, place, latest.state, stopped=stopped)
    policy = ledger.policy_for(request)
    refusal = None
    try:
        check_request(policy, book, request)
    except RefusedError as error:
        refusal = error.refusal
    releases = book.charged(request.charge.dataset)
    dataset = policy.datasets.get(request.charge.dataset)
    effects = []
    for cap in () if dataset is None else dataset.caps:
        found = [
            CapEffect.of(cell, request.charge)
            for cell in _different(cells(cap, request.charge.window, releases))
        ]
        effects.append(max(found, key=lambda effect: effect.after))
    return LedgerEffect(chosen, place, None, tuple(effects), refusal)


def _stopped(book: Book, request: Request) -> str | None:
    """Returns why a run without a correction would not go on with what the ledger has."""
    try:
        Aim.of(book, request.key, request.plan, None)
    except LedgerError as error:
        return str(error)
    return None


def _different(found: Iterator[Cell]) -> list[Cell]:
    """Returns one cell for each set of releases that count together, whatever its days."""
    return list({(cell.cap, cell.releases): cell for cell in found}.values())


def _number(value: float) -> str:
    return "no bound" if math.isinf(value) else f"{value:.4g}"
