"""What tuning will do: what is tried, with which noise, under which declaration, at which price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pipelines.plan import ReleasePlan
from pipelines.spec import ConfigError, KeyPath, LoadedRelease, ProblemList, did_you_mean
from pipelines.spec.tables import release_tables
from transforms.accounting import AccountingError
from transforms.bounds import MAX_L0
from transforms.budget import Budget
from transforms.mechanisms import AdditiveMechanism
from transforms.table import Table
from transforms.tuning.grid import Candidates, TableGrid, table_grid
from transforms.tuning.histograms import TuningCharge, tuning_charge
from transforms.tuning.planned import PlannedGrid, plan_grid

Declaration = Literal["public", "unaccounted", "accounted"]


@dataclass(frozen=True)
class TuningMode:
    """What the user says about the data.

    Attributes:
        declaration: `public` (or synthetic) data; private data that are tuned on without
            accounting; or private data and a budget.
        budget: What accounted tuning may cost; None otherwise.
    """

    declaration: Declaration
    budget: Budget | None = None


@dataclass(frozen=True)
class TuningPlan:
    """What tuning will do, before any row is read.

    Attributes:
        release: The release series.
        plan: Its plan.
        mode: What the user says about the data.
        tables: The engine's tables, by name: those that are tuned.
        grids: What is tried, by table.
        planned: The noise that it would bring, by table.
        groups: Tables whose bounds are said in one place of the config, by that place.
        charge: What tuning costs; None where it is not accounted for.
    """

    release: LoadedRelease
    plan: ReleasePlan
    mode: TuningMode
    tables: Mapping[str, Table]
    grids: Mapping[str, TableGrid]
    planned: Mapping[str, PlannedGrid]
    groups: Mapping[KeyPath, tuple[str, ...]]
    charge: TuningCharge | None


def plan_tuning(
    release: LoadedRelease,
    plan: ReleasePlan,
    mode: TuningMode,
    candidates: Candidates,
    only: str | None = None,
) -> TuningPlan:
    """Works out what is tried, with its noise, and what that costs.

    Args:
        release: The release series.
        plan: Its plan.
        mode: What the user says about the data.
        candidates: What to try instead of the default.
        only: Name of one table of the config; all by default.

    Raises:
        ConfigError: There is no such table, nothing to try, or the budget cannot be used.
    """
    spec = release.spec
    if only is not None and only not in spec.tables:
        message = f"has no table {only!r}; it has: {', '.join(spec.tables)}"
        path: KeyPath = ("tables",)
        raise _refusal(release, path, message + did_you_mean(only, list(spec.tables)))
    guarantee = spec.privacy.guarantee()
    everything = release_tables(release)
    tables: dict[str, Table] = {}
    groups: dict[KeyPath, tuple[str, ...]] = {}
    for placed in spec.placed_tables():
        if only in (None, placed.table):
            tables[placed.name] = everything[placed.name]
            path = placed.place("bounds")
            groups[path] = (*groups.get(path, ()), placed.name)
    public = {table.name: table.public_keys for table in plan.tables}
    grids: dict[str, TableGrid] = {}
    for names in groups.values():
        heights = {name: 0 if (keys := public[name]) is None else keys.height for name in names}
        most = max(heights.values()) if all(heights.values()) else MAX_L0
        for name in names:
            grids[name] = table_grid(tables[name], guarantee, candidates, heights[name], most)
    tables = {name: table for name, table in tables.items() if grids[name].factors}
    known = {
        path: tuple(name for name in names if name in tables) for path, names in groups.items()
    }
    groups = {path: names for path, names in known.items() if names}
    if not tables:
        message = "no count, privacy_unit_count or sum, whose errors tuning knows, is in the tables"
        raise _refusal(release, ("tables",), f"{message}; allowed: with one")
    grids = {name: grids[name] for name in tables}
    charge = None
    if mode.budget is not None:
        try:
            charge = tuning_charge(grids, guarantee, mode.budget)
        except (ValueError, AccountingError) as error:
            raise _refusal(release, ("privacy",), str(error)) from None
    budget = spec.privacy.budget()
    planned = {
        name: plan_grid(name, everything, grid, budget, guarantee) for name, grid in grids.items()
    }
    return TuningPlan(release, plan, mode, tables, grids, planned, groups, charge)


def histogram_noise(plan: TuningPlan, name: str) -> dict[str, AdditiveMechanism]:
    """Returns the noise of each histogram of a table."""
    assert plan.charge is not None
    start = f"{name}."
    return {
        full_name.removeprefix(start): mechanism
        for full_name, mechanism in plan.charge.mechanisms.items()
        if full_name.startswith(start)
    }


def _refusal(release: LoadedRelease, path: KeyPath, message: str) -> ConfigError:
    problems = ProblemList(release.source)
    problems.add_engine_error(path, ValueError(message))
    return ConfigError(problems.found)
