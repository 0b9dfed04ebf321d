"""Tuning of a release: what is tried, under which declaration, and what comes of it.

Nothing here reads rows; `pipelines.tune_run` does, between `plan_tuning` and `recommend`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from pipelines.plan import ReleasePlan
from pipelines.spec import ConfigError, KeyPath, LoadedRelease, ProblemList, did_you_mean
from pipelines.spec.tables import release_tables
from transforms.accounting import AccountingError
from transforms.bounds import MAX_L0
from transforms.budget import Budget
from transforms.mechanisms import AdditiveMechanism
from transforms.table import Table
from transforms.tuning.best import (
    PointError,
    best_point,
    best_shares,
    neighbours,
    point_errors,
    worth_it,
)
from transforms.tuning.errors import table_totals, with_empty_partitions
from transforms.tuning.grid import Candidates, TableGrid, table_grid
from transforms.tuning.histograms import TuningCharge, tuning_charge
from transforms.tuning.planned import PlannedGrid, plan_grid
from transforms.tuning.population import population

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


@dataclass(frozen=True)
class Recommendation:
    """What tuning found for the tables whose bounds are said in one place.

    Attributes:
        path: The place of the bounds in the config.
        tables: Names of the tables.
        grid: What was tried.
        current: Number of the bounds of the config.
        best: Number of the best bounds.
        errors: Per table, the errors of all bounds, each with its best clips.
        now: Per table, the errors of the config.
        then: Per table, the errors of what is recommended, but for the shares.
        factors: Multiples of the clips that are recommended, by sum.
        shares: Shares that are recommended, by metric; empty where they stay.
    """

    path: KeyPath
    tables: tuple[str, ...]
    grid: TableGrid
    current: int
    best: int
    errors: tuple[tuple[PointError, ...], ...]
    now: tuple[PointError, ...]
    then: tuple[PointError, ...]
    factors: Mapping[str, float]
    shares: Mapping[str, float]

    @property
    def at_an_end(self) -> bool:
        """Whether the best bounds are the largest that were tried, of several."""
        point = self.grid.points[self.best]
        ends = (
            (point.max_partitions_contributed, self.grid.l0s),
            (point.max_contributions_per_partition, self.grid.linfs),
            (point.max_contributions, self.grid.l1s),
        )
        return any(len(tried) > 1 and value == tried[-1] for value, tried in ends)

    @property
    def shown(self) -> list[int]:
        """Numbers of the bounds to show: the config's, the best, and those beside it."""
        return list(dict.fromkeys([self.current, self.best, *neighbours(self.grid, self.best)]))


def table_errors(plan: TuningPlan, name: str, found: pl.DataFrame) -> pl.DataFrame | None:
    """Returns the errors of a table, from what the pass over the data found.

    Args:
        plan: What was to be done.
        name: The table.
        found: Errors summed over partitions, or noisy histograms where tuning is accounted for.

    Returns:
        The fields of `transforms.tuning.errors.Totals`; None where the histograms say nothing.
    """
    grid, planned = plan.grids[name], plan.planned[name]
    if plan.charge is not None:
        people = population(found, grid, histogram_noise(plan, name))
        if people is None:
            return None
        found = table_totals(people.cells, people.codes, people.times, grid, planned)
    (table,) = (table for table in plan.plan.tables if table.name == name)
    if table.public_keys is None:
        return found
    return with_empty_partitions(found, table.public_keys.height, grid, planned)


def histogram_noise(plan: TuningPlan, name: str) -> dict[str, AdditiveMechanism]:
    """Returns the noise of each histogram of a table."""
    assert plan.charge is not None
    start = f"{name}."
    return {
        full_name.removeprefix(start): mechanism
        for full_name, mechanism in plan.charge.mechanisms.items()
        if full_name.startswith(start)
    }


def recommend(plan: TuningPlan, totals: Mapping[str, pl.DataFrame | None]) -> list[Recommendation]:
    """Finds the best bounds, clips and shares.

    Clips are said once for all levels of a table, so they stay where levels have bounds of their
    own. So do shares.

    Args:
        plan: What was to be done.
        totals: Errors by table; None for one of which nothing is known.

    Returns:
        One recommendation for each place of bounds of whose tables something is known.
    """
    return [
        found
        for path, names in plan.groups.items()
        if (found := _recommend(plan, path, names, totals)) is not None
    ]


def _recommend(
    plan: TuningPlan,
    path: KeyPath,
    names: tuple[str, ...],
    totals: Mapping[str, pl.DataFrame | None],
) -> Recommendation | None:
    spec = plan.release.spec
    grid = plan.grids[names[0]]
    of_config = [table.name for table in spec.placed_tables() if table.table == path[1]]
    alone = len(names) == 1 and len(of_config) == 1
    as_is, errors = [], []
    for name in names:
        found = totals[name]
        if found is None:
            return None
        as_is.append(point_errors(found, plan.grids[name], {}))
        errors.append(point_errors(found, plan.grids[name]) if alone else as_is[-1])
    if not all(as_is):
        return None
    current = grid.points.index(plan.tables[names[0]].bounds)
    best = best_point(errors, current)
    now = [_at(of, current) for of in as_is]
    then = [
        worth_it(_at(tried, best), _at(kept, best))
        for tried, kept in zip(errors, as_is, strict=True)
    ]
    shares: dict[str, float] = {}
    table = plan.tables[names[0]]
    if alone:
        noise = {metric.metric: metric.parts["noise"] for metric in then[0].metrics}
        own = {name: share for name, share in table.spenders.items() if name in noise}
        planned = next(one for one in plan.plan.tables if one.name == names[0])
        kinds = {one.mechanism.noise for metric in planned.metrics for one in metric.noises}
        if len(kinds) == 1:
            shares = best_shares({name: noise[name] for name in own}, own, kinds.pop())
    return Recommendation(
        path,
        names,
        grid,
        current,
        best,
        tuple(map(tuple, errors)),
        tuple(now),
        tuple(then),
        {name: factor for name, factor in then[0].factors.items() if factor != 1},
        {name: share for name, share in shares.items() if share != table.spenders[name]},
    )


def _at(points: list[PointError], number: int) -> PointError:
    return next(one for one in points if one.point == number)


def _refusal(release: LoadedRelease, path: KeyPath, message: str) -> ConfigError:
    problems = ProblemList(release.source)
    problems.add_engine_error(path, ValueError(message))
    return ConfigError(problems.found)
