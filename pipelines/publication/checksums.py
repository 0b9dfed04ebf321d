"""`SHA256SUMS`: the hashes of all files of a release, as `sha256sum -c` reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pipelines.digests import file_digest

SUMS_FILE = "SHA256SUMS"

_LINE = re.compile(r"([0-9a-f]{64})  ([^/\n\\]+)")


def sums_text(digests: Mapping[str, str]) -> str:
    """Returns the text of the file: one line for each other file of the folder, by name.

    Args:
        digests: SHA-256 by name, in hexadecimal digits.
    """
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))


def sums_of(folder: Path) -> dict[str, str]:
    """Returns the hashes of all files of a folder but `SHA256SUMS`, by name."""
    return {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in folder.rglob("*")
        if path.is_file() and path != folder / SUMS_FILE
    }


def read_sums(text: str) -> dict[str, str]:
    """Returns the hashes by name.

    Raises:
        ValueError: A line is no hash with a name, or the lines are not sorted by name.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number} is not a hash, two blanks and a name")
        found[match[2]] = match[1]
    if text != sums_text(found):
        raise ValueError("its lines are not those that were written: sorted by name, each once")
    return found
