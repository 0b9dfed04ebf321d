"""Files on any file system that Beam knows."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import BinaryIO

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipelines.storage.storage import is_url
from transforms.worker_errors import NoValuesError

_PLAIN = CompressionTypes.UNCOMPRESSED


_FOLDER_VALUE = re.compile(r"(?<=/)([^/=]+)=(?!\d{4}-\d\d(?:-\d\d)?/)[^/]*(?=/)", re.ASCII)


class InputError(NoValuesError):
    """An input file is missing, unreadable, or does not have the columns that it should.

    Its text names files as `shown_path` does.
    """

    def __init__(self, text: str) -> None:
        super().__init__(shown_path(text))


def shown_path(path: str) -> str:
    """Returns the path of a file without values of rows, or a text with paths in it.

    A folder `user=ada` holds the rows of Ada, so it is shown as `user=*`. Dates and months are
    shown: whoever is to mend a file has to know which one it is.
    """
    return _FOLDER_VALUE.sub(r"\1=*", path)


def open_file(path: str) -> BinaryIO:
    """Opens a file on any file system for reading bytes, decompressed where its name says so.

    Raises:
        InputError: It cannot be opened.
    """
    try:
        return FileSystems.open(path)
    except (BeamIOError, OSError):
        raise InputError(f"{path} cannot be opened") from None


def is_local(path: str) -> bool:
    """Returns whether a path is on this machine's file system."""
    return not is_url(path)


def write_whole(path: str, content: bytes) -> None:
    """Writes a file on any file system, so that nobody sees a part of it.

    Workers may write the same file at once, as retries do: each has a name of its own until then.
    """
    if not is_local(path):  # An object is there as a whole, once it is closed.
        with FileSystems.create(path, compression_type=_PLAIN) as file:
            file.write(content)
        return
    partial = f"{path}.{uuid.uuid4().hex}.partial"
    with FileSystems.create(partial, compression_type=_PLAIN) as file:
        file.write(content)
    FileSystems.rename([partial], [path])


def files_in(folder: str) -> list[str]:
    """Returns the files in a folder on any file system; none where there is no folder."""
    if is_local(folder):
        return [str(path) for path in Path(folder).glob("*") if path.is_file()]
    (result,) = FileSystems.match([FileSystems.join(folder, "*")])
    return [found.path for found in result.metadata_list]
