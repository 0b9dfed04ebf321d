"""Everything that `dp-release plan` says: the plan, its errors, and what changed since the last."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.gates.planned_gates import PlannedGates
from pipelines.plan.changes import Change, plan_changes
from pipelines.plan.compared import SHORT_PATIENCE, last_plan, read_compared
from pipelines.plan.expected_errors import table_errors
from pipelines.plan.file import PlanFile, PlanFileError, plan_file
from pipelines.plan.ledger import LedgerEffect
from pipelines.plan.release_plan import ReleasePlan
from pipelines.plan.text import plan_text, wrapped
from pipelines.spec import LoadedRelease
from pipelines.storage.storage import Where
from transforms.expected_error import check_size


@dataclass(frozen=True)
class PlanReport:
    """A plan, and how it differs from another one.

    Attributes:
        plan: The plan.
        file: Its file.
        sizes: Numbers at which errors are stated.
        against: The plan file that it is compared with; None for none.
        changes: What is different there.
        problem: Why that file cannot be compared; None if it can.
        ledger: What the release would take from the ledger; None where there is none.
        gates: What has to be there; None where that is not asked.
    """

    plan: ReleasePlan
    file: PlanFile
    sizes: tuple[float, ...] = ()
    against: Where | None = None
    changes: tuple[Change, ...] = ()
    problem: str | None = None
    ledger: LedgerEffect | None = None
    gates: PlannedGates | None = None

    def text(self, width: int) -> str:
        """Returns the report as lines of at most so many columns."""
        return "\n".join(
            [
                plan_text(self.plan, width, self.sizes),
                *self._ledger_lines(width),
                *self._gate_lines(width),
                *self._change_lines(width),
            ]
        )

    def json(self) -> str:
        """Returns the report as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON values."""
        return {
            **self.file.to_dict(),
            "sizes": list(self.sizes),
            "errors": {
                table.name: table_errors(self.plan, table, self.sizes).to_dict()
                for table in self.plan.tables
            },
            "against": None if self.against is None else str(self.against),
            "against_problem": self.problem,
            "changes": [change.to_dict() for change in self.changes],
            "ledger": None if self.ledger is None else self.ledger.to_dict(),
            "gates": None if self.gates is None else self.gates.to_dict(),
        }

    def _ledger_lines(self, width: int) -> Iterator[str]:
        if self.ledger is not None:
            yield ""
            for line in self.ledger.lines():
                yield from wrapped(line, width, 4)

    def _gate_lines(self, width: int) -> Iterator[str]:
        lines = [] if self.gates is None else list(self.gates.lines())
        if lines:
            yield ""
        for line in lines:
            yield from wrapped(line, width, 4)

    def _change_lines(self, width: int) -> Iterator[str]:
        if self.problem is not None:
            yield ""
            yield from wrapped(f"not compared: {self.problem}", width)
        if self.changes:
            yield ""
            yield f"different from {self.against}:"
            for change in self.changes:
                yield from wrapped(f"  {change}", width, 4)


def report_plan(
    release: LoadedRelease,
    plan: ReleasePlan,
    sizes: Sequence[float] = (),
    against: Where | None = None,
) -> PlanReport:
    """Compares a plan with an earlier one, and puts together what there is to say.

    Args:
        release: The release series.
        plan: Its plan.
        sizes: Numbers at which errors are stated.
        against: A plan file, also in a bucket (`read_compared`); None for that of the last
            release, if there is one.

    Raises:
        ValueError: A size is out of range.
        PlanFileError: The file that was given cannot be used.
    """
    for size in sizes:
        check_size("--at", size)
    file = plan_file(release, plan)
    report = PlanReport(plan, file, tuple(sizes))
    if against is not None:
        old = read_compared(against)
        return replace(report, against=against, changes=tuple(plan_changes(old.plan, file.plan)))
    found: Where | None = None
    try:
        found = last_plan(release)
        if found is None:
            return report
        old = read_compared(found, SHORT_PATIENCE)
    except PlanFileError as error:
        return replace(report, against=found, problem=str(error))
    return replace(report, against=found, changes=tuple(plan_changes(old.plan, file.plan)))
