"""Blocks of packed contributions in files, for a runner that would keep the shuffle in memory.

Instead of a block, its place in a file crosses the shuffle. Every bundle writes a file of its own
whose name is drawn: a bundle that runs again writes another one, and the places that its first run
named are gone with it. So what is bounded is what would have crossed the shuffle, byte for byte.

The folder has to be there for all workers, as it is on one machine. Blocks are private, like all
else before noise: only their owner can read the files, and whoever made the folder deletes it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp

SUFFIX = ".blocks"
_BUFFER_BYTES = 1 << 20


class BlockFile:
    """A new file that blocks are added to."""

    def __init__(self, folder: str) -> None:
        """Makes the file, for the eyes of its owner, in a folder that is there."""
        descriptor, path = mkstemp(SUFFIX, dir=folder)
        self._name = Path(path).name
        self._file = os.fdopen(descriptor, "wb", _BUFFER_BYTES)

    def add(self, block: bytes) -> bytes:
        """Adds a block, which can be read after `close`.

        Returns:
            Its place, for `BlockFolder.read`.

        Raises:
            OSError: The disk is full.
        """
        start = self._file.tell()
        self._file.write(block)
        return json.dumps([self._name, start, len(block)]).encode()

    def close(self) -> None:
        """Writes out what is buffered.

        Raises:
            OSError: The disk is full.
        """
        self._file.close()


@dataclass(frozen=True)
class BlockFolder:
    """A folder of files of blocks.

    Attributes:
        path: Where it is.
    """

    path: str

    def size(self, place: bytes) -> int:
        """Returns the bytes of the block at a place, without reading it."""
        size: int = json.loads(place)[2]
        return size

    def read(self, place: bytes) -> bytes:
        """Reads one block.

        Args:
            place: What `BlockFile.add` returned.

        Raises:
            OSError: The file is not there.
            ValueError: It ends within the block.
        """
        name, start, size = json.loads(place)
        with (Path(self.path) / name).open("rb", buffering=0) as file:
            file.seek(start)
            block: bytes = file.read(size)
        if len(block) < size:
            raise ValueError(f"a file of blocks has {len(block)} bytes of a block of {size}")
        return block
