"""What the manifest of a release says beside its plan."""

from __future__ import annotations

from pipelines.ledger import Release
from pipelines.publication.completeness import Completeness
from pipelines.publication.facts import Facts, now, software
from pipelines.run.ledger import ReleaseLedger
from pipelines.run.periods import ReleasePeriod


def release_facts(
    ledger: ReleaseLedger, period: ReleasePeriod, found: Release, passed: Completeness
) -> Facts:
    """Returns the facts of a release that is about to be published.

    Args:
        ledger: The ledger, with the release series.
        period: Period of the release.
        found: The release in the ledger.
        passed: Which gates it passed, and what is missing.
    """
    spec, days = ledger.release.spec, period.days
    whole = period.every is None
    place = ledger.place_of(found)
    return Facts(
        spec.title,
        now(),
        spec.about.stated(),
        software(),
        None if whole else period.name,
        None if whole else (days.first, days.last),
        found.key.version,
        found.reason,
        f"{found.key} attempt {found.attempt}",
        place,
        ledger.looks(place),
        passed,
    )
