"""Looks whether the members that a release reads are in its JSON lines, before it runs.

JSON lines have no header: a member that no line has reads as null in every row, and a misspelt name
makes an empty release. So the first lines of some files are looked at, for structure only:

| sample | rule |
|---|---|
| a member that the release reads is in no line | refused, unless it is listed in `input.optional` |
| no line is a JSON object | refused |
| anything else, whatever lines and values hold | fine |

Names of members may be data themselves, where objects are maps from ids: an error names only those
that more than half of the sampled objects have.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from pipelines.files import InputError, open_file

SAMPLE_FILES = 8
"""Files that are looked into, spread evenly."""

SAMPLE_LINES = 1000
"""Lines of one file."""

_SAMPLE_BYTES = 1 << 20
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class Members:
    """What a sample of lines has.

    Attributes:
        lines: Lines looked at.
        objects: Those that are JSON objects.
        counts: Objects that have a member, by its name. Private.
    """

    lines: int
    objects: int
    counts: Counter[str]

    @property
    def common(self) -> list[str]:
        """Members of more than half of the objects, which may be named."""
        return [name for name, count in self.counts.items() if 2 * count > self.objects]


def sample_members(paths: Sequence[str]) -> Members:
    """Returns the members in the first lines of some of the files.

    Args:
        paths: Paths or URLs, in order.

    Raises:
        InputError: A file cannot be read.
    """
    files = min(len(paths), SAMPLE_FILES)
    sampled = [paths[number * len(paths) // files] for number in range(files)]
    lines = [line for path in sampled for line in _first_lines(path)]
    objects = [members for members in map(_members, lines) if members is not None]
    counts = Counter(name for members in objects for name in members)
    return Members(len(lines), len(objects), counts)


def _first_lines(path: str) -> Iterator[str]:
    """Yields whole lines; a last one that is cut off is left out."""
    try:
        with closing(open_file(path)) as file:
            start = file.read(_SAMPLE_BYTES)
            whole = start if not file.read(1) else start.rpartition(b"\n")[0]
    except (EOFError, OSError, zlib.error):
        raise InputError(f"{path} cannot be read") from None
    text = whole.decode(errors="replace").removeprefix(_BYTE_ORDER_MARK)
    lines = (line for line in text.split("\n") if line.strip())
    yield from islice(lines, SAMPLE_LINES)


def _members(line: str) -> list[str] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return list(value) if isinstance(value, dict) else None
