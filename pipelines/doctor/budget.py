"""Checks that the ledger and the policy would let a run begin, as `dp-release plan` does."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines import clock
from pipelines.doctor.finding import Finding, failed, first_line, ok, skipped
from pipelines.ledger import LedgerError
from pipelines.plan import ReleasePlan
from pipelines.plan.file import plan_file
from pipelines.plan.ledger import ledger_effect
from pipelines.spec import LoadedRelease


def check_budget(release: LoadedRelease, plan: ReleasePlan) -> Iterator[Finding]:
    """Asks the ledger what a run would be told: of the last period that is over, or of all rows.

    That a period is withdrawn, or was released with another plan, does not keep the next one from
    its release; so it is a finding only where the series has no periods.

    Yields:
        One finding; none where no policy and no ledger say anything.
    """
    try:
        planned = plan_file(release, plan)
        effect = ledger_effect(release, plan, planned, None, clock.today())
    except LedgerError as error:
        yield failed("budget", first_line(error), "see dp-release plan")
        return
    if effect is None:
        return
    period = f"period {effect.period.name}"
    if effect.problem is not None:
        yield skipped("budget", effect.problem)
    elif effect.refusal is not None:
        why = str(effect.refusal).splitlines()[1]
        yield failed(
            "budget",
            f"a run would be refused for {period}: {why}",
            "see dp-release plan, which says what would fit",
        )
    elif effect.stopped is not None and release.spec.period is None:
        yield failed("budget", f"a run would be refused: {effect.stopped}", "as it says")
    else:
        yield ok("budget", f"a run of {period} {effect.run}")
