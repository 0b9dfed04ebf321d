"""How far the change of one privacy unit moves the numbers of a table."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from transforms.accumulators import Norm
from transforms.bounds import Bounds, Guarantee


@dataclass(frozen=True)
class Entries:
    """Integers of one kind, one or more per partition, that share a mechanism.

    Attributes:
        low: Smallest contribution of one row, or of one unit to one partition.
        high: Largest contribution.
        per_row: Whether each counted row adds one contribution, or each unit one per partition.
        repeats: Entries of a partition that one contribution adds to.
        norm: Norm of the vector of those entries that low and high bound; each entry by default.
        scattered: Whether contributions to one partition may add to different entries.
    """

    low: int
    high: int
    per_row: bool = True
    repeats: int = 1
    norm: Norm = "linf"
    scattered: bool = False

    @property
    def magnitude(self) -> int:
        """Largest absolute contribution."""
        return max(abs(self.low), abs(self.high))

    @property
    def spread(self) -> int:
        """Largest difference between two contributions, either of which may be missing."""
        return max(self.high, 0) - min(self.low, 0)


@dataclass(frozen=True)
class Sensitivity:
    """Largest change between neighbouring data sets of a vector of integers.

    Attributes:
        l0: Entries that change.
        linf: Change of one entry.
        total: Sum of the absolute changes; None for l0 * linf.
        squares: Sum of the squared changes; None where nothing better is known than what follows
            from the others.
    """

    l0: int
    linf: int
    total: int | None = None
    squares: int | None = None

    @property
    def l1(self) -> float:
        """The change in the L1 norm, rounded up."""
        return at_least(self.together, power=1)

    @property
    def l2(self) -> float:
        """The change in the L2 norm, rounded up.

        Changes x of at most linf each have a sum of squares of at most linf times their sum, and
        at most l0 * linf^2.
        """
        known = [self.l0 * self.linf**2, self.linf * self.together]
        return at_least(min(known if self.squares is None else [*known, self.squares]), power=2)

    @property
    def together(self) -> int:
        """The sum of the absolute changes."""
        whole = self.l0 * self.linf
        return whole if self.total is None else min(self.total, whole)


def sensitivity(
    entries: Entries, bounds: Bounds, guarantee: Guarantee, *, merged: bool = False
) -> Sensitivity:
    """Derives a sensitivity from the bounds that the engine enforces.

    One unit changes p partitions, each by at most c contributions of magnitude M, and all together
    by at most t contributions: p = L0, c = Linf, t = p c with L0 x Linf; p = c = t = L1 with L1.
    With `bounding: unit_partition`, p = 1 and c = t = Linf; with `row`, all are 1. Where a unit
    adds one contribution to a partition whatever its rows, c = 1 and t = p.

    A vector of d entries per contribution changes each entry by at most M. If M bounds its L1 norm,
    the absolute changes of all entries add up to t M; if it bounds the L2 norm, they add up to at
    most t M sqrt(d), and the changes have an L2 norm of at most that of p or fewer vectors of
    length c M or less, t M together: their squares add up to at most c t M^2. Scattered
    contributions may each change d entries of their own, t d in all.

    With `unit_partition`, the rows that change are those of a unit with the same values of all keys
    of the release: in a table with fewer keys, the unit may have other rows in that partition, and
    its contribution becomes another one. So one entry moves by at most the spread of contributions,
    and a vector, or scattered contributions, as far as if the old ones were removed and the new
    ones added.

    Replacing is removing and adding: twice the entries, twice the L1 norm, at most twice the L2
    norm. One entry moves by at most the spread of contributions, both being in one partition; with
    `unit_partition`, by the spread of either's. The squares of the changes of single numbers are
    a convex function of how many contributions each partition gets of both units, so that they are
    most at an extreme: c contributions of both to t / c partitions, which makes c t spread^2, or of
    one of them to 2 t / c partitions, 2 c t M^2.

    Args:
        entries: The integers.
        bounds: Contribution bounds.
        guarantee: What is protected.
        merged: Whether partitions are merged to one, so that p = 1 and c = t: any of those that a
            unit contributes to, chosen without regard to the data.

    Returns:
        The sensitivity, in the unit of the integers.
    """
    partitions, most, all_together = _contributions(entries, bounds, guarantee)
    if merged:
        partitions, most = 1, all_together
    size = entries.magnitude
    reach = all_together * size
    total = {
        "linf": reach * entries.repeats,
        "l1": reach,
        "l2": _ceil_sqrt(reach**2 * entries.repeats),
    }[entries.norm]
    moved = Sensitivity(
        (all_together if entries.scattered else partitions) * entries.repeats,
        most * size,
        total,
        most * size * reach if entries.norm == "l2" else None,
    )
    spread = most * entries.spread
    if guarantee.bounding == "unit_partition":
        one_entry = entries.repeats == 1 and not entries.scattered
        moved = Sensitivity(1, spread) if one_entry else _twice(moved, spread)
    if guarantee.adjacency == "replace":
        if guarantee.bounding == "unit_partition":
            moved = _twice(moved, 2 * spread)
        else:
            moved = _twice(moved, spread)
            squares = most * all_together * max(entries.spread**2, 2 * size**2)
            if entries.repeats == 1 and squares < moved.linf * moved.together:
                moved = replace(moved, squares=squares)
    whole = moved.l0 * moved.linf
    return moved if moved.together < whole else replace(moved, total=None)


def _twice(moved: Sensitivity, spread: int) -> Sensitivity:
    """Returns the change when one thing is removed and another added."""
    return Sensitivity(
        2 * moved.l0,
        spread,
        2 * moved.together,
        None if moved.squares is None else 4 * moved.squares,
    )


def _contributions(entries: Entries, bounds: Bounds, guarantee: Guarantee) -> tuple[int, int, int]:
    """Returns the partitions, the contributions to one of them, and those to all together."""
    match guarantee.bounding:
        case "unit" if bounds.max_contributions is not None:
            partitions = rows = together = bounds.max_contributions
        case "unit":
            partitions, rows = bounds.l0_linf
            together = partitions * rows
        case "unit_partition":
            partitions = 1
            rows = together = bounds.max_contributions_per_partition
        case "row":
            partitions = rows = together = 1
    return (partitions, rows, together) if entries.per_row else (partitions, 1, partitions)


def _ceil_sqrt(value: int) -> int:
    return math.isqrt(value - 1) + 1 if value else 0


def at_least(value: int, *, power: int) -> float:
    """Returns a float, at most the next above the root, whose power is at least the value."""
    root = float(value) if power == 1 else math.sqrt(value)
    while Fraction(root) ** power < value:
        root = math.nextafter(root, math.inf)
    return root
