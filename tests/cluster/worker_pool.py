"""Beam's worker pool on one address of this machine, as if the address were a machine.

    python worker_pool.py HOST PORT

Beam's own pool listens on all addresses, so that no two of them can have the same port.
"""

from __future__ import annotations

import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer


def main(host, port):
    pool = grpc.server(ThreadPoolExecutor(4))
    if not pool.add_insecure_port(f"{host}:{port}"):
        sys.exit(f"{host}:{port} is taken")
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(
        BeamFnExternalWorkerPoolServicer(use_process=True), pool
    )
    pool.start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
