"""What goes wrong with storage."""

from __future__ import annotations


class StorageError(Exception):
    """A folder or bucket does not hold what it should, or cannot be used; the text says why."""


class GoneError(StorageError):
    """Files that were kept are not there any more."""


class ChangedError(StorageError):
    """Files that were kept are there with other contents."""


class BusyError(StorageError):
    """Another run is at work in storage that lets in one at a time."""
