"""A small release on any input, for tests: its problems, its rows as read, its published table."""

from pathlib import Path

import polars as pl
import pytest

from pipelines.plan import plan_release
from pipelines.run.exactly_once import run_release
from pipelines.sources.check import check_input, release_input
from pipelines.sources.inputs import open_parquet
from pipelines.sources.read_rows import ReadTask, read_task, split_parquet
from pipelines.spec import ConfigError, load_release

DOCUMENTS = ("SHA256SUMS", "datapackage.json", "deployment.yaml", "plan.json")
"""Files of every publication beside its tables."""


def write_config(folder, source, *, unit="user", keys="country", metrics="users: count", more=""):
    """Writes a release; at its epsilon, noise is next to nothing.

    Args:
        folder: Where.
        source: What stands in the braces after `input:`.
        unit: Privacy unit.
        keys: Keys, comma separated.
        metrics: Metrics.
        more: Lines for the end.
    """
    tables = (
        f"\n  t:\n    keys: [{keys}]\n"
        "    bounds: {max_partitions_contributed: 4, max_contributions_per_partition: 4}\n"
        f"    metrics: {{{metrics}}}"
    )
    return write_release(folder, source, tables, unit=unit, more=more)


def write_release(
    folder, source, tables, *, unit="user", epsilon=300.0, delta=1e-6, output="", more=""
):
    """Writes a release; at the default epsilon, noise and selection are next to nothing.

    Args:
        folder: Where.
        source: What stands in the braces after `input:`.
        tables: What stands after `tables:`.
        unit: Privacy unit.
        epsilon: Budget.
        delta: Budget.
        output: More lines of `output:`.
        more: Lines for the end.
    """
    config = Path(folder) / "release.yaml"
    config.write_text(
        f"release: r\ninput: {{{source}}}\n"
        f"privacy: {{unit: {unit}, epsilon: {epsilon}, delta: {delta}}}\n"
        f"tables: {tables}\n"
        f"output:\n  folder: out\n{output}{more}"
    )
    return config


def files_of(kind, files, folders="", lines="user: string, country: string"):
    """Returns what stands after `input:` for files of a kind: JSON lines declare their members."""
    types = ", ".join(filter(None, [folders, lines if kind == "jsonl" else ""]))
    return f"files: '{files}'" + (f", types: {{{types}}}" if types else "")


def checked(config):
    """Checks the input of a config, as `run` does before it reads rows."""
    release = load_release(config)
    source = release_input(release)
    return source, *check_input(release, source)


def problems(config):
    """Returns the lines of the error, without the folder of the config in paths."""
    with pytest.raises(ConfigError) as caught:
        checked(config)
    return [line.replace(f"{config.parent}/", "") for line in str(caught.value).splitlines()]


def read_rows(config):
    """Returns all rows as the pipeline reads them, file by file."""
    source, files, schema = checked(config)
    tables = []
    for file in files:
        tasks = [ReadTask(file.path, (0, 0), (0, 0), file.size)]
        if source.format == "parquet":
            opened = open_parquet(file.path)
            tasks = split_parquet(opened, file.path, source.columns, file.size)
        for task in tasks:
            named = task._replace(folders=file.folders)
            tables += read_task(named, source, schema)
    frames = [pl.DataFrame(table) for table in tables]
    assert all(frame.schema == frames[0].schema for frame in frames)
    assert all(frame.columns == list(source.columns) for frame in frames)
    return pl.concat(frames)


def run(config):
    """Runs a release and returns its table."""
    release = load_release(config)
    (done,) = run_release(release, plan_release(release), []).published
    return done.frame
