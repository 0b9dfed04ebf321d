"""Which code this is, so that workers with another one do not draw.

A worker has its own installation. Where that is older or newer than what planned and charged the
release, noise and bounds may not be those that were charged for. A version number would not tell:
it stays while somebody builds an image from a changed working copy. So all source files count, and
the versions of the libraries that compute: line ends do not, nor files that editors hide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from transforms.worker_errors import NoValuesError

LIBRARIES = ("numpy", "polars", "polars-hash", "pyarrow", "python-dp")
"""What hashes, bounds and adds up rows, and draws noise."""


class OtherCodeError(NoValuesError):
    """A worker has other code than the launcher, or code that cannot be told."""


@cache
def code_version(packages: tuple[str, ...] = ("transforms",)) -> str:
    """Returns a digest of the source of packages and of the libraries' versions.

    Args:
        packages: Names of packages.

    Returns:
        16 hexadecimal digits.

    Raises:
        OtherCodeError: A package has no source files: it is an archive, or compiled only.
    """
    digest = hashlib.sha256()
    for package in packages:
        files = dict(_source(package))
        if not files:
            raise OtherCodeError(
                f"the package {package} has no source files here; allowed: an installation with "
                "them, which workers are held to"
            )
        for name, content in sorted(files.items()):
            digest.update(f"{package}/{name} {len(content)}\n".encode())
            digest.update(content)
    for library in LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    return digest.hexdigest()[:16]


def check_code_version(expected: str, packages: tuple[str, ...] = ("transforms",)) -> None:
    """Holds this installation against that of the launcher.

    Args:
        expected: `code_version` there.
        packages: Names of packages.

    Raises:
        OtherCodeError: It is another one.
    """
    here = code_version(packages)
    if here != expected:
        raise OtherCodeError(
            f"the code of {' and '.join(packages)} is {here} on this worker; allowed: {expected}, "
            "as where it was launched: give workers the same image or environment"
        )


def _source(package: str) -> Iterator[tuple[str, bytes]]:
    """Yields the names and contents of the source files of a package."""
    spec = find_spec(package)
    for place in () if spec is None else spec.submodule_search_locations or ():
        folder = Path(place)
        for path in folder.rglob("*.py"):
            if path.is_file() and not path.name.startswith("."):
                content = path.read_bytes().replace(b"\r\n", b"\n")
                yield path.relative_to(folder).as_posix(), content
