"""Checks a cluster: its job server, Flink's slots, and that a worker pool starts workers."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from apache_beam.portability.api import (
    beam_fn_api_pb2,
    beam_fn_api_pb2_grpc,
    beam_job_api_pb2,
    beam_job_api_pb2_grpc,
    endpoints_pb2,
)

from pipelines.doctor.finding import Finding, failed, first_line, ok, skipped
from pipelines.doctor.reach import SECONDS, flink_overview, listens

WORKER_SECONDS = 30
"""For a worker to start: it imports Beam first."""

_HERE = ("localhost", "127.0.0.1")


def check_job_server(endpoint: str, seconds: float = SECONDS) -> Finding:
    """Asks a job server which options it knows, as Beam does first of all."""
    start = "java -jar deploy/flink/target/job-server.jar --flink-master=HOST:PORT starts one"
    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_job_api_pb2_grpc.JobServiceStub(channel)
        request = beam_job_api_pb2.DescribePipelineOptionsRequest()
        try:
            answer = stub.DescribePipelineOptions(request, timeout=seconds)
        except grpc.RpcError as error:
            code = error.code().name
            return failed("job server", f"{endpoint} does not answer as one ({code})", start)
    return ok("job server", f"{endpoint} answers, and knows {len(answer.options)} options")


def check_flink(rest: str, parallelism: int | None, seconds: float = SECONDS) -> Finding:
    """Checks that Flink has free slots for a job.

    Args:
        rest: `HOST:PORT` of its REST server.
        parallelism: Slots that the job needs; None for one.
        seconds: How long to wait for an answer.
    """
    try:
        overview = flink_overview(rest, seconds)
        free, slots = int(overview["slots-available"]), int(overview["slots-total"])
        managers, version = int(overview["taskmanagers"]), overview["flink-version"]
    except (OSError, ValueError, KeyError) as error:
        mend = "start Flink, or name its REST server (rest.port) in --master"
        return failed("flink", f"{rest} does not answer as Flink: {first_line(error)}", mend)
    needed = parallelism or 1
    text = f"{version} with {managers} task managers has {free} of {slots} slots free"
    if free < needed:
        mend = (
            f"start task managers, raise taskmanager.numberOfTaskSlots, wait for other jobs, or "
            f"ask for --parallelism {free}"
            if free
            else "start task managers, raise taskmanager.numberOfTaskSlots, or wait for other jobs"
        )
        return failed("flink", f"{text}, and the job needs {needed}", mend)
    per_manager = slots // max(1, managers)
    if managers > 1 and free - per_manager < needed:
        text += f"; after the loss of one task manager, a job of {needed} would wait for it"
    return ok("flink", text)


def check_worker_pool(endpoint: str, seconds: float = WORKER_SECONDS) -> Finding:
    """Has a worker pool start a worker, and waits for it to come here.

    A pool starts the `python` that it finds first on its PATH. Where that is another one than the
    one of the virtual environment, its workers die, and a job waits for them without a word.
    """
    mend = (
        "start the pool with the virtual environment's bin first on PATH: "
        "PATH=.venv/bin:$PATH .venv/bin/python -m apache_beam.runners.worker.worker_pool_main "
        "--service_port=PORT"
    )
    if not listens(endpoint):
        return failed("worker pool", f"nothing listens at {endpoint}", mend)
    if endpoint.rpartition(":")[0] not in _HERE:
        return skipped("worker pool", f"{endpoint} listens; a worker there cannot come back here")
    worker = f"doctor-{uuid.uuid4().hex[:8]}"
    came = _Came()
    here = grpc.server(ThreadPoolExecutor(2))
    beam_fn_api_pb2_grpc.add_BeamFnControlServicer_to_server(came, here)
    port = here.add_insecure_port("localhost:0")
    here.start()
    address = endpoints_pb2.ApiServiceDescriptor(url=f"localhost:{port}")
    try:
        with grpc.insecure_channel(endpoint) as channel:
            pool = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
            started = pool.StartWorker(
                beam_fn_api_pb2.StartWorkerRequest(
                    worker_id=worker,
                    control_endpoint=address,
                    logging_endpoint=address,
                    artifact_endpoint=address,
                    provision_endpoint=address,
                ),
                timeout=seconds,
            )
            if started.error:
                last = started.error.strip().splitlines()[-1]
                return failed("worker pool", f"{endpoint} cannot start a worker: {last}", mend)
            is_there = came.event.wait(seconds)
            pool.StopWorker(beam_fn_api_pb2.StopWorkerRequest(worker_id=worker), timeout=seconds)
    except grpc.RpcError as error:
        code = error.code().name
        return failed("worker pool", f"{endpoint} does not answer as one ({code})", mend)
    finally:
        came.ended.set()
        here.stop(None)
    if not is_there:
        text = f"the worker that {endpoint} started did not come in {seconds:g} s"
        return failed("worker pool", f"{text}: its python has no Beam, or another one", mend)
    return ok("worker pool", f"{endpoint} starts workers")


class _Came(beam_fn_api_pb2_grpc.BeamFnControlServicer):
    """Notes that a worker came, and has nothing for it to do."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.ended = threading.Event()

    def Control(self, requests: Any, context: Any) -> Iterator[Any]:  # noqa: ARG002, N802
        """Sends no instructions, until it is ended."""
        self.event.set()
        self.ended.wait(WORKER_SECONDS)
        yield from ()
