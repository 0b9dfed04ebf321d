"""What gates found: whether all is there that was expected, in words and as JSON values.

Only what may be published is in it: days and periods, which are known from names of folders and
from the ledger, and partitions, which are known from what is published. Never a size of the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Kind = Literal["period", "days", "periods", "partitions", "number"]
"""The period is not over; days of the input, earlier periods or listed partitions are missing; a
table has another number of partitions than expected."""

NAMED = 100
"""Missing things of one kind that are named; of more there is the number."""


@dataclass(frozen=True)
class Missing:
    """Something that was expected and is not there.

    Attributes:
        kind: What it is.
        names: What is missing, in order; the first `NAMED` of them. For `period` its last day, for
            `number` the least and the most that were expected.
        number: How many are missing; for `number`, how many are there.
        expected: How many were expected, at least.
        table: The table, for partitions; else empty.
    """

    kind: Kind
    names: tuple[str, ...]
    number: int
    expected: int
    table: str = ""

    @classmethod
    def of(cls, kind: Kind, names: Sequence[str], expected: int, table: str = "") -> Missing:
        """Returns what is missing, of all its names."""
        return cls(kind, tuple(names[:NAMED]), len(names), expected, table)

    def __str__(self) -> str:
        if self.kind == "period":
            return f"the period is not over, its last day is {self.names[0]}"
        if self.kind == "number":
            least, most = self.names
            return (
                f"{self.table} has {self.number:,} partitions, and {least} to {most} are expected"
            )
        more = f" and {self.number - len(self.names):,} more" * (self.number > len(self.names))
        named = f"{'; '.join(self.names)}{more}"
        what = {"days": "days of the input", "periods": "earlier periods"}.get(
            self.kind, f"partitions of {self.table}"
        )
        return f"{self.number:,} of {self.expected:,} {what} are missing: {named}"


@dataclass(frozen=True)
class Completeness:
    """What gates found about a release.

    Attributes:
        gates: The gates that it passed or that let it pass, in order.
        missing: What is missing.
    """

    gates: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()

    def __add__(self, other: Completeness) -> Completeness:
        return Completeness(self.gates + other.gates, self.missing + other.missing)

    def __str__(self) -> str:
        if self.missing:
            return f"incomplete: {'; '.join(map(str, self.missing))}"
        return "nothing is missing" if self.gates else "not looked at"

    @property
    def status(self) -> str:
        """`complete`, `incomplete`, or `not looked at` where there was no gate."""
        if self.missing:
            return "incomplete"
        return "complete" if self.gates else "not looked at"

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON values."""
        missing = [{**asdict(one), "names": list(one.names)} for one in self.missing]
        return {"status": self.status, "gates": list(self.gates), "missing": missing}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Completeness:
        """Returns what JSON values stand for.

        Raises:
            ValueError: They stand for nothing.
        """
        try:
            missing = tuple(
                Missing(**{**one, "names": tuple(one["names"])}) for one in value["missing"]
            )
            found = cls(tuple(value["gates"]), missing)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"these are no outcomes of gates: {error}") from None
        if not all(found._are_right()) or found.to_dict() != dict(value):
            raise ValueError("these are no outcomes of gates")
        return found

    def _are_right(self) -> Iterator[bool]:
        yield from (isinstance(gate, str) for gate in self.gates)
        for one in self.missing:
            yield one.kind in get_args(Kind) and isinstance(one.table, str)
            yield all(isinstance(name, str) for name in one.names)
            yield type(one.number) is int and type(one.expected) is int
            yield len(one.names) >= {"number": 2}.get(one.kind, 1)


NOT_LOOKED_AT = Completeness()
"""What is known of a release without gates."""
