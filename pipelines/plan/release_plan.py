"""The plan of a release, from no row: what it costs and how good it will be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.config_files import looked_up_files
from pipelines.consistency import Consistency, release_consistency
from pipelines.gates.checks import check_gates
from pipelines.spec import (
    LoadedRelease,
    ReleaseSpec,
    plan_release_tables,
    release_preparation,
    release_steps,
    release_tables,
)
from transforms.plan import TablePlan
from transforms.planning import ReleaseCost
from transforms.postprocess import Step

if TYPE_CHECKING:
    from transforms.prepare.preparation import Preparation


@dataclass(frozen=True)
class ReleasePlan:
    """A release with all its mechanisms.

    Attributes:
        spec: The config.
        tables: The tables with their mechanisms, in the order of the config.
        cost: What they cost together.
        steps: What is done with the released tables before publication, by table.
        preparation: Filters and derived columns of the input; None if there are none.
        consistency: Levels that are made to agree before the steps.
        files: SHA-256 of the files of lookups and baselines, by their paths in the config.
    """

    spec: ReleaseSpec
    tables: tuple[TablePlan, ...]
    cost: ReleaseCost
    steps: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    preparation: Preparation | None = None
    consistency: tuple[Consistency, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    def steps_of(self, table: TablePlan) -> list[Step | Consistency]:
        """Returns what is done with a table before publication."""
        agreeing = (done for done in self.consistency if table.name in done.levels)
        return [*agreeing, *self.steps.get(table.name, ())]


def plan_release(release: LoadedRelease) -> ReleasePlan:
    """Works out a release. Reads the files of public keys, lookups and baselines, and no input.

    Raises:
        ConfigError: An expression, the tables, the gates or the budget cannot be used.
    """
    check_gates(release)
    preparation = release_preparation(release)
    tables = release_tables(release)
    planned = plan_release_tables(release, tables)
    consistency = release_consistency(release, tables, planned.tables)
    steps = release_steps(release, planned.tables)
    return ReleasePlan(
        release.spec,
        planned.tables,
        planned.cost,
        steps,
        preparation,
        consistency,
        looked_up_files(release),
    )
