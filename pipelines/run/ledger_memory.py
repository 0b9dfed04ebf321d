"""What a staging remembers of the ledger: its head when the last attempt to draw began.

Published manifests remember heads too, but a publication may be carried away. With neither, a
ledger that was deleted, restored from an older copy, or named anew in the config would not have the
draw, and the release would be drawn and shown a second time for the charge that is left. What is
remembered here is on the disk before the first noisy value is drawn.
"""

from __future__ import annotations

import json

from pipelines.ledger import Head
from pipelines.storage.storage import Storage

_FILE = "ledger-head.json"


def remember_head(staging: Storage, head: Head) -> None:
    """Keeps a head in the staging of a series, in one step.

    Args:
        staging: Storage of the series.
        head: Head of the ledger.

    Raises:
        OSError, StorageError: It cannot be written.
    """
    content = json.dumps({"entries": head.entries, "digest": head.digest})
    staging.write(_FILE, content.encode())


def remembered_head(staging: Storage) -> Head | None:
    """Returns the head that a staging remembers; None where it never drew, or cannot be read."""
    try:
        found = json.loads(staging.read(_FILE) or b"")
        return Head(int(found["entries"]), str(found["digest"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None
