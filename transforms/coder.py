"""A coder for Arrow tables that flow between fused steps.

Beam estimates the size of sampled elements with their coder, and would pickle whole tables for it.
Nothing in this package sends a table across a shuffle (`transforms.wire`).
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from apache_beam import coders


class ArrowTableCoder(coders.Coder):
    """Encodes a `pyarrow.Table` as an Arrow IPC stream."""

    def encode(self, value: pa.Table) -> bytes:
        """Writes the rows of the table, and of a slice only its rows."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema) as writer:
            writer.write_table(value)
        encoded: bytes = sink.getvalue().to_pybytes()
        return encoded

    def decode(self, encoded: bytes) -> pa.Table:
        """Reads what `encode` wrote."""
        return pa.ipc.open_stream(encoded).read_all()

    def estimate_size(self, value: pa.Table) -> int:
        """Returns the bytes of the table's buffers without encoding it."""
        return int(value.nbytes)

    def is_deterministic(self) -> bool:
        """Returns False: equal tables may be split into record batches differently."""
        return False

    def to_type_hint(self) -> Any:
        """Returns the type that the coder is for."""
        return pa.Table
