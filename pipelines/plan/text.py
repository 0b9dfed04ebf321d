"""The plan of a release as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from io import StringIO
from textwrap import wrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.consistency import Consistency
from pipelines.numbers import percent, short_number
from pipelines.plan.expected_errors import MetricErrors, TableErrors, table_errors
from pipelines.plan.guarantee import GuaranteeText
from pipelines.plan.json_values import PROBABILITIES, bounds_to_dict, sensitivity_to_dict
from pipelines.plan.price import loss_in_words, noise_in_words, price_in_words
from pipelines.plan.release_plan import ReleasePlan
from transforms.expected_error import ExpectedError
from transforms.mechanisms import GeometricSelection, SelectionMechanism, ThresholdSelection
from transforms.metrics.base import Noise
from transforms.plan import MetricPlan, TablePlan
from transforms.postprocess import Step
from transforms.release_curve import selection_threshold, units_for_probability
from transforms.table import OTHER, SELECTION

WIDTH = 110
"""Columns of text where nothing else is known."""

MAX_WIDTH = 130
"""Columns beyond which text is not set: longer lines are hard to read."""


_BESIDE = 4
"""Columns of a metric's protection; those of its error follow, or stand below if too wide."""


def plan_text(plan: ReleasePlan, width: int = WIDTH, sizes: Sequence[float] = ()) -> str:
    """Returns a plan as text.

    Args:
        plan: The release.
        width: Columns of the terminal.
        sizes: Numbers at which the errors of metrics are shown.
    """
    return "\n".join(_lines(plan, min(width, MAX_WIDTH), sizes))


def wrapped(text: str, width: int, indent: int = 2) -> list[str]:
    """Returns a paragraph as lines, the later ones indented."""
    return wrap(
        text,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _lines(plan: ReleasePlan, width: int, sizes: Sequence[float]) -> Iterator[str]:
    spec = plan.spec
    guarantee = GuaranteeText.of(spec)
    yield f"{spec.release}: {spec.title}"
    privacy = spec.privacy
    yield f"{privacy.stated_as} {privacy.stated:g}, delta {privacy.delta:g} per release"
    yield from wrapped(price_in_words(plan.cost), width)
    yield from wrapped(f"protects: {guarantee.protects}", width)
    yield from wrapped(f"does not protect: {guarantee.does_not_protect}", width)
    if spec.input.where is not None:
        yield from wrapped(f"rows: those with {spec.input.where}", width)
    for name, expression in spec.input.columns.items():
        yield from wrapped(f"column {name}: {expression}", width)
    group = None
    for table in plan.tables:
        placed = spec.placed(table.name)
        if placed.level is not None and placed.table != group:
            levels = spec.tables[placed.table].levels or ()
            yield ""
            yield f"{placed.table}: {len(levels)} levels, one table each"
        group = placed.table
        yield ""
        errors = table_errors(plan, table, sizes)
        yield from _table_lines(table, guarantee.unit, errors, width, sizes)
        yield from _step_lines(plan.steps_of(table), width)


def _table_lines(
    table: TablePlan, unit: str, errors: TableErrors, width: int, sizes: Sequence[float]
) -> Iterator[str]:
    yield f"table {table.name} by {', '.join(table.keys)}"
    yield from wrapped(f"  bounds: {_bounds_in_words(table, unit)}", width, 4)
    if table.public_keys is not None:
        yield f"  partitions: {table.public_keys.height} public ones, all released"
    if table.selection is not None:
        for line in _selection_in_words(table, table.selection, errors.released):
            yield from wrapped(f"  {line}", width, 4)
    if table.other:
        yield from wrapped(f"  {OTHER}: {_other_in_words(table)}", width, 4)
    yield from _beside_or_below(list(_rows(table, errors, sizes)), width)


def _rows(
    table: TablePlan, errors: TableErrors, sizes: Sequence[float]
) -> Iterator[tuple[str, ...]]:
    """Yields the cells of the metrics' mechanisms, a head first."""
    shown = _Errors(errors, sizes)
    yield "", "mechanism", "loss", "sensitivity", "noise std", "95 % interval", *shown.head
    named = [("", metric) for metric in table.metrics]
    named += [(f"{OTHER}:", metric) for metric in table.other]
    for prefix, metric in named:
        for noise in metric.noises:
            name = prefix + metric.name + noise.component.suffix
            yield (
                name,
                f"{noise.mechanism.noise} {_described(metric, noise)}",
                loss_in_words(noise.mechanism) if name != table.noisy_count else "of selection",
                _sensitivity(noise),
                short_number(noise.std),
                f"+-{short_number(noise.half_width_95)}",
                *(shown.nothing if prefix else shown.of(metric, noise)),
            )
    for derived in shown.derived({metric.name for metric in table.metrics}):
        yield derived.metric, "made of released ones", "", "", "", "", *shown.cells(derived)


def _described(metric: MetricPlan, noise: Noise) -> str:
    return metric.metric.description if noise == metric.noises[0] else noise.component.suffix[1:]


class _Errors:
    """The columns about errors at sizes: what is expected, then what was asked for."""

    def __init__(self, errors: TableErrors, sizes: Sequence[float]) -> None:
        self._by_metric = {found.metric: found for found in errors.metrics}
        self._expects = any(found.expected for found in errors.metrics)
        plain = any(found.ten_percent_from is not None for found in errors.metrics)
        self._limits = plain and not sizes
        self.head = [
            *(["error as expected"] if self._expects else []),
            *(["+-10 % from"] if self._limits else []),
            *(f"error at {size:,.6g}" for size in sizes),
        ]
        self.nothing = [""] * len(self.head)

    def of(self, metric: MetricPlan, noise: Noise) -> list[str]:
        """Returns the cells of a metric beside its first component."""
        is_first = noise == metric.noises[0]
        return self.cells(self._by_metric[metric.name]) if is_first else self.nothing

    def derived(self, metrics: set[str]) -> list[MetricErrors]:
        """Returns the errors of metrics that are made of others."""
        return [found for name, found in self._by_metric.items() if name not in metrics]

    def cells(self, found: MetricErrors) -> list[str]:
        """Returns the cells of one metric."""
        limit = found.ten_percent_from
        return [
            *([_error(found.expected, with_size=True)] if self._expects else []),
            *(["" if limit is None else short_number(limit)] if self._limits else []),
            *map(_error, found.at),
        ]


def _error(error: ExpectedError | None, *, with_size: bool = False) -> str:
    if error is None:
        return "-"
    relative = f"{percent(error.relative)} %"
    if error.against == "range":
        relative += " of range"
        return f"{relative} at {error.at:,.6g}" if with_size else relative
    return f"{relative} of {error.at:,.6g}" if with_size else relative


def _beside_or_below(rows: Sequence[tuple[str, ...]], width: int) -> Iterator[str]:
    """Yields rows of cells as lines: as one table, or as two where that is too wide."""
    if len(rows) == 1:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + 2 * len(widths) <= width:
        yield from _set(rows, width)
    else:
        yield from _set([row[:_BESIDE] for row in rows], width)
        yield from _set([(row[0], *row[_BESIDE:]) for row in rows], width)


def _set(rows: Sequence[tuple[str, ...]], width: int) -> Iterator[str]:
    head, *body = rows
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="none")
    for name in head:
        table.add_column(Text(name), overflow="fold")
    for row in body:
        table.add_row(*map(Text, row))
    text = StringIO()
    console = Console(file=text, width=width - 2, color_system=None, highlight=False)
    console.print(table)
    yield from (f"  {line}".rstrip() for line in text.getvalue().splitlines())


