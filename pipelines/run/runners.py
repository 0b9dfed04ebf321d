"""What a user says of the runner, in the options that Beam has for it.

Beam has its own names for where a cluster is, one per runner, and defaults that hang without a word
where they are wrong. What is here is checked before anything starts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

RUNNERS = ("local", "flink", "spark", "prism", "dataflow", "portable")
"""What `--runner` may be; `portable` is any engine with a job server of Beam."""

ENVIRONMENTS = ("loopback", "docker:IMAGE", "external:HOST:PORT", "process:COMMAND")
"""Where workers run: in this process, in containers, in worker pools, or as a command's."""

DEFAULT_LIMIT = "24h"
"""How long to wait for a runner that is not in this process."""

_ENDPOINT = re.compile(r"([^\s/:]+):(\d{1,5})")
_LIMIT = re.compile(r"(\d+)([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_LOCAL_MASTERS = {"flink": re.compile(r"local"), "spark": re.compile(r"local(\[(\d+|\*)\])?")}
_DEFAULT_MASTERS = {"flink": "local", "spark": "local[2]"}
_HERE = ("localhost", "127.0.0.1")


class RunnerError(Exception):
    """What was said of the runner is wrong or incomplete."""


@dataclass(frozen=True)
class RunnerChoice:
    """What a user says of the runner.

    Attributes:
        runner: One of `RUNNERS`; None for the local one, or for what Beam's own options say.
        master: Where the cluster is: `local`, or `HOST:PORT` of Flink's REST server, or
            `spark://HOST:PORT`.
        job_server: `HOST:PORT` of a running job server, or the jar of one to start; for Prism, the
            program.
        parallelism: Parts of a stage that Flink runs at once: the slots that it needs.
        environment: One of `ENVIRONMENTS`.
        time_limit: How long to wait: `90s`, `30m`, `2h`.
    """

    runner: str | None = None
    master: str | None = None
    job_server: str | None = None
    parallelism: int | None = None
    environment: str | None = None
    time_limit: str | None = None

    def beam_options(self, more: Sequence[str] = ()) -> list[str]:
        """Returns all options for Beam.

        Args:
            more: Options that the user gave for Beam itself; they come last.

        Raises:
            RunnerError: Something is wrong, or missing.
        """
        if self.runner is None:
            self._allow("a --runner", set())
            return list(more)
        if self.runner not in RUNNERS:
            raise RunnerError(f"--runner is {self.runner!r}; allowed: {', '.join(RUNNERS)}")
        if any(option.partition("=")[0] == "--runner" for option in more):
            raise RunnerError(
                f"--runner is {self.runner}, and there is another one after --; allowed: one"
            )
        return [*self._options(), *more]

    @property
    def endpoint(self) -> str | None:
        """`HOST:PORT` of a running job server; None for none."""
        given = self.job_server or ""
        return given if _ENDPOINT.fullmatch(given) else None

    @property
    def worker_pool(self) -> str | None:
        """`HOST:PORT` of the worker pools; None for none."""
        kind, _, rest = (self.environment or "").partition(":")
        return rest if kind == "external" else None

    @property
    def flink_rest(self) -> str | None:
        """`HOST:PORT` of Flink's REST server; None for none that is known."""
        if self.runner != "flink" or self.master is None:
            return None
        address = self.master.removeprefix("http://")
        return address if _ENDPOINT.fullmatch(address) else None

    def _options(self) -> Iterator[str]:
        match self.runner:
            case "local":
                self._allow("a --runner other than local", set())
                yield "--runner=FnApiRunner"
                return
            case "flink" | "spark":
                allowed = {"master", "job_server", "environment", "time_limit"}
                more = {"parallelism"} if self.runner == "flink" else set()
                self._allow("--runner flink", allowed | more)
                yield from self._cluster(self.runner)
            case "prism":
                self._allow("--runner flink or spark", {"job_server", "time_limit"})
                yield "--runner=PrismRunner"
                if self.job_server is not None:
                    yield f"--prism_location={self._file('the program prism')}"
                # Beam ends the wait for Prism after as long as for an answer of a job server.
                yield f"--job_server_timeout={self._limit()}"
            case "dataflow":
                self._allow("--runner flink or spark", {"time_limit"})
                yield "--runner=DataflowRunner"
            case "portable":
                self._allow("--runner flink", {"job_server", "environment", "time_limit"})
                if self.endpoint is None:
                    self._wrong("job_server", "HOST:PORT of a running job server")
                yield from self._running_job_server(self.endpoint)
        yield f"--time_limit_s={self._limit()}"

    def _cluster(self, runner: str) -> Iterator[str]:
        if self.endpoint is not None:
            if self.master is not None:
                raise RunnerError(
                    f"--master is {self.master!r}, and the job server {self.endpoint} has a master "
                    "already; allowed: one of --master and a running --job-server"
                )
            yield from self._running_job_server(self.endpoint)
        else:
            master = self.master or _DEFAULT_MASTERS[runner]
            is_local = _LOCAL_MASTERS[runner].fullmatch(master) is not None
            if runner == "flink":
                address = master.removeprefix("http://")
                if not is_local and not _ENDPOINT.fullmatch(address):
                    self._wrong("master", "local, or HOST:PORT of Flink's REST server")
                yield from ("--runner=FlinkRunner", f"--flink_master={_flink(master)}")
            else:
                if not is_local and not re.fullmatch(r"spark://\S+", master):
                    self._wrong("master", "local[N], or spark://HOST:PORT")
                yield from ("--runner=SparkRunner", f"--spark_master_url={master}")
            if self.job_server is not None:
                jar = self._file("HOST:PORT of a running job server, or the jar of one")
                yield f"--{runner}_job_server_jar={jar}"
            yield from self._environment("loopback" if is_local else None, can_loop=is_local)
        if self.parallelism is not None:
            if self.parallelism < 1:
                self._wrong("parallelism", "1 or more, at most the free slots")
            yield f"--parallelism={self.parallelism}"

    def _running_job_server(self, endpoint: str) -> Iterator[str]:
        yield from ("--runner=PortableRunner", f"--job_endpoint={endpoint}")
        yield from self._environment(None, can_loop=endpoint.partition(":")[0] in _HERE)

    def _environment(self, default: str | None, *, can_loop: bool) -> Iterator[str]:
        given = self.environment or default
        allowed = ENVIRONMENTS if can_loop else ENVIRONMENTS[1:]
        kind, _, rest = (given or "").partition(":")
        if kind == "loopback" and not rest and can_loop:
            yield "--environment_type=LOOPBACK"
        elif kind == "docker" and rest:
            yield from ("--environment_type=DOCKER", f"--environment_config={rest}")
        elif kind == "external" and _ENDPOINT.fullmatch(rest):
            yield from ("--environment_type=EXTERNAL", f"--environment_config={rest}")
        elif kind == "process" and rest:
            command = json.dumps({"command": rest})
            yield from ("--environment_type=PROCESS", f"--environment_config={command}")
        else:
            self._wrong("environment", ", ".join(allowed))

    def _file(self, allowed: str) -> Path:
        file = Path(self.job_server or "")
        if not file.is_file():
            self._wrong("job_server", f"{allowed}; there is no such file")
        return file.resolve()

    def _limit(self) -> int:
        found = _LIMIT.fullmatch(self.time_limit or DEFAULT_LIMIT)
        if found is None or int(found[1]) == 0:
            self._wrong("time_limit", "a time such as 90s, 30m or 2h")
        return int(found[1]) * _SECONDS[found[2]]

    def _allow(self, needed: str, allowed: set[str]) -> None:
        """Refuses options that the runner does not have."""
        for name in ("master", "job_server", "parallelism", "environment", "time_limit"):
            value = getattr(self, name)
            if value is not None and name not in allowed:
                raise RunnerError(f"{_option(name)} is {value!r}; allowed: with {needed} only")

    def _wrong(self, name: str, allowed: str) -> NoReturn:
        value = getattr(self, name)
        said = "missing" if value is None else repr(value)
        raise RunnerError(f"{_option(name)} is {said}; allowed: {allowed}")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _flink(master: str) -> str:
    return "[local]" if master == "local" else master
