"""Verifies what is published at a place: a folder here, or a prefix of a bucket.

Of a bucket, the pointer and the index are read, then all files of what they stand for are
downloaded and checked as a folder here is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pipelines.ledger import LedgerStore
from pipelines.publication.gcs_series import fetch_release
from pipelines.publication.pointer import POINTER_FILE, Pointer, PointerError, read_pointer
from pipelines.publication.release_files import release_digest
from pipelines.publication.series_index import INDEX_FILE
from pipelines.publication.verify import Verification
from pipelines.publication.verify_folder import (
    NoReleaseError,
    verify_folder,
    verify_index,
    with_index,
)
from pipelines.storage.errors import StorageError
from pipelines.storage.gcs import GcsFolder
from pipelines.storage.storage import is_url


def verify_place(place: str, ledger: LedgerStore | None = None) -> tuple[Verification, ...]:
    """Checks a release, or each release of a folder and then their index.

    Args:
        place: A folder, or `gs://bucket/folder`; as of `verify_folder`.
        ledger: The ledger that they were charged to; None to read nothing but the place.

    Returns:
        What was found in each, in the order of their names.

    Raises:
        NoReleaseError: There is neither.
        StorageError: The bucket cannot be read.
        StoreError: The ledger cannot be read.
        OSError: Something here cannot be read.
    """
    if not is_url(place):
        return verify_folder(Path(place), ledger)
    source = GcsFolder.of(place)
    with tempfile.TemporaryDirectory(prefix="dp-release-") as temporary:
        folder = Path(temporary) / source.name
        if source.read(POINTER_FILE) is not None:
            found = _verified(source, folder, ledger)
            beside = None
            with suppress(StorageError):  # Who may read a release need not see those beside it.
                beside = source.parent.read(INDEX_FILE)
            return (with_index(found, folder, beside or b""),)
        index = source.read(INDEX_FILE)
        if index is None:
            raise NoReleaseError(
                f"{place} holds no release; allowed: a prefix with {POINTER_FILE}, as dp-release "
                f"run publishes it, or one with {INDEX_FILE}"
            )
        folder.mkdir()
        (folder / INDEX_FILE).write_bytes(index)
        releases = [
            _verified(source.child(name), folder / name, ledger)
            for name in source.folders()
            if source.child(name).read(POINTER_FILE) is not None
        ]
        of_index = verify_index(folder)
        return (*releases, replace(of_index, folder=f"{source.url}/{INDEX_FILE}"))


def _verified(source: GcsFolder, folder: Path, ledger: LedgerStore | None) -> Verification:
    """Checks the release behind a pointer."""
    place = f"{source.url}/{POINTER_FILE}"
    content = source.read(POINTER_FILE) or b""
    try:
        pointer = read_pointer(content, place)
        fetch_release(source, folder)
    except PointerError as error:
        return Verification(source.url, (f"{POINTER_FILE}: {error}",))
    found = verify_folder(folder, ledger)[0] if any(folder.iterdir()) else Verification(folder, ())
    problems = (*found.problems, *_pointer_problems(pointer, folder))
    return replace(found, folder=source.url, problems=problems)


def _pointer_problems(pointer: Pointer, folder: Path) -> Iterator[str]:
    files = tuple(sorted(path.name for path in folder.iterdir()))
    for name in sorted(set(pointer.files) - set(files)):
        yield f"{POINTER_FILE}: {name} is not there"
    if release_digest(folder) != pointer.digest:
        yield f"{POINTER_FILE}: the files are not those that it stands for"
