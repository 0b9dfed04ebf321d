"""Beam's Java job servers, from the jars that `make test-flink` builds."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import free_ports, server, wait_for_port

START_SECONDS = 120
FLAGS = ["-Xmx1g", "-Dorg.slf4j.simpleLogger.showDateTime=true"]


def jar_of(engine):
    """The jar of a job server; the test is skipped where nobody built it."""
    variable = f"DP_RELEASE_{engine.upper()}_JAR"
    jar = os.environ.get(variable)
    if not jar:
        pytest.skip(f"{variable} is not set: make test-{engine} builds the job server and sets it")
    return Path(jar).resolve()


@contextmanager
def job_server(engine, folder, master):
    """Runs a job server on free ports, and yields its endpoint."""
    job, artifact, expansion = free_ports(3)
    master_option = "--flink-master" if engine == "flink" else "--spark-master-url"
    command = [
        *("java", *FLAGS, "-jar", str(jar_of(engine))),
        *(f"{master_option}={master}", "--job-host=localhost", f"--job-port={job}"),
        *(f"--artifact-port={artifact}", f"--expansion-port={expansion}"),
        f"--artifacts-dir={folder}/artifacts",
    ]
    with server(f"{engine} job server", command, folder) as running:
        wait_for_port(running, job, START_SECONDS)
        yield f"localhost:{job}"
