"""Sees to it that what the workers staged is where the launcher reads it.

A worker that does not share the staging folder writes to a disk of its own, and nothing fails. A
table whose partitions are selected privately would then come out empty, for its full price. So the
pipeline ends with a list of the files that were staged, and the launcher looks for the list and for
each file on it.

A job that nobody waits for is done when the list is there: it is written after all else, so that
nobody takes a part of what is drawn for the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.pvalue import PCollection

from pipelines.run.staging import StagingError
from pipelines.sources.files import files_in, write_whole
from pipelines.storage.storage import Where
from transforms.worker_errors import without_texts

_LIST = "staged-files-"


@dataclass
class ListStaged(beam.PTransform[tuple[PCollection[str], ...], PCollection[str]]):
    """Writes a file with the names of all staged files.

    Attributes:
        folder: The staging folder.
    """

    folder: str

    def expand(self, paths: tuple[PCollection[str], ...]) -> PCollection[str]:
        """Wires the list, which is written even if there is nothing to list."""
        nothing = paths[0].pipeline | "Start list" >> beam.Create([""])
        written: PCollection[str] = (
            (*paths, nothing)
            | "Add no file" >> beam.Flatten()
            | "Name files" >> beam.Map(_named).with_output_types(tuple[int, bytes])
            | "Group files" >> beam.GroupByKey()
            | "Write list" >> beam.ParDo(_WriteList(self.folder))
        )
        return written


@without_texts
class _WriteList(beam.DoFn):
    """Writes the list of files."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, listed: tuple[int, Iterable[bytes]]) -> Iterator[str]:
        """Writes one file and yields its path."""
        content = b"\n".join(sorted(name for name in set(listed[1]) if name))
        digest = hashlib.sha256(content).hexdigest()[:16]
        path = FileSystems.join(self._folder, f"{_LIST}{digest}")
        write_whole(path, content)
        yield path


def is_listed(folder: Where) -> bool:
    """Returns whether a folder has the list, so that all workers are done."""
    return any(map(is_list, files_in(str(folder))))


def check_staged(here: Path, folder: Where) -> None:
    """Checks that all that the workers staged is in a folder.

    Args:
        here: A folder on this machine with what the launcher sees of it.
        folder: The staging folder, for the message.

    Raises:
        StagingError: A file, or the list of files, is not there.
    """
    there = {path.name: path for path in here.iterdir()}
    lists = [path for name, path in there.items() if is_list(name)]
    listed = {name for path in lists for name in path.read_text(encoding="utf-8").split()}
    if not lists or listed - there.keys():
        raise StagingError(
            f"workers staged files that are not in {folder} on this machine, so the draw is lost; "
            "allowed: staging that all workers and this machine share. Move it there, name it in "
            "output.staging, and run again"
        )


def is_list(path: str) -> bool:
    """Returns whether a file is a list of staged files."""
    return _name(path).startswith(_LIST) and not path.endswith(".partial")


def _named(path: str) -> tuple[int, bytes]:
    return 0, _name(path).encode()


def _name(path: str) -> str:
    return PurePosixPath(path).name
