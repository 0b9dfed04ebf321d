"""What `plan` says of gates: all that is expected, and what would stop a release today.

It knows the calendar, and neither looks at the input nor at the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipelines.gates.outcome import GateError
from pipelines.gates.period_gates import calendar_gates
from pipelines.gates.verdict import Verdict
from pipelines.run.periods import ReleasePeriod
from pipelines.spec import LoadedRelease
from pipelines.spec.gates_spec import days_column


@dataclass(frozen=True)
class PlannedGates:
    """The gates of a release.

    Attributes:
        period: Its period.
        expects: What has to be there, in words.
        stops: Why it would be stopped today.
    """

    period: ReleasePeriod
    expects: tuple[str, ...]
    stops: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns the gates as JSON values."""
        return {
            "period": self.period.name,
            "expects": list(self.expects),
            "stops": list(self.stops),
        }

    def lines(self) -> Iterator[str]:
        """Yields the gates in words."""
        if self.expects:
            yield f"gates of {self.period.name}: {'; '.join(self.expects)}"
        yield from (f"  would stop today: {stop}" for stop in self.stops)


def planned_gates(release: LoadedRelease, period: ReleasePeriod, today: date) -> PlannedGates:
    """Returns what `plan` says of the gates of a release.

    Args:
        release: The release series.
        period: Its period.
        today: Today.
    """
    stops: tuple[str, ...] = ()
    try:
        Verdict(release).passed(calendar_gates(release, period, today))
    except GateError as error:
        stops = tuple(problem.message.removeprefix("stopped: ") for problem in error.problems)
    return PlannedGates(period, tuple(_expects(release, period)), stops)


def _expects(release: LoadedRelease, period: ReleasePeriod) -> Iterator[str]:
    gates, column = release.spec.gates, days_column(release.spec)
    if period.every is not None:
        yield "the period is over" if gates.unfinished == "stop" else "the period may go on"
    if gates.since is not None:
        yield f"all periods from {gates.since} on are published"
    if period.every is not None and column is not None:
        yield f"days of {column}"
    for key in ("files", "bytes"):
        expected = getattr(gates, key)
        if expected is not None:
            yield f"{expected[0]} to {expected[1]} {key}"
    if gates.retention is not None:
        yield f"input of at most {gates.retention}"
    if gates.partitions:
        yield f"partitions of {', '.join(gates.partitions)}"
