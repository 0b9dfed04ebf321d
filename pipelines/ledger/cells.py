"""What counts together under a cap.

A cap limits the loss about one privacy unit. Of its time scope comes the *bucket*: for one user-day
only the releases count that read its day, so disjoint days compose in parallel. A unit without time
scope has one bucket, all time, and every release of the dataset counts. Of `per` comes the *span*:
the releases count that read any day of it. So a table of 28 days that is released daily counts 28
times about each day, and the clock plays no part: late and backfilled releases count where their
rows are. A *cell* is one bucket with one span.

Calendar spans begin anew at their boundary: what is nearly used up on the 31st is free on the 1st.
A number of days slides: of all spans of so many days, only those are looked at that end their reach
at the last day of a release; each other one has its releases inside one of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import cast, get_args

from pipelines.ledger.charges import Charge
from pipelines.ledger.composition import Composed, composed
from pipelines.ledger.days import ALWAYS, Calendar, Days, periods
from pipelines.ledger.losses_json import Mechanisms
from pipelines.ledger.policy import Cap
from pipelines.ledger.states import Release
from pipelines.ledger.units import PrivacyUnit, steps, with_keys
from transforms.accounting import Loss
from transforms.accounting.group_privacy import group_losses


@dataclass(frozen=True)
class Cell:
    """Releases that count together under a cap.

    Attributes:
        cap: The cap.
        span: The releases read some of these days.
        bucket: The unit's rows are in these days.
        releases: Those that are charged already.
    """

    cap: Cap
    span: Days
    bucket: Days
    releases: tuple[Release, ...]

    def losses(self, more: Iterable[Charge] = ()) -> Composed | None:
        """Returns what all charges lose about the unit; None where there is no bound."""
        charges = [*(release.charge for release in self.releases), *more]
        return losses_about(self.cap.unit, self.bucket, charges)


def cells(cap: Cap, window: Days, releases: Sequence[Release]) -> Iterator[Cell]:
    """Yields the cells of a cap that a release of some days would count in.

    Args:
        cap: The cap.
        window: Days that the release reads.
        releases: All that is charged to the dataset.
    """
    for bucket in periods(window, cap.unit.every):
        part = window.common(bucket)
        inside = [] if cap.per == "release" else _overlapping(releases, bucket)
        for span in _spans(cap.per, part, inside):
            yield Cell(cap, span, bucket, tuple(_overlapping(inside, span)))


def losses_about(unit: PrivacyUnit, bucket: Days, charges: Iterable[Charge]) -> Composed | None:
    """Returns what charges lose together about one unit; None where there is no bound.

    Args:
        unit: The privacy unit.
        bucket: Its days.
        charges: Charges whose windows overlap the bucket.
    """
    every: list[Loss] = []
    charges = list(charges)
    unit = with_keys(unit, (charge.unit for charge in charges))
    for charge in charges:
        changes = steps(unit, bucket, charge.unit, charge.window)
        losses = None if changes is None else _group(charge.mechanisms, changes)
        if losses is None:
            return None
        every += losses
    return composed(every)


@lru_cache(maxsize=4096)
def _group(mechanisms: Mechanisms, changes: int) -> tuple[Loss, ...] | None:
    grouped = [group_losses(mechanism, changes) for mechanism in mechanisms]
    if None in grouped:
        return None
    return tuple(loss for losses in grouped if losses for loss in losses)


def days_of(per: str) -> int | None:
    """Returns the days of a span that slides; None for the others."""
    return int(per.removesuffix(" days")) if per.endswith(" days") else None


def _overlapping(releases: Iterable[Release], days: Days) -> list[Release]:
    return [release for release in releases if release.charge.window.overlaps(days)]


def _spans(per: str, window: Days, releases: Iterable[Release]) -> list[Days]:
    if per in ("lifetime", "release"):
        return [ALWAYS]
    if per in get_args(Calendar):
        return list(periods(window, cast(Calendar, per)))
    length = days_of(per)
    assert length is not None
    earliest = window.first - timedelta(days=length - 1)
    firsts = {release.charge.window.last for release in releases} | {window.last}
    return [
        Days(first, first + timedelta(days=length - 1))
        for first in sorted(firsts)
        if earliest <= first <= window.last
    ]
