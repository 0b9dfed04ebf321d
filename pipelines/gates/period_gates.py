"""Gates on the period of a release: from the calendar and the ledger, before the input is seen."""

from __future__ import annotations

from datetime import date, timedelta

from pipelines.gates.outcome import Outcome, Stop
from pipelines.ledger import Book
from pipelines.publication.completeness import Completeness, Missing
from pipelines.run.periods import PeriodError, ReleasePeriod, periods_between, read_period
from pipelines.spec import LoadedRelease


def first_period(release: LoadedRelease) -> ReleasePeriod | None:
    """Returns the first period that is expected of a series; None where none is.

    Raises:
        ConfigError: It is no period of the series.
    """
    spec = release.spec
    if spec.gates.since is None or spec.period is None:
        return None
    try:
        return read_period(spec.period, spec.gates.since)
    except PeriodError as error:
        message = str(error).removeprefix("the period ")
        raise release.refusal(("gates", "since"), message) from None


def period_gates(release: LoadedRelease, period: ReleasePeriod, book: Book, today: date) -> Outcome:
    """Looks whether a period is over, not too old, and not before its turn.

    Args:
        release: The release series.
        period: Period of the release.
        book: The ledger.
        today: Today.
    """
    outcome = calendar_gates(release, period, today)
    since = first_period(release)
    if period.every is None or since is None:
        return outcome
    return Outcome(outcome.found + _earlier(release, since, period, book), outcome.stops)


def calendar_gates(release: LoadedRelease, period: ReleasePeriod, today: date) -> Outcome:
    """Looks whether a period is over and not too old: the gates that need the calendar alone.

    Args:
        release: The release series.
        period: Period of the release.
        today: Today.
    """
    if period.every is None:
        return Outcome()
    found, oldest = _finished(period, today), oldest_day(release, today)
    if oldest is None:
        return Outcome(found)
    found += Completeness(("retention",))
    if period.days.first >= oldest:
        return Outcome(found)
    message = (
        f"is {release.spec.gates.retention}, and the period begins on {period.days.first}; "
        f"allowed: days from {oldest} on"
    )
    return Outcome(found, (Stop("retention", ("gates", "retention"), message),))


def oldest_day(release: LoadedRelease, today: date) -> date | None:
    """Returns the oldest day of which input may be read; None for any day."""
    days = release.spec.gates.retention_days
    return None if days is None else today - timedelta(days=days)


def _finished(period: ReleasePeriod, today: date) -> Completeness:
    if today > period.days.last:
        return Completeness(("unfinished",))
    return Completeness(("unfinished",), (Missing.of("period", [str(period.days.last)], 1),))


def _earlier(
    release: LoadedRelease, since: ReleasePeriod, period: ReleasePeriod, book: Book
) -> Completeness:
    published = {
        key.period
        for key, found in book.releases.items()
        if key.series == release.spec.release and found.state == "published"
    }
    expected: list[str] = []
    if since.days.first < period.days.first:
        expected = [one.name for one in periods_between(since, period)][:-1]
    missing = [name for name in expected if name not in published]
    gap = (Missing.of("periods", missing, len(expected)),) if missing else ()
    return Completeness(("since",), gap)
