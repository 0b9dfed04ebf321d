"""Where readers look for one release: a folder here, or a prefix of a bucket."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipelines.ledger import ReleaseKey
from pipelines.publication.place import is_published, other_files, promote
from pipelines.publication.release_files import release_digest
from pipelines.publication.series_index import (
    INDEX_FILE,
    Listed,
    is_free_for_index,
    list_releases,
    release_in,
)
from pipelines.publication.withdrawn import Withdrawn
from pipelines.report.files import add_index
from pipelines.report.series import Beside, ReleasesHere
from pipelines.storage.storage import Where, is_url


class Outlet(Protocol):
    """The place of one release, which readers see as a whole or not at all."""

    @property
    def place(self) -> Where:
        """Where it is."""

    def holds_release(self) -> bool:
        """Returns whether a release is there."""

    def problem(self, *, writes: bool = True) -> str | None:
        """Returns why no release can be put there; None where one can, as far as is known.

        Args:
            writes: Whether this process is to put it there.
        """

    def listed(self) -> Listed | None:
        """Returns what the release is described by; None where none can be read."""

    def digest(self) -> str | None:
        """Returns the digest (`release_digest`) of what readers see; None for no whole release."""

    def put(self, publication: Path, key: ReleaseKey) -> None:
        """Shows readers the files of a folder, all together.

        Args:
            publication: Private folder here with the files.
            key: Which release it is. It never takes the place of a later version.
        """

    def list_releases(self, withdrawn: Sequence[Withdrawn] = ()) -> str | None:
        """Writes the index of this release and those beside it; none is out because of it.

        Args:
            withdrawn: Releases that are known to be withdrawn.

        Returns:
            Why it is not written; None if it is.
        """

    @property
    def name(self) -> str:
        """Name of the release among those beside it."""

    @property
    def beside(self) -> Beside:
        """The releases beside it."""

    def add_index_page(self) -> str | None:
        """Writes the page of this release and those beside it.

        Returns:
            Why there is none; None if there is one.
        """

    def files(self, names: Sequence[str]) -> tuple[Where, ...]:
        """Returns where files of the release are, without those that are not there."""


@dataclass(frozen=True)
class LocalOutlet:
    """A folder of this machine.

    Attributes:
        place: The folder.
    """

    place: Path

    def holds_release(self) -> bool:
        """Returns whether the folder has a plan; see `Outlet`."""
        return is_published(self.place)

    def problem(self, *, writes: bool = True) -> str | None:
        """Returns why the folder cannot be used; see `Outlet`."""
        folder = self.place
        if not folder.is_dir() and (folder.exists() or folder.is_symlink()):
            return f"{folder} is no folder; allowed: one that is empty, new, or has a release"
        others = other_files(folder) if folder.is_dir() else []
        if others:
            return (
                f"{folder} holds other files, such as {others[0]}, and publication replaces the "
                "folder; allowed: an empty folder, a new one, or one that has a release alone"
            )
        if not is_free_for_index(folder.parent):
            return (
                f"{folder.parent / INDEX_FILE} is no index of releases, and publication writes one "
                "there; allowed: a folder in another folder"
            )
        nearest = next(parent for parent in folder.parents if parent.exists())
        if not nearest.is_dir():
            return f"{folder} cannot be made: {nearest} is not a folder"
        for place in (nearest, folder):
            if writes and place.exists() and not os.access(place, os.W_OK):
                return f"{place} cannot be written to"
        return None

    def listed(self) -> Listed | None:
        """Returns the release of the folder; see `Outlet`."""
        return release_in(self.place)

    def digest(self) -> str | None:
        """Returns the digest of the folder; see `Outlet`."""
        return release_digest(self.place)

    def put(self, publication: Path, key: ReleaseKey) -> None:
        """Puts a copy of the files into place by a rename; see `Outlet`."""
        del key  # The lock of the staging keeps other versions out.
        promote(publication, self.place)

    def list_releases(self, withdrawn: Sequence[Withdrawn] = ()) -> str | None:
        """Writes the index beside the folder; see `Outlet`."""
        return list_releases(self.place.parent, withdrawn)

    @property
    def name(self) -> str:
        """Name of the folder; see `Outlet`."""
        return self.place.absolute().name

    @property
    def beside(self) -> ReleasesHere:
        """The folders beside the folder; see `Outlet`."""
        return ReleasesHere(self.place.absolute().parent)

    def add_index_page(self) -> str | None:
        """Writes the page beside the folder; see `Outlet`."""
        return add_index(self.place.parent)

    def files(self, names: Sequence[str]) -> tuple[Path, ...]:
        """Returns the paths of files; see `Outlet`."""
        return tuple(path for path in (self.place / name for name in names) if path.exists())


def open_outlet(place: str) -> Outlet:
    """Returns the outlet of a place: `gs://bucket/folder`, or a folder.

    Raises:
        StorageError: The URL is of another kind, or google-cloud-storage is not installed.
    """
    if is_url(place):
        from pipelines.run.gcs_outlet import GcsOutlet
        from pipelines.storage.gcs import GcsFolder

        return GcsOutlet(GcsFolder.of(place))
    return LocalOutlet(Path(place))
