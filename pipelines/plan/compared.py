"""The plan file that a new plan is compared with: one that is named, or that of the last release.

In a bucket a plan file is an object, or is behind the pointer of a release.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipelines.plan.file import PLAN_FILE, PlanFile, PlanFileError, plan_file_of, read_plan_file
from pipelines.publication.gcs_series import read_pointer_of
from pipelines.publication.pointer import POINTER_FILE
from pipelines.spec import LoadedRelease
from pipelines.storage.errors import StorageError
from pipelines.storage.gcs import PATIENCE, GcsFolder
from pipelines.storage.storage import Where, is_url

SHORT_PATIENCE = 5.0
"""Seconds for which a bucket is asked for what a plan can do without."""


def read_compared(place: Where, patience: float = PATIENCE) -> PlanFile:
    """Reads the plan file at a place.

    Args:
        place: A file here, `gs://bucket/object`, or a prefix that a release is published to.
        patience: Seconds for which a bucket is asked.

    Raises:
        PlanFileError: It is none, or cannot be read.
    """
    if not is_url(str(place)):
        return read_plan_file(place)
    try:
        source = replace(GcsFolder.of(str(place)), patience=patience)
        pointer = read_pointer_of(source)
        folder, name = source.parent, source.name
        if pointer is not None:
            folder, name = source.child(pointer.digest), PLAN_FILE
        content = folder.read(name)
    except StorageError as error:
        raise PlanFileError(str(error)) from None
    if content is None:
        raise PlanFileError(
            f"{folder.url}/{name}: no such object; allowed: a plan file, or a prefix with "
            f"{POINTER_FILE}, as dp-release run publishes it"
        )
    return plan_file_of(content, f"{folder.url}/{name}")


def last_plan(release: LoadedRelease) -> Where | None:
    """Returns what the plan of the last release of a series is read from; None without any.

    Raises:
        PlanFileError: The bucket cannot be read.
    """
    folder = release.output_folder
    if not is_url(folder):
        glob = PLAN_FILE if release.spec.period is None else f"[0-9]*/{PLAN_FILE}"
        return max(Path(folder).glob(glob), default=None)
    try:
        source = replace(GcsFolder.of(folder), patience=SHORT_PATIENCE)
        places = [source]
        if release.spec.period is not None:
            names = (name for name in source.folders() if name[0].isdecimal())
            places = [source.child(name) for name in sorted(names, reverse=True)]
        return next((place.url for place in places if place.read(POINTER_FILE) is not None), None)
    except StorageError as error:
        raise PlanFileError(str(error)) from None
