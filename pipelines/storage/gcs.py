"""Objects below a prefix of a bucket of Google Cloud Storage.

Every write that creates or swaps names the generation that it expects, so it can be sent again
whatever became of its answer: the client library does that, with back-off, for busy answers and
lost connections. Where the second sending fails because the first one went through, the object
shows it: it holds what was to be written.

Google Cloud Storage decides preconditions atomically, shows an object whole or not at all, and is
strongly consistent for reads and listings after a write.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from pipelines.storage.errors import StorageError

PATIENCE = 60.0
"""Seconds for which busy answers (429, 5xx, lost connections) are tried again, with back-off."""

_READS = 10
_ROUNDS = 100
_CACHE_CONTROL = "no-cache"
"""Else caches on the web may show a public object for an hour after it was swapped or deleted."""

_CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "json": "application/json",
}


@dataclass(frozen=True)
class GcsFolder:
    """A prefix of a bucket.

    Attributes:
        bucket: Name of the bucket.
        prefix: Empty, or a name that ends with a slash.
        patience: For how many seconds to try.
    """

    bucket: str
    prefix: str
    patience: float = PATIENCE

    @classmethod
    def of(cls, url: str) -> GcsFolder:
        """Returns the folder of a URL.

        Raises:
            StorageError: It names no folder of a bucket, or google-cloud-storage is not installed.
        """
        parts = urlsplit(url)
        names = parts.path.removeprefix("/").removesuffix("/")
        if parts.scheme != "gs" or not parts.netloc or not is_file_name(names):
            raise StorageError(f"{url!r} is no place for files; allowed: gs://bucket/folder")
        check_library(url)
        return cls(parts.netloc, f"{names}/")

    @property
    def url(self) -> str:
        """The URL, without a slash at its end."""
        return f"gs://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def parent(self) -> GcsFolder:
        """The folder that this one is in; the whole bucket in the end."""
        above = self.prefix.rstrip("/").rpartition("/")[0]
        return GcsFolder(self.bucket, f"{above}/" if above else "", self.patience)

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.url.rpartition("/")[2]

    def child(self, name: str) -> GcsFolder:
        """Returns a folder in this one."""
        return GcsFolder(self.bucket, f"{self.prefix}{name}/", self.patience)

    def read(self, name: str) -> bytes | None:
        """Returns the content of an object; None where there is none.

        Raises:
            StorageError: It cannot be read.
        """
        found = self.read_with_generation(name)
        return None if found is None else found[0]

    def read_with_generation(self, name: str) -> tuple[bytes, int] | None:
        """Returns the content of an object and its generation; None where there is none.

        Raises:
            StorageError: It cannot be read.
        """
        with self._errors("read", name):
            for _ in range(_READS):
                found = self._objects().get_blob(f"{self.prefix}{name}", retry=self._retry())
                if found is None:
                    return None
                try:
                    content = found.download_as_bytes(
                        if_generation_match=found.generation, retry=self._retry()
                    )
                except Exception as error:
                    if _status_of(error) in (404, 412):
                        continue
                    raise
                return content, found.generation
        raise StorageError(f"{self.url}/{name} cannot be read: it changes all the time")

    def create(self, name: str, content: bytes) -> bytes:
        """Writes an object if there is none, and returns what is there.

        Raises:
            StorageError: It cannot be written.
        """
        if self.swap(name, content, 0):
            return content
        found = self.read(name)
        if found is None:
            raise StorageError(f"{self.url}/{name} cannot be written: somebody else deleted it")
        return found

    def swap(self, name: str, content: bytes, generation: int) -> bool:
        """Writes an object if it still has a generation.

        Args:
            name: Name of the object.
            content: What it will hold.
            generation: The generation that was read; 0 for none.

        Returns:
            Whether the object holds the content now; else somebody else has written to it.

        Raises:
            StorageError: It cannot be written.
        """
        with self._errors("written", name):
            try:
                blob = self._objects().blob(f"{self.prefix}{name}")
                blob.cache_control = _CACHE_CONTROL
                blob.upload_from_string(
                    content,
                    content_type=_content_type(name),
                    if_generation_match=generation,
                    retry=self._retry(),
                )
                return True
            except Exception as error:
                if _status_of(error) != 412:
                    raise
        return self.read(name) == content

    def rewrite(self, name: str, change: Callable[[bytes | None], bytes]) -> bytes:
        """Writes what follows from an object, and from others that are read after it.

        The generation that is read before is the precondition of the write. So the last of several
        writers has seen all that was there when it looked.

        Args:
            name: Name of the object.
            change: Returns the new content, from the old one or None where there is none. It is
                called again when somebody else has written in the meantime.

        Returns:
            What the object holds now. It is not written when that is what it held.

        Raises:
            StorageError: It cannot be read or written, or changes all the time.
        """
        for _ in range(_ROUNDS):
            found, generation = self.read_with_generation(name) or (None, 0)
            content = change(found)
            if content == found or self.swap(name, content, generation):
                return content
        raise StorageError(f"{self.url}/{name} changes all the time; try again")

    def names(self, prefix: str = "") -> list[str]:
        """Returns the names of all objects that begin so, also in folders.

        Raises:
            StorageError: They cannot be listed, or there is no such bucket.
        """
        with self._errors("listed"):
            found = self._objects().list_blobs(prefix=f"{self.prefix}{prefix}", retry=self._retry())
            return sorted(blob.name.removeprefix(self.prefix) for blob in found)

    def folders(self) -> list[str]:
        """Returns the names of the folders in this one that could be folders here.

        Raises:
            StorageError: They cannot be listed.
        """
        with self._errors("listed"):
            found = self._objects().list_blobs(
                prefix=self.prefix, delimiter="/", retry=self._retry()
            )
            for _ in found:
                pass
            names = (name.removeprefix(self.prefix)[:-1] for name in found.prefixes)
            return sorted(name for name in names if is_file_name(name))

    def delete(self, names: Iterable[str]) -> None:
        """Deletes objects; those that are not there are passed over.

        Raises:
            StorageError: One cannot be deleted.
        """
        for name in names:
            with self._errors("deleted", name):
                try:
                    self._objects().blob(f"{self.prefix}{name}").delete(retry=self._retry())
                except Exception as error:
                    if _status_of(error) != 404:
                        raise

    def _objects(self) -> Any:
        return _client(os.environ.get("STORAGE_EMULATOR_HOST"), os.getpid()).bucket(self.bucket)

    def _retry(self) -> Any:
        default = import_module("google.cloud.storage.retry").DEFAULT_RETRY
        return default.with_timeout(self.patience)

    @contextmanager
    def _errors(self, verb: str, name: str = "") -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except Exception as error:
            place = f"{self.url}/{name}" if name else self.url
            raise StorageError(f"{place} cannot be {verb}: {reason_of(error)}") from None


def is_file_name(name: str) -> bool:
    """Returns whether an object can be a file of a folder here: none of its parts leads out."""
    return all(part not in ("", ".", "..") for part in name.split("/")) and "\0" not in name


def check_library(url: str) -> None:
    """Checks that google-cloud-storage is installed.

    Args:
        url: What needs it.

    Raises:
        StorageError: It is not.
    """
    try:
        import_module("google.cloud.storage")
    except ImportError:
        raise StorageError(
            f"{url} needs google-cloud-storage; allowed: with dp-release[gcs] installed"
        ) from None


def _content_type(name: str) -> str:
    """Returns what a browser takes an object for; it shows pages, and keeps other files."""
    return _CONTENT_TYPES.get(name.rpartition(".")[2], "application/octet-stream")


@cache
def _client(emulator: str | None, process: int) -> Any:
    """Returns the client of a process; sessions are not for use after a fork."""
    del emulator, process
    return import_module("google.cloud.storage").Client()


def _status_of(error: Exception) -> int | None:
    """Returns the status of an answer that is an error; None for other errors."""
    code = getattr(error, "code", None)
    return int(code) if isinstance(code, int) else None


def reason_of(error: Exception) -> str:
    """Returns in one line why the service did not do something; needs its library."""
    match _status_of(error):
        case 401 | 403:
            return (
                "no permission; allowed: an account that may get, list, create and delete its "
                "objects"
            )
        case 404:
            return "there is no such bucket"
        case 429 | 500 | 502 | 503 | 504:
            return f"the service is busy ({_status_of(error)}); try again"
    if isinstance(error, import_module("google.api_core.exceptions").RetryError):
        return "the service is busy or cannot be reached; try again"
    if isinstance(error, import_module("google.auth.exceptions").GoogleAuthError):
        return (
            f"no credentials that work ({type(error).__name__}); allowed: application default "
            "credentials, such as of `gcloud auth application-default login`"
        )
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
