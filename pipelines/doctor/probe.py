"""Runs a job of no data on a runner, whose workers say what they are into the staging folder.

That a job ends at all shows that workers start; that their words arrive, that they share the folder
with this machine.
"""

from __future__ import annotations

import json
import platform
import shutil
import socket
import uuid
from collections.abc import Iterator
from importlib.metadata import version

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.doctor.finding import Finding, failed, first_line, ok
from pipelines.run.waiting import TimeLimitError, run_pipeline
from pipelines.same_code import OnSameCode
from pipelines.sources.files import files_in
from pipelines.storage.storage import is_url
from transforms.code_version import code_version

SECONDS = 120
"""For the whole job."""

DATAFLOW_SECONDS = 900
"""The same on Dataflow, which starts machines first."""

_WORKERS = 8


def versions() -> dict[str, str]:
    """Returns what workers and launcher have to agree on."""
    names = ("apache-beam", "polars", "pyarrow")
    python = ".".join(platform.python_version_tuple()[:2])
    installed = {name: version(name) for name in names}
    return {"python": python, **installed, "code": code_version(OnSameCode.packages)}


def check_job(options: PipelineOptions, staging: str, seconds: int = SECONDS) -> Finding:
    """Runs the job.

    Args:
        options: Beam options with a runner.
        staging: The staging folder of a release.
        seconds: How long to wait for the end of the job.
    """
    folder = FileSystems.join(staging, f"doctor-{uuid.uuid4().hex[:8]}")
    try:
        FileSystems.mkdirs(folder)
        return _found(options, folder, seconds)
    except TimeLimitError:
        text = f"a job of no data was not done in {seconds} s, and was cancelled"
        mend = "see the slots, and the logs of the workers: they do not start, or cannot come back"
        return failed("job", text, mend)
    except Exception as error:
        return failed("job", first_line(error), "see the logs of the runner and of its workers")
    finally:
        if is_url(folder):
            FileSystems.delete([folder])
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _found(options: PipelineOptions, folder: str, seconds: int) -> Finding:
    pipeline = beam.Pipeline(options=options)
    _ = (
        pipeline
        | "Start" >> beam.Create(range(_WORKERS))
        | "Spread" >> beam.Reshuffle()
        | "Look around" >> beam.ParDo(_LookAround(folder))
    )
    run_pipeline(pipeline, seconds)
    told = []
    for path in files_in(folder):
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            told.append(json.loads(file.read()))
    if len(told) < _WORKERS:
        missing = _WORKERS - len(told)
        text = f"{missing} of {_WORKERS} files that workers wrote to {folder} are not here"
        return failed("job", text, "set output.staging to a folder that all workers share")
    here = versions()
    differences = {
        f"{name} is {there['versions'].get(name)} at {there['host']}, {here[name]} here"
        for there in told
        for name in here
        if there["versions"].get(name) != here[name]
    }
    if differences:
        mend = "give workers the same environment, or the same image"
        return failed("job", "; ".join(sorted(differences)), mend)
    hosts = sorted({there["host"] for there in told})
    return ok("job", f"workers at {', '.join(hosts)} are like this one, and share the staging")


class _LookAround(beam.DoFn):
    """Writes what a worker is to a file."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, number: int) -> Iterator[str]:
        """Writes one file and yields its path."""
        path = FileSystems.join(self._folder, f"{number}.json")
        told = {"host": socket.gethostname(), "versions": versions()}
        with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            file.write(json.dumps(told).encode())
        yield path
