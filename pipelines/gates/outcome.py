"""What one gate says, and the error of a gate that stops a release."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipelines.publication.completeness import NOT_LOOKED_AT, Completeness
from pipelines.spec import ConfigError, KeyPath
from pipelines.spec.errors import Problem


@dataclass(frozen=True)
class Stop:
    """Why a release cannot go on.

    Attributes:
        gate: The key of the gate in `gates`.
        path: Place in the config.
        message: What is there, and what is allowed.
    """

    gate: str
    path: KeyPath
    message: str


@dataclass(frozen=True)
class Outcome:
    """What some gates say.

    Attributes:
        found: What they looked at, and what is missing.
        stops: What cannot be published, whatever `on_missing` says.
    """

    found: Completeness = NOT_LOOKED_AT
    stops: tuple[Stop, ...] = ()


class GateError(ConfigError):
    """A gate stops a release. Nothing was charged by it.

    Attributes:
        gates: The gates, in the order of the problems in the config.
    """

    def __init__(self, stops: Iterable[tuple[str, Problem]]) -> None:
        stopped = sorted(stops, key=lambda stop: (stop[1].line or 0, stop[1].column or 0))
        self.gates = tuple(gate for gate, _ in stopped)
        super().__init__(problem for _, problem in stopped)

    def to_json(self) -> list[dict[str, Any]]:
        """Returns which gates stop it and why, as JSON values."""
        return [
            {"gate": gate, "message": problem.message}
            for gate, problem in zip(self.gates, self.problems, strict=True)
        ]
