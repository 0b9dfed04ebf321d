"""Whether what gates found stops a release, or is published with a status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.gates.outcome import GateError, Outcome, Stop
from pipelines.publication.completeness import Completeness, Missing
from pipelines.spec import KeyPath, LoadedRelease

_GATES: Mapping[str, str] = {
    "period": "unfinished",
    "days": "days",
    "periods": "since",
    "partitions": "partitions",
    "number": "partitions",
}
"""The gate of each kind of gap: its key in `gates`."""


@dataclass(frozen=True)
class Verdict:
    """What decides on gaps.

    Attributes:
        release: The release series.
        incomplete: Whether what is missing is published with a status, whatever the config says.
    """

    release: LoadedRelease
    incomplete: bool = False

    def passed(self, outcome: Outcome) -> Completeness:
        """Returns what gates found.

        Raises:
            GateError: It stops the release.
        """
        source = self.release.source
        stops = [*outcome.stops, *self._stopping(outcome.found)]
        if stops:
            raise GateError(
                (stop.gate, source.problem(stop.path, f"stopped: {stop.message}")) for stop in stops
            )
        return outcome.found

    def _stopping(self, found: Completeness) -> Iterator[Stop]:
        for missing in found.missing:
            gate = _GATES[missing.kind]
            key = "unfinished" if missing.kind == "period" else "on_missing"
            if self.incomplete or getattr(self.release.spec.gates, key) == "publish":
                continue
            path: KeyPath = ("gates", gate, missing.table) if missing.table else ("gates", gate)
            yield Stop(gate, path, f"{missing}; {_allowed(missing, key)}")


def _allowed(missing: Missing, key: str) -> str:
    publish = f"gates.{key}: publish or --incomplete, which publish it with this status"
    match missing.kind:
        case "period":
            return f"allowed: to run once it is over, or {publish}"
        case "days":
            return f"allowed: to run once they are there, or {publish}"
        case "periods":
            return f"allowed: to run these first, or {publish}"
        case "partitions" | "number":
            return f"allowed: {publish}, or dp-release abandon, which spends its charge"
