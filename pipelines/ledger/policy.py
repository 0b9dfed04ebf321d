"""The policy: caps and allowances of each dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from pipelines.ledger.charges import Request
from pipelines.ledger.composition import RhoBudget
from pipelines.ledger.entries import canonical_json
from pipelines.ledger.policy_spec import CapSpec, DatasetSpec, PolicySpec
from pipelines.ledger.states import NO_POLICY
from pipelines.ledger.units import PrivacyUnit
from pipelines.spec.errors import ConfigError, did_you_mean
from pipelines.spec.messages import add_problems
from pipelines.spec.source import ProblemList
from pipelines.spec.yaml_reader import read_yaml
from transforms.budget import Budget


@dataclass(frozen=True)
class Cap:
    """The most that may be lost about one privacy unit.

    Attributes:
        unit: Whom or what it is about.
        per: Releases that count together: `release`, a calendar period, `28 days`, or `lifetime`.
        budget: The most that these may cost.
    """

    unit: PrivacyUnit
    per: str
    budget: Budget | RhoBudget

    def __str__(self) -> str:
        if isinstance(self.budget, RhoBudget):
            most = f"rho {self.budget.rho:g}"
        else:
            most = f"epsilon {self.budget.epsilon:g}"
        return f"{most} at delta {self.budget.delta:g} per {self.per} for one {self.unit}"


@dataclass(frozen=True)
class DatasetPolicy:
    """What may be released about one dataset.

    Attributes:
        spec: Allowances.
        caps: Caps.
    """

    spec: DatasetSpec
    caps: tuple[Cap, ...]

    def objections(self, request: Request) -> list[str]:
        """Returns what a request asks for that is not allowed, whatever it costs."""
        found = []
        unit = request.charge.unit
        spec = self.spec
        for column in request.columns:
            if column not in spec.columns:
                found.append(
                    f"reads the column {column!r}; allowed: {', '.join(spec.columns)}"
                    + did_you_mean(column, spec.columns)
                )
        of_caps = sorted({column for cap in spec.caps for column in cap.unit})
        for column in unit.columns:
            if column not in (spec.units or of_caps):
                allowed = ", ".join(spec.units or of_caps) or "none"
                found.append(f"has the privacy unit {column!r}; allowed: {allowed}")
        for name, value, words in (
            ("adjacency", unit.adjacency, spec.adjacency),
            ("bounding", unit.bounding, spec.bounding),
        ):
            if value not in words:
                found.append(f"has {name} {value}; allowed: {', '.join(words)}")
        least = spec.min_pre_threshold or 0
        for threshold in sorted(set(request.pre_thresholds)):
            if threshold < least:
                found.append(f"has a pre_threshold of {threshold}; allowed: {least} or more")
        return found


@dataclass(frozen=True)
class Policy:
    """What may be released about which dataset.

    Attributes:
        datasets: Datasets by name; nothing may be released about others.
        digest: SHA-256 of what the policy says, in hexadecimal digits.
    """

    datasets: Mapping[str, DatasetPolicy]
    digest: str

    @classmethod
    def of(cls, spec: PolicySpec) -> Policy:
        """Returns the policy that a model states."""
        text = canonical_json(spec.model_dump(mode="json"))
        datasets = {
            name: DatasetPolicy(dataset, tuple(map(_cap, dataset.caps)))
            for name, dataset in spec.datasets.items()
        }
        return cls(datasets, hashlib.sha256(text.encode()).hexdigest())


def no_policy(request: Request) -> Policy:
    """Returns what a release is held to where nobody wrote a policy: nothing."""
    unit = request.charge.unit
    spec = DatasetSpec.model_construct(
        columns=request.columns,
        units=unit.columns,
        adjacency=(unit.adjacency,),
        bounding=(unit.bounding,),
        caps=(),
    )
    return Policy({request.charge.dataset: DatasetPolicy(spec, ())}, NO_POLICY)


def load_policy(path: str | Path) -> Policy:
    """Loads a policy YAML.

    Args:
        path: The file.

    Returns:
        The policy.

    Raises:
        ConfigError: The file cannot be read as YAML, or what it says is no policy; with all
            problems at their positions.
    """
    source = read_yaml(path)
    problems = ProblemList(source, list(source.duplicates))
    try:
        spec = PolicySpec.model_validate(source.data)
    except ValidationError as error:
        add_problems(error, problems, PolicySpec)
        raise ConfigError(problems.found) from None
    problems.raise_if_any()
    return Policy.of(spec)


def _cap(spec: CapSpec) -> Cap:
    if spec.epsilon is not None:
        return Cap(spec.privacy_unit(), spec.per, Budget(spec.epsilon, spec.delta))
    assert spec.rho is not None
    return Cap(spec.privacy_unit(), spec.per, RhoBudget(spec.rho, spec.delta))
