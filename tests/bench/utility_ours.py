"""Our side of the utility benchmark: the real plan, the real bounding, the real draw.

For many draws, `fast_noise` puts NumPy's generator in the place of PyDP's, which takes microseconds
a number; selection and noise otherwise run as they do in a release. That both draw from the same
distribution is tested (`test_utility.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import polars as pl
from utility_cases import METRICS, PARTITION, UNIT, VALUE, Case
from utility_release import Released, nothing_released

import transforms as dp
from transforms import noise
from transforms.draw import draw
from transforms.hashing import HashKey
from transforms.local import exact_partials
from transforms.mechanisms import AdditiveMechanism, GeometricSelection, NoiseKind
from transforms.noise import noise_scale, release_probability
from transforms.plan import TablePlan
from transforms.planning import plan_tables
from transforms.table import SELECTION

STRATEGIES = ("auto", "truncated_geometric", "laplace", "gaussian", "weighted_gaussian")


@dataclass(frozen=True)
class Ours:
    """Our release, with equal shares for the metrics.

    Attributes:
        case: What is released.
        noise: Distribution of the noise.
        selection: Strategy of the selection; `auto` is the default of a release.
        budget: Budget of the release.
        selection_share: Share of the selection, against 1 of each metric.
    """

    case: Case
    noise: NoiseKind
    selection: str
    budget: dp.Budget
    selection_share: float = 1.0

    @property
    def name(self) -> str:
        return f"ours {self.selection}"

    @cached_property
    def plan(self) -> TablePlan:
        """The real plan."""
        metrics: dict[str, dp.Metric] = {
            "count": dp.Count(),
            "privacy_unit_count": dp.PrivacyUnitCount(),
            "sum": dp.Sum(VALUE, clip=self.case.clip, granularity=self.case.granularity),
        }
        shares = {SELECTION: self.selection_share} if self.selection_share != 1 else {}
        table = dp.Table(
            [PARTITION],
            metrics,
            self.case.bounds,
            dp.PrivateSelection(self.selection),  # type: ignore[arg-type]
            noise=self.noise,
            shares=shares,
        )
        (plan,) = plan_tables({"table": table}, self.budget)
        return plan

    @property
    def stds(self) -> dict[str, float]:
        """Standard deviation of the noise by metric, in the unit of the metric."""
        return {metric.name: metric.noises[0].std for metric in self.plan.metrics}

    def bounded(self, rows: pl.DataFrame, key: bytes) -> pl.DataFrame:
        """Returns our bounded sums, before selection and noise, for every draw of this case."""
        columns = rows.select(UNIT, PARTITION, VALUE)
        return exact_partials(columns.to_arrow(), [UNIT], self.plan, HashKey(key))

    def release(self, partials: pl.DataFrame, partitions: int) -> Released:
        """Draws one release.

        Args:
            partials: From `bounded`.
            partitions: Number of all partitions.
        """
        drawn = draw(partials, self.plan).drawn
        places = drawn[PARTITION].to_numpy()
        released = nothing_released(partitions)
        released.kept[places] = True
        for row, metric in enumerate(self.plan.metrics):
            step = float(metric.noises[0].component.granularity)
            released.values[row, places] = drawn[metric.name].to_numpy() * step
        assert tuple(metric.name for metric in self.plan.metrics) == METRICS
        return released


@contextmanager
def fast_noise(rng: np.random.Generator) -> Iterator[None]:
    """Has every draw of our release come from NumPy, which is no secure generator."""

    def add_noise(
        values: npt.NDArray[np.int64], mechanism: AdditiveMechanism
    ) -> npt.NDArray[np.int64]:
        kind = rng.normal if mechanism.noise == "gaussian" else rng.laplace
        drawn = np.rint(kind(0.0, noise_scale(mechanism), len(values)))
        return values + drawn.astype(np.int64)

    def select(
        units: npt.NDArray[np.int64], mechanism: noise.SelectionMechanism
    ) -> npt.NDArray[np.bool_]:
        if not isinstance(mechanism, GeometricSelection):
            return real_select(units, mechanism)
        distinct, places = np.unique(units, return_inverse=True)
        kept = np.array([release_probability(mechanism, count) for count in distinct.tolist()])
        chosen: npt.NDArray[np.bool_] = rng.random(len(units)) < kept[places]
        return chosen

    real_select = noise.select
    ours = [module for name, module in sys.modules.items() if name.startswith("transforms.")]
    with ExitStack() as stack:
        for real, fast in ((noise.add_noise, add_noise), (real_select, select)):
            for module in ours:
                if vars(module).get(real.__name__) is real:
                    stack.enter_context(patch.object(module, real.__name__, fast))
        yield
