"""Writes all files of a release into a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import polars as pl

from pipelines.plan.file import PLAN_FILE
from pipelines.publication.checksums import SUMS_FILE, sums_of, sums_text
from pipelines.publication.content import Content
from pipelines.publication.datapackage import (
    MANIFEST_FILE,
    FileDigest,
    TableFile,
    datapackage,
    manifest_text,
)
from pipelines.publication.registry_record import RECORD_FILE, record_text, registry_record
from pipelines.publication.table_files import table_bytes

DOCUMENTS = (PLAN_FILE, RECORD_FILE)
"""Files of every release that the manifest lists beside its tables."""


def write_release(
    folder: Path,
    content: Content,
    tables: Mapping[str, pl.DataFrame],
    formats: Sequence[str],
    add_pages: Callable[[Path], None] | None = None,
) -> None:
    """Writes tables, plan, registry record, manifest, pages and hashes.

    The same content and tables give the same bytes in each file.

    Args:
        folder: An empty folder.
        content: What the release is described by.
        tables: The tables to publish, by name.
        formats: `parquet`, `csv`.
        add_pages: Adds files that are made of all others but the hashes.

    Raises:
        OSError: A file cannot be written.
    """
    files: dict[str, list[TableFile]] = {}
    for table, frame in tables.items():
        for file_format in formats:
            name = f"{table}.{file_format}"
            written = _write(folder, name, table_bytes(frame, file_format))
            files.setdefault(table, []).append(TableFile(written, frame))
    documents = [
        _write(folder, PLAN_FILE, str(content.file).encode()),
        _write(folder, RECORD_FILE, record_text(registry_record(content)).encode()),
    ]
    _write(folder, MANIFEST_FILE, manifest_text(datapackage(content, files, documents)).encode())
    if add_pages is not None:
        add_pages(folder)
    _write(folder, SUMS_FILE, sums_text(sums_of(folder)).encode())


def release_digest(folder: Path) -> str | None:
    """Returns one hash for all files of a release: that of its `SHA256SUMS`.

    Args:
        folder: The release, wherever it is.

    Returns:
        The hash; None where there is no release, or a file is not as `SHA256SUMS` has it.
    """
    path = folder / SUMS_FILE
    if not path.is_file():
        return None
    sums = path.read_bytes()
    return sha256(sums).hexdigest() if sums == sums_text(sums_of(folder)).encode() else None


def _write(folder: Path, name: str, content: bytes) -> FileDigest:
    (folder / name).write_bytes(content)
    return FileDigest.of(name, content)
