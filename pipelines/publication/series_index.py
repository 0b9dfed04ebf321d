"""`releases.json`: all releases in the folders beside each other, and what they cost together.

It is made from the manifests and plans of the releases that are there, so whoever has the folders
can make it again; only that a release was withdrawn is known from the ledger, or from the index
before (`pipelines.publication.withdrawn`). Releases count together when they are of one dataset and
protect the same thing; their losses compose as if they were one release
(`transforms.accounting.price`), stated at the sum of their deltas. Releases that spent budget and
are not here (abandoned ones, other folders, versions that were corrected) are only in the ledger;
of the last, `earlier_versions` has the number, as they may have been public.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipelines.ledger.composition import composed, epsilon_at, rho_and_failure
from pipelines.plan.file import PLAN_FILE, PlanFileError, read_plan_file
from pipelines.publication.checksums import SUMS_FILE
from pipelines.publication.content import Content
from pipelines.publication.datapackage import MANIFEST_FILE
from pipelines.publication.facts import Facts
from pipelines.publication.place import locked
from pipelines.publication.withdrawn import Withdrawn, all_withdrawn, withdrawn_in
from pipelines.storage.durable import replace_file
from transforms.accounting import AccountingError

INDEX_FILE = "releases.json"
KIND = "dp-release index"


@dataclass(frozen=True)
class Listed:
    """A release that is in a folder.

    Attributes:
        folder: Name of the folder.
        digest: SHA-256 of its `SHA256SUMS`, in hexadecimal digits.
        content: What it is described by.
    """

    folder: str
    digest: str
    content: Content

    @property
    def together(self) -> tuple[Any, ...]:
        """What releases have in common whose losses add up."""
        plan, privacy = self.content.file.plan, self.content.stated.privacy
        return plan["dataset"], privacy.unit, privacy.adjacency, privacy.bounding

    @property
    def delta(self) -> float:
        """The delta that its epsilon is stated at."""
        price = self.content.file.plan["price"]
        return float(price["at_deltas"][0]["delta"] if "at_deltas" in price else price["delta"])

    def to_dict(self, withdrawn: Mapping[str, Withdrawn]) -> dict[str, Any]:
        """Returns the release as JSON values.

        Args:
            withdrawn: Withdrawn releases by their digest.
        """
        gone = withdrawn.get(self.digest)
        facts, privacy = self.content.facts.to_dict(), self.content.stated.privacy
        return {
            "folder": self.folder,
            "series": self.content.series,
            "title": facts["title"],
            **{
                name: facts[name] for name in ("period", "window", "version", "reason", "published")
            },
            "dataset": self.content.file.plan["dataset"],
            "plan_hash": self.content.file.plan_hash,
            "sha256sums_sha256": self.digest,
            privacy.stated_as: privacy.stated,
            "delta": privacy.delta,
            "ledger": facts["ledger"],
            "withdrawn": None if gone is None else gone.reason,
        }


def releases_in(folder: Path) -> list[Listed]:
    """Returns the releases in the folders of a folder, by name.

    Folders that are hidden, or hold no release that can be read, are passed over.
    """
    children = (child for child in sorted(folder.iterdir()) if not child.name.startswith("."))
    found = (release_in(child) for child in children if child.is_dir())
    return [release for release in found if release is not None]


def series_index(folder: Path, withdrawn: Sequence[Withdrawn] = ()) -> dict[str, Any]:
    """Returns the index of a folder as JSON values.

    Args:
        folder: The folder.
        withdrawn: What it tells of withdrawn releases.

    Raises:
        AccountingError: A price of the releases together cannot be trusted.
    """
    releases = releases_in(folder)
    gone = {one.sha256sums_sha256: one for one in withdrawn}
    groups: dict[tuple[Any, ...], list[Listed]] = {}
    for release in releases:
        groups.setdefault(release.together, []).append(release)
    return {
        "kind": KIND,
        "schema_version": 1,
        "releases": [release.to_dict(gone) for release in releases],
        "withdrawn": [one.to_dict() for one in withdrawn],
        "cumulative": [_cumulative(group) for group in groups.values()],
    }


def index_text(index: Mapping[str, Any]) -> str:
    """Returns an index as the text of its file."""
    return json.dumps(index, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def is_free_for_index(folder: Path) -> bool:
    """Returns whether an index can be written to a folder without losing somebody's file."""
    try:
        return is_index((folder / INDEX_FILE).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def is_index(content: bytes) -> bool:
    """Returns whether the content of a file is an index of releases."""
    try:
        return bool(json.loads(content)["kind"] == KIND)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def write_index(folder: Path, withdrawn: Sequence[Withdrawn] = ()) -> Path | None:
    """Writes the index of a folder in one step; the last of several writers has seen all releases.

    Args:
        folder: The folder.
        withdrawn: Releases that are known to be withdrawn, beside those that the index tells of.

    Returns:
        The file; None where another file has its name, which stays.

    Raises:
        OSError: It cannot be written.
    """
    with locked(folder):
        if not is_free_for_index(folder):
            return None
        path = folder / INDEX_FILE
        told = withdrawn_in(path.read_bytes()) if path.exists() else []
        index = series_index(folder, all_withdrawn(told, withdrawn))
        partial = folder / f".{INDEX_FILE}.{secrets.token_hex(8)}.partial"
        replace_file(path, index_text(index).encode(), partial)
        return path


def list_releases(folder: Path, withdrawn: Sequence[Withdrawn] = ()) -> str | None:
    """Writes the index of the releases in a folder; that they are out does not depend on it.

    Args:
        folder: The folder.
        withdrawn: Releases that are known to be withdrawn.

    Returns:
        Why it is not written; None if it is.
    """
    path = folder / INDEX_FILE
    try:
        if write_index(folder, withdrawn) is None:
            return f"{path} is no index of releases, and stays"
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}"
    except AccountingError as error:
        return f"{path} cannot be written: {error}"
    return None


