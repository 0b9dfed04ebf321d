"""The releases of a series, which stand beside each other under the names of their periods."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipelines.publication.place import is_published
from pipelines.report.published import PublishedRelease, ReportError, read_release

_PERIOD = re.compile(r"(\d{4})(-W\d\d|-\d\d(?:-\d\d)?)", re.ASCII)


class Beside(Protocol):
    """Where the releases of a series are."""

    def names(self) -> Iterable[str]:
        """Returns the names under which releases may be."""

    def read(self, name: str) -> PublishedRelease:
        """Returns the release of a name.

        Raises:
            ReportError: There is none that can be read.
        """


@dataclass(frozen=True)
class ReleasesHere:
    """The releases in the folders of a folder.

    Attributes:
        folder: The folder; it need not be there.
    """

    folder: Path

    def names(self) -> list[str]:
        """Returns the names of folders of releases; see `Beside`."""
        return [path.name for path in period_folders(self.folder)]

    def read(self, name: str) -> PublishedRelease:
        """Reads the folder of a name; see `Beside`."""
        return read_release(self.folder / name)


def is_period(name: str) -> bool:
    """Returns whether a release is named for a period: `2026-11-09`, `2026-W46` or `2026-11`."""
    return _PERIOD.fullmatch(name) is not None


def period_folders(folder: Path) -> list[Path]:
    """Returns the folders of releases that are named for a period, earliest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_period(path.name) and is_published(path))


def release_before(release: PublishedRelease, beside: Beside) -> PublishedRelease | None:
    """Returns the release of the last period before that of a release.

    It is of the same series, its period is as long, and it is the last one that can be read.

    Args:
        release: A release.
        beside: Where the releases of the series are.
    """
    own = release.name
    if not is_period(own):
        return None
    same_kind = [name for name in beside.names() if is_period(name) and len(name) == len(own)]
    for name in sorted(same_kind, reverse=True):
        if name < own:
            try:
                found = beside.read(name)
            except ReportError:
                continue
            if found.series == release.series:
                return found
    return None
