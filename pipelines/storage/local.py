"""Storage in a folder of this machine: whole by rename, one run at a time by a lock.

All but `alone` is for whoever is in `alone`. The lock is of the folder of the series, and ends with
its process; so whoever has it knows that the runs before are dead.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pipelines.storage.durable import (
    folder_digest,
    frozen_folder,
    private_folder,
    replace_file,
    sync_entry,
)
from pipelines.storage.errors import BusyError, ChangedError, GoneError, StorageError


@dataclass(frozen=True)
class LocalStorage:
    """A private folder here.

    Attributes:
        place: The folder.
    """

    place: Path

    @property
    def is_shared(self) -> bool:
        """It is not; see `Storage`."""
        return False

    def where(self, name: str) -> Path:
        """Returns the path of a name; see `Storage`."""
        return self.place / name

    @contextmanager
    def alone(self, series: str) -> Iterator[None]:
        """Lets one process in; see `Storage`."""
        try:
            private_folder(self.place)
        except OSError as error:
            raise StorageError(f"{self.place} cannot be made: {error.strerror}") from None
        try:
            lock = (self.place / "lock").open("a+")
        except OSError as error:
            raise StorageError(f"{self.place} cannot be written to: {error.strerror}") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError("another run of this release is under way; allowed: one") from None
            _check_owner(self.place, lock, series)
            yield

    def make(self, name: str) -> None:
        """Makes a folder; see `Storage`."""
        folder = self.where(name)
        private_folder(folder)

    def has(self, name: str) -> bool:
        """Returns whether there is a file or folder; see `Storage`."""
        return self.where(name).exists()

    def create(self, name: str, content: bytes) -> bytes:
        """Writes a note, if there is none; see `Storage`."""
        file = self.where(name)
        if not file.exists():
            self.write(name, content)
        return file.read_bytes()

    def read(self, name: str) -> bytes | None:
        """Returns a note; see `Storage`."""
        file = self.where(name)
        return file.read_bytes() if file.exists() else None

    def write(self, name: str, content: bytes) -> None:
        """Writes a note in one step; see `Storage`."""
        file = self.where(name)
        private_folder(file.parent)
        replace_file(file, content, file.with_name(f"{file.name}.partial"), mode=0o600)
        sync_entry(file)

    @contextmanager
    def freezing(self, name: str) -> Iterator[Path]:
        """Makes a folder in one step; see `Storage`."""
        folder = self.where(name)
        shutil.rmtree(folder, ignore_errors=True)
        private_folder(folder.parent)
        with frozen_folder(folder) as building:
            yield building

    def frozen(self, name: str) -> tuple[str, ...]:
        """Returns the digest of the folder, where it is; see `Storage`."""
        folder = self.where(name)
        return (folder_digest(folder),) if folder.is_dir() else ()

    @contextmanager
    def thawed(self, name: str, digest: str) -> Iterator[Path]:
        """Yields the folder itself; see `Storage`."""
        folder = self.where(name)
        if not folder.is_dir():
            raise GoneError(f"{folder} is not there")
        if folder_digest(folder) != digest:
            raise ChangedError(f"{folder} was changed")
        yield folder

    def remove(self, name: str) -> None:
        """Deletes a file or folder; see `Storage`."""
        path = self.where(name)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _check_owner(place: Path, lock: IO[str], series: str) -> None:
    """Refuses the staging of another series, whose attempts would be taken for those of this one.

    The file of the lock has the name of the series that came first.
    """
    lock.seek(0)
    owner = lock.read()
    if not owner:
        lock.write(series)
        lock.flush()
    elif owner != series:
        raise StorageError(
            f"{place} is the staging of the series {owner!r}; allowed: one for each series"
        )
