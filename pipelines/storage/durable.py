"""Files and folders that are there as a whole or not at all, also after a loss of power."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


def replace_file(file: Path, content: bytes, partial: Path, mode: int = 0o666) -> None:
    """Writes a file in one step, after all of its content is on the disk.

    After a loss of power there is the old file or the new one; for the new one, see `sync_entry`.

    Args:
        file: The file; one that is there is replaced.
        content: Its bytes.
        partial: Where it is written first, in the same folder, which nobody else writes to. What an
            earlier attempt left there is removed.
        mode: Permissions of the file, of which the umask takes some away.

    Raises:
        OSError: It cannot be written; the old file is there still.
    """
    partial.unlink(missing_ok=True)
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(descriptor)
        partial.replace(file)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Waits until all that is below a folder is on the disk."""
    for path in folder.rglob("*"):
        sync_one(path)
    sync_one(folder)


def sync_entry(path: Path) -> None:
    """Waits until the disk knows that a file or folder is there under its name."""
    sync_one(path.parent)


def sync_one(path: Path) -> None:
    """Waits until the content of a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
