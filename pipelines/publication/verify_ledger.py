"""Checks a published release against the ledger that it was charged to.

What nothing in the folder tells, the ledger does: that a value was not moved together with its
interval and all hashes, that the release was charged, for these mechanisms, and not withdrawn.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pipelines.ledger import BrokenLedgerError, Head, LedgerStore, Release, ReleaseKey, verify
from pipelines.ledger.losses_json import mechanisms_to_json
from pipelines.ledger.states import NO_POLICY
from pipelines.publication.compare import mismatches
from pipelines.publication.content import Content
from pipelines.publication.release_files import release_digest
from pipelines.run.periods import ALL


def ledger_problems(folder: Path, content: Content, store: LedgerStore) -> Iterator[str]:
    """Yields what is not as the ledger has it.

    Args:
        folder: The release.
        content: What its plan and manifest state.
        store: The ledger.

    Raises:
        StoreError: It cannot be read.
    """
    facts = content.facts
    place = facts.ledger
    if place is None:
        yield "ledger: the manifest names no entry of a ledger"
        return
    lines = store.read().lines
    try:
        book = verify(lines, [Head(place.entries, place.digest)])
    except BrokenLedgerError as error:
        yield str(error)
        return
    release = book.releases.get(ReleaseKey(content.series, facts.period or ALL, facts.version))
    if release is None:
        yield f"ledger: it does not have {content.name}"
        return
    entry = json.loads(lines[release.entries[0] - 1])
    if entry["id"] != place.entry:
        yield f"ledger: {place.entry} is not the entry that charged {content.name}"
    policy = "" if entry["policy"] == NO_POLICY else entry["policy"]
    yield from mismatches(place.policy, policy, "ledger: the policy")
    yield from _release_problems(folder, content, release)


def _release_problems(folder: Path, content: Content, release: Release) -> Iterator[str]:
    if release.state == "withdrawn":
        yield f"ledger: {release.key} is withdrawn: {release.reason}"
    elif release.state != "published":
        yield f"ledger: {release.key} is {release.state}; it should be published"
    yield from mismatches(content.file.plan_hash, release.plan, "ledger: the hash of the plan")
    yield from mismatches(
        content.file.plan["dataset"], release.charge.dataset, "ledger: the dataset"
    )
    stated = tuple(
        mechanism.losses
        for table in content.stated.tables
        for mechanism in table.plan.mechanisms.values()
    )
    yield from mismatches(
        mechanisms_to_json(stated),
        mechanisms_to_json(release.charge.mechanisms),
        "ledger: mechanisms",
    )
    if release_digest(folder) != release.publication:
        yield (
            f"ledger: the files are not those that were published; SHA256SUMS had the hash "
            f"{release.publication}"
        )
