"""Writes pages of what is published in a bucket: the index of a series, or a release's report.

The index is beside the releases, and is swapped under the generation that was read before the
releases were: so the last of several writers has seen all releases that were out when it looked.
Its links are relative and lead to the objects behind the pointers, `2026-W46/<digest>/report.html`:
they can be opened on the web and in a downloaded copy of the prefix alike, where nothing follows a
pointer. After a correction they lead to the version before it until the index is written again,
which the run that corrects does.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.publication.checksums import SUMS_FILE
from pipelines.publication.gcs_series import fetch_release
from pipelines.publication.series_index import INDEX_FILE, list_releases
from pipelines.publication.withdrawn import withdrawn_in
from pipelines.report.files import (
    NEEDS,
    WrittenPage,
    check_is_ours,
    check_listed,
    why_without,
    write_file,
)
from pipelines.report.gcs_releases import ReleasesInBucket, copy_of, fetch_series
from pipelines.report.published import REPORT_FILE, ReportError
from pipelines.storage.errors import ChangedError
from pipelines.storage.gcs import GcsFolder


def add_gcs_index(series: GcsFolder) -> str | None:
    """Writes the index page of the releases below a prefix, once the last of them is out.

    An object of this name that is not ours stays.

    Args:
        series: The prefix that has the prefixes of the releases.

    Returns:
        Why there is no new index page; None if there is one.
    """
    return why_without("index page", lambda: _swap_index(series))


def write_gcs_page(source: GcsFolder, out: Path | None) -> WrittenPage:
    """Makes the report of a release, or the index page of a series, and writes it.

    Args:
        source: The prefix that a release is published to, or one that has prefixes of periods.
        out: A file here that the page goes to; None for its place in the bucket. A report that is
            there is not written again.

    Returns:
        What was written.

    Raises:
        ReportError: There is no release that can be read, packages are missing, or the release
            would not be as it was published.
        StorageError: The bucket cannot be read or written to.
        OSError: The file cannot be written.
    """
    try:
        return _release(source, out) or _series(source, out)
    except ImportError:
        raise ReportError(NEEDS) from None


def _release(source: GcsFolder, out: Path | None) -> WrittenPage | None:
    """Writes the report of a release; None where there is no pointer to one."""
    from pipelines.report.page import report_page

    with copy_of(source) as folder:
        pointer = fetch_release(source, folder)
        if pointer is None:
            return None
        page = report_page(folder, beside=ReleasesInBucket(source.parent))
        if out is not None:
            write_file(out, page)
            return WrittenPage.at(out, "release", page)
        if REPORT_FILE not in pointer.files or not (folder / SUMS_FILE).exists():
            raise ReportError(f"{folder} was published without {REPORT_FILE}; allowed: --out FILE")
        check_listed(page, folder / SUMS_FILE, folder)
        contents, published = source.child(pointer.digest), folder / REPORT_FILE
        there = published.read_bytes() if published.exists() else None
        if (there or contents.create(REPORT_FILE, page.encode())) != page.encode():
            raise ChangedError(
                f"{contents.url}/{REPORT_FILE} is there with other bytes; allowed: none"
            )
        return WrittenPage.at(f"{contents.url}/{REPORT_FILE}", "release", page)


def _series(source: GcsFolder, out: Path | None) -> WrittenPage:
    from pipelines.report.index import INDEX_PAGE

    if out is None:
        return WrittenPage.at(f"{source.url}/{INDEX_PAGE}", "series", _swap_index(source))
    page = _index(source)
    write_file(out, page)
    return WrittenPage.at(out, "series", page)


def _swap_index(source: GcsFolder) -> str:
    """Writes the index page, and returns it."""
    from pipelines.report.index import INDEX_PAGE

    def of_what_is_there(found: bytes | None) -> bytes:
        check_is_ours(found, f"{source.url}/{INDEX_PAGE}")
        return _index(source).encode()

    return source.rewrite(INDEX_PAGE, of_what_is_there).decode()


def _index(source: GcsFolder) -> str:
    """Returns the index page; what releases cost together is that of the releases on it."""
    from pipelines.report.index import index_page

    with copy_of(source) as folder:
        pages = fetch_series(source, folder)
        told = source.read(INDEX_FILE)
        list_releases(folder, [] if told is None else withdrawn_in(told))
        return index_page(folder, pages)
