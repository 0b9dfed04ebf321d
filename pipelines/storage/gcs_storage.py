"""Storage in a bucket, which runs on several machines share without a lock.

A lock in a bucket would be a lease, and a lease does not keep anybody out: its holder can sleep
past its end and wake up in the middle of a write. So nothing here depends on who is alive:

- A note is created under the precondition that there is none. Of several writers one wins, and all
  go on with what it wrote.
- A frozen set lies under its own digest, `<name>/<digest>/<file>`, and counts from the moment that
  `<name>/<digest>.frozen` is created, after all files. Writers of other bytes write to other names,
  so none can change or cut off the set of another, and a set that was written twice is the same.
- Which set is the one, the ledger says: it keeps digests, and accepts one by compare-and-set.

So storage decides nothing, and the ledger everything (`pipelines.run.staging`).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from pipelines.storage.durable import folder_digest, folder_sums
from pipelines.storage.errors import ChangedError, GoneError, StorageError
from pipelines.storage.gcs import GcsFolder, is_file_name

_FROZEN = ".frozen"
_THREADS = 8


@dataclass(frozen=True)
class GcsStorage:
    """A private prefix of a bucket.

    Attributes:
        folder: The prefix.
    """

    folder: GcsFolder

    @classmethod
    def of(cls, url: str) -> GcsStorage:
        """Returns the storage of a URL.

        Raises:
            StorageError: As `GcsFolder.of`.
        """
        return cls(GcsFolder.of(url))

    @property
    def place(self) -> str:
        """The URL."""
        return self.folder.url

    @property
    def is_shared(self) -> bool:
        """It is; see `Storage`."""
        return True

    def where(self, name: str) -> str:
        """Returns the URL of a name; see `Storage`."""
        return f"{self.folder.url}/{name}"

    def alone(self, series: str) -> nullcontext[None]:
        """Keeps other series out, and no run of this one; see `Storage`."""
        owner = self.folder.create("series", series.encode()).decode()
        if owner != series:
            raise StorageError(
                f"{self.place} is the staging of the series {owner!r}; allowed: one for each series"
            )
        return nullcontext()

    def make(self, name: str) -> None:
        """Does nothing, as there are no folders; see `Storage`."""

    def has(self, name: str) -> bool:
        """Returns whether there is a note, or objects below the name; see `Storage`."""
        found = self.folder.names(name)
        return any(other == name or other.startswith(f"{name}/") for other in found)

    def create(self, name: str, content: bytes) -> bytes:
        """Creates a note; see `Storage`."""
        return self.folder.create(name, content)

    def read(self, name: str) -> bytes | None:
        """Returns a note; see `Storage`."""
        return self.folder.read(name)

    def write(self, name: str, content: bytes) -> None:
        """Writes a note over another one; see `Storage`."""
        found = self.folder.read_with_generation(name)
        self.folder.swap(name, content, 0 if found is None else found[1])

    @contextmanager
    def freezing(self, name: str) -> Iterator[Path]:
        """Uploads the files of a folder, then what makes them count; see `Storage`."""
        with tempfile.TemporaryDirectory(prefix="dp-release-") as temporary:
            folder = Path(temporary)
            yield folder
            sums = folder_sums(folder).encode()
            digest = hashlib.sha256(sums).hexdigest()
            upload(folder, self.folder.child(name).child(digest))
            self.folder.child(name).create(f"{digest}{_FROZEN}", sums)

    def frozen(self, name: str) -> tuple[str, ...]:
        """Returns the digests that count; see `Storage`."""
        names = self.folder.child(name).names()
        return tuple(
            each.removesuffix(_FROZEN)
            for each in names
            if "/" not in each and each.endswith(_FROZEN)
        )

    @contextmanager
    def thawed(self, name: str, digest: str) -> Iterator[Path]:
        """Downloads the files of a set; see `Storage`."""
        if digest not in self.frozen(name):
            raise GoneError(f"{self.where(name)}/{digest} is not there")
        with tempfile.TemporaryDirectory(prefix="dp-release-") as temporary:
            folder = Path(temporary)
            download(self.folder.child(name).child(digest), folder)
            if folder_digest(folder) != digest:
                raise ChangedError(f"{self.where(name)}/{digest} was changed")
            yield folder

    def remove(self, name: str) -> None:
        """Deletes a note and all objects below the name; see `Storage`."""
        found = self.folder.names(name)
        of_name = (
            each for each in found if not name or each == name or each.startswith(f"{name}/")
        )
        self.folder.delete(of_name)


def upload(folder: Path, target: GcsFolder) -> None:
    """Creates an object for each file below a folder; those that are there must be the same.

    Raises:
        ChangedError: An object is there with other bytes.
        StorageError: One cannot be written.
    """

    def put(file: Path) -> None:
        name, content = file.relative_to(folder).as_posix(), file.read_bytes()
        if target.create(name, content) != content:
            raise ChangedError(f"{target.url}/{name} is there with other bytes; allowed: none")

    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(put, files))


def download(source: GcsFolder, folder: Path, names: list[str] | None = None) -> None:
    """Writes objects to files of a folder; those that are not there are left out.

    Args:
        source: Where they are.
        folder: Where they go.
        names: Which; None for all.

    Raises:
        StorageError: One cannot be read.
    """

    def get(name: str) -> None:
        if not is_file_name(name):
            raise StorageError(
                f"{source.url}/{name} cannot be a file here; allowed: names without empty parts, "
                "`.` and `..`"
            )
        content = source.read(name)
        if content is not None:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(get, source.names() if names is None else names))
