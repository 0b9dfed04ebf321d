"""A file system of Beam in memory, for `mem://` paths: it stands for object storage in tests."""

from __future__ import annotations

import io

from apache_beam.io.filesystem import (
    BeamIOError,
    CompressedFile,
    CompressionTypes,
    FileMetadata,
    FileSystem,
)

FILES: dict[str, bytes] = {}
"""Content by path."""

READ: dict[str, int] = {}
"""Bytes that were read, by path."""


class _Counted(io.BytesIO):
    """A file that counts what is read of it."""

    mode = "rb"

    def __init__(self, path: str) -> None:
        super().__init__(FILES[path])
        self._path = path

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        READ[self._path] = READ.get(self._path, 0) + len(found)
        return found

    def readinto(self, buffer):
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def readline(self, size: int | None = -1) -> bytes:
        found = super().readline(size)
        READ[self._path] = READ.get(self._path, 0) + len(found)
        return found


class MemoryFileSystem(FileSystem):
    """Reads `FILES`; listing and matching are Beam's own."""

    @classmethod
    def scheme(cls):
        return "mem"

    def join(self, basepath, *paths):
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path):
        return tuple(path.rpartition("/")[::2])

    def has_dirs(self):
        return False

    def _list(self, dir_or_prefix):
        for path, content in FILES.items():
            if path.startswith(dir_or_prefix):
                yield FileMetadata(path, len(content), 0.0)

    def metadata(self, path):
        if path not in FILES:
            raise BeamIOError("no such file")
        return FileMetadata(path, len(FILES[path]), 0.0)

    def open(self, path, mime_type="", compression_type=CompressionTypes.AUTO):
        if path not in FILES:
            raise BeamIOError("no such file")
        file = _Counted(path)
        kind = CompressionTypes.detect_compression_type(path)
        return file if kind == CompressionTypes.UNCOMPRESSED else CompressedFile(file, kind)

    def exists(self, path):
        return path in FILES

    def size(self, path):
        return len(FILES[path])

    def last_updated(self, path):
        return 0.0

    def _unsupported(self, *arguments):
        raise NotImplementedError

    mkdirs = create = copy = rename = checksum = delete = _unsupported
