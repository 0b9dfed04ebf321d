"""The public files that a config names: what is in them decides what is released."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from pipelines.spec import LoadedRelease
from pipelines.spec.publish_spec import PercentChangeSpec
from pipelines.storage.storage import is_url


def looked_up_files(release: LoadedRelease) -> dict[str, str]:
    """Returns the SHA-256 of the files of lookups and baselines, by their paths in the config.

    Args:
        release: A release whose files were read.
    """
    return _digests(release, _looked_up(release))


def key_files(release: LoadedRelease) -> dict[str, str]:
    """Returns the SHA-256 of the files of public keys, by their paths in the config.

    Args:
        release: A release whose files were read.
    """
    return _digests(release, _listed(release))


def _digests(release: LoadedRelease, paths: Iterator[str]) -> dict[str, str]:
    digests = {}
    for path in dict.fromkeys(paths):
        with _open(release.resolve(path)) as file:
            digest = sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        digests[path] = digest.hexdigest()
    return digests


def _open(path: str) -> BinaryIO:
    if not is_url(path):
        return Path(path).open("rb")
    # Beam's file systems take a second to load.
    from pipelines.sources.files import open_file

    return open_file(path)


def _looked_up(release: LoadedRelease) -> Iterator[str]:
    if release.spec.preparation is not None:
        yield from (wanted.file for _, wanted in release.spec.preparation.lookups)
    for table in release.spec.tables.values():
        for metric in table.derived_metrics().values():
            if isinstance(metric, PercentChangeSpec):
                yield metric.against


def _listed(release: LoadedRelease) -> Iterator[str]:
    for placed in release.spec.placed_tables():
        public = placed.spec.public
        if isinstance(public, str):
            yield public
        elif isinstance(public, dict):
            yield from (listed for listed in public.values() if isinstance(listed, str))
