"""Identity of a list of public partitions, whatever file it came from."""

from __future__ import annotations

import hashlib

from transforms.key_list import SLICE, KeyList


def key_list_digest(keys: KeyList) -> str:
    """Returns the SHA-256 of the values of a list, in hexadecimal digits.

    Each part is written as CSV, with its column names. Values are known by their text, as keys are
    everywhere: 7 is the same in a csv file and in a parquet file of integers. The order of the rows
    counts.

    Args:
        keys: The list.
    """
    digest = hashlib.sha256()
    for part in keys.parts:
        for start in range(0, part.height, SLICE):
            rows = part.frame[start : start + SLICE]
            digest.update(rows.write_csv(include_header=start == 0).encode())
        digest.update(b"\0")
    return digest.hexdigest()