def release_in(folder: Path) -> Listed | None:
    """Returns the release in a folder; None where there is none that can be read."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
        digest = sha256((folder / SUMS_FILE).read_bytes()).hexdigest()
        facts = Facts.from_dict(manifest["publication"])
        content = Content(read_plan_file(folder / PLAN_FILE), facts)
        _ = content.stated
    except (OSError, ValueError, KeyError, TypeError, PlanFileError, RecursionError):
        return None
    return Listed(folder.name, digest, content)


def _cumulative(releases: Sequence[Listed]) -> dict[str, Any]:
    first = releases[0].content
    return {
        "dataset": first.file.plan["dataset"],
        "privacy_unit": first.stated.guarantee.unit,
        "adjacency": first.stated.privacy.adjacency,
        "bounding": first.stated.privacy.bounding,
        "releases": [release.folder for release in releases],
        "earlier_versions": sum(one.content.facts.version - 1 for one in releases),
        **_loss(releases),
        **_of_one_day(releases),
    }


def _loss(releases: Sequence[Listed]) -> dict[str, Any]:
    losses = composed(loss for release in releases for loss in release.content.stated.losses)
    delta = min(sum(release.delta for release in releases), 1 - 1e-9)
    epsilon = epsilon_at(losses, delta)
    rho, failed = rho_and_failure(losses)
    return {
        "epsilon": epsilon if epsilon < float("inf") else None,
        "delta": delta,
        "rho": rho,
        "failed": failed,
    }


def _of_one_day(releases: Sequence[Listed]) -> dict[str, Any]:
    """Returns what releases of one day of input cost, the worst day, where windows are known."""
    windows = [release.content.facts.window for release in releases]
    known = [window for window in windows if window is not None]
    if len(known) < len(windows):
        return {"windows": "not stated", "worst_day": None}
    ordered = sorted(known)
    disjoint = all(before[1] < after[0] for before, after in pairwise(ordered))
    note = (
        "disjoint: the rows of one day are in one release only; whoever has rows in several "
        "windows "
        "is in several releases, whose losses compose"
        if disjoint
        else "overlapping: the rows of some days are in several releases"
    )
    worst = max(
        (list(_reading(releases, day)) for day, _ in ordered),
        key=lambda reading: _loss(reading)["rho"],
    )
    return {
        "windows": note,
        "worst_day": {"releases": [release.folder for release in worst], **_loss(worst)},
    }


def _reading(releases: Sequence[Listed], day: date) -> Iterator[Listed]:
    """Yields the releases whose windows have a day."""
    for release in releases:
        window = release.content.facts.window
        if window is not None and window[0] <= day <= window[1]:
            yield release
