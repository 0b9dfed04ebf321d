"""Which code this is, so that workers with another one do not draw.

A worker has its own installation. Where that is older or newer than what planned and charged the
release, noise and bounds may not be those that were charged for. A version number would not tell:
it stays while somebody builds an image from a changed working copy.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from transforms.worker_errors import NoValuesError


class OtherCodeError(NoValuesError):
    """A worker has other code than the launcher."""


@cache
def code_version() -> str:
    """Returns a digest of the source of this package, 16 hexadecimal digits."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def check_code_version(expected: str) -> None:
    """Holds this installation against that of the launcher.

    Args:
        expected: `code_version` there.

    Raises:
        OtherCodeError: It is another one.
    """
    if code_version() != expected:
        raise OtherCodeError(
            f"the code of transforms is {code_version()} on this worker; allowed: {expected}, as "
            "where it was launched: give workers the same image or environment"
        )
