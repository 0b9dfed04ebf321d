"""Gives lists of public keys the types that the input has for the key columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from pipelines.spec import LoadedRelease, ProblemList
from pipelines.spec.listed_keys import fit_listed
from transforms.key_list import KeyList
from transforms.plan import TablePlan
from transforms.rows import canonical_type
from transforms.table import PublicKeys


def fit_public_keys(
    release: LoadedRelease, plans: Sequence[TablePlan], schema: Mapping[str, pl.DataType]
) -> tuple[TablePlan, ...]:
    """Casts the public keys of each table to the types of the input.

    Where a source has no types, keys got the declared ones when they were read; `fit_listed` is
    the rule for both.

    Args:
        release: The release series.
        plans: Its tables.
        schema: Types of the input columns.

    Returns:
        The tables; other than in the types of public keys they are the same.

    Raises:
        ConfigError: A listed value has no meaning in the type of its column.
    """
    problems = ProblemList(release.source)
    fitted = []
    for plan in plans:
        if plan.public_keys is None:
            fitted.append(plan)
            continue
        with problems.at(release.spec.placed(plan.name).place("public")):
            frames = [_fit_frame(part.frame, schema) for part in plan.public_keys.parts]
            fitted.append(replace(plan, public_keys=KeyList.of(plan.keys, frames)))
    problems.raise_if_any()
    return tuple(fitted)


def _fit_frame(listed: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    columns = [fit_listed(key, canonical_type(key.name, schema[key.name])) for key in listed]
    fitted = pl.DataFrame(columns)
    return fitted if fitted.schema == listed.schema else PublicKeys(fitted).parts[0]
