"""Whether what a runner needs answers at all: Beam would wait for minutes, or for ever."""

from __future__ import annotations

import json
import socket
import urllib.request
from typing import Any

from pipelines.run.runners import RunnerChoice

SECONDS = 5.0
"""For an answer over the network."""


def listens(endpoint: str, seconds: float = SECONDS) -> bool:
    """Returns whether something listens at `HOST:PORT`."""
    host, _, port = endpoint.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=seconds):
            return True
    except (OSError, OverflowError):
        return False


def flink_overview(rest: str, seconds: float = SECONDS) -> dict[str, Any]:
    """Asks Flink's REST server for its slots, task managers and version.

    Raises:
        OSError: It does not answer.
        ValueError: It answers something else.
    """
    with urllib.request.urlopen(f"http://{rest}/overview", timeout=seconds) as answer:
        overview = json.load(answer)
    if not isinstance(overview, dict) or "slots-total" not in overview:
        raise ValueError("the answer is not Flink's")
    return overview


def hopeless(chosen: RunnerChoice) -> str | None:
    """Says why a pipeline cannot begin on a runner; None where it may."""
    endpoint, rest = chosen.endpoint, chosen.flink_rest
    if endpoint is not None and not listens(endpoint):
        return f"--job-server is {endpoint!r}, where nothing listens; allowed: a running job server"
    if rest is None:
        return None
    try:
        slots = flink_overview(rest)["slots-total"]
    except (OSError, ValueError):
        return (
            f"--master is {rest!r}, where no Flink answers; allowed: HOST:PORT of its REST server"
        )
    if slots < (chosen.parallelism or 1):
        return (
            f"--parallelism is {chosen.parallelism or 1}, and Flink has {slots} slots; allowed: at "
            "most its slots, less those of a task manager that may be lost"
        )
    return None
