"""Ends of a release that is not published, or not to be used: void, abandon, withdraw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pipelines import log
from pipelines.ledger import LedgerError, Release, ReleaseKey
from pipelines.run.folders import one_at_a_time, release_outlet, release_staging
from pipelines.run.ledger import ReleaseLedger
from pipelines.run.periods import ReleasePeriod
from pipelines.spec import LoadedRelease

Ending = Literal["void", "abandon", "withdraw"]

_EVENTS: dict[Ending, log.Event] = {
    "void": "voided",
    "abandon": "abandoned",
    "withdraw": "withdrawn",
}


@dataclass(frozen=True)
class Ended:
    """What came of an ending.

    Attributes:
        release: The release in the ledger.
        untold: Why the list of releases does not tell readers of it; None otherwise.
        without_page: Why its page does not; None otherwise.
    """

    release: Release
    untold: str | None = None
    without_page: str | None = None


def end_release(
    release: LoadedRelease, period: ReleasePeriod, ending: Ending, reason: str
) -> Ended:
    """Ends the latest version of a release, in the ledger first.

    Void gives the charge back, and only while no worker was told to draw. Abandon spends it. Both
    delete what is in staging. Withdraw leaves the files where they are, and says so in the index of
    the series.

    Args:
        release: The release series.
        period: Period of the release.
        ending: What is done.
        reason: Why.

    Returns:
        The release in the ledger, and whether readers know.

    Raises:
        ConfigError: A run of the series is under way.
        LedgerError: There is no such release, or it is in another state.
    """
    of_release = ReleaseLedger.of(release)
    ledger = of_release.ledger
    first = ReleaseKey(release.spec.release, period.name)
    untold = without_page = None
    log.is_about(first)
    with one_at_a_time(release):
        latest = ledger.book().latest(first)
        if latest is None:
            raise LedgerError(
                f"{first} is not in the ledger {ledger.store.place}, or voided; allowed: a release "
                "that dp-release run has begun"
            )
        match ending:
            case "void":
                ended = ledger.void(latest.key, reason)
                release_staging(release, period, latest.key.version).void(latest.entries[0])
            case "abandon":
                ended = ledger.abandon(latest.key, reason)
                release_staging(release, period, latest.key.version).clear()
            case "withdraw":
                ended = ledger.withdraw(latest.key, reason)
                outlet = release_outlet(replace(release, placeholders=period.placeholders), period)
                untold = outlet.list_releases(of_release.withdrawn)
                if period.every is not None:
                    without_page = outlet.add_index_page()
        log.say(_EVENTS[ending], f"{ended.key} is {ended.state}", ended.key)
        return Ended(ended, untold, without_page)
