"""Writes reports: in a publication before it is put in place, and again when somebody asks."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import polars as pl

from pipelines.publication.checksums import SUMS_FILE
from pipelines.report.published import REPORT_FILE, ReportError
from pipelines.report.words import visible
from pipelines.run.output import is_published

NEEDS = (
    "a report needs altair, jinja2 and vl-convert-python, which are not installed; "
    "allowed: pip install 'dp-release[plot]'"
)

_LONGEST = 400
"""Characters of an error that are told."""

GENERATOR = '<meta name="generator" content="dp-release report">'
"""What all pages have that are made here."""


@dataclass(frozen=True)
class WrittenPage:
    """A page that was written.

    Attributes:
        path: The file.
        of: What it is about.
        sha256: Its digest in hexadecimal digits.
        size: Bytes.
    """

    path: Path
    of: Literal["release", "series"]
    sha256: str
    size: int


def add_report(building: Path, place: Path) -> str | None:
    """Writes the report of a release that is complete but for its list of hashes.

    A release never fails for its report: whatever goes wrong, there is none.

    Args:
        building: Folder with the files of the release.
        place: Where it will stand.

    Returns:
        Why there is no report; None if there is one.
    """
    path = building / REPORT_FILE
    try:
        from pipelines.report.page import report_page

        path.write_text(report_page(building, place=place), encoding="utf-8")
    except ImportError:
        return NEEDS
    except (Exception, pl.exceptions.PanicException) as error:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        return f"there is no report: {_why(error)}"
    return None


def add_index(series: Path) -> str | None:
    """Writes the index page of the releases in a folder, once the last of them is in its place.

    A file of this name that is not ours stays.

    Args:
        series: The folder that has the folders of the releases.

    Returns:
        Why there is no new index page; None if there is one.
    """
    try:
        from pipelines.report.index import INDEX_PAGE, index_page

        path = series / INDEX_PAGE
        if path.exists() and GENERATOR not in path.read_text(encoding="utf-8", errors="replace"):
            return f"there is no index page: {path} is somebody else's"
        _replace(path, index_page(series))
    except ImportError:
        return NEEDS
    except (Exception, pl.exceptions.PanicException) as error:
        return f"there is no index page: {_why(error)}"
    return None


def write_page(folder: Path, out: Path | None) -> WrittenPage:
    """Makes the report of a release, or the index page of a folder of releases, and writes it.

    Args:
        folder: A published folder, or one that has folders of periods.
        out: Where the page goes; None for its place in the folder.

    Returns:
        What was written.

    Raises:
        ReportError: The folder holds no release that can be read, packages are missing, or the
            release would not be as it was published.
        OSError: The file cannot be written.
    """
    try:
        from pipelines.report.index import INDEX_PAGE, index_page
        from pipelines.report.page import report_page
    except ImportError:
        raise ReportError(NEEDS) from None
    if not folder.is_dir():
        raise ReportError(f"{folder} is no folder; allowed: one that holds a release or releases")
    released = is_published(folder)
    page = report_page(folder) if released else index_page(folder)
    path = out or folder / (REPORT_FILE if released else INDEX_PAGE)
    if path == folder / REPORT_FILE and not _is_listed(page, folder / SUMS_FILE):
        raise ReportError(
            f"{folder} was published without this {REPORT_FILE}, and its {SUMS_FILE} does not "
            "have it; allowed: --out FILE"
        )
    _replace(path, page)
    content = page.encode()
    of: Literal["release", "series"] = "release" if released else "series"
    return WrittenPage(path, of, sha256(content).hexdigest(), len(content))


def _why(error: BaseException) -> str:
    """Returns what went wrong in words; what is not made to be read has its kind before it."""
    text = visible(str(error), _LONGEST)
    return text if isinstance(error, ReportError) else f"{type(error).__name__} {text}"


def _is_listed(page: str, sums: Path) -> bool:
    """Returns whether a page has the hash that a release states; true where it states none."""
    if not sums.exists():
        return True
    line = f"{sha256(page.encode()).hexdigest()}  {REPORT_FILE}"
    return line in sums.read_text(encoding="utf-8", errors="replace").splitlines()


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
