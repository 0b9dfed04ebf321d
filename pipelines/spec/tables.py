"""From the tables of a config to the tables and the plan of the engine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipelines.spec.errors import ConfigError
from pipelines.spec.load import LoadedRelease
from pipelines.spec.partition_specs import SelectionSpec
from pipelines.spec.placed_tables import PlacedTable
from pipelines.spec.public_keys import PublicKeyReader
from pipelines.spec.source import ProblemList
from transforms.accounting import AccountingError
from transforms.automatic import choose
from transforms.demands import check_delta
from transforms.mechanisms import AUTO
from transforms.plan import TablePlan
from transforms.planning import (
    ReleaseCost,
    calibrate_tables,
    check_table,
    plan_table,
)
from transforms.table import PrivateSelection, PublicKeys, Table


@dataclass(frozen=True)
class PlannedTables:
    """All tables of a release with what they cost together.

    Attributes:
        tables: One plan per table.
        cost: What they cost.
    """

    tables: tuple[TablePlan, ...]
    cost: ReleaseCost


def release_tables(release: LoadedRelease) -> dict[str, Table]:
    """Makes the engine's tables; reads the files of public keys.

    Args:
        release: The release series.

    Returns:
        Tables by name, in the order of the config.

    Raises:
        ConfigError: A key file or list cannot be used, or the engine refuses a table.
    """
    problems = ProblemList(release.source)
    tables = {
        placed.name: _table(release, placed, problems) for placed in release.spec.placed_tables()
    }
    problems.raise_if_any()
    return {name: table for name, table in tables.items() if table is not None}


def plan_release_tables(release: LoadedRelease, tables: dict[str, Table]) -> PlannedTables:
    """Works out every mechanism of the release.

    Args:
        release: The release series.
        tables: Its tables, from `release_tables`.

    Returns:
        One plan per table, in the order of the config, and what they cost together.

    Raises:
        ConfigError: The engine refuses a table or the budget.
    """
    privacy = release.spec.privacy
    budget, guarantee = privacy.budget(), privacy.guarantee()
    problems = ProblemList(release.source)
    for name, table in tables.items():
        placed = release.spec.placed(name)
        with problems.at(placed.path, ("tables", placed.table)):
            check_table(table, guarantee)
    problems.raise_if_any()
    with problems.at(("privacy", "delta")):
        check_delta(tables, budget)
    problems.raise_if_any()
    try:
        tables = choose(tables, budget, guarantee)
        calibration = calibrate_tables(tables, budget, guarantee)
        cost = ReleaseCost.of(calibration, budget)
    except (ValueError, AccountingError) as error:
        problems.add_engine_error(("privacy", privacy.stated_as), ValueError(error))
        raise ConfigError(problems.found) from None
    plans = []
    for name, table in tables.items():
        placed = release.spec.placed(name)
        with problems.at(placed.path, ("tables", placed.table)):
            plans.append(plan_table(name, table, guarantee, calibration))
    problems.raise_if_any()
    return PlannedTables(tuple(plans), cost)


def _table(release: LoadedRelease, placed: PlacedTable, problems: ProblemList) -> Table | None:
    spec = placed.spec
    partitions: PrivateSelection | PublicKeys | None
    if spec.public is None:
        partitions = (spec.selection or SelectionSpec()).selection()
    else:
        partitions = PublicKeyReader(
            keys=spec.key_columns,
            types=release.spec.column_types(),
            resolve=release.resolve,
            path=placed.place("public"),
            problems=problems,
            distinct=placed.is_projection,
        ).read(spec.public)
    if partitions is None:
        return None
    with problems.at(placed.path, ("tables", placed.table)):
        table = Table(
            keys=spec.key_columns,
            metrics=spec.engine_metrics(),
            bounds=spec.bounds.bounds(),
            partitions=partitions,
            noise=spec.noise,
            other=spec.other,
            share=spec.share,
            shares=AUTO if spec.shares == AUTO else {},
            expect=spec.expect,
        )
        if isinstance(spec.shares, dict):
            for spender, share in spec.shares.items():
                with problems.at(placed.place("shares", spender)):
                    table = replace(table, shares={**table.given_shares, spender: share})
        return table
    return None
