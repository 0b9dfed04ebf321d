"""The releases of a series in a bucket, and their index, `releases.json`.

What is said of them is worked out as of folders here: the files that it takes are downloaded first.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from pipelines.ledger.entries import Head
from pipelines.plan.file import PLAN_FILE
from pipelines.publication.checksums import SUMS_FILE
from pipelines.publication.datapackage import MANIFEST_FILE
from pipelines.publication.pointer import POINTER_FILE, Pointer, PointerError, read_pointer
from pipelines.publication.series_index import INDEX_FILE, index_text, is_index, series_index
from pipelines.publication.withdrawn import Withdrawn, all_withdrawn, withdrawn_in
from pipelines.storage.errors import StorageError
from pipelines.storage.gcs import GcsFolder
from pipelines.storage.gcs_storage import download

_THREADS = 8
OF_THE_INDEX = (MANIFEST_FILE, SUMS_FILE, PLAN_FILE)
"""Files of a release that say what it is."""


def read_pointer_of(source: GcsFolder) -> Pointer | None:
    """Returns the pointer of a prefix; None where there is none.

    Raises:
        PointerError: It is none.
        StorageError: It cannot be read.
    """
    found = source.read(POINTER_FILE)
    return None if found is None else read_pointer(found, f"{source.url}/{POINTER_FILE}")


def fetch_release(
    source: GcsFolder, folder: Path, names: Sequence[str] | None = None
) -> Pointer | None:
    """Downloads the release that readers of a prefix see.

    Args:
        source: The prefix with the pointer.
        folder: A folder here, which is made.
        names: Which files; None for all.

    Returns:
        The pointer; None where there is none.

    Raises:
        PointerError: The pointer is none.
        StorageError: Something cannot be read.
    """
    pointer = read_pointer_of(source)
    if pointer is not None:
        folder.mkdir(exist_ok=True)
        download(source.child(pointer.digest), folder, None if names is None else list(names))
    return pointer


def fetch_stated(source: GcsFolder, folder: Path) -> None:
    """Downloads what the index takes of the releases in a prefix, each to a folder of its name.

    Folders whose pointer is none are passed over.

    Args:
        source: The prefix.
        folder: A folder here.

    Raises:
        StorageError: Something cannot be read.
    """

    def fetch(name: str) -> None:
        with suppress(PointerError):
            fetch_release(source.child(name), folder / name, OF_THE_INDEX)

    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(fetch, source.folders()))


def write_gcs_index(source: GcsFolder, withdrawn: Sequence[Withdrawn] = ()) -> None:
    """Writes the index of a prefix, if no other file has its name.

    Args:
        source: The prefix.
        withdrawn: Releases that are known to be withdrawn, beside those that the index tells of.

    Raises:
        StorageError: It cannot be written, or is somebody else's.
        AccountingError: A price of the releases together cannot be trusted.
    """

    def of_what_is_there(found: bytes | None) -> bytes:
        if found is not None and not is_index(found):
            raise StorageError(f"{source.url}/{INDEX_FILE} is no index of releases, and stays")
        with tempfile.TemporaryDirectory(prefix="dp-release-") as folder:
            fetch_stated(source, Path(folder))
            every = all_withdrawn(withdrawn_in(found or b""), withdrawn)
            return index_text(series_index(Path(folder), every)).encode()

    source.rewrite(INDEX_FILE, of_what_is_there)


def index_problem(source: GcsFolder) -> str | None:
    """Returns why no index can be written to a prefix; None where one can."""
    found = source.read(INDEX_FILE)
    if found is None or is_index(found):
        return None
    return (
        f"{source.url}/{INDEX_FILE} is no index of releases, and publication writes one there; "
        "allowed: a folder in another folder"
    )


def heads_in_index(source: GcsFolder, series: str) -> list[Head]:
    """Returns the heads of the ledger that the index of a prefix remembers for a series."""
    found = source.read(INDEX_FILE)
    if found is None or not is_index(found):
        return []
    try:
        places = [
            release["ledger"]
            for release in json.loads(found)["releases"]
            if release["series"] == series and release["ledger"] is not None
        ]
        return [Head(int(place["entries"]), str(place["digest"])) for place in places]
    except (KeyError, TypeError, ValueError):
        raise StorageError(f"{source.url}/{INDEX_FILE} is not as dp-release writes it") from None
