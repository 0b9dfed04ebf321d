"""Gives the baselines of percent changes the types that the input has for the key columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from pipelines.plan import ReleasePlan
from pipelines.spec import LoadedRelease, ProblemList
from pipelines.spec.listed_keys import fit_listed
from transforms.postprocess import PercentChange, Step
from transforms.rows import canonical_type


def fit_baselines(
    release: LoadedRelease,
    steps: Mapping[str, Sequence[Step]],
    schema: Mapping[str, pl.DataType],
) -> dict[str, tuple[Step, ...]]:
    """Casts the keys of baselines to the types of the input, before anything is drawn.

    Args:
        release: The release series.
        steps: Steps by table.
        schema: Types of the input columns.

    Returns:
        The steps; other than in the types of keys they are the same.

    Raises:
        ConfigError: A key of a baseline has no meaning in the type of its column.
    """
    problems = ProblemList(release.source)
    fitted: dict[str, tuple[Step, ...]] = {}
    for table, of_table in steps.items():
        placed = release.spec.placed(table)
        keys = placed.spec.key_columns
        done: list[Step] = []
        for step in of_table:
            if isinstance(step, PercentChange):
                with problems.at(placed.place("metrics", step.name, "against")):
                    step = _fit(step, {key: canonical_type(key, schema[key]) for key in keys})
            done.append(step)
        fitted[table] = tuple(done)
    problems.raise_if_any()
    return fitted


def fit_plan(
    release: LoadedRelease, plan: ReleasePlan, drawn: Mapping[str, pl.DataFrame]
) -> ReleasePlan:
    """Returns a plan with baselines in the types of drawn keys.

    Args:
        release: The release series.
        plan: Its plan.
        drawn: Drawn values per table.
    """
    schema = {key: drawn[table.name].schema[key] for table in plan.tables for key in table.keys}
    return replace(plan, steps=fit_baselines(release, plan.steps, schema))


def _fit(step: PercentChange, types: Mapping[str, pl.DataType]) -> PercentChange:
    columns = [fit_listed(step.baseline[key], kind) for key, kind in types.items()]
    baseline = step.baseline.with_columns(columns)
    repeated = baseline.filter(baseline.select(list(types)).is_duplicated())
    if repeated.height:
        raise ValueError(f"{step.against} has several rows for the same {', '.join(types)}")
    return replace(step, baseline=baseline)
