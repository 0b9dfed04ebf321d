"""Verifies one release, or all releases in the folders of a folder with their index."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.ledger import LedgerStore
from pipelines.plan.file import PLAN_FILE
from pipelines.publication.checksums import SUMS_FILE
from pipelines.publication.compare import mismatches
from pipelines.publication.datapackage import MANIFEST_FILE
from pipelines.publication.series_index import INDEX_FILE, index_text, series_index
from pipelines.publication.verify import Verification, verify_release
from pipelines.publication.withdrawn import all_withdrawn, reason_in, withdrawn_in
from transforms.accounting import AccountingError

# Names in a folder are anybody's text, and must not move the cursor over what is wrong with it.
_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}")
_OF_A_RELEASE = (SUMS_FILE, MANIFEST_FILE, PLAN_FILE)


class NoReleaseError(Exception):
    """A folder holds neither a release nor an index of releases."""


def verify_folder(folder: Path, ledger: LedgerStore | None = None) -> tuple[Verification, ...]:
    """Checks a release, or each release of a folder and then their index.

    Args:
        folder: A published release, or a folder with `releases.json`.
        ledger: The ledger that they were charged to; None to read nothing but the folder.

    Returns:
        What was found in each, in the order of their names.

    Raises:
        NoReleaseError: It is neither.
        OSError: Something cannot be read.
        StoreError: The ledger cannot be read.
    """
    if _holds_release(folder):
        beside = _content(folder.resolve().parent / INDEX_FILE)
        return (with_index(verify_release(folder, ledger), folder, beside),)
    if not (folder / INDEX_FILE).is_file():
        raise NoReleaseError(
            f"{folder} holds no release; allowed: a folder with {SUMS_FILE}, as dp-release run "
            f"publishes it, or one with {INDEX_FILE}"
        )
    index = (folder / INDEX_FILE).read_bytes()
    releases = tuple(
        with_index(verify_release(child, ledger), child, index)
        for child in sorted(folder.iterdir())
        if not child.name.startswith(".") and _holds_release(child)
    )
    return (*releases, verify_index(folder))


def with_index(found: Verification, folder: Path, index: bytes) -> Verification:
    """Adds whether the index beside a release says that it is withdrawn.

    Args:
        found: What was found of the release.
        folder: Its folder.
        index: The content of the index; nothing where there is none.
    """
    return replace(found, withdrawn=reason_in(index, _content(folder / SUMS_FILE)))


def verify_index(folder: Path) -> Verification:
    """Checks `releases.json` against the releases in the folders beside it.

    Raises:
        OSError: Something cannot be read.
    """
    return Verification(folder / INDEX_FILE, tuple(_index_problems(folder)))


def verifications_json(found: Sequence[Verification]) -> str:
    """Returns what was found as the text of a JSON object."""
    every = {
        "verified": not any(one.problems for one in found),
        "checked": [one.to_dict() for one in found],
    }
    return json.dumps(every, indent=2, ensure_ascii=False)


def verifications_text(found: Sequence[Verification]) -> str:
    """Returns what was found for people: a line for each thing that is wrong, or that all is."""
    return "\n".join(line.translate(_CONTROLS) for one in found for line in _lines(one))


def _content(file: Path) -> bytes:
    """Returns the content of a file; nothing where it cannot be read."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _holds_release(folder: Path) -> bool:
    return any((folder / name).exists() for name in _OF_A_RELEASE)


def _index_problems(folder: Path) -> Iterator[str]:
    path = folder / INDEX_FILE
    try:
        content = path.read_bytes()
        stated = json.loads(content)
        right = series_index(folder, all_withdrawn(withdrawn_in(content), ()))
    except (ValueError, AccountingError, RecursionError) as error:
        yield f"it is no index: {error}"
        return
    lines = list(mismatches(stated, right, "index"))
    yield from lines
    if not lines and content != index_text(stated).encode():
        yield "it is not written as dp-release writes it"


def _lines(one: Verification) -> Iterator[str]:
    if one.problems:
        yield from (f"{one.folder}: {problem}" for problem in one.problems)
    elif one.release is None:
        yield f"{one.folder}: verified"
    else:
        yield (
            f"{one.folder}: verified {one.release}: {len(one.files)} files, plan "
            f"{one.plan_hash}, {_price(one)}"
        )
    if one.withdrawn:
        yield f"{one.folder}: withdrawn, not to be used: {one.withdrawn}"


def _price(one: Verification) -> str:
    price = one.price
    if "at_deltas" in price:
        return f"costs rho {price['rho']:.6g}"
    return f"costs epsilon {price['epsilon']:.6g} at delta {price['delta']:g}"
