"""Writes reports: in a publication before it is put in place, and again when somebody asks."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import polars as pl

from pipelines.publication.checksums import SUMS_FILE
from pipelines.publication.place import is_published
from pipelines.report.published import REPORT_FILE, ReportError
from pipelines.report.series import Beside
from pipelines.report.words import visible
from pipelines.storage.durable import replace_file
from pipelines.storage.errors import StorageError
from pipelines.storage.storage import Where

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
        path: The file, or its URL.
        of: What it is about.
        sha256: Its digest in hexadecimal digits.
        size: Bytes.
    """

    path: Where
    of: Literal["release", "series"]
    sha256: str
    size: int

    @classmethod
    def at(cls, path: Where, of: Literal["release", "series"], page: str) -> WrittenPage:
        """Returns a page that is at a place."""
        content = page.encode()
        return cls(path, of, sha256(content).hexdigest(), len(content))


def add_report(building: Path, name: str, beside: Beside) -> str | None:
    """Writes the report of a release that is complete but for its list of hashes.

    Args:
        building: Folder with the files of the release.
        name: Name of the release.
        beside: Where the other releases of its series are.

    Returns:
        Why there is no report; None if there is one.
    """
    path = building / REPORT_FILE

    def write() -> None:
        from pipelines.report.page import report_page

        path.write_text(report_page(building, name=name, beside=beside), encoding="utf-8")

    problem = why_without("report", write)
    if problem is not None:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return problem


def add_index(series: Path) -> str | None:
    """Writes the index page of the releases in a folder, once the last of them is in its place.

    A file of this name that is not ours stays.

    Args:
        series: The folder that has the folders of the releases.

    Returns:
        Why there is no new index page; None if there is one.
    """

    def write() -> None:
        from pipelines.report.index import INDEX_PAGE, index_page

        path = series / INDEX_PAGE
        _check_file(path)
        write_file(path, index_page(series))

    return why_without("index page", write)


def why_without(page: str, write: Callable[[], object]) -> str | None:
    """Writes a page that no release fails for: whatever goes wrong, there is none.

    Args:
        page: What it is called.
        write: Makes and writes it.

    Returns:
        Why there is none; None if there is one.
    """
    try:
        write()
    except ImportError:
        return NEEDS
    except (Exception, pl.exceptions.PanicException) as error:
        return f"there is no {page}: {_why(error)}"
    return None


def check_is_ours(page: bytes | None, place: Where) -> None:
    """Refuses to write over a page that this program did not make.

    Args:
        page: The page; None where there is none.
        place: Where it is, for the message.

    Raises:
        ReportError: It is somebody else's.
    """
    if page is not None and GENERATOR.encode() not in page:
        raise ReportError(f"{place} is somebody else's, and stays")


def _check_file(path: Path) -> None:
    check_is_ours(path.read_bytes() if path.exists() else None, path)


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
    if path == folder / REPORT_FILE and (folder / SUMS_FILE).exists():
        check_listed(page, folder / SUMS_FILE, folder)
    if path == folder / INDEX_PAGE:
        _check_file(path)
    write_file(path, page)
    return WrittenPage.at(path, "release" if released else "series", page)


def check_listed(page: str, sums: Path, place: Where) -> None:
    """Refuses a report that a release was not published with.

    Args:
        page: The page.
        sums: The hashes of the release.
        place: Where it is published, for the message.

    Raises:
        ReportError: There is no hash of a report among them, or one of another report.
    """
    lines = sums.read_text(encoding="utf-8", errors="replace").splitlines()
    listed = [line for line in lines if line.endswith(f"  {REPORT_FILE}")]
    if not listed:
        raise ReportError(
            f"{place} was published without {REPORT_FILE}: its {SUMS_FILE} lists none; "
            "allowed: --out FILE"
        )
    if f"{sha256(page.encode()).hexdigest()}  {REPORT_FILE}" not in listed:
        raise ReportError(
            f"{place} was published with another {REPORT_FILE} than would be made now: its "
            f"{SUMS_FILE} lists that one, and the releases beside it, or the versions of what "
            "draws it, have changed since; allowed: --out FILE"
        )


def write_file(path: Path, text: str) -> None:
    """Writes a file in one step.

    Raises:
        OSError: It cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    replace_file(path, text.encode(), partial)


def _why(error: BaseException) -> str:
    """Returns what went wrong in words; what is not made to be read has its kind before it."""
    text = visible(str(error), _LONGEST)
    is_text = isinstance(error, ReportError | StorageError)
    return text if is_text else f"{type(error).__name__} {text}"
