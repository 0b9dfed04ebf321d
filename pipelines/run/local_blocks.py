"""Keeps the first shuffle of a large local release on the disk, as the local runner has no place.

Beam's `FnApiRunner` holds all that is shuffled in memory, some three times over while it groups
it, and a shuffle is 9 to 22 bytes for each row of the input and each table. So where it runs,
blocks go to files below the shards of the attempt (`transforms.blocks`). These are deleted when the
pipeline ends, and, after a kill, by the next run. A staging that is a URL is no place for them;
then they go below the folder of `--scratch`, and the next run there deletes what a kill has left.
Other runners have shuffles of their own.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.publication.place import building_folder
from pipelines.run.options import is_local, scratch
from pipelines.run.staging import StagingError
from pipelines.spec import LoadedRelease
from pipelines.storage.storage import is_url
from transforms.blocks import BlockFolder

SPILL_BYTES = 64 << 20
"""Input from which blocks go to files; what less is shuffled as fits in any memory."""

INPUT_PER_BLOCKS = 3
"""Bytes of input for one in blocks, as measured at 100 million rows (`tests/bench/README.md`)."""


@contextmanager
def block_folder(
    folder: Path | str, input_bytes: int, options: PipelineOptions
) -> Iterator[BlockFolder | None]:
    """Makes the folder for blocks.

    Args:
        folder: Folder of the attempt for what workers write, or its URL.
        input_bytes: About how large the input is.
        options: Beam options.

    Yields:
        The folder; None where blocks are left to the runner.
    """
    beside = scratch(options)
    if not _is_spilled(input_bytes, options):
        yield None
    elif isinstance(folder, Path):
        blocks = folder / "blocks"
        blocks.mkdir(mode=0o700)
        try:
            yield BlockFolder(str(blocks))
        finally:
            shutil.rmtree(blocks, ignore_errors=True)
    elif beside is None:
        yield None
    else:
        with building_folder(beside / "dp-release-blocks") as building:
            yield BlockFolder(str(building))


def check_disk(release: LoadedRelease, input_bytes: int, options: PipelineOptions) -> None:
    """Checks that the disk of the staging has room for the blocks of a release.

    How many there will be is known after reading only, so this finds disks that are far too small.

    Args:
        release: The release, whose staging is there.
        input_bytes: About how large its input is.
        options: Beam options.

    Raises:
        ConfigError: It has not, or there is no such folder.
    """
    if not _is_spilled(input_bytes, options):
        return
    place = scratch(options) if is_url(release.staging_folder) else Path(release.staging_folder)
    if place is None:
        return
    if not place.is_dir():
        message = f"--scratch is {str(place)!r}; allowed: a folder of this machine"
        raise release.refusal(("output", "staging"), message)
    needed, free = input_bytes // INPUT_PER_BLOCKS, shutil.disk_usage(place).free
    if free < needed:
        message = (
            f"{place} has {free / 1e6:,.0f} MB of free space, and this release may take more while "
            "it runs: a third of its input; allowed: more space, or a folder on another disk"
        )
        raise release.refusal(("output", "staging"), message)


@contextmanager
def full_disk_told(folder: Path | str) -> Iterator[None]:
    """Tells a disk that became full while the body ran from other failures of the runner.

    Raises:
        StagingError: It became full.
    """
    try:
        yield
    except Exception as error:
        # Beam raises errors anew, and keeps no more than their text.
        if os.strerror(errno.ENOSPC) not in str(error):
            raise
        raise StagingError(
            f"the disk of {folder} became full, and what was written there is deleted again; "
            "allowed: to run again when there is more space, for the same charge"
        ) from None


def _is_spilled(input_bytes: int, options: PipelineOptions) -> bool:
    return is_local(options) and input_bytes >= SPILL_BYTES
