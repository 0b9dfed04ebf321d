"""Files of a run that hold private things, kept out of what is published.

The metrics of workers, and the shuffle below `--scratch`, are about people. They may not be where
readers look, nor take the place of what is there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.shared import refuse
from pipelines.log import tell_problem
from pipelines.storage.storage import is_url

if TYPE_CHECKING:
    from pipelines.run.drawing import KeepMetrics
    from pipelines.spec import LoadedRelease
    from transforms.private_metrics import Numbers


@contextmanager
def private_metrics(
    file: Path | None, release: LoadedRelease, beam_options: Sequence[str]
) -> Iterator[KeepMetrics | None]:
    """Checks private places of a command line, and keeps metrics in a file of its own at the end.

    They are kept of the last pass over the input, also where the run fails after it.

    Args:
        file: The file, which nobody else may read; None for none.
        release: The release series.
        beam_options: All options for Beam.

    Yields:
        What is to be told of metrics; None where there is no file.

    Raises:
        OptionError: An option is wrong.
    """
    from pipelines.run.options import read_options, scratch

    beside = scratch(read_options(beam_options))
    if beside is not None:
        _refuse_inside("--scratch", beside, _published(release))
    if file is None:
        yield None
        return
    private = {release.staging_folder: "where releases are deleted"}
    if beside is not None:
        private[str(beside)] = "whose files are deleted"
    _refuse_inside("--private-metrics", file, {**_published(release), **private})
    _check_new(file)
    kept: list[Numbers] = []
    try:
        yield kept.append
    finally:
        if kept:
            _write(file, kept[-1])
    if not kept:
        tell_problem(f"nothing was read, or the runner told no metrics, so {file} was not written")


def _published(release: LoadedRelease) -> dict[str, str]:
    """Returns folders here that readers look at, with what is said of them.

    The folder above that of the series has the index of a series without periods, and often other
    series: it counts too, but where the config keeps private things in it.
    """
    series = release.output_folder
    if is_url(series):
        return {}
    folders = {series: "which is published"}
    above = Path(series).absolute().parent
    kept = [place for place in (release.staging_folder, release.ledger) if not is_url(place)]
    if not any(_is_inside(Path(place), above) for place in kept):
        folders[str(above)] = "which has publications"
    return folders


def _refuse_inside(option: str, place: Path, folders: dict[str, str]) -> None:
    for folder, what in folders.items():
        if not is_url(folder) and _is_inside(place, Path(folder)):
            refuse(f"{option} is {place}, in {folder}, {what}; allowed: outside it")


def _is_inside(place: Path, folder: Path) -> bool:
    return place.resolve().is_relative_to(folder.resolve())


def _check_new(file: Path) -> None:
    if os.path.lexists(file):
        refuse(f"--private-metrics is {file}, which is there already; allowed: a new file")
    if not os.access(file.absolute().parent, os.W_OK | os.X_OK):
        refuse(f"--private-metrics is {file}; allowed: a file that can be written")


def _write(file: Path, numbers: Numbers) -> None:
    """Makes a file for the owner alone; that it cannot be made is only said, as all is drawn."""
    text = json.dumps(numbers, indent=2, sort_keys=True) + "\n"
    try:
        created = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(created, "w", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        tell_problem(f"{file} cannot be written: {error.strerror}")
