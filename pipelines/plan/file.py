"""Plan files: what `plan --out` writes, what `run --plan` holds a config to, what is published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipelines.config_files import key_files
from pipelines.plan.changes import Change, Difference, differences, plan_changes
from pipelines.plan.hash import plan_hash
from pipelines.plan.json_values import plan_to_dict
from pipelines.plan.release_plan import ReleasePlan
from pipelines.spec import LoadedRelease

PLAN_FILE = "plan.json"
"""Name of the plan file beside published data."""

PACKAGES = ("dp-release", "dp-accounting", "pipeline-dp", "python-dp")
"""What a plan is made with: this program, and the libraries of noise and prices."""

_SHOWN = 20
"""Differences that a refusal names."""


class PlanFileError(Exception):
    """A plan file cannot be used, or is not the plan of a config."""


@dataclass(frozen=True)
class PlanFile:
    """A plan with what it was made of.

    Attributes:
        plan: The plan as JSON values (`pipelines.plan.json_values`).
        made_of: SHA-256 of the config's bytes and of every public file it names, and versions.
    """

    plan: Mapping[str, Any]
    made_of: Mapping[str, Any]

    @property
    def plan_hash(self) -> str:
        """Identity of the plan; nothing of `made_of` is in it."""
        return plan_hash(self.plan)

    def to_dict(self) -> dict[str, Any]:
        """Returns the file as JSON values."""
        return {
            "schema_version": 1,
            "plan_hash": self.plan_hash,
            "made_of": dict(self.made_of),
            "plan": dict(self.plan),
        }

    def __str__(self) -> str:
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        return text + "\n"


def plan_file(release: LoadedRelease, plan: ReleasePlan) -> PlanFile:
    """Returns the file of a plan.

    Args:
        release: The release series.
        plan: Its plan, with public keys as they were listed.
    """
    made_of = {
        "config_sha256": sha256(release.source.content).hexdigest(),
        "files": {**key_files(release), **plan.files},
        "versions": {name: version(name) for name in PACKAGES},
    }
    return PlanFile(plan_to_dict(plan), made_of)


def read_plan_file(path: str | Path) -> PlanFile:
    """Reads a plan file.

    Raises:
        PlanFileError: It is no plan file, or its plan does not have the hash that it states.
    """
    try:
        return plan_file_of(Path(path).read_bytes(), path)
    except FileNotFoundError:
        raise PlanFileError(f"{path}: no such file") from None
    except OSError as error:
        raise PlanFileError(f"{path} cannot be read: {error.strerror}") from None


def plan_file_of(content: bytes, path: str | Path) -> PlanFile:
    """Returns the plan file that some content is.

    Args:
        content: The content.
        path: Where it was read, for messages.

    Raises:
        PlanFileError: As of `read_plan_file`.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise PlanFileError(f"{path} is not JSON; {_ALLOWED}") from None
    match found:
        case {"schema_version": 1, "plan_hash": str(), "plan": dict(), "made_of": dict()}:
            file = PlanFile(found["plan"], found["made_of"])
        case _:
            raise PlanFileError(f"{path} is no plan file; {_ALLOWED}")
    try:
        actual = file.plan_hash
    except ValueError:
        raise PlanFileError(f"{path} has a number that JSON has not; {_ALLOWED}") from None
    if actual != found["plan_hash"]:
        raise PlanFileError(
            f"{path} was edited: it states the plan_hash {found['plan_hash']}, but that of its "
            f"plan is {actual}; allowed: a file as dp-release plan --out wrote it"
        )
    return file


_ALLOWED = "allowed: a file that dp-release plan --out wrote"


def check_plan_file(path: str | Path, found: PlanFile, now: PlanFile) -> None:
    """Refuses a plan file that is not that of a config.

    Other versions of libraries are no reason as long as the plan is the same.

    Args:
        path: Where the file is, for the message.
        found: The file.
        now: The file that would be written now.

    Raises:
        PlanFileError: The config, a public file or the plan has changed; the text has a line for
            each difference, with the old and the new value.
    """
    parts = ["config_sha256", "files"]
    if found.plan_hash != now.plan_hash:
        parts.append("versions")
    changed: list[Change | Difference] = [
        one
        for part in parts
        for one in differences(found.made_of.get(part), now.made_of[part], part)
    ]
    changed += plan_changes(found.plan, now.plan)
    if changed:
        raise PlanFileError("\n".join(_refusal(path, changed)))


def _refusal(path: str | Path, changed: Sequence[Change | Difference]) -> list[str]:
    shown = [f"  {one}" for one in changed[:_SHOWN]]
    more = len(changed) - len(shown)
    return [
        f"the config or its plan has changed since {path} was written; allowed: plan again with "
        "--out, and look at what it says",
        *shown,
        *([f"  and {more} more"] if more else []),
    ]
