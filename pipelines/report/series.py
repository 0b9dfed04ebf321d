"""The releases of a series, which stand beside each other in folders named for their periods."""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.report.published import PublishedRelease, ReportError, read_release
from pipelines.run.output import is_published

_PERIOD = re.compile(r"(\d{4})(-W\d\d|-\d\d(?:-\d\d)?)", re.ASCII)


def period_folders(folder: Path) -> list[Path]:
    """Returns the folders of releases that are named for a period, earliest first."""
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if _PERIOD.fullmatch(path.name))
    return sorted(path for path in found if is_published(path))


def release_before(release: PublishedRelease, beside: Path) -> PublishedRelease | None:
    """Returns the release of the last period before that of a release, if it can be read.

    Args:
        release: A release.
        beside: The folder that has the releases of the series.
    """
    if not _PERIOD.fullmatch(release.name):
        return None
    for folder in reversed(period_folders(beside)):
        if folder.name < release.name and len(folder.name) == len(release.name):
            try:
                found = read_release(folder)
            except ReportError:
                continue
            if found.series == release.series:
                return found
    return None
