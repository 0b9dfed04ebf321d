"""The places of a release: where it goes, and where its private values stay."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipelines import clock
from pipelines.ledger import LedgerError
from pipelines.run.outlet import Outlet, open_outlet
from pipelines.run.periods import ReleasePeriod
from pipelines.run.staging import ReleaseStaging
from pipelines.spec import ConfigError, KeyPath, LoadedRelease
from pipelines.storage.errors import BusyError, StorageError
from pipelines.storage.storage import Storage, is_url, open_storage

_OUTPUT: KeyPath = ("output", "folder")
_STAGING: KeyPath = ("output", "staging")


def release_outlet(release: LoadedRelease, period: ReleasePeriod) -> Outlet:
    """Returns where a release goes: the folder of the series, and in it one for each period.

    Raises:
        ConfigError: It is no place that a release can go to.
    """
    place = release.output_folder
    try:
        return open_outlet(place if period.every is None else f"{place.rstrip('/')}/{period.name}")
    except StorageError as error:
        raise release.refusal(_OUTPUT, str(error)) from None


def series_storage(release: LoadedRelease) -> Storage:
    """Returns the private storage of a series.

    Raises:
        ConfigError: It is no place for private values.
    """
    try:
        return open_storage(release.staging_folder)
    except StorageError as error:
        raise release.refusal(_STAGING, str(error)) from None


def release_staging(release: LoadedRelease, period: ReleasePeriod, version: int) -> ReleaseStaging:
    """Returns the staging of a release.

    Raises:
        ConfigError: It is no place for private values.
    """
    return ReleaseStaging(series_storage(release), f"{period.name}/v{version}")


def check_folders(
    release: LoadedRelease, outlet: Outlet, *, known: bool, writes: bool = True
) -> None:
    """Checks that a release can be published to its place, and that staging is not in it.

    Args:
        release: The release series.
        outlet: Where the release goes.
        known: Whether the ledger knows a release of this period.
        writes: Whether this process will publish; else it needs no access but to read.

    Raises:
        ConfigError: It cannot.
    """
    try:
        is_unknown = not known and outlet.holds_release()
        there = outlet.listed()
        problem = outlet.problem(writes=writes)
    except StorageError as error:
        raise release.refusal(_OUTPUT, str(error)) from None
    if is_unknown:
        raise release.refusal(
            _OUTPUT,
            f"{outlet.place} holds a release that the ledger {release.ledger} does not know, so "
            "that nothing is known of what it spent; allowed: the ledger that knows it, another "
            "folder, or none there",
        )
    if there is not None and there.content.series != release.spec.release:
        raise release.refusal(
            _OUTPUT,
            f"{outlet.place} holds a release of the series {there.content.series!r}, which "
            "publication would replace; allowed: another folder",
        )
    if problem is not None:
        raise release.refusal(_OUTPUT, problem)
    _check_private(release)


@contextmanager
def one_at_a_time(release: LoadedRelease) -> Iterator[None]:
    """Lets only one process work on a series with this staging, where that is a folder here.

    In a bucket nothing keeps others out, and nothing depends on it (`pipelines.run.staging`).

    Raises:
        ConfigError: Another one does, or the staging cannot be made or written to.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(series_storage(release).alone(release.spec.release))
        except BusyError as error:
            raise release.refusal(("release",), str(error)) from None
        except StorageError as error:
            raise release.refusal(_STAGING, str(error)) from None
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
    if is_url(release.staging_folder):
        message = f"{release.staging_folder} is no folder here; allowed: one, for tuning"
        raise release.refusal(_STAGING, message)
    with one_at_a_time(release):
        name = f"{clock.now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        folder = Path(release.staging_folder) / name
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            message = f"{folder.parent} cannot be written to: {error.strerror}"
            raise release.refusal(_STAGING, message) from None
        try:
            yield folder
        except (KeyboardInterrupt, ConfigError, LedgerError):
            shutil.rmtree(folder)
            raise


def _check_private(release: LoadedRelease) -> None:
    series, staging, ledger = release.output_folder, release.staging_folder, release.ledger
    if _is_inside(ledger, series):
        raise release.refusal(
            ("ledger",),
            f"{ledger} is in {series}, which is published, and replaced by publication; "
            "allowed: a file outside it",
        )
    if _is_inside(ledger, staging):
        message = (
            f"{ledger} is in {staging}, where releases are deleted; allowed: a file outside it"
        )
        raise release.refusal(("ledger",), message)
    if _is_inside(staging, series):
        raise release.refusal(
            _STAGING,
            f"{staging} is private, and {series} is published; allowed: a folder outside it",
        )


def _is_inside(place: str, folder: str) -> bool:
    if is_url(place) or is_url(folder):
        return f"{place.rstrip('/')}/".startswith(f"{folder.rstrip('/')}/")
    return Path(place).resolve().is_relative_to(Path(folder).resolve())
