"""Published releases of a bucket, read by way of files that are downloaded.

Of a release, the pointer is read once, and then what is behind it, so that all files are of one
version whatever is published meanwhile.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.publication.gcs_series import OF_THE_INDEX, read_pointer_of
from pipelines.publication.pointer import POINTER_FILE, Pointer, PointerError
from pipelines.report.published import (
    REPORT_FILE,
    PublishedRelease,
    ReportError,
    read_release,
)
from pipelines.report.series import is_period
from pipelines.storage.gcs import GcsFolder
from pipelines.storage.gcs_storage import download

_THREADS = 8


@dataclass(frozen=True)
class ReleasesInBucket:
    """The releases below a prefix; see `pipelines.report.series.Beside`.

    Attributes:
        folder: The prefix.
    """

    folder: GcsFolder

    def names(self) -> list[str]:
        """Returns the names of folders; see `Beside`."""
        return self.folder.folders()

    def read(self, name: str) -> PublishedRelease:
        """Reads the release behind a pointer; see `Beside`."""
        source = self.folder.child(name)
        with copy_of(source) as folder:
            if fetch_tables(source, folder) is None:
                raise ReportError(f"{source.url} holds no release")
            return read_release(folder)


@contextmanager
def copy_of(source: GcsFolder) -> Iterator[Path]:
    """Makes a temporary folder of the name of a prefix.

    Yields:
        The folder. Where an error names it, the error is raised again with the URL in its place.

    Raises:
        ReportError: So the block says, or a pointer is none.
    """
    with tempfile.TemporaryDirectory(prefix="dp-release-") as temporary:
        folder = Path(temporary).resolve() / source.name
        folder.mkdir()
        try:
            yield folder
        except (PointerError, ReportError) as error:
            raise ReportError(str(error).replace(str(folder), source.url)) from None


def fetch_tables(source: GcsFolder, folder: Path) -> Pointer | None:
    """Downloads what numbers of a release are shown from: what it is, and each table once.

    Args:
        source: The prefix with the pointer.
        folder: Where the files go.

    Returns:
        The pointer; None where there is none.

    Raises:
        PointerError: The pointer is none.
        StorageError: Something cannot be read.
    """
    pointer = read_pointer_of(source)
    if pointer is not None:
        names = [*OF_THE_INDEX, *_tables(pointer.files)]
        download(source.child(pointer.digest), folder, names)
    return pointer


def fetch_series(source: GcsFolder, folder: Path) -> dict[str, str]:
    """Downloads the releases of a series that are named for periods, each to a folder of its name.

    Those whose pointer is none are passed over.

    Args:
        source: The prefix of the series.
        folder: Where the folders go.

    Returns:
        What readers open of each release, as seen from the prefix: the report behind the pointer,
        or the pointer itself, which names the files, where there is no report.

    Raises:
        StorageError: Something cannot be read.
    """

    def fetch(name: str) -> tuple[str, str] | None:
        place = folder / name
        place.mkdir()
        try:
            pointer = fetch_tables(source.child(name), place)
        except PointerError:
            return None
        return None if pointer is None else (name, _page(name, pointer))

    names = [name for name in source.folders() if is_period(name)]
    with ThreadPoolExecutor(_THREADS) as threads:
        return dict(found for found in threads.map(fetch, names) if found is not None)


def _tables(files: Sequence[str]) -> list[str]:
    """Returns the file that each table is read from, as `read_release` chooses it."""
    tables = {name.rpartition(".")[0]: name for name in files if name.endswith(".csv")}
    tables |= {name.rpartition(".")[0]: name for name in files if name.endswith(".parquet")}
    return list(tables.values())


def _page(name: str, pointer: Pointer) -> str:
    has_report = REPORT_FILE in pointer.files
    return f"./{name}/{f'{pointer.digest}/{REPORT_FILE}' if has_report else POINTER_FILE}"
