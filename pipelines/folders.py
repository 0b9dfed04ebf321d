"""The folders of a run: where the release goes, and where its private values stay."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pipelines.output import is_published, may_replace
from pipelines.publication.place import aside_of
from pipelines.publication.series_index import INDEX_FILE, is_free_for_index
from pipelines.spec import ConfigError, KeyPath, LoadedRelease

_OUTPUT: KeyPath = ("output", "folder")
_STAGING: KeyPath = ("output", "staging")


def check_output(release: LoadedRelease, *, replace: bool) -> Path:
    """Returns the output folder when a release may be published there.

    A release that a killed run had moved aside is put back.

    Args:
        release: The release series.
        replace: Whether a release that is there already may be replaced.

    Returns:
        The folder, which need not exist.

    Raises:
        ConfigError: It may not.
    """
    if "://" in release.output_folder:
        raise _refusal(
            release, _OUTPUT, "publication to URLs is not there yet; allowed: a folder here"
        )
    folder = Path(release.output_folder)
    aside = aside_of(folder)
    if is_published(aside) and not folder.exists():
        with _one_at_a_time(release):
            if not folder.exists():
                aside.rename(folder)
    if is_published(folder) and not replace:
        raise _refusal(
            release,
            _OUTPUT,
            f"{folder} holds a release already, and a second draw of the same data would spend "
            "its budget again; allowed: another folder, or --replace",
        )
    if not may_replace(folder):
        raise _refusal(
            release,
            _OUTPUT,
            f"{folder} holds other files, and publication replaces the folder; "
            "allowed: an empty folder, a new one, or one that a release was published to",
        )
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
    return folder


@contextmanager
def staging_folder(release: LoadedRelease, output: Path) -> Iterator[Path]:
    """Makes a private folder for one attempt, and lets only one attempt run at a time.

    Args:
        release: The release series.
        output: The output folder.

    Yields:
        The folder of the attempt.

    Raises:
        ConfigError: The folder cannot be made, or another attempt is under way.
    """
    staging = Path(release.staging_folder)
    if staging.resolve().is_relative_to(output.resolve()):
        raise _refusal(
            release,
            _STAGING,
            f"{staging} is private, and {output} is published; allowed: a folder outside it",
        )
    with _one_at_a_time(release):
        attempt = staging / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        try:
            attempt.mkdir(mode=0o700)
        except OSError as error:
            raise _refusal(
                release, _STAGING, f"{staging} cannot be written to: {error.strerror}"
            ) from None
        try:
            yield attempt
        except (KeyboardInterrupt, ConfigError):
            shutil.rmtree(attempt)
            raise


@contextmanager
def _one_at_a_time(release: LoadedRelease) -> Iterator[None]:
    staging = Path(release.staging_folder)
    try:
        staging.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (staging / "lock").open("w")
    except OSError as error:
        raise _refusal(release, _STAGING, f"{staging} cannot be made: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refusal(
                release, ("release",), "another run of this release is under way; allowed: one"
            ) from None
        yield


def _refusal(release: LoadedRelease, path: KeyPath, message: str) -> ConfigError:
    return ConfigError([release.source.problem(path, message)])