def _step_lines(steps: Sequence[Step | Consistency], width: int) -> Iterator[str]:
    if steps:
        yield "  post-processing, free:"
        for step in steps:
            yield from wrapped(f"    {step}", width, 6)


def _bounds_in_words(table: TablePlan, unit: str) -> str:
    match bounds_to_dict(table):
        case {"max_contributions": rows}:
            return f"{_several_rows(rows)} of one {unit} in the table, wherever they are"
        case {"max_partitions_contributed": partitions, "max_contributions_per_partition": rows}:
            several = "partition" if partitions == 1 else "partitions"
            return f"{partitions} {several} per {unit}, {_several_rows(rows)} of one {unit} in each"
        case {"max_contributions_per_partition": rows}:
            each = f"{_several_rows(rows)} of one {unit} in each partition"
            return f"{each}, and any number of partitions"
        case _:
            return "none: every row counts"


def _several_rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"


def _selection_in_words(
    table: TablePlan, selection: SelectionMechanism, expected: float | None
) -> Iterator[str]:
    """Yields what chooses partitions, and from how many units on it does."""
    things = "rows" if table.guarantee.bounding == "row" else "privacy units"
    sensitivity = f"sensitivity {_selection_sensitivity(selection)}"
    threshold = ""
    if isinstance(selection, ThresholdSelection):
        least = selection_threshold(selection)
        threshold = f", noise std {noise_in_words(selection)}, threshold {least:.4g} {things}"
    yield (
        f"{SELECTION}: {selection.strategy}, {loss_in_words(selection)}, {sensitivity}{threshold}"
    )
    if table.noisy_count is not None:
        yield (
            f"{table.noisy_count}: the numbers that are compared, one draw for both; all that is "
            "released is above the threshold, and so too large on average where the truth is near"
        )
    first, *others = (
        f"{100 * probability:g} % from {units_for_probability(selection, probability):,}"
        for probability in PROBABILITIES
    )
    shown = f"partitions: released with probability {first} {things} on, {', '.join(others)}"
    if expected is not None:
        shown += f"; one as expected with {percent(expected)} %"
    if selection.strategy == "weighted_gaussian" and selection.l0 > 1:
        alone = selection_threshold(selection) / math.sqrt(selection.l0)
        shown += (
            f", with {selection.l0} partitions each; of k partitions, a unit adds 1 / sqrt(k) to "
            f"each, so that it is 50 % from {alone:.1f} with this one only"
        )
    yield shown


def _sensitivity(noise: Noise) -> str:
    """Returns how many numbers change, by how much each, and by how much all in the norm."""
    found = sensitivity_to_dict(noise)
    each, all_of_them = short_number(found["linf"]), short_number(found["size"])
    return f"{found['l0']} x {each}, {found['norm']} {all_of_them}"


def _selection_sensitivity(selection: SelectionMechanism) -> str:
    if isinstance(selection, GeometricSelection):
        return f"{selection.l0 * selection.changed} x 1"
    if selection.strategy == "weighted_gaussian":
        return f"l2 {math.sqrt(selection.noise.l0):.4g}"
    norm = "l1" if selection.noise.noise == "laplace" else "l2"
    size = selection.noise.l0 if norm == "l1" else math.sqrt(selection.noise.l0)
    return f"{selection.noise.l0} x 1, {norm} {size:.4g}"


def _other_in_words(table: TablePlan) -> str:
    left_out = [metric.name for metric in table.other if not metric.noises]
    without = f", without {', '.join(left_out)}, which cannot be added up" if left_out else ""
    return f"one more row with empty keys adds up what was not selected{without}"
