"""Releases that were published and are not to be used any more, as readers are told of them.

A published release is never changed, and somebody may have a copy of it. So `releases.json` names
each one that was withdrawn by the hash of its `SHA256SUMS`, whether it is still there or not. The
ledger says which these are; the index keeps what it was told before, as whoever makes it again may
not have the ledger.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Withdrawn:
    """A release that was withdrawn, or corrected by a later version.

    Attributes:
        series: Name of the release series.
        period: Its period.
        version: Its version.
        sha256sums_sha256: SHA-256 of its `SHA256SUMS`, in hexadecimal digits.
        reason: Why.
    """

    series: str
    period: str
    version: int
    sha256sums_sha256: str
    reason: str

    def to_dict(self) -> dict[str, str | int]:
        """Returns it as JSON values."""
        return asdict(self)


def withdrawn_in(index: bytes) -> list[Withdrawn]:
    """Returns the withdrawn releases that an index tells of, without what cannot be read."""
    try:
        listed = list(json.loads(index)["withdrawn"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return []
    return [found for found in map(_read, listed) if found is not None]


def reason_in(index: bytes, sums: bytes) -> str:
    """Returns why an index says that a release is withdrawn; empty where it says no such thing.

    Args:
        index: The content of `releases.json`.
        sums: That of `SHA256SUMS` of the release.
    """
    digest = hashlib.sha256(sums).hexdigest()
    found = (one.reason for one in withdrawn_in(index) if one.sha256sums_sha256 == digest)
    return next(found, "")


def all_withdrawn(told: Iterable[Withdrawn], more: Iterable[Withdrawn]) -> list[Withdrawn]:
    """Returns all withdrawn releases in order, each as it was told last."""
    by_digest = {one.sha256sums_sha256: one for one in (*told, *more)}
    return sorted(by_digest.values())


def _read(told: Any) -> Withdrawn | None:
    try:
        return Withdrawn(
            str(told["series"]),
            str(told["period"]),
            int(told["version"]),
            str(told["sha256sums_sha256"]),
            str(told["reason"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
