"""Publishes to a prefix of a bucket: contents first, then the pointer that readers follow.

The files of a release are created under their digest (`pipelines.publication.pointer`), each under
the precondition that it is not there; so they never change, and a second copy of the same release
is the same objects. Only then is the pointer swapped, under the precondition that it still has the
generation that was read. A kill in between leaves objects that nobody looks at, which the next run
makes use of.

Two runs at once write the same objects if they publish the same release, as the ledger names one
digest of it. If they publish different versions, the pointer decides: whoever finds a later version
there leaves it, and the precondition makes everybody look again who was overtaken. So a run that
slept through a correction cannot bring the withdrawn version back.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.ledger import ReleaseKey
from pipelines.publication.gcs_series import (
    OF_THE_INDEX,
    fetch_release,
    index_problem,
    write_gcs_index,
)
from pipelines.publication.pointer import DIGEST, POINTER_FILE, Pointer, read_pointer
from pipelines.publication.release_files import release_digest
from pipelines.publication.series_index import Listed, release_in
from pipelines.publication.withdrawn import Withdrawn
from pipelines.report.gcs_pages import add_gcs_index
from pipelines.report.gcs_releases import ReleasesInBucket
from pipelines.storage.errors import StorageError
from pipelines.storage.gcs import GcsFolder
from pipelines.storage.gcs_storage import download, upload
from transforms.accounting import AccountingError


@dataclass(frozen=True)
class GcsOutlet:
    """A prefix of a bucket.

    Attributes:
        folder: The prefix.
    """

    folder: GcsFolder

    @property
    def place(self) -> str:
        """The URL."""
        return self.folder.url

    def holds_release(self) -> bool:
        """Returns whether there is a pointer; see `Outlet`."""
        return self.folder.read(POINTER_FILE) is not None

    def problem(self, *, writes: bool = True) -> str | None:
        """Returns why the prefix cannot be used, as readers see; see `Outlet`."""
        del writes  # Whether an object can be written is known once one is.
        strange = [name for name in self.folder.names() if not _is_ours(name)]
        if strange:
            return (
                f"{self.place} holds other files, such as {strange[0]}; "
                "allowed: a prefix without any, or one that a release was published to"
            )
        return index_problem(self.folder.parent)

    def listed(self) -> Listed | None:
        """Returns the release behind the pointer; see `Outlet`."""
        with tempfile.TemporaryDirectory(prefix="dp-release-") as temporary:
            folder = Path(temporary) / self.folder.name
            found = fetch_release(self.folder, folder, OF_THE_INDEX)
            return None if found is None else release_in(folder)

    def digest(self) -> str | None:
        """Returns the digest of the objects behind the pointer, as they are; see `Outlet`."""
        pointer = self._pointer()
        if pointer is None:
            return None
        with tempfile.TemporaryDirectory(prefix="dp-release-") as folder:
            download(self.folder.child(pointer.digest), Path(folder))
            return release_digest(Path(folder))

    def put(self, publication: Path, key: ReleaseKey) -> None:
        """Creates the objects, and then swaps the pointer; see `Outlet`."""
        digest = release_digest(publication)
        assert digest is not None
        upload(publication, self.folder.child(digest))
        files = tuple(sorted(path.name for path in publication.iterdir()))
        self._point(Pointer(key.series, key.period, key.version, digest, files))

    def list_releases(self, withdrawn: Sequence[Withdrawn] = ()) -> str | None:
        """Swaps the index beside the prefix; see `Outlet`."""
        try:
            write_gcs_index(self.folder.parent, withdrawn)
        except (StorageError, AccountingError) as error:
            return str(error)
        return None

    @property
    def name(self) -> str:
        """The last part of the URL; see `Outlet`."""
        return self.folder.name

    @property
    def beside(self) -> ReleasesInBucket:
        """The prefixes beside the prefix; see `Outlet`."""
        return ReleasesInBucket(self.folder.parent)

    def add_index_page(self) -> str | None:
        """Swaps the page beside the prefix; see `Outlet`."""
        return add_gcs_index(self.folder.parent)

    def files(self, names: Sequence[str]) -> tuple[str, ...]:
        """Returns the URLs of files behind the pointer; see `Outlet`."""
        pointer = self._pointer()
        if pointer is None:
            return ()
        url = self.folder.child(pointer.digest).url
        return tuple(f"{url}/{name}" for name in names if name in pointer.files)

    def _point(self, wanted: Pointer) -> None:
        """Swaps the pointer, unless a later version is out."""

        def newest(found: bytes | None) -> bytes:
            if found is not None and _is_later(self._parsed(found), wanted):
                return found
            return wanted.text().encode()

        self.folder.rewrite(POINTER_FILE, newest)

    def _pointer(self) -> Pointer | None:
        found = self.folder.read(POINTER_FILE)
        return None if found is None else self._parsed(found)

    def _parsed(self, pointer: bytes) -> Pointer:
        return read_pointer(pointer, f"{self.place}/{POINTER_FILE}")


def _is_later(found: Pointer, wanted: Pointer) -> bool:
    same = (found.series, found.period) == (wanted.series, wanted.period)
    return same and found.version > wanted.version


def _is_ours(name: str) -> bool:
    return name == POINTER_FILE or DIGEST.fullmatch(name.partition("/")[0]) is not None
