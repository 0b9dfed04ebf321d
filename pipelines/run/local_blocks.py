"""Keeps the first shuffle of a large local release on the disk, as the local runner has no place.

Beam's `FnApiRunner` holds all that is shuffled in memory, some three times over while it groups
it, and a shuffle is 9 to 22 bytes for each row of the input and each table. So where it runs,
blocks go to files below the shards of the attempt (`transforms.blocks`). These are deleted when the
draw is frozen, when it fails, and, after a kill, by the next run. Other runners have shuffles of
their own, and a staging that is a URL is no place for it.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines.run.options import is_local
from pipelines.run.staging import StagingError
from pipelines.spec import ConfigError, LoadedRelease
from pipelines.storage.storage import is_url
from transforms.blocks import BlockFolder

SPILL_BYTES = 64 << 20
"""Input from which blocks go to files; what less is shuffled as fits in any memory."""

INPUT_PER_BLOCKS = 3
"""Bytes of input for one in blocks, as measured at 100 million rows (`tests/bench/README.md`)."""


def block_folder(
    folder: Path | str, input_bytes: int, options: PipelineOptions
) -> BlockFolder | None:
    """Makes the folder for blocks.

    Args:
        folder: Folder of the attempt for what workers write, or its URL.
        input_bytes: About how large the input is.
        options: Beam options.

    Returns:
        The folder; None where blocks are left to the runner.
    """
    if isinstance(folder, str) or not _is_spilled(input_bytes, options):
        return None
    blocks = folder / "blocks"
    blocks.mkdir(mode=0o700)
    return BlockFolder(str(blocks))


def check_disk(release: LoadedRelease, input_bytes: int, options: PipelineOptions) -> None:
    """Checks that the disk of the staging has room for the blocks of a release.

    How many there will be is known after reading only, so this finds disks that are far too small.

    Args:
        release: The release, whose staging is there.
        input_bytes: About how large its input is.
        options: Beam options.

    Raises:
        ConfigError: It has not.
    """
    staging = release.staging_folder
    if is_url(staging) or not _is_spilled(input_bytes, options):
        return
    needed, free = input_bytes // INPUT_PER_BLOCKS, shutil.disk_usage(staging).free
    if free < needed:
        message = (
            f"{staging} has {free / 1e6:,.0f} MB of free space, and this release takes about "
            f"{needed / 1e6:,.0f} MB of it while it runs; allowed: more space, or a folder on "
            "another disk"
        )
        raise ConfigError([release.source.problem(("output", "staging"), message)])


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
    is_left = options.view_as(StandardOptions).no_wait_until_finish
    return is_local(options) and not is_left and input_bytes >= SPILL_BYTES
