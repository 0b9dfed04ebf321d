"""How much of one privacy unit counts, and what the guarantee is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

MAX_ROWS = 2**40
"""Rows of one privacy unit in one table, and of everybody in one partition, that the overflow
proofs allow."""

MAX_L0 = 2**31 - 1
"""Largest bound on the partitions of one unit."""

MAX_LINF = 2**20
"""Largest bound on the rows of one unit in one partition, or in one table."""

MAX_UNITS = 2**33
"""Privacy units in one partition that the overflow proof allows: more than there are people."""

MAX_SENSITIVITY = 2**62 // MAX_UNITS - 1
"""Largest contribution of one unit to one partition: MAX_UNITS of them fit an int64 twice."""

MAX_ROW_SENSITIVITY = 2**62 // MAX_ROWS - 1
"""Largest contribution of one row where rows are not bounded: MAX_ROWS fit an int64 twice."""

Adjacency = Literal["add_remove", "replace"]
Bounding = Literal["unit", "unit_partition", "row"]


@dataclass(frozen=True)
class Bounds:
    """How much of one privacy unit counts in one table: L0 x Linf, or L1.

    Attributes:
        max_partitions_contributed: L0, the partitions one unit may touch.
        max_contributions_per_partition: Linf, the rows of one unit that count in one partition.
        max_contributions: L1, the rows of one unit that count in the table, wherever they are;
            None for L0 x Linf.

    Raises:
        ValueError: A bound is not a whole number from 1 to its limit, or L1 is given together with
            L0 or Linf.
    """

    max_partitions_contributed: int = 1
    max_contributions_per_partition: int = 1
    max_contributions: int | None = None

    def __post_init__(self) -> None:
        limits = {
            "max_partitions_contributed": MAX_L0,
            "max_contributions_per_partition": MAX_LINF,
            "max_contributions": MAX_LINF,
        }
        for name, limit in limits.items():
            value = getattr(self, name)
            if name == "max_contributions" and value is None:
                continue
            if not (is_whole(value) and 1 <= value <= limit):
                raise ValueError(f"{name} is {value!r}; allowed: a whole number from 1 to {limit}")
        if self.max_contributions is not None and self.l0_linf != (1, 1):
            raise ValueError(
                f"max_contributions is {self.max_contributions}, beside another bound; allowed: "
                "max_contributions alone, or max_partitions_contributed with "
                "max_contributions_per_partition"
            )

    @property
    def l0_linf(self) -> tuple[int, int]:
        """L0 and Linf."""
        return self.max_partitions_contributed, self.max_contributions_per_partition

    @property
    def max_partitions(self) -> int:
        """Partitions that one unit may touch: L0, or L1 where that is the bound."""
        return self.max_contributions or self.max_partitions_contributed


@dataclass(frozen=True)
class Guarantee:
    """What neighbouring data sets differ in.

    Attributes:
        adjacency: One thing is there or not (`add_remove`), or is another one (`replace`).
        bounding: The thing: all rows of one privacy unit (`unit`), its rows in one partition of
            one table (`unit_partition`), or one row (`row`). Only what is protected is bounded.

    Raises:
        ValueError: A word is not one of these.
    """

    adjacency: Adjacency = "add_remove"
    bounding: Bounding = "unit"

    def __post_init__(self) -> None:
        for name, words in (("adjacency", get_args(Adjacency)), ("bounding", get_args(Bounding))):
            if getattr(self, name) not in words:
                raise ValueError(f"{name} is {getattr(self, name)!r}; allowed: {', '.join(words)}")

    @property
    def unused_bounds(self) -> tuple[str, ...]:
        """Fields of `Bounds` that are about more than the thing that is protected."""
        return {
            "unit": (),
            "unit_partition": ("max_partitions_contributed", "max_contributions"),
            "row": (
                "max_partitions_contributed",
                "max_contributions_per_partition",
                "max_contributions",
            ),
        }[self.bounding]

    @property
    def changed(self) -> int:
        """Things that neighbouring data sets differ in; replacing removes one and adds one."""
        return 1 if self.adjacency == "add_remove" else 2

    def max_partitions(self, bounds: Bounds) -> int | None:
        """Returns the partitions of one unit that count; None where that is not bounded."""
        return bounds.max_partitions if self.bounding == "unit" else None

    def max_rows(self, bounds: Bounds) -> int | None:
        """Returns the rows of one unit in one partition that count; None where not bounded."""
        if self.bounding == "row":
            return None
        return bounds.max_contributions or bounds.max_contributions_per_partition


def is_whole(value: object) -> bool:
    """Returns whether a value is a whole number, and not a truth value."""
    return isinstance(value, int) and not isinstance(value, bool)
