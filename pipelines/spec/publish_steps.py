"""From the post-processing of a config to the steps that are applied, in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.spec.baseline_files import read_baseline
from pipelines.spec.load import LoadedRelease
from pipelines.spec.publish_spec import PercentChangeSpec, RatioSpec
from pipelines.spec.source import ProblemList
from transforms.plan import TablePlan
from transforms.postprocess import (
    ClampAtZero,
    Minimum,
    PercentChange,
    Ratio,
    Round,
    Step,
    Suppress,
    Top,
    clamp_bias,
)


def release_steps(
    release: LoadedRelease, plans: Sequence[TablePlan]
) -> dict[str, tuple[Step, ...]]:
    """Makes the steps of post-processing; reads the files of baselines.

    Args:
        release: The release series.
        plans: Its tables.

    Returns:
        Steps by table, in the order in which they apply: derived metrics in the order of the
        config, then `suppress`, `minimum`, `top`, `clamp_at_zero` and `round`.

    Raises:
        ConfigError: A baseline cannot be used.
    """
    problems = ProblemList(release.source)
    steps = {plan.name: tuple(_steps(release, plan, problems)) for plan in plans}
    problems.raise_if_any()
    return steps


def _steps(release: LoadedRelease, plan: TablePlan, problems: ProblemList) -> Iterator[Step]:
    placed = release.spec.placed(plan.name)
    spec = placed.spec
    for name, metric in spec.derived_metrics().items():
        match metric:
            case RatioSpec(ratio=(numerator, denominator)):
                yield Ratio(name, numerator, denominator, plan.noise)
            case PercentChangeSpec(percent_change=compared, against=file):
                with problems.at(placed.place("metrics", name, "against")):
                    baseline = read_baseline(release.resolve(file), plan.keys, compared)
                    yield PercentChange(name, compared, file, baseline)
    publish = spec.publish
    if publish.suppress:
        yield Suppress(publish.suppress)
    if publish.minimum:
        yield Minimum(publish.minimum)
    for ranked, k in (publish.top or {}).items():
        yield Top(ranked, k)
    if publish.clamp_at_zero:
        clamped = [metric for metric in plan.metrics if metric.name in publish.clamp_at_zero]
        noises = {metric.name: metric.noises[0] for metric in clamped}
        yield ClampAtZero(
            {name: clamp_bias(noise.mechanism.noise, noise.std) for name, noise in noises.items()}
        )
    if publish.round:
        yield Round(publish.round)
