"""Checks the places of a release: ledger, staging, publication, input, here or in buckets."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pipelines.doctor.finding import Finding, TooSlowError, failed, first_line, ok, within
from pipelines.ledger import Ledger, LedgerError, open_store
from pipelines.spec import LoadedRelease
from pipelines.storage.storage import is_url

CLOUD_SECONDS = 20
"""For an answer of Google Cloud, whose client looks for credentials in several places."""

_READ = ("storage.objects.get", "storage.objects.list")
PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "input": _READ,
    "staging": (*_READ, "storage.objects.create", "storage.objects.delete"),
    "output": (*_READ, "storage.objects.create", "storage.objects.delete"),
    "ledger": ("storage.objects.get", "storage.objects.create", "storage.objects.delete"),
}
"""What a release does in a bucket; to replace an object, a ledger, is also to delete one."""


def check_ledger(release: LoadedRelease, seconds: float = CLOUD_SECONDS) -> Finding:
    """Reads the ledger, and checks its chain of hashes."""
    place = release.ledger
    if not is_url(place) and not Path(place).exists():
        folder = Path(place).parent
        problem = unwritable(folder)
        if problem:
            return failed("ledger", f"{place} is not there, and {problem}", "make the folder")
        return ok("ledger", f"{place} is not there yet; the first run makes it")
    try:
        book = within(seconds, place, lambda: Ledger(open_store(place)).book())
    except (LedgerError, TooSlowError) as error:
        return failed("ledger", first_line(error), "see the rights to it, and its last backup")
    return ok("ledger", f"{place} has {book.head.entries} entries, and its hashes are right")


def check_folder(check: str, place: str) -> Finding:
    """Checks that a folder here can be written to, or made."""
    problem = unwritable(Path(place))
    if problem:
        return failed(check, problem, "give this account the right to write there")
    return ok(check, f"{place} can be written to")


def unwritable(folder: Path) -> str:
    """Says why a folder cannot be written to, or made; nothing where it can."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        return f"{folder} cannot be made: {nearest} is not a folder"
    if nearest != folder:
        can = os.access(nearest, os.W_OK | os.X_OK)
        return "" if can else f"{folder} cannot be made: {nearest} cannot be written to"
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"{folder} cannot be written to: {error.strerror}"


def check_buckets(
    places: Mapping[str, str],
    connect: Callable[[], Any] | None = None,
    seconds: float = CLOUD_SECONDS,
) -> Iterator[Finding]:
    """Checks the credentials, and what they allow in each bucket.

    Args:
        places: Places by the name of their check: one of `PERMISSIONS`; those that are not in a
            bucket are left out.
        connect: Returns a client of google-cloud-storage; None for one with the credentials that
            are here.
        seconds: How long to wait for each answer.
    """
    remote = {name: place for name, place in places.items() if place.startswith("gs://")}
    if not remote:
        return
    mend = "gcloud auth application-default login, or a service account"
    try:
        client = within(seconds, "the credentials", connect or _connect)
    except ImportError:
        mend = "install dp-release[gcs]"
        yield failed("credentials", "google-cloud-storage is not installed", mend)
        return
    except Exception as error:
        yield failed("credentials", first_line(error), mend)
        return
    yield ok("credentials", f"{_account(client)}")
    for name, place in remote.items():
        bucket = place.removeprefix("gs://").partition("/")[0]
        needed = list(PERMISSIONS[name])

        def ask(bucket: str = bucket, needed: list[str] = needed) -> list[str]:
            found: list[str] = client.bucket(bucket).test_iam_permissions(needed, timeout=seconds)
            return found

        try:
            granted = within(seconds, f"bucket {bucket}", ask)
        except Exception as error:
            mend = "see the name of the bucket, and the network"
            yield failed(name, f"{place}: {first_line(error)}", mend)
            continue
        missing = [right for right in needed if right not in granted]
        if missing:
            mend = f"grant them on the bucket to {_account(client)}"
            yield failed(name, f"{place}: not allowed: {', '.join(missing)}", mend)
        else:
            yield ok(name, f"{place}: allowed: {', '.join(needed)}")


def _connect() -> Any:
    return import_module("google.cloud.storage").Client()


def _account(client: Any) -> str:
    credentials = getattr(client, "_credentials", None)
    return str(getattr(credentials, "service_account_email", None) or "the default credentials")
