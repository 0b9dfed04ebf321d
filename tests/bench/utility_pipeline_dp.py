"""PipelineDP's side of the utility benchmark, made of its own parts.

Nothing here models PipelineDP: its `DPEngine` bounds and adds up on its `LocalBackend`, its
`NaiveBudgetAccountant` divides the budget, its combiners say how much noise they add, and its
selection objects say how probably they keep a partition. Only the many draws of one benchmark are
made by NumPy, from these numbers, as PipelineDP takes minutes for what is one draw; that they are
distributed as its real output is tested (`test_utility.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pipeline_dp
import polars as pl
from pipeline_dp import dp_computations, dp_engine, report_generator
from utility_cases import METRICS, PARTITION, UNIT, VALUE, Case
from utility_release import Released, nothing_released

from transforms import Budget
from transforms.mechanisms import NoiseKind

Row = tuple[int, int, float]

METRIC_NAMES = {
    "count": pipeline_dp.Metrics.COUNT,
    "privacy_unit_count": pipeline_dp.Metrics.PRIVACY_ID_COUNT,
    "sum": pipeline_dp.Metrics.SUM,
}
COLUMNS = {"count": "count", "privacy_unit_count": "privacy_id_count", "sum": "sum"}
"""Names of the metrics in PipelineDP's results."""

NOISE = {
    "gaussian": pipeline_dp.NoiseKind.GAUSSIAN,
    "laplace": pipeline_dp.NoiseKind.LAPLACE,
}
STRATEGIES = {
    "default": pipeline_dp.PartitionSelectionStrategy.TRUNCATED_GEOMETRIC,
    "gaussian": pipeline_dp.PartitionSelectionStrategy.GAUSSIAN_THRESHOLDING,
}
SELECTIONS = (*STRATEGIES, "post_aggregation")
"""`default` is truncated geometric; `post_aggregation` releases the noisy count of units where it
is above a threshold, which saves the budget of one mechanism and is off by default."""


