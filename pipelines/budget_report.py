"""What `dp-release budget` shows of a dataset: what is left, what was spent, on what."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.ledger.budget import Line, Room, TotalLoss, cumulative, history, remaining
from pipelines.ledger.composition import RhoBudget
from pipelines.ledger.curves import CapCurve, cap_curves
from pipelines.ledger.states import Note
from pipelines.run.ledger import ReleaseLedger
from pipelines.spec import LoadedRelease


@dataclass(frozen=True)
class BudgetReport:
    """The budget of a dataset.

    Attributes:
        dataset: The dataset.
        place: Where the ledger is.
        day: Day of the input that `rooms` are for.
        delta: Delta of the epsilons of losses and of the history.
        has_policy: Whether there is a policy, and so caps.
        rooms: What is left under each cap.
        losses: What all releases lose together, by privacy unit.
        lines: All that is charged, in order.
        notes: What was done without a price.
        curves: How much of each cap was used, for a plot.
    """

    dataset: str
    place: str
    day: date
    delta: float
    has_policy: bool
    rooms: Sequence[Room]
    losses: Sequence[TotalLoss]
    lines: Sequence[Line]
    notes: Sequence[Note]
    curves: Sequence[CapCurve] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON values; what has no bound is null."""
        return {
            "dataset": self.dataset,
            "ledger": self.place,
            "day": str(self.day),
            "delta": self.delta,
            "has_policy": self.has_policy,
            "remaining": [_room_to_dict(room) for room in self.rooms],
            "cumulative": [_loss_to_dict(loss) for loss in self.losses],
            "history": [_line_to_dict(line) for line in self.lines],
            "unaccounted": [{"entry": note.entry, "reason": note.reason} for note in self.notes],
        }

    def text(self, width: int) -> str:
        """Returns the report as lines of at most so many columns."""
        return "\n".join(self._lines(width))

    def tables(self) -> Iterator[tuple[str, Sequence[str], int, list[tuple[str, ...]]]]:
        """Yields tables: captions, names of columns, how many of them are no numbers, and rows."""
        if self.rooms:
            head: Sequence[str] = ("cap", "used", "left")
            yield f"left for input of {self.day}", head, 1, [*map(_room_row, self.rooms)]
        if self.lines:
            caption = f"lost by all releases together, at delta {self.delta:g}"
            head = ("one", "where most", "releases", "epsilon", "rho")
            yield caption, head, 2, [*map(_loss_row, self.losses)]
            caption = f"history; together about one unit of all days, at delta {self.delta:g}"
            head = ("release", "state", "input of", "unit", "entry", "epsilon", "together")
            yield caption, head, 4, [*map(_line_row, self.lines)]

    def _lines(self, width: int) -> Iterator[str]:
        yield f"{self.dataset}, in the ledger {self.place}"
        if not self.has_policy:
            yield "no policy: nothing limits what releases lose together"
        for caption, head, _, rows in self.tables():
            yield ""
            yield caption
            yield _table(width, head, rows)
        if not self.lines:
            yield ""
            yield "nothing was spent"
        elif any(math.isinf(loss.epsilon) for loss in self.losses):
            yield ""
            yield (
                '"no bound": at this delta nothing is promised about such a unit; '
                "--delta shows a larger one"
            )
        for note in self.notes:
            yield f"unaccounted, entry {note.entry}: {note.reason}"


def budget_report(
    release: LoadedRelease, day: date, delta: float | None = None, *, curves: bool = False
) -> BudgetReport:
    """Reads the ledger of a release series, and reports on the dataset that it charges.

    Args:
        release: The release series.
        day: Day of the input that is asked about.
        delta: Delta to state epsilons for; None for the deltas of all releases together.
        curves: Whether to find out how much of each cap was used when.

    Raises:
        ConfigError: The policy cannot be read.
        LedgerError: The ledger cannot be read, or was edited.
    """
    ledger = ReleaseLedger.of(release)
    book = ledger.ledger.book()
    dataset = release.spec.dataset
    if delta is None:
        stated = [charged.charge.delta for charged in book.charged(dataset)]
        delta = min(math.fsum(stated), 0.5) if stated else release.spec.privacy.delta
    policy = None if ledger.policy is None else ledger.policy.datasets.get(dataset)
    return BudgetReport(
        dataset,
        ledger.ledger.store.place,
        day,
        delta,
        ledger.policy is not None,
        [] if policy is None else remaining(policy, book, dataset, day),
        cumulative(book, dataset, delta),
        history(book, dataset, delta),
        [note for note in book.notes if note.dataset == dataset],
        cap_curves(policy, book, dataset, day) if curves and policy is not None else (),
    )


def _room_to_dict(room: Room) -> dict[str, Any]:
    return {
        "cap": str(room.cap),
        "stated_as": _measure(room),
        "span": str(room.span),
        "bucket": str(room.bucket),
        "entries": list(room.entries),
        "used": _finite(room.used),
        "limit": room.limit,
        "remaining": room.remaining,
        "failed": room.failed,
    }


def _loss_to_dict(loss: TotalLoss) -> dict[str, Any]:
    return {
        "unit": str(loss.unit),
        "bucket": str(loss.bucket),
        "entries": list(loss.entries),
        "epsilon": _finite(loss.epsilon),
        "delta": loss.delta,
        "rho": _finite(loss.rho),
        "failed": loss.failed,
    }


def _line_to_dict(line: Line) -> dict[str, Any]:
    release = line.release
    return {
        "entry": release.entries[0],
        "release": release.key.series,
        "period": release.key.period,
        "version": release.key.version,
        "state": release.state,
        "reason": release.reason,
        "window": [str(release.charge.window.first), str(release.charge.window.last)],
        "unit": str(release.charge.unit),
        "epsilon": _finite(line.epsilon),
        "delta": release.charge.delta,
        "rho": _finite(line.rho),
        "cumulative_epsilon": _finite(line.cumulative),
    }


def _room_row(room: Room) -> tuple[str, ...]:
    return str(room.cap), f"{_number(room.used)} of {room.limit:g}", _number(room.remaining)


def _loss_row(loss: TotalLoss) -> tuple[str, ...]:
    epsilon, rho = _number(loss.epsilon), _number(loss.rho)
    return str(loss.unit), str(loss.bucket), str(len(loss.entries)), epsilon, rho


def _line_row(line: Line) -> tuple[str, ...]:
    release = line.release
    return (
        str(release.key),
        release.state,
        str(release.charge.window),
        str(release.charge.unit),
        str(release.entries[0]),
        _number(line.epsilon),
        _number(line.cumulative),
    )


def _table(width: int, head: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    table = Table(box=None, pad_edge=False, header_style="")
    for number, name in enumerate(head):
        numeric = name in ("used", "left", "releases", "epsilon", "rho", "together", "entry")
        table.add_column(name, justify="right" if numeric else "left", no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(Text, row))
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").splitlines())


def _measure(room: Room) -> str:
    return "rho" if isinstance(room.cap.budget, RhoBudget) else "epsilon"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float) -> str:
    return "no bound" if math.isinf(value) else f"{value:.4g}"
