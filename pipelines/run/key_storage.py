"""Writes long lists of public keys to files, so that the graph of a pipeline stays small."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace

from apache_beam.io.filesystems import FileSystems

from pipelines.sources.files import open_file
from transforms.key_list import KeyFile, KeyPart
from transforms.plan import TablePlan

INLINE_ROWS = 10_000
"""Rows that a list in the graph may have."""


def store_public_keys(plans: Sequence[TablePlan], folder: str) -> tuple[TablePlan, ...]:
    """Writes the long lists of public keys to a folder that all workers can read.

    Args:
        plans: The tables.
        folder: A folder here, or a URL that Beam knows.

    Returns:
        The tables, whose long lists are files. Equal lists are one file.
    """
    stored = []
    for plan in plans:
        keys = plan.public_keys
        if keys is not None:
            parts = tuple(_stored(part, folder) for part in keys.parts)
            plan = replace(plan, public_keys=replace(keys, parts=parts))
        stored.append(plan)
    return tuple(stored)


def _stored(part: KeyPart, folder: str) -> KeyPart:
    if part.height <= INLINE_ROWS or isinstance(part, KeyFile):
        return part
    buffer = io.BytesIO()
    part.frame.write_ipc(buffer, compression="lz4")
    content = buffer.getbuffer()
    digest = hashlib.sha256(content).hexdigest()
    path = FileSystems.join(folder, f"public-keys-{digest[:16]}.arrow")
    with FileSystems.create(path) as file:
        file.write(content)
    return KeyFile(path, digest, part.schema, part.height, open_file)
