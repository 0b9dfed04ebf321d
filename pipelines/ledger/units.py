"""Privacy units with their time scope, and what a charge for one says about another.

A release may protect a user-day while the policy limits the loss of a user, or the other way round.
`steps` says how many neighbours of the release lie between two neighbours of the account: that many
units change together, and group privacy prices it (`transforms.accounting.group_privacy`).

Let A be the unit of the account and U that of the charge, with columns, time and bounding.

- U must hold the same rows as A, or parts of A that only time tells apart (days of a user), or all
  rows of A and more. Anything else (devices of a user) has no bound, and neither has an account
  whose unit is larger in `bounding`: nothing bounds how many rows a user has.
- With bounding `unit_partition`, A has the keys of all releases that it counts (`with_keys`), so
  that it lies in one U of each. Where U has fewer keys, it reaches beyond A.
- Both `add_remove`: each U inside A is one step. A U that reaches beyond A is two: it is removed as
  a whole, and added with the rest of its rows. A row is in one U only.
- A `replace`, U `add_remove`: A is replaced by another; that is the above for one, and once more
  for the other.
- U `replace`: the number of units in each bucket is taken as known, so it says something only about
  the very same A = U, whose unit is replaced by another one of the same bucket. It is one step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from pipelines.ledger.days import Days, number_of_periods, period_of
from transforms.bounds import Adjacency, Bounding, Guarantee

Every = Literal["day", "week", "month"]

_SIZES: dict[Bounding, int] = {"row": 0, "unit_partition": 1, "unit": 2}


@dataclass(frozen=True)
class PrivacyUnit:
    """Whom or what a guarantee protects, and for how long.

    Attributes:
        columns: Columns of the unit without time, in order; none with bounding `row`.
        every: Time scope: the rows of one calendar period are a unit of their own; None for all.
        adjacency: Whether it is there or not, or what it says.
        bounding: The rows of a unit that are protected as one.
        keys: With bounding `unit_partition`, the keys whose values these rows share, in order; of
            an account, all keys of the releases that it counts.

    Raises:
        ValueError: A word is not allowed, columns or keys are repeated or not in order, columns are
            missing, or there are keys with another bounding.
    """

    columns: tuple[str, ...]
    every: Every | None = None
    adjacency: Adjacency = "add_remove"
    bounding: Bounding = field(default="unit")
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Guarantee(self.adjacency, self.bounding)
        if self.every not in (None, *get_args(Every)):
            raise ValueError(f"every is {self.every!r}; allowed: {', '.join(get_args(Every))}")
        if self.columns != tuple(sorted(set(self.columns))):
            raise ValueError(f"columns are {self.columns}; allowed: sorted, each of them once")
        if self.keys != tuple(sorted(set(self.keys))):
            raise ValueError(f"keys are {self.keys}; allowed: sorted, each of them once")
        if self.keys and self.bounding != "unit_partition":
            raise ValueError(
                f"keys are {self.keys} with bounding {self.bounding}; allowed: with unit_partition"
            )
        if bool(self.columns) == (self.bounding == "row"):
            raise ValueError(
                f"columns are {self.columns} with bounding {self.bounding}; allowed: at least one "
                "column, or none with bounding row"
            )

    def __str__(self) -> str:
        what = {"unit": "", "unit_partition": " and keys", "row": "row"}[self.bounding]
        when = f" of one {self.every}" if self.every else ""
        how = ", replaced" if self.adjacency == "replace" else ""
        return f"{' + '.join(self.columns)}{what}{when}{how}"


def steps(account: PrivacyUnit, bucket: Days, unit: PrivacyUnit, window: Days) -> int | None:
    """Returns how many changes of a charge's unit make one change of an account's unit.

    Args:
        account: Unit whose loss is asked for.
        bucket: Its calendar period; all time where it has none.
        unit: Unit that the charge is about.
        window: Days of the input of the charge; they overlap the bucket.

    Returns:
        The number of steps; None where there is no bound.
    """
    if unit.adjacency == "replace":
        return 1 if unit == account else None
    if _SIZES[unit.bounding] < _SIZES[account.bounding]:
        return None
    if account.bounding != "row" and not set(unit.columns) <= set(account.columns):
        return None
    common = window.common(bucket)
    count = 1 if account.bounding == "row" else number_of_periods(common, unit.every)
    if (unit.columns, unit.bounding) == (account.columns, account.bounding):
        fewer = count if unit.keys != account.keys else 0
        reaching = max(fewer, _reaching_beyond(common, unit, window))
    else:
        reaching = count
    both = 2 if account.adjacency == "replace" else 1
    return both * (count + reaching)


def with_keys(account: PrivacyUnit, units: Iterable[PrivacyUnit]) -> PrivacyUnit:
    """Returns the unit of an account with the keys of the units that it counts.

    Rows that share the values of fewer keys could touch any number of partitions of a release.
    """
    if account.bounding != "unit_partition":
        return account
    keys = {key for unit in units for key in unit.keys}
    return replace(account, keys=tuple(sorted(keys)))


def _reaching_beyond(common: Days, unit: PrivacyUnit, window: Days) -> int:
    """Returns how many units have rows in the window outside the bucket."""
    ends = {period_of(common.first, unit.every), period_of(common.last, unit.every)}
    return sum(not common.contains(end.common(window)) for end in ends)
