"""Servers for a test: each starts in a time limit, and is gone with all its children after it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class NeverHappenedError(AssertionError):
    """Something that was waited for did not happen in time."""


@dataclass
class Server:
    """A process with all its children, in a session of its own.

    Attributes:
        name: What it is.
        process: The process.
        log: What it printed.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> None:
        """Ends it and its children, at once and without asking."""
        if self._is_there():
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)
        wait_for(f"the end of {self.name}", lambda: not self._is_there(), 30)

    def _is_there(self) -> bool:
        self.process.poll()
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True


@contextmanager
def server(
    name: str,
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Runs a server while the body runs; its log is a file in `folder`."""
    log = folder / f"{name.replace(' ', '-')}.log"
    with log.open("wb") as opened:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=opened,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            cwd=folder,
            start_new_session=True,
        )
    running = Server(name, process, log)
    try:
        yield running
    finally:
        running.stop()


def wait_for(what: str, happened: Callable[[], bool], seconds: float) -> None:
    """Waits until something happened; an error says what did not."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise NeverHappenedError(f"waited {seconds:g} s for {what}")
        time.sleep(0.05)


def wait_for_port(running: Server, port: int, seconds: float) -> None:
    """Waits until a server listens."""

    def listens() -> bool:
        if running.process.poll() is not None:
            raise NeverHappenedError(f"{running.name} ended: {tail(running)}")
        with socket.socket() as client:
            client.settimeout(1)
            return client.connect_ex(("localhost", port)) == 0

    try:
        wait_for(f"{running.name} on port {port}", listens, seconds)
    except NeverHappenedError as error:
        raise NeverHappenedError(f"{error}: {tail(running)}") from None


def tail(running: Server, lines: int = 15) -> str:
    """Returns the end of a server's log."""
    return "\n".join(running.log.read_text(errors="replace").splitlines()[-lines:])


def free_ports(number: int) -> list[int]:
    """Returns ports that nobody listened on a moment ago."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("localhost", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
