"""Puts the folder of a release in its place: one rename, whoever else publishes there.

A release is built in a hidden folder beside its place, with a name that nobody else has, and a lock
(`flock`) on it for as long as it is built. So a folder of that kind whose lock can be had belongs
to nobody that is alive, and is removed; one whose lock cannot be had is left alone. Making,
removing and renaming such folders is done under a lock on the folder above, so that nobody takes a
folder for dead between its making and its locking. Where a file system has no such locks, leftovers
stay.

A folder with files in it is never the target of a rename, so that of two releases that go to one
place at the same moment, the second is refused, unless it is to replace what is there.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.plan.file import PLAN_FILE
from pipelines.publication.checksums import SUMS_FILE, read_sums
from pipelines.storage.durable import sync_one

_NO_LOCKS = (errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EINVAL, errno.ENOLCK)


LOCK_SECONDS = 120.0
"""How long to wait for a folder that somebody else has locked."""

_LOOK_SECONDS = 0.02


class TakenError(Exception):
    """Another release was published to the folder in the meantime."""


def is_published(folder: Path) -> bool:
    """Returns whether a folder holds a release."""
    return (folder / PLAN_FILE).exists()


def other_files(folder: Path) -> list[str]:
    """Returns the names in a folder that are not of a release, and would be lost by another.

    Hidden files beside a release, such as those that desktops leave behind, do not count.
    """
    names = {path.name for path in folder.iterdir()}
    if not is_published(folder):
        return sorted(names)
    try:
        listed = read_sums((folder / SUMS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return sorted(n for n in names - {SUMS_FILE, *listed} if not n.startswith("."))


def promote(publication: Path, folder: Path) -> None:
    """Puts the files of a release where readers look, all together.

    Args:
        publication: Private folder with the files.
        folder: Where the release goes; what was there is replaced. A kill between its two renames
            leaves nothing there, until this is called again.
    """
    with building_folder(folder) as building:
        shutil.copytree(publication, building, dirs_exist_ok=True)
        put_in_place(building, folder, replace=True)


@contextmanager
def building_folder(folder: Path) -> Iterator[Path]:
    """Makes a private folder beside a place, for the release that will be there.

    Leftovers of runs that died are removed. At the end the folder is gone, if it was not put into
    its place.

    Args:
        folder: The place.

    Yields:
        An empty folder that only this process writes to.

    Raises:
        OSError: It cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent):
        for leftover in sorted(folder.parent.glob(f".{_escaped(folder.name)}.*.building")):
            _remove_if_dead(leftover)
        building = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}.building")
        building.mkdir(mode=0o700)
        held = _try_lock(building)
    try:
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)
        if held is not None:
            os.close(held)


def put_in_place(building: Path, folder: Path, *, replace: bool) -> None:
    """Renames a complete folder to its place, after all of it is on the disk.

    Args:
        building: The folder, from `building_folder`.
        folder: The place.
        replace: Whether a release that is there may be replaced. It is moved aside first, and
            removed when the new one is in its place.

    Raises:
        TakenError: There are files in the place, and they may not be replaced.
        OSError: A rename fails.
    """
    building.chmod(0o755)
    _sync(building)
    with locked(folder.parent):
        aside = aside_of(folder)
        if replace and folder.exists():
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)
        try:
            building.rename(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            raise TakenError(f"{folder} was published to by another release meanwhile") from None
        _sync_names(folder.parent)
        with suppress(KeyboardInterrupt):  # The release is out, whatever is left of the old one.
            shutil.rmtree(aside, ignore_errors=True)


def aside_of(folder: Path) -> Path:
    """Returns where the old release is while a new one takes its place."""
    return folder.with_name(f".{folder.name}.replaced")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Waits until nobody else is in such a context for the folder, and keeps others out.

    Raises:
        TimeoutError: Somebody has kept it locked for `LOCK_SECONDS`.
        OSError: It cannot be opened.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        until = time.monotonic() + LOCK_SECONDS
        while not _is_locked(handle):
            if time.monotonic() > until:
                raise TimeoutError(errno.ETIMEDOUT, "somebody keeps it locked", str(folder))
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(handle)


def _is_locked(handle: int) -> bool:
    """Returns whether the lock is had, or the file system has none."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _remove_if_dead(leftover: Path) -> None:
    try:
        held = _try_lock(leftover)
    except OSError:
        return
    if held is not None:
        shutil.rmtree(leftover, ignore_errors=True)
        os.close(held)


def _try_lock(folder: Path) -> int | None:
    """Returns what holds the lock of a folder; None where it cannot be had."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _escaped(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def _sync(folder: Path) -> None:
    for file in folder.iterdir():
        sync_one(file)
    _sync_names(folder)


def _sync_names(folder: Path) -> None:
    with suppress(OSError):  # Not every file system that people publish to can do it.
        sync_one(folder)
