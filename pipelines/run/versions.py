"""Which version of a release a run is about, how far it is, and why it cannot go on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipelines.ledger import Book, LedgerError, Release, ReleaseKey
from pipelines.run.staging import ReleaseStaging

_UNDER_WAY = ("reserved", "drawing", "drawn")


@dataclass(frozen=True)
class Aim:
    """What a run is about.

    Attributes:
        key: The release.
        reason: Why it is a correction; empty for none.
        found: The release in the ledger; None while it is not reserved.
        is_known: Whether the ledger knows any version of it.
        earlier: Published versions that it corrects.
    """

    key: ReleaseKey
    reason: str = ""
    found: Release | None = None
    is_known: bool = False
    earlier: tuple[ReleaseKey, ...] = ()

    @classmethod
    def of(cls, book: Book, first: ReleaseKey, plan: str, correct: str | None) -> Aim:
        """Finds the version that a run is about.

        Args:
            book: The ledger.
            first: The first version.
            plan: Hash of the plan as the config has it now.
            correct: Why there is a new version; None for the latest one, or the first.

        Raises:
            LedgerError: That version cannot go on.
        """
        latest = book.latest(first)
        key, reason = first, ""
        if correct is not None:
            key, reason = _correction(first, latest, correct, plan)
        elif latest is not None:
            key = latest.key
        found = book.releases.get(key)
        if found is not None and not found.is_charged:
            found = None
        versions = (replace(first, version=version) for version in range(1, key.version))
        earlier = tuple(one for one in versions if book.releases[one].state == "published")
        if found is not None:
            _check(found, plan)
        return cls(key, reason, found, latest is not None, earlier)


def under_way(key: ReleaseKey, attempt: int, staging: ReleaseStaging) -> LedgerError:
    """Returns why an attempt to draw a release is left alone."""
    folder = staging.folder
    if staging.is_launched(attempt):
        return LedgerError(
            f"attempt {attempt} to draw {key} was launched as a job that has not finished, or "
            f"whose workers do not share {folder}; allowed: to wait for it, or "
            f"--replace-attempt {attempt} once it has failed"
        )
    if staging.storage.is_shared:
        return LedgerError(
            f"attempt {attempt} to draw {key} in {folder} is under way, or was killed; "
            f"allowed: to wait, or --replace-attempt {attempt} when no run of it is left"
        )
    return LedgerError(
        f"attempt {attempt} to draw {key} is not in {folder}: it is under way "
        "elsewhere, or died there; allowed: to run where its staging is, or dp-release "
        "abandon, which spends its charge"
    )


def _correction(
    first: ReleaseKey, latest: Release | None, reason: str, plan: str
) -> tuple[ReleaseKey, str]:
    if not reason.strip():
        raise LedgerError("the reason of the correction is empty; allowed: why there is one")
    if latest is None:
        raise LedgerError(f"{first} has nothing to correct; allowed: a run without --correct")
    is_same = latest.key.version > 1 and latest.reason == reason
    same_plan = latest.plan == plan
    if is_same and (latest.state in _UNDER_WAY or (latest.state == "published" and same_plan)):
        return latest.key, reason
    if latest.state in _UNDER_WAY:
        raise LedgerError(
            f"{latest.key} is {latest.state}, so that there is nothing to correct yet; "
            "allowed: a run without --correct, which finishes it"
        )
    return replace(first, version=latest.key.version + 1), reason


def _check(found: Release, plan: str) -> None:
    """Refuses a release that was given up, or that was begun with another plan."""
    if found.state in ("abandoned", "withdrawn"):
        raise LedgerError(
            f"{found.key} is {found.state} ({found.reason}), and its charge is spent; "
            "allowed: dp-release run --correct REASON, which charges a new version"
        )
    if found.plan == plan:
        return
    instead = {
        "reserved": "dp-release void, which gives its charge back",
        "drawing": "dp-release abandon, which spends its charge",
        "drawn": "dp-release abandon, which spends its charge",
        "published": "dp-release run --correct REASON, which charges a new version",
    }[found.state]
    raise LedgerError(
        f"{found.key} is {found.state} with the plan {found.plan[:12]}, and the config now has "
        f"the plan {plan[:12]}; allowed: the config as it was, or {instead}"
    )
