"""What a staging remembers of the ledger: its head when the last attempt to draw began.

Published manifests remember heads too, but a publication may be carried away. With neither, a
ledger that was deleted, restored from an older copy, or named anew in the config would not have the
draw, and the release would be drawn and shown a second time for the charge that is left. What is
remembered here is on the disk before the first noisy value is drawn.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from pipelines.durable import private_folder, sync_entry
from pipelines.ledger import Head

_FILE = "ledger-head.json"


def remember_head(staging: str, head: Head) -> None:
    """Keeps a head in the staging of a series, in one step.

    Args:
        staging: Folder of the staging.
        head: Head of the ledger.

    Raises:
        OSError: It cannot be written.
    """
    file = Path(staging) / _FILE
    private_folder(file.parent)
    partial = file.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as opened:
        json.dump({"entries": head.entries, "digest": head.digest}, opened)
        opened.flush()
        os.fsync(opened.fileno())
    partial.replace(file)
    sync_entry(file)


def remembered_head(staging: str) -> Head | None:
    """Returns the head that a staging remembers; None where it never drew, or cannot be read."""
    try:
        found = json.loads((Path(staging) / _FILE).read_bytes())
        return Head(int(found["entries"]), str(found["digest"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None
