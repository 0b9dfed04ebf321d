"""`current.json`: which of the releases below a prefix of a bucket is the one that readers see.

    <folder>/<period>/
        current.json             the pointer
        <digest>/                the files of one release, which do not change any more
    <folder>/releases.json       the index of the series
    <folder>/index.html          the same as a page, which leads to the files of each release

Whoever reads the pointer once, and then the files that it names, has one whole release, whatever is
published meanwhile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.storage.errors import StorageError
from pipelines.storage.gcs import is_file_name

POINTER_FILE = "current.json"
KIND = "dp-release pointer"
DIGEST = re.compile(r"[0-9a-f]{64}")


class PointerError(StorageError):
    """An object is no pointer as dp-release writes it."""


@dataclass(frozen=True)
class Pointer:
    """What a pointer says.

    Attributes:
        series: The release series.
        period: Period of the release.
        version: Its version.
        digest: SHA-256 of its `SHA256SUMS`, and the folder that its files are in.
        files: Their names.
    """

    series: str
    period: str
    version: int
    digest: str
    files: tuple[str, ...]

    def text(self) -> str:
        """Returns the text of the file."""
        return (
            json.dumps(
                {
                    "kind": KIND,
                    "schema_version": 1,
                    "series": self.series,
                    "period": self.period,
                    "version": self.version,
                    "sha256sums_sha256": self.digest,
                    "folder": f"{self.digest}/",
                    "files": list(self.files),
                },
                indent=2,
                ensure_ascii=False,
            )
            + "\n"
        )


def read_pointer(content: bytes, place: str) -> Pointer:
    """Returns what a pointer says.

    Args:
        content: Its bytes.
        place: Where it is, for the message.

    Raises:
        PointerError: It is no pointer, or not as dp-release writes it.
    """
    try:
        values = json.loads(content)
        files: Sequence[str] = values["files"]
        pointer = Pointer(
            str(values["series"]),
            str(values["period"]),
            int(values["version"]),
            str(values["sha256sums_sha256"]),
            tuple(map(str, files)),
        )
        text = pointer.text().encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PointerError(f"{place} is no pointer to a release") from None
    is_ours = DIGEST.fullmatch(pointer.digest) and all(map(is_file_name, pointer.files))
    if text != content or not is_ours:
        raise PointerError(f"{place} is not as dp-release writes it")
    return pointer
