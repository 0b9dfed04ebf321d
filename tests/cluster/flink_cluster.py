"""A stand-alone Flink cluster on this machine: a job manager, and two machines for its tasks.

A machine is a task manager with a worker pool. Both pools have the same port, as they would on real
machines, but other addresses: each task manager has a hosts file that says where its `workers` are.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
import zipfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from job_server import jar_of
from processes import Server, free_ports, server, wait_for, wait_for_port

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
START_SECONDS = 120
SLOTS = 2
MEMORY = {
    "cpu.cores": "1",
    "memory.framework.heap.size": "128m",
    "memory.task.heap.size": "512m",
    "memory.managed.size": "256m",
    "memory.network.min": "64m",
    "memory.network.max": "64m",
    "memory.framework.off-heap.size": "128m",
    "memory.task.off-heap.size": "64m",
    "memory.jvm-metaspace.size": "256m",
    "memory.jvm-overhead.min": "192m",
    "memory.jvm-overhead.max": "192m",
}
"""What Flink's shell scripts would work out for a task manager."""


@dataclass
class Machine:
    """A task manager and its worker pool.

    Attributes:
        name: Its name.
        servers: Both.
    """

    name: str
    servers: list[Server]

    def kill(self):
        """Ends it at once."""
        for one in self.servers:
            one.stop()


@dataclass
class Cluster:
    """A running cluster.

    Attributes:
        rest: Host and port of the job manager's REST server.
        workers: Host and port of a task manager's worker pool, as the task manager sees it.
        machines: The machines by name.
    """

    rest: str
    workers: str
    machines: dict[str, Machine]

    def get(self, path):
        """Asks the job manager."""
        with urllib.request.urlopen(f"http://{self.rest}/{path}", timeout=10) as answer:
            return json.load(answer)


@contextmanager
def flink_cluster(folder, environment):
    """Runs a cluster.

    Args:
        folder: Where its logs go.
        environment: Variables of all workers.
    """
    rpc, rest, pool = free_ports(3)
    conf = folder / "conf"
    conf.mkdir()
    (conf / "flink-conf.yaml").write_text(
        f"jobmanager.rpc.address: localhost\njobmanager.rpc.port: {rpc}\n"
        f"rest.address: localhost\nrest.port: {rest}\n"
        f"io.tmp.dirs: {folder}\n"
        "restart-strategy: fixed-delay\n"
        "restart-strategy.fixed-delay.attempts: 5\n"
        "restart-strategy.fixed-delay.delay: 1 s\n"
        "heartbeat.interval: 1000\nheartbeat.timeout: 8000\n"
    )
    with ExitStack() as stack:

        def start(name, command, more=None):
            return stack.enter_context(server(name, command, folder, more))

        manager = start("job manager", _java("512m", _JOB_MANAGER, f"--configDir={conf}"))
        wait_for_port(manager, rest, START_SECONDS)
        machines = {}
        for number in (1, 2):
            name, address = f"machine-{number}", f"127.0.0.{number + 1}"
            hosts = folder / f"{name}.hosts"
            hosts.write_text(f"127.0.0.1 localhost\n{address} workers\n")
            workers = start(
                f"{name} workers",
                [sys.executable, str(HERE / "worker_pool.py"), address, str(pool)],
                {**_python(), **environment, "TEST_MACHINE": name},
            )
            tasks = start(
                f"{name} tasks",
                _java(
                    "640m",
                    f"-Djdk.net.hosts.file={hosts}",
                    _TASK_MANAGER,
                    f"--configDir={conf}",
                    *(f"-Dtaskmanager.{key}={value}" for key, value in MEMORY.items()),
                    f"-Dtaskmanager.resource-id={name}",
                    "-Dtaskmanager.host=localhost",
                    f"-Dtaskmanager.numberOfTaskSlots={SLOTS}",
                ),
            )
            machines[name] = Machine(name, [tasks, workers])
        cluster = Cluster(f"localhost:{rest}", f"workers:{pool}", machines)

        def is_complete():
            try:
                return cluster.get("overview")["slots-total"] == SLOTS * len(machines)
            except OSError:  # The job manager is not elected yet, or busy.
                return False

        wait_for("the slots of both task managers", is_complete, START_SECONDS)
        yield cluster


_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"


def _java(heap, *arguments):
    """A Java program with the class path of the job server, and the packages that it opens."""
    jar = jar_of("flink")
    with zipfile.ZipFile(jar) as opened:
        manifest = opened.read("META-INF/MANIFEST.MF").decode().replace("\r\n ", "")
    (opens,) = (line for line in manifest.splitlines() if line.startswith("Add-Opens: "))
    flags = [f"--add-opens={package}=ALL-UNNAMED" for package in opens.split()[1:]]
    return [
        "java",
        f"-Xmx{heap}",
        *flags,
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-cp",
        f"{jar.parent}/lib/*",
        *arguments,
    ]


def _python():
    """Variables with which `python` is this one, with the modules of this working copy."""
    path = [Path(sys.executable).parent, *os.environ["PATH"].split(os.pathsep)]
    modules = [HERE / "worker_patches", ROOT]
    return {
        "PATH": os.pathsep.join(map(str, path)),
        "PYTHONPATH": os.pathsep.join(map(str, modules)),
    }
