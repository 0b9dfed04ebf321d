"""A ledger in one object of Google Cloud Storage, one line per entry.

An append writes the whole object under the precondition that its generation is the one that was
read (0: that there is none). Google Cloud Storage decides that atomically, and an object is
replaced as a whole, so there is never half an entry.

A write whose answer was lost is sent again by the client library, and then the precondition fails
because of the first one. Whether it does because of somebody else shows in the object: the line at
the caller's place is the caller's, as every line is unique, or it is another's.

Use a bucket with object versioning, which keeps what was replaced, and without a retention policy,
under which no object can be replaced. To replace one is also to delete one: writers need both
rights.
"""

from __future__ import annotations

from pipelines.ledger.errors import HeadMovedError, StoreError
from pipelines.ledger.store import Snapshot
from pipelines.storage.errors import StorageError
from pipelines.storage.gcs import PATIENCE, GcsFolder, check_library


class GcsStore:
    """A ledger in an object, which the first append makes."""

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        """Args: `gs://bucket/object`, and for how many seconds to try.

        Raises:
            StoreError: The URL names no object, or google-cloud-storage is not installed.
        """
        bucket, _, path = url.removeprefix("gs://").partition("/")
        folder, slash, name = path.rpartition("/")
        if not bucket or not name:
            raise StoreError(f"ledger {url!r} is no object; allowed: gs://bucket/name")
        try:
            check_library(url)
        except StorageError as error:
            raise StoreError(f"ledger {error}") from None
        self._url = url
        self._folder = GcsFolder(bucket, f"{folder}{slash}", patience)
        self._name = name

    @property
    def place(self) -> str:
        """The URL of the object."""
        return self._url

    def read(self) -> Snapshot:
        """Returns all lines; see `LedgerStore`."""
        try:
            found = self._folder.read_with_generation(self._name)
            if found is None:
                return Snapshot()
            return Snapshot(tuple(found[0].decode().splitlines()), found[1])
        except StorageError as error:
            raise StoreError(f"ledger {error}") from None
        except UnicodeDecodeError:
            raise StoreError(f"ledger {self._url} cannot be read: it is no text") from None

    def append(self, snapshot: Snapshot, line: str) -> None:
        """Appends a line; see `LedgerStore`."""
        content = "".join(f"{each}\n" for each in (*snapshot.lines, line)).encode()
        try:
            if self._folder.swap(self._name, content, snapshot.generation):
                return
        except StorageError as error:
            raise StoreError(f"ledger {error}") from None
        lines = self.read().lines
        if lines[len(snapshot.lines) : len(snapshot.lines) + 1] != (line,):
            raise HeadMovedError
