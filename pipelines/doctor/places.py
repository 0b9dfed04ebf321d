"""Checks the places of a release: ledger, staging, publication, input, here or in buckets."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from pipelines.doctor.finding import Finding, failed, first_line, ok, skipped
from pipelines.in_time import TooSlowError, within
from pipelines.ledger import LedgerError
from pipelines.plan.compared import SHORT_PATIENCE
from pipelines.run.ledger import ReleaseLedger
from pipelines.sources.check import find_files, release_input
from pipelines.sources.inputs import Input
from pipelines.spec import ConfigError, LoadedRelease
from pipelines.spec.placeholders import PLACEHOLDERS
from pipelines.storage.errors import StorageError
from pipelines.storage.storage import is_url

CLOUD_SECONDS = 20
"""For an answer of Google Cloud, whose client looks for credentials in several places."""

Duty = Literal["all", "draw", "publish"]
"""What an account does: all of a release; or, as two accounts of a cloud set-up, draw it (`run
--detach`) or publish what is drawn (`publish`)."""

_READ = ("storage.objects.get", "storage.objects.list")
_WRITE = (*_READ, "storage.objects.create", "storage.objects.delete")
_APPEND = ("storage.objects.get", "storage.objects.create", "storage.objects.delete")

PERMISSIONS: Mapping[Duty, Mapping[str, tuple[str, ...]]] = {
    "all": {"input": _READ, "staging": _WRITE, "output": _WRITE, "ledger": _APPEND},
    "draw": {"input": _READ, "staging": _WRITE, "output": _READ, "ledger": _APPEND},
    "publish": {"staging": _WRITE, "output": _WRITE, "ledger": _APPEND},
}
"""What each duty does in buckets; to replace an object, a ledger, is also to delete one. Whoever
draws looks whether the place of the release is free; whoever publishes reads no input."""


def check_ledger(release: LoadedRelease, seconds: float = CLOUD_SECONDS) -> Finding:
    """Reads the ledger as a run does: its hashes, and the entries that others remember."""
    place = release.ledger
    is_missing = not is_url(place) and not Path(place).exists()
    if is_missing and (problem := unwritable(Path(place).parent)):
        return failed("ledger", f"{place} is not there, and {problem}", "make the folder")
    try:
        book = within(
            seconds, place, lambda: ReleaseLedger.of(release, SHORT_PATIENCE).ledger.book()
        )
    except (ConfigError, LedgerError, StorageError, TooSlowError) as error:
        return failed("ledger", first_line(error), "see the rights to it, and its last backup")
    if is_missing:
        return ok("ledger", f"{place} is not there yet; the first run makes it")
    return ok("ledger", f"{place} has {book.head.entries} entries, and its hashes are right")


def check_folder(check: str, place: str) -> Finding:
    """Checks that a folder here can be written to, or made."""
    problem = unwritable(Path(place))
    if problem:
        return failed(check, problem, "give this account the right to write there")
    return ok(check, f"{place} can be written to")


def check_readable(check: str, place: str) -> Finding:
    """Checks that a folder here can be looked into, if it is there; nothing is written to it."""
    folder = Path(place)
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    mend = "give this account the right to read there"
    if not nearest.is_dir():
        return failed(check, f"{folder} cannot be made: {nearest} is not a folder", mend)
    if not os.access(nearest, os.R_OK | os.X_OK):
        return failed(check, f"{nearest} cannot be read", mend)
    there = "can be read" if nearest == folder else "is not there yet"
    return ok(check, f"{place} {there}")


def check_input(release: LoadedRelease) -> Iterator[Finding]:
    """Looks for the input files that are here; says of a table what cannot be checked of it.

    Each placeholder of a period may stand for any text, so that what is not found is there for no
    period. Files in buckets are left to `check_buckets`.
    """
    bigquery = release.spec.input.bigquery
    if bigquery is not None:
        yield skipped(
            "input",
            f"{bigquery.table} is in BigQuery; not checked: whether this account sees the table, "
            "and whether that of the workers may read it (roles bigquery.dataViewer and "
            "bigquery.readSessionUser)",
        )
    source = release_input(replace(release, placeholders=dict.fromkeys(PLACEHOLDERS, "*")))
    if not isinstance(source, Input) or any(map(is_url, source.files)):
        return
    try:
        found = find_files(release, source)
    except ConfigError as error:
        yield failed("input", first_line(error), "see input.files, or put the files there")
        return
    when = "" if release.spec.period is None else ", of all periods"
    yield ok("input", f"{len(found):,} files are there{when}")


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
    places: Iterable[tuple[str, str]],
    duty: Duty = "all",
    connect: Callable[[], Any] | None = None,
    seconds: float = CLOUD_SECONDS,
) -> Iterator[Finding]:
    """Checks the credentials, and what they allow in each bucket.

    Args:
        places: The name of a check and a place, as often as there are places: input, staging,
            output or ledger. Places that are not in a bucket are left out, and those that are not
            of the duty.
        duty: What this account does.
        connect: Returns a client of google-cloud-storage; None for one with the credentials that
            are here.
        seconds: How long to wait for each answer.
    """
    rights = PERMISSIONS[duty]
    remote = [place for place in places if place[0] in rights and place[1].startswith("gs://")]
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
    for name, place in remote:
        bucket = place.removeprefix("gs://").partition("/")[0]
        needed = list(rights[name])

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