@dataclass(frozen=True)
class PipelineDp:
    """PipelineDP with its safe accountant.

    Attributes:
        case: What is released.
        noise: Distribution of the noise.
        selection: One of `SELECTIONS`.
        budget: Budget of the release.
    """

    case: Case
    noise: NoiseKind
    selection: str
    budget: Budget

    @property
    def name(self) -> str:
        return f"PipelineDP {self.selection}"

    @property
    def parameters(self) -> pipeline_dp.AggregateParams:
        """The release in PipelineDP's words."""
        after = self.selection == "post_aggregation"
        low, high = self.case.clip
        return pipeline_dp.AggregateParams(
            metrics=list(METRIC_NAMES.values()),
            noise_kind=NOISE[self.noise],
            max_partitions_contributed=self.case.bounds.max_partitions_contributed,
            max_contributions_per_partition=self.case.bounds.max_contributions_per_partition,
            min_value=float(low),
            max_value=float(high),
            partition_selection_strategy=STRATEGIES["default" if after else self.selection],
            post_aggregation_thresholding=after,
            output_noise_stddev=True,
        )

    def accountant(self) -> pipeline_dp.NaiveBudgetAccountant:
        return pipeline_dp.NaiveBudgetAccountant(self.budget.epsilon, self.budget.delta)

    def run(self, rows: Iterable[Row]) -> list[tuple[int, Any]]:
        """Runs the whole release for real, on PipelineDP's local backend.

        Args:
            rows: Unit, partition and value of each row.

        Returns:
            Partitions with their named results.
        """
        accountant = self.accountant()
        engine = pipeline_dp.DPEngine(accountant, pipeline_dp.LocalBackend())
        released = engine.aggregate(rows, self.parameters, EXTRACTORS)
        accountant.compute_budgets()
        return list(released)

    @cached_property
    def _mechanisms(self) -> tuple[dict[str, Any], Any]:
        """The combiners by metric, and the selection or None, with the budget they get."""
        accountant = self.accountant()
        engine = pipeline_dp.DPEngine(accountant, pipeline_dp.LocalBackend())
        parameters = self.parameters
        selection = None
        with accountant.scope(weight=parameters.budget_weight):
            compound = engine._create_compound_combiner(parameters)
            if not parameters.post_aggregation_thresholding:
                strategy = parameters.partition_selection_strategy
                selection = accountant.request_budget(strategy.mechanism_type)
        accountant.compute_budgets()
        if selection is not None:
            selection = dp_engine._create_partition_selector(
                parameters.partition_selection_strategy,
                selection,
                parameters.max_partitions_contributed,
                parameters.pre_threshold,
            )
        names = {column: metric for metric, column in COLUMNS.items()}
        combiners = {}
        for combiner in compound._combiners:
            (name,) = combiner.metrics_names()
            combiners[names[name]] = combiner
        return combiners, selection

    @cached_property
    def stds(self) -> dict[str, float]:
        """Standard deviation of the noise by metric, in the unit of the metric.

        Its thresholding object does not tell its noise; as elsewhere in PipelineDP, Gaussian noise
        is what `compute_sigma` gives for half of its delta.
        """
        found = {}
        for metric, combiner in self._mechanisms[0].items():
            if metric == "privacy_unit_count" and self._mechanisms[1] is None:
                spec, moved = combiner.mechanism_spec(), combiner.sensitivities()
                if self.noise == "gaussian":
                    std = dp_computations.compute_sigma(spec.eps, spec.delta / 2, moved.l2)
                else:
                    std = dp_computations.LaplaceMechanism.create_from_epsilon(
                        spec.eps, moved.l1
                    ).std
                found[metric] = std
            else:
                found[metric] = combiner.get_mechanism().std
        return {metric: float(found[metric]) for metric in METRICS}

    @cached_property
    def threshold(self) -> float | None:
        """Noisy count of units from which `post_aggregation` releases."""
        combiners, selection = self._mechanisms
        if selection is not None:
            return None
        return float(combiners["privacy_unit_count"].get_mechanism().threshold())

    def release_probabilities(self, units: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Returns how probably partitions of so many units are kept, by its selection object."""
        _, selection = self._mechanisms
        distinct, places = np.unique(units, return_inverse=True)
        kept = [selection.probability_of_keep(count) for count in distinct.tolist()]
        return np.array(kept)[places]

    def release(self, exact: npt.NDArray[np.float64], rng: np.random.Generator) -> Released:
        """Draws one release.

        Args:
            exact: Its bounded numbers, shape (3, p); partitions without units are not selected.
            rng: Where randomness comes from.
        """
        released = nothing_released(exact.shape[1])
        units = exact[METRICS.index("privacy_unit_count")]
        noisy = np.stack(
            [
                exact[row] + self._noise(self.stds[metric], exact.shape[1], rng)
                for row, metric in enumerate(METRICS)
            ]
        )
        if self.threshold is None:
            kept = rng.random(exact.shape[1]) < self.release_probabilities(units.astype(np.int64))
        else:
            kept = noisy[METRICS.index("privacy_unit_count")] >= self.threshold
        kept &= units > 0
        released.kept[:] = kept
        released.values[:, kept] = noisy[:, kept]
        return released

    def _noise(self, std: float, size: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        if self.noise == "gaussian":
            return rng.normal(0, std, size)
        return rng.laplace(0, std / np.sqrt(2), size)


def bounded(case: Case, rows: pl.DataFrame, seed: int) -> npt.NDArray[np.float64]:
    """Bounds and adds up with PipelineDP's own engine, before selection and noise.

    What is kept of units with more than the bounds is sampled by PipelineDP, once.

    Args:
        case: The case.
        rows: Its rows.
        seed: Seed of the sampling.

    Returns:
        Shape (3, p) in the order of `METRICS`, for all p partitions of the rows.
    """
    release = PipelineDp(case, "gaussian", "default", Budget(1.0, 1e-8))
    backend = pipeline_dp.LocalBackend()
    engine = pipeline_dp.DPEngine(release.accountant(), backend)
    parameters = release.parameters
    combiner = engine._create_compound_combiner(parameters)
    bounder = engine._create_contribution_bounder(
        parameters, combiner.expects_per_partition_sampling()
    )
    report = report_generator.ReportGenerator(parameters, "aggregate", False)
    np.random.seed(seed)
    contributions = bounder.bound_contributions(
        as_tuples(rows), parameters, backend, report, combiner.create_accumulator
    )
    per_partition = backend.map_tuple(contributions, lambda key, added: (key[1], added))
    order = [
        list(METRICS).index(name)
        for name in ("count", "sum", "privacy_unit_count")  # as its compound combiner has them
    ]
    exact = np.zeros((len(METRICS), rows[PARTITION].max() + 1))
    for partition, (_, parts) in backend.combine_accumulators_per_key(per_partition, combiner):
        exact[order, partition] = parts
    return exact


def as_tuples(rows: pl.DataFrame) -> list[Row]:
    """Returns unit, partition and value of each row."""
    return list(
        zip(rows[UNIT].to_list(), rows[PARTITION].to_list(), rows[VALUE].to_list(), strict=True)
    )


EXTRACTORS = pipeline_dp.DataExtractors(
    privacy_id_extractor=lambda row: row[0],
    partition_extractor=lambda row: row[1],
    value_extractor=lambda row: row[2],
)
