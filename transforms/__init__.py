"""Differentially private statistics of Arrow tables on Apache Beam, or without it.

`import transforms as dp`, then `rows | dp.Aggregate(...)` in a pipeline, or
`dp.aggregate(data_frame, ...)` on data in memory.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from transforms.bounds import Bounds as Bounds
from transforms.bounds import Guarantee as Guarantee
from transforms.budget import Budget as Budget
from transforms.budget import ZcdpBudget as ZcdpBudget
from transforms.hashing import HashKey as HashKey
from transforms.local import aggregate as aggregate
from transforms.metrics import Count as Count
from transforms.metrics import DistinctCount as DistinctCount
from transforms.metrics import Mean as Mean
from transforms.metrics import PrivacyUnitCount as PrivacyUnitCount
from transforms.metrics import Quantiles as Quantiles
from transforms.metrics import Sum as Sum
from transforms.metrics import Variance as Variance
from transforms.metrics import VectorSum as VectorSum
from transforms.planning import plan_tables as plan_tables
from transforms.postprocess import make_consistent as make_consistent
from transforms.postprocess import post_process as post_process
from transforms.render import render as render
from transforms.table import PrivateSelection as PrivateSelection
from transforms.table import PublicKeys as PublicKeys
from transforms.table import Table as Table

if TYPE_CHECKING:
    from transforms.prepare.lookups import LookupFile as LookupFile
    from transforms.prepare.lookups import lookup_table as lookup_table
    from transforms.prepare.preparation import Preparation as Preparation
    from transforms.prepare.ptransform import Prepare as Prepare
    from transforms.ptransforms import Aggregate as Aggregate
    from transforms.ptransforms import DrawTables as DrawTables

_LATE = {
    "Aggregate": "transforms.ptransforms",
    "DrawTables": "transforms.ptransforms",
    "LookupFile": "transforms.prepare.lookups",
    "Preparation": "transforms.prepare.preparation",
    "Prepare": "transforms.prepare.ptransform",
    "lookup_table": "transforms.prepare.lookups",
}


def __getattr__(name: str) -> Any:
    """Imports what takes long to load when it is first asked for."""
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Lists what is there and what comes when it is asked for."""
    return sorted([*globals(), *_LATE])
