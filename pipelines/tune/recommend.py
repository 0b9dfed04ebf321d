"""What comes of tuning: the best bounds, clips and shares, from what the pass found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipelines.spec import KeyPath
from pipelines.tune.plan import TuningPlan, histogram_noise
from transforms.tuning.best import (
    PointError,
    best_point,
    best_shares,
    neighbours,
    point_errors,
    worth_it,
)
from transforms.tuning.errors import table_totals, with_empty_partitions
from transforms.tuning.grid import TableGrid
from transforms.tuning.population import population


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
