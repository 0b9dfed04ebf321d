"""A ledger in one object of Google Cloud Storage, one line per entry.

An append writes the whole object under the precondition that its generation is the one that was
read (0: that there is none). Google Cloud Storage decides that atomically, and an object is
replaced as a whole, so there is never half an entry.

A write whose answer was lost is sent again by the client library, and then the precondition fails
because of the first one. Whether it does because of somebody else shows in the object: the line at
the caller's place is the caller's, as every line is unique, or it is another's.

Use a bucket with a retention policy or object versioning, and give writers no right to delete.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from pipelines.ledger.errors import HeadMovedError, StoreError
from pipelines.ledger.store import Snapshot
from pipelines.storage.gcs import PATIENCE, reason_of, retry_for, status_of

_READS = 10


class GcsStore:
    """A ledger in an object, which the first append makes."""

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        """Args: `gs://bucket/object`, and for how many seconds to try.

        Raises:
            StoreError: The URL names no object, or google-cloud-storage is not installed.
        """
        bucket, _, name = url.removeprefix("gs://").partition("/")
        if not bucket or not name or name.endswith("/"):
            raise StoreError(f"ledger {url!r} is no object; allowed: gs://bucket/name")
        try:
            import_module("google.cloud.storage")
        except ImportError:
            raise StoreError(
                f"ledger {url} needs google-cloud-storage; allowed: with dp-release[gcs] installed"
            ) from None
        self._url = url
        self._bucket = bucket
        self._name = name
        self._patience = patience
        self._client: Any = None

    @property
    def place(self) -> str:
        """The URL of the object."""
        return self._url

    def read(self) -> Snapshot:
        """Returns all lines; see `LedgerStore`."""
        with self._errors("read"):
            for _ in range(_READS):
                found = self._blobs().get_blob(self._name, retry=self._retry())
                if found is None:
                    return Snapshot()
                try:
                    content = found.download_as_bytes(
                        if_generation_match=found.generation, retry=self._retry()
                    )
                except Exception as error:
                    if status_of(error) in (404, 412):
                        continue
                    raise
                return Snapshot(tuple(content.decode().splitlines()), found.generation)
        raise StoreError(f"ledger {self._url} cannot be read: it changes all the time")

    def append(self, snapshot: Snapshot, line: str) -> None:
        """Appends a line; see `LedgerStore`."""
        content = "".join(f"{each}\n" for each in (*snapshot.lines, line))
        with self._errors("written"):
            try:
                self._blobs().blob(self._name).upload_from_string(
                    content,
                    content_type="application/x-ndjson",
                    if_generation_match=snapshot.generation,
                    retry=self._retry(),
                )
                return
            except Exception as error:
                if status_of(error) != 412:
                    raise
        lines = self.read().lines
        if lines[len(snapshot.lines) : len(snapshot.lines) + 1] != (line,):
            raise HeadMovedError

    def _blobs(self) -> Any:
        if self._client is None:
            self._client = import_module("google.cloud.storage").Client()
        return self._client.bucket(self._bucket)

    def _retry(self) -> Any:
        return retry_for(self._patience)

    @contextmanager
    def _errors(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (StoreError, HeadMovedError):
            raise
        except Exception as error:
            reason = reason_of(error, "an account that may get and create its object")
            raise StoreError(f"ledger {self._url} cannot be {verb}: {reason}") from None
