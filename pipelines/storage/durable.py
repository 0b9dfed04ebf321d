"""Folders that are there as a whole or not at all, also after a loss of power."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.digests import file_digest


def folder_digest(folder: Path) -> str:
    """Returns the SHA-256 over the names and contents of all files below a folder.

    It is that of lines such as `sha256sum` writes, sorted by name.
    """
    return hashlib.sha256(folder_sums(folder).encode()).hexdigest()


def folder_sums(folder: Path) -> str:
    """Returns a line with the SHA-256 and the name of each file below a folder, sorted by name."""
    files = sorted((path for path in folder.rglob("*") if path.is_file()), key=str)
    lines = (f"{file_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)
    return "".join(lines)


def private_folder(folder: Path) -> None:
    """Makes a folder that nobody else may look into, and so those above it that are not there.

    All of them are on the disk at the end: what is kept in them is not lost with its folder.

    Raises:
        OSError: One cannot be made.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        sync_entry(each)
    if not missing and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


@contextmanager
def frozen_folder(folder: Path) -> Iterator[Path]:
    """Makes a folder in one step, after all of it is on the disk.

    Args:
        folder: The folder, which is not there.

    Yields:
        A folder to write to; what an earlier attempt left of it is gone.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    yield partial
    sync(partial)
    partial.rename(folder)
    sync_entry(folder)


def sync(folder: Path) -> None:
    """Waits until all that is below a folder is on the disk."""
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def sync_entry(path: Path) -> None:
    """Waits until the disk knows that a file or folder is there under its name."""
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
