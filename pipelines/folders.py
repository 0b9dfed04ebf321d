"""The folders of a release: where it goes, and where its private values stay."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from pipelines.durable import private_folder
from pipelines.ledger import LedgerError
from pipelines.output import is_published, may_replace
from pipelines.periods import ReleasePeriod
from pipelines.publication.series_index import INDEX_FILE, is_free_for_index, release_in
from pipelines.release_staging import ReleaseStaging
from pipelines.spec import ConfigError, KeyPath, LoadedRelease

_OUTPUT: KeyPath = ("output", "folder")
_STAGING: KeyPath = ("output", "staging")


def output_folder(release: LoadedRelease, period: ReleasePeriod) -> Path:
    """Returns where a release goes: the folder of the series, and in it one for each period."""
    folder = Path(release.output_folder)
    return folder if period.every is None else folder / period.name


def release_staging(release: LoadedRelease, period: ReleasePeriod, version: int) -> ReleaseStaging:
    """Returns the staging of a release."""
    return ReleaseStaging(Path(release.staging_folder) / period.name / f"v{version}")


def check_folders(release: LoadedRelease, folder: Path, *, known: bool) -> None:
    """Checks that a release can be published to a folder, and that staging is not in it.

    Args:
        release: The release series.
        folder: Where the release goes; it need not exist.
        known: Whether the ledger knows a release of this period.

    Raises:
        ConfigError: It cannot.
    """
    if "://" in release.output_folder:
        raise _refusal(
            release, _OUTPUT, "publication to URLs is not there yet; allowed: a folder here"
        )
    if is_published(folder) and not known:
        raise _refusal(
            release,
            _OUTPUT,
            f"{folder} holds a release that the ledger {release.ledger} does not know, so that "
            "nothing is known of what it spent; allowed: the ledger that knows it, another folder, "
            "or none there",
        )
    there = release_in(folder)
    if there is not None and there.content.series != release.spec.release:
        raise _refusal(
            release,
            _OUTPUT,
            f"{folder} holds a release of the series {there.content.series!r}, which publication "
            "would replace; allowed: another folder",
        )
    if not may_replace(folder):
        raise _refusal(
            release,
            _OUTPUT,
            f"{folder} holds other files, and publication replaces the folder; "
            "allowed: an empty folder, a new one, or one that a release was published to",
        )
    _check_private(release)
    if not is_free_for_index(folder.parent):
        raise _refusal(
            release,
            _OUTPUT,
            f"{folder.parent / INDEX_FILE} is no index of releases, and publication writes one "
            "there; allowed: a folder in another folder",
        )
    nearest = next(parent for parent in folder.parents if parent.exists())
    if not nearest.is_dir():
        raise _refusal(release, _OUTPUT, f"{folder} cannot be made: {nearest} is not a folder")
    for place in (nearest, folder):
        if place.exists() and not os.access(place, os.W_OK):
            raise _refusal(release, _OUTPUT, f"{place} cannot be written to")


@contextmanager
def one_at_a_time(release: LoadedRelease) -> Iterator[None]:
    """Lets only one process work on a series with this staging.

    Raises:
        ConfigError: Another one does, or the staging cannot be made or written to.
    """
    staging = Path(release.staging_folder)
    try:
        private_folder(staging)
    except OSError as error:
        raise _refusal(release, _STAGING, f"{staging} cannot be made: {error.strerror}") from None
    try:
        lock = (staging / "lock").open("a+")
    except OSError as error:
        raise _refusal(
            release, _STAGING, f"{staging} cannot be written to: {error.strerror}"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refusal(
                release, ("release",), "another run of this release is under way; allowed: one"
            ) from None
        _check_owner(release, lock)
        yield


@contextmanager
def scratch_folder(release: LoadedRelease) -> Iterator[Path]:
    """Makes a private folder for one look at the data, under the lock of the series.

    Yields:
        The folder; after an interrupt, and where the ledger refuses, it is removed.

    Raises:
        ConfigError: It cannot be made, or another run is under way.
    """
    _check_private(release)
    with one_at_a_time(release):
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        folder = Path(release.staging_folder) / name
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            message = f"{folder.parent} cannot be written to: {error.strerror}"
            raise _refusal(release, _STAGING, message) from None
        try:
            yield folder
        except (KeyboardInterrupt, ConfigError, LedgerError):
            shutil.rmtree(folder)
            raise


def _check_owner(release: LoadedRelease, lock: IO[str]) -> None:
    """Refuses the staging of another series, whose attempts would be taken for those of this one.

    The file of the lock has the name of the series that came first.
    """
    lock.seek(0)
    owner = lock.read()
    if not owner:
        lock.write(release.spec.release)
        lock.flush()
    elif owner != release.spec.release:
        staging = release.staging_folder
        message = f"{staging} is the staging of the series {owner!r}; allowed: one for each series"
        raise _refusal(release, _STAGING, message)


def _check_private(release: LoadedRelease) -> None:
    series, staging = Path(release.output_folder), Path(release.staging_folder)
    ledger = Path(release.ledger)
    if "://" not in release.ledger and ledger.resolve().is_relative_to(series.resolve()):
        raise _refusal(
            release,
            ("ledger",),
            f"{ledger} is in {series}, which is published, and replaced by publication; "
            "allowed: a file outside it",
        )
    if "://" not in release.ledger and ledger.resolve().is_relative_to(staging.resolve()):
        message = (
            f"{ledger} is in {staging}, where releases are deleted; allowed: a file outside it"
        )
        raise _refusal(release, ("ledger",), message)
    if staging.resolve().is_relative_to(series.resolve()):
        raise _refusal(
            release,
            _STAGING,
            f"{staging} is private, and {series} is published; allowed: a folder outside it",
        )


def _refusal(release: LoadedRelease, path: KeyPath, message: str) -> ConfigError:
    return ConfigError([release.source.problem(path, message)])
