"""The doctor looks at job servers, Flink and worker pools, and waits for none of them for long."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc
import pytest
from apache_beam.portability.api import (
    beam_fn_api_pb2_grpc,
    beam_job_api_pb2,
    beam_job_api_pb2_grpc,
)
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

from pipelines.doctor import cluster
from pipelines.doctor.reach import hopeless
from pipelines.run.runners import RunnerChoice

OVERVIEW = {
    "taskmanagers": 2,
    "slots-total": 4,
    "slots-available": 3,
    "flink-version": "1.19.0",
}


@contextmanager
def flink(answer):
    """A REST server that always answers this."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("localhost", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def grpc_server(add):
    server = grpc.server(ThreadPoolExecutor(2))
    add(server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None).wait()


@contextmanager
def silent():
    """Something that listens and never answers."""
    with socket.socket() as listening:
        listening.bind(("localhost", 0))
        listening.listen()
        yield f"localhost:{listening.getsockname()[1]}"


def test_free_slots_are_counted():
    with flink(json.dumps(OVERVIEW)) as rest:
        assert cluster.check_flink(rest, 1).state == "ok"
        found = cluster.check_flink(rest, 3)
        assert found.state == "ok"
        assert found.text == (
            "1.19.0 with 2 task managers has 3 of 4 slots free; after the loss of one task "
            "manager, a job of 3 would wait for it"
        )
        found = cluster.check_flink(rest, 4)
        assert found.state == "failed"
        assert found.text.endswith("3 of 4 slots free, and the job needs 4")
        assert "ask for --parallelism 3" in found.mend


def test_flink_without_task_managers_has_no_slots():
    empty = {**OVERVIEW, "taskmanagers": 0, "slots-total": 0, "slots-available": 0}
    with flink(json.dumps(empty)) as rest:
        found = cluster.check_flink(rest, None)
        assert found.state == "failed"
        assert "start task managers" in found.mend
        choice = RunnerChoice("flink", rest, None, None, "docker:i")
        assert hopeless(choice).startswith("--parallelism is 1, and Flink has 0 slots; allowed:")


@pytest.mark.parametrize("answer", ["", "<html>", "[]", "{}", '{"slots-total": 4}'])
def test_a_server_that_is_not_flink_is_named(answer):
    with flink(answer) as rest:
        found = cluster.check_flink(rest, 1)
    assert found.state == "failed"
    assert "does not answer as Flink" in found.text


def test_a_flink_that_says_nothing_is_left_alone():
    with silent() as rest:
        assert cluster.check_flink(rest, 1, seconds=0.2).state == "failed"


def test_a_job_server_is_asked_for_its_options():
    class Server(beam_job_api_pb2_grpc.JobServiceServicer):
        def DescribePipelineOptions(self, request, context):  # noqa: N802
            option = beam_job_api_pb2.PipelineOptionDescriptor(name="parallelism")
            return beam_job_api_pb2.DescribePipelineOptionsResponse(options=[option])

    def add(server):
        beam_job_api_pb2_grpc.add_JobServiceServicer_to_server(Server(), server)

    with grpc_server(add) as endpoint:
        found = cluster.check_job_server(endpoint)
    assert (found.state, found.text) == ("ok", f"{endpoint} answers, and knows 1 options")


def test_what_is_no_job_server_is_named():
    with grpc_server(lambda server: None) as endpoint:
        assert "UNIMPLEMENTED" in cluster.check_job_server(endpoint).text
    assert "UNAVAILABLE" in cluster.check_job_server(endpoint).text
    with silent() as endpoint:
        assert cluster.check_job_server(endpoint, seconds=0.3).state == "failed"


@contextmanager
def pool():
    servicer = BeamFnExternalWorkerPoolServicer(use_process=True)

    def add(server):
        beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(servicer, server)

    with grpc_server(add) as endpoint:
        yield endpoint
    assert not servicer._worker_processes


@pytest.mark.slow
def test_a_pool_with_this_python_starts_workers(monkeypatch):
    here = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{here}{os.pathsep}{os.environ['PATH']}")
    if Path(shutil.which("python") or "").parent != here:
        pytest.skip("there is no program python beside this interpreter")
    with pool() as endpoint:
        found = cluster.check_worker_pool(endpoint)
    assert (found.state, found.text) == ("ok", f"{endpoint} starts workers")


def test_a_pool_whose_python_has_no_beam_is_named(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pool() as endpoint:
        found = cluster.check_worker_pool(endpoint, seconds=1)
    assert found.state == "failed"
    assert found.text.endswith("did not come in 1 s: its python has no Beam, or another one")
    assert "PATH=.venv/bin:$PATH" in found.mend


def test_a_pool_without_python_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pool() as endpoint:
        found = cluster.check_worker_pool(endpoint, seconds=5)
    assert found.state == "failed"
    assert "cannot start a worker: FileNotFoundError" in found.text


def test_what_is_no_pool_is_named():
    with grpc_server(lambda server: None) as endpoint:
        assert "UNIMPLEMENTED" in cluster.check_worker_pool(endpoint, seconds=2).text
    assert cluster.check_worker_pool(endpoint).text == f"nothing listens at {endpoint}"
