"""Whether a release may be reserved: what the policy allows, and what its caps have left."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

from pipelines.ledger.cells import Cell, cells, days_of
from pipelines.ledger.charges import Charge, Request
from pipelines.ledger.composition import composed, epsilon_at, fits, scaled
from pipelines.ledger.errors import LedgerError
from pipelines.ledger.policy import Cap, Policy
from pipelines.ledger.refusal import Refusal, RefusedError, Shortfall
from pipelines.ledger.states import NO_POLICY, Book, Release
from pipelines.spec.errors import did_you_mean
from transforms.accounting import AccountingError

_WITHOUT_POLICY = (
    "has no policy, and this ledger was charged under one; allowed: with the key 'policy'"
)
_HALVINGS = 10
_SMALLEST = 2.0**-10
_MOST_MOVES = 100


def check_request(policy: Policy, book: Book, request: Request) -> None:
    """Checks that a release is allowed and fits under every cap.

    Args:
        policy: The policy.
        book: The ledger.
        request: What is asked for.

    Raises:
        RefusedError: It is not, or does not; with the explanation.
        LedgerError: There is no price that can be trusted.
    """
    try:
        _check(policy, book, request)
    except AccountingError as error:
        raise LedgerError(f"{request.key} is not reserved, as it has no price: {error}") from None


def has_room(cell: Cell, charge: Charge) -> bool:
    """Returns whether a charge fits in a cell."""
    losses = cell.losses([charge])
    return losses is not None and fits(losses, cell.cap.budget)


def _check(policy: Policy, book: Book, request: Request) -> None:
    charge = request.charge
    if policy.digest == NO_POLICY and book.has_policy:
        raise RefusedError(Refusal(request.key, (_WITHOUT_POLICY,)))
    dataset = policy.datasets.get(charge.dataset)
    if dataset is None:
        known = ", ".join(policy.datasets)
        objection = (
            f"charges the dataset {charge.dataset!r}, which the policy does not have; "
            f"allowed: {known}{did_you_mean(charge.dataset, policy.datasets)}"
        )
        raise RefusedError(Refusal(request.key, (objection,)))
    objections = tuple(dataset.objections(request))
    releases = book.charged(charge.dataset)
    shortfalls = tuple(_shortfalls(dataset.caps, charge, releases))
    if not (objections or shortfalls):
        return
    refusal = Refusal(
        request.key,
        objections,
        shortfalls,
        epsilon_at(composed(charge.losses), charge.delta),
        _largest(dataset.caps, charge, releases) if shortfalls else None,
        _returns(dataset.caps, charge, releases) if shortfalls else None,
        charge.unit,
        tuple(dict.fromkeys(cap.unit for cap in dataset.caps)),
    )
    raise RefusedError(refusal)


def _full(cap: Cap, charge: Charge, releases: Sequence[Release]) -> Iterator[Cell]:
    return (cell for cell in cells(cap, charge.window, releases) if not has_room(cell, charge))


def _all_fit(caps: Sequence[Cap], charge: Charge, releases: Sequence[Release]) -> bool:
    return not any(True for cap in caps for _ in _full(cap, charge, releases))


def _shortfalls(
    caps: Sequence[Cap], charge: Charge, releases: Sequence[Release]
) -> Iterator[Shortfall]:
    for cap in caps:
        found = [Shortfall.of(cell, charge) for cell in _full(cap, charge, releases)]
        if found:
            yield max(found, key=lambda shortfall: shortfall.needed)


def _largest(caps: Sequence[Cap], charge: Charge, releases: Sequence[Release]) -> float | None:
    """Returns the largest epsilon at the proportions of a charge that fits, rounded down."""

    def at(scale: float) -> Charge:
        return replace(charge, mechanisms=scaled(charge.mechanisms, scale))

    scale = _last_true(lambda value: _all_fit(caps, at(value), releases))
    if scale is None:
        return None
    epsilon = epsilon_at(composed(at(scale).losses), charge.delta)
    return _three_digits_down(epsilon) if math.isfinite(epsilon) and epsilon > 0 else None


def _last_true(holds: Callable[[float], bool]) -> float | None:
    """Returns about the largest scale, on a logarithmic axis, at which something holds."""
    if not holds(_SMALLEST):
        return None
    low, high = math.log(_SMALLEST), 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if holds(math.exp(middle)):
            low = middle
        else:
            high = middle
    return math.exp(low)


def _three_digits_down(value: float) -> float:
    exponent = math.floor(math.log10(value)) - 2
    return float(f"{math.floor(value / 10.0**exponent)}e{exponent}")


def _returns(caps: Sequence[Cap], charge: Charge, releases: Sequence[Release]) -> date | None:
    """Returns the first day on which a window as long may begin to have room."""
    for _ in range(_MOST_MOVES):
        moves = [_next_start(cell, charge) for cap in caps for cell in _full(cap, charge, releases)]
        if not moves:
            return charge.window.first
        starts = [move for move in moves if move is not None]
        if len(starts) < len(moves):
            return None
        charge = replace(charge, window=charge.window.moved_to(max(starts)))
    return None


def _next_start(cell: Cell, charge: Charge) -> date | None:
    """Returns the next first day of a window on which less counts in a cell; None for never."""
    if not cell.releases or cell.losses() is None:
        return None
    later = []
    if cell.cap.unit.every:
        later.append(cell.bucket.last + timedelta(days=1))
    length = days_of(cell.cap.per)
    if length is not None:
        ends = (release.charge.window.last for release in cell.releases)
        later.append(min(ends) + timedelta(days=length))
    elif cell.cap.per not in ("lifetime", "release"):
        later.append(cell.span.last + timedelta(days=1))
    return min((day for day in later if day > charge.window.first), default=None)
