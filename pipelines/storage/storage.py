"""What the steps of a run ask of storage, and which storage a place means.

Two kinds of things are kept. A *note* is a small file that is created once; whoever comes second
gets what the first one wrote. A *frozen set* is a folder of files that is there as a whole or not
at all, and does not change any more; its digest is `pipelines.storage.durable.folder_digest` of
its files.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

Where = Path | str
"""A folder here, or a URL."""


class Storage(Protocol):
    """A private place for names such as `hash-key-1` or `attempt-1/drawn`."""

    @property
    def place(self) -> Where:
        """Where it is."""

    @property
    def is_shared(self) -> bool:
        """Whether runs on other machines may use it at the same moment, with nothing between."""

    def where(self, name: str) -> Where:
        """Returns where something of a name is, for messages and for Beam."""

    def alone(self, series: str) -> AbstractContextManager[None]:
        """Keeps other runs out of storage that is not shared, and other series out of any.

        Args:
            series: Name of the series that is at work.

        Raises:
            BusyError: Another run is in.
            StorageError: It cannot be made or written to, or is of another series.
        """

    def make(self, name: str) -> None:
        """Makes a folder, where there are folders."""

    def has(self, name: str) -> bool:
        """Returns whether there is a note, a folder, or anything below it."""

    def create(self, name: str, content: bytes) -> bytes:
        """Writes a note if there is none of that name, and returns the one that is there."""

    def read(self, name: str) -> bytes | None:
        """Returns a note; None where there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Writes a note over another one."""

    def freezing(self, name: str) -> AbstractContextManager[Path]:
        """Makes a frozen set of what is written to the folder here that it yields.

        Where storage is shared, several sets of one name can be there, each under its digest, and
        none takes the place of another. Else the last one is there.
        """

    def frozen(self, name: str) -> tuple[str, ...]:
        """Returns the digests of the complete sets of a name."""

    def thawed(self, name: str, digest: str) -> AbstractContextManager[Path]:
        """Yields a folder here with the files of a set.

        Raises:
            GoneError: There is none.
            ChangedError: Its files are not those of the digest.
        """

    def remove(self, name: str) -> None:
        """Deletes a note, a set, or all below a folder; an empty name is everything."""


def is_url(place: str) -> bool:
    """Returns whether a place is not on this machine."""
    return "://" in place


def open_storage(place: str) -> Storage:
    """Returns the storage of a place: `gs://bucket/prefix`, or a folder.

    Raises:
        StorageError: The URL is of another kind, or google-cloud-storage is not installed.
    """
    if is_url(place):
        from pipelines.storage.gcs_storage import GcsStorage

        return GcsStorage.of(place)
    from pipelines.storage.local import LocalStorage

    return LocalStorage(Path(place))
