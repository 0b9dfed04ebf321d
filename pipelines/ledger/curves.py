"""How much of each cap is used, along the days of the input or from release to release."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pipelines.ledger.budget import remaining
from pipelines.ledger.cells import cells
from pipelines.ledger.composition import RhoBudget
from pipelines.ledger.days import ALWAYS, Days
from pipelines.ledger.policy import Cap, DatasetPolicy
from pipelines.ledger.refusal import usage
from pipelines.ledger.states import Book, Release

MOST_DAYS = 800
"""Days of a curve, the last ones of the input. Releases of more days have no time of their own."""


@dataclass(frozen=True)
class CapCurve:
    """The use of one cap.

    Attributes:
        cap: The cap.
        limit: The most that may be used.
        days: Days of the input that the numbers are about, one after the other; empty where they
            are about releases.
        releases: Releases after which they hold, in the order in which they were charged; empty
            where they are about days.
        used: Epsilon at the delta of the cap, or rho; infinite where there is no bound.
    """

    cap: Cap
    limit: float
    days: tuple[date, ...]
    releases: tuple[Release, ...]
    used: tuple[float, ...]


def cap_curves(policy: DatasetPolicy, book: Book, dataset: str, day: date) -> list[CapCurve]:
    """Returns the use of each cap that counts several releases together.

    Caps of a lifetime about a unit without time scope count every release, whatever its days: they
    go up from release to release. All others are shown for each day that a release with days read.

    Args:
        policy: Policy of the dataset.
        book: The ledger.
        dataset: The dataset.
        day: The day to show where no release is of some days only.
    """
    releases = book.charged(dataset)
    if not releases:
        return []
    days = list(_days([release.charge.window for release in releases])) or [day]
    rooms = [remaining(policy, book, dataset, day) for day in days]
    curves = []
    for number, cap in enumerate(policy.caps):
        limit = cap.budget.rho if isinstance(cap.budget, RhoBudget) else cap.budget.epsilon
        if cap.per == "lifetime" and cap.unit.every is None:
            used = tuple(_growth(cap, releases))
            curves.append(CapCurve(cap, limit, (), tuple(releases), used))
        elif cap.per != "release":
            used = tuple(of_day[number].used for of_day in rooms)
            curves.append(CapCurve(cap, limit, tuple(days), (), used))
    return curves


def _growth(cap: Cap, releases: Sequence[Release]) -> Iterator[float]:
    for number in range(1, len(releases) + 1):
        (cell,) = cells(cap, ALWAYS, releases[:number])
        yield usage(cell)[0]


def _days(windows: Sequence[Days]) -> Iterator[date]:
    some = [window for window in windows if window.length <= MOST_DAYS]
    if some:
        last = max(window.last for window in some)
        first = max(min(window.first for window in some), last - timedelta(days=MOST_DAYS - 1))
        yield from (first + timedelta(days=day) for day in range((last - first).days + 1))
