"""What the ledger says about a dataset, for people: what is left, what was spent, on what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from pipelines.ledger.cells import Cell, cells, losses_about
from pipelines.ledger.composition import (
    RhoBudget,
    composed,
    epsilon_at,
    quick_epsilon,
    rho_and_failure,
)
from pipelines.ledger.days import ALWAYS, Days, periods
from pipelines.ledger.policy import Cap, DatasetPolicy
from pipelines.ledger.refusal import usage
from pipelines.ledger.states import Book, Release
from pipelines.ledger.units import PrivacyUnit


@dataclass(frozen=True)
class Room:
    """What is left under one cap for input of some days.

    Attributes:
        cap: The cap.
        span: The releases read some of these days.
        bucket: The unit's rows are in these days.
        entries: Numbers of the entries that use it.
        used: Epsilon at the delta of the cap, or rho; infinite where there is no bound.
        limit: The most that may be used.
        remaining: What is left: that much pure epsilon, or rho, fits, but for the grid of prices
            (0.1 %). More may fit, as losses do not add up.
        failed: Probability of failures so far.
    """

    cap: Cap
    span: Days
    bucket: Days
    entries: tuple[int, ...]
    used: float
    limit: float
    remaining: float
    failed: float


@dataclass(frozen=True)
class Line:
    """One release in the history of a dataset.

    Attributes:
        release: The release, in its last state.
        epsilon: What it costs alone, at the delta that it states, about its own unit.
        rho: The same in zCDP, apart from failures.
        cumulative: Epsilon about one unit without time scope of all so far, at the delta of the
            history, by closed formulas; infinite where there is no bound.
    """

    release: Release
    epsilon: float
    rho: float
    cumulative: float


@dataclass(frozen=True)
class TotalLoss:
    """What all releases of a dataset lose together about one privacy unit.

    Attributes:
        unit: The unit.
        bucket: Its days where most is lost; all time for a unit without time scope.
        entries: Numbers of the entries that count there.
        epsilon: Epsilon at `delta`, infinite where there is no bound.
        delta: Delta that it is stated for.
        rho: zCDP, apart from failures.
        failed: Probability of failures.
    """

    unit: PrivacyUnit
    bucket: Days
    entries: tuple[int, ...]
    epsilon: float
    delta: float
    rho: float
    failed: float


def remaining(policy: DatasetPolicy, book: Book, dataset: str, day: date) -> list[Room]:
    """Returns what each cap has left for a release that reads one day.

    Args:
        policy: Policy of the dataset.
        book: The ledger.
        dataset: The dataset.
        day: The day of the input.

    Returns:
        For each cap the place where least is left.
    """
    releases = book.charged(dataset)
    return [
        min((_room(cell) for cell in cells(cap, Days(day, day), releases)), key=_left)
        for cap in policy.caps
    ]


def history(book: Book, dataset: str, delta: float) -> list[Line]:
    """Returns all that is charged to a dataset in the order of reservation.

    Args:
        book: The ledger.
        dataset: The dataset.
        delta: Delta of the cumulative epsilon.
    """
    releases = book.charged(dataset)
    lines = []
    for number, release in enumerate(releases, 1):
        own = composed(release.charge.losses)
        unit = whole_unit(release.charge.unit)
        charges = [other.charge for other in releases[:number]]
        losses = None if unit is None else losses_about(unit, ALWAYS, charges)
        lines.append(
            Line(
                release,
                epsilon_at(own, release.charge.delta),
                rho_and_failure(own)[0],
                math.inf if losses is None else quick_epsilon(losses, delta),
            )
        )
    return lines


def cumulative(book: Book, dataset: str, delta: float) -> list[TotalLoss]:
    """Returns the loss of all releases of a dataset about each unit that one of them protects.

    A unit with a time scope is followed by the same unit without: of a user-day, also the user.

    Args:
        book: The ledger.
        dataset: The dataset.
        delta: Delta that epsilon is stated for.
    """
    releases = book.charged(dataset)
    units: dict[PrivacyUnit, None] = {}
    for release in releases:
        unit = replace(release.charge.unit, keys=())
        units[unit] = None
        whole = whole_unit(unit)
        if whole is not None:
            units[whole] = None
    return [_loss(unit, releases, delta) for unit in units]


def whole_unit(unit: PrivacyUnit) -> PrivacyUnit | None:
    """Returns a unit with all its rows, of all times and keys; None for rows, which have none."""
    return PrivacyUnit(unit.columns, None, unit.adjacency) if unit.columns else None


def _loss(unit: PrivacyUnit, releases: Sequence[Release], delta: float) -> TotalLoss:
    buckets = {
        bucket for release in releases for bucket in periods(release.charge.window, unit.every)
    }
    counted: dict[tuple[int, ...], Days] = {}
    for bucket in sorted(buckets):
        entries = tuple(r.entries[0] for r in releases if r.charge.window.overlaps(bucket))
        counted.setdefault(entries, bucket)
    losses = (_loss_in(unit, bucket, releases, delta) for bucket in counted.values())
    return max(losses, key=lambda loss: (loss.epsilon, loss.rho))


def _loss_in(
    unit: PrivacyUnit, bucket: Days, releases: Sequence[Release], delta: float
) -> TotalLoss:
    inside = [release for release in releases if release.charge.window.overlaps(bucket)]
    entries = tuple(release.entries[0] for release in inside)
    losses = losses_about(unit, bucket, [release.charge for release in inside])
    if losses is None:
        return TotalLoss(unit, bucket, entries, math.inf, delta, math.inf, 1.0)
    return TotalLoss(
        unit, bucket, entries, epsilon_at(losses, delta), delta, *rho_and_failure(losses)
    )


def _room(cell: Cell) -> Room:
    used, failed = usage(cell)
    budget = cell.cap.budget
    limit = budget.rho if isinstance(budget, RhoBudget) else budget.epsilon
    left = max(0.0, math.nextafter(limit - used, 0.0)) if math.isfinite(used) else 0.0
    entries = tuple(release.entries[0] for release in cell.releases)
    return Room(cell.cap, cell.span, cell.bucket, entries, used, limit, left, failed)


def _left(room: Room) -> float:
    return room.remaining / room.limit
