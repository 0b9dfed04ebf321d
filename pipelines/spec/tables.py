"""From the tables of a config to the tables and the plan of the engine."""

from __future__ import annotations

from dataclasses import replace

from pipelines.spec.errors import ConfigError
from pipelines.spec.load import LoadedRelease
from pipelines.spec.partition_specs import SelectionSpec
from pipelines.spec.placed_tables import PlacedTable
from pipelines.spec.public_keys import PublicKeyReader
from pipelines.spec.source import ProblemList
from transforms.plan import TablePlan
from transforms.planning import plan_tables
from transforms.table import PrivateSelection, PublicKeys, Table

_SOME_DELTA = 0.5
"""A delta under which a table fails only for reasons of its own."""


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


def plan_release_tables(release: LoadedRelease, tables: dict[str, Table]) -> tuple[TablePlan, ...]:
    """Works out every mechanism of the release.

    Args:
        release: The release series.
        tables: Its tables, from `release_tables`.

    Returns:
        One plan per table, in the order of the config.

    Raises:
        ConfigError: The engine refuses a table or the budget.
    """
    budget = release.spec.privacy.budget()
    guarantee = release.spec.privacy.guarantee()
    generous = replace(budget, delta=budget.delta or _SOME_DELTA)
    problems = ProblemList(release.source)
    for name, table in tables.items():
        placed = release.spec.placed(name)
        with problems.at(placed.path, ("tables", placed.table)):
            plan_tables({name: table}, generous, guarantee)
    problems.raise_if_any()
    with problems.at(("privacy", "epsilon")):
        plan_tables(tables, generous, guarantee)
    problems.raise_if_any()
    try:
        return plan_tables(tables, budget, guarantee)
    except ValueError as error:
        problems.add_engine_error(("privacy", "delta"), error)
        raise ConfigError(problems.found) from None


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
        )
        for spender, share in spec.shares.items():
            with problems.at(placed.place("shares", spender)):
                table = replace(table, shares={**table.shares, spender: share})
        return table
    return None
