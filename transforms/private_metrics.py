"""Metrics of workers: exact numbers about private rows, for those who may see the rows.

Runners show metrics in consoles and export them, without the namespace and to whoever may look at
jobs. So each name says that its number is private.

| metric | what it counts |
|---|---|
| `private_rows_read` | rows of input files |
| `private_rows_to_aggregate` | those that the period and the filters leave |
| `private_rows_that_count` | those of them that count in a table: with a privacy unit and keys |
| `private_unit_shuffle_element_bytes` | what one batch sends to a unit shard, packed |
| `private_unit_shard_bytes` | what one unit shard gets, packed |

A runner may count what it does twice, after a worker was lost. Rows of a bot that are left out
before they are sent (`transforms.batches`) do not count.
"""

from __future__ import annotations

from apache_beam.metrics.metric import Metrics, MetricsFilter
from apache_beam.metrics.metricbase import Counter, Distribution
from apache_beam.runners.runner import PipelineResult

NAMESPACE = "dp_release"

Numbers = dict[str, int | dict[str, int]]
"""By metric, its number, or count, sum, smallest and largest of its numbers."""


def counter(name: str) -> Counter:
    """Returns a counter of a step of a pipeline."""
    return Metrics.counter(NAMESPACE, f"private_{name}")


def distribution(name: str) -> Distribution:
    """Returns a distribution of a step of a pipeline."""
    return Metrics.distribution(NAMESPACE, f"private_{name}")


def private_numbers(result: PipelineResult) -> Numbers:
    """Returns the metrics of a pipeline that is done, summed over its steps."""
    found = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))
    numbers: Numbers = {}
    for metric in found["counters"]:
        name = metric.key.metric.name
        before = numbers.get(name, 0)
        assert isinstance(before, int)
        numbers[name] = before + int(metric.result)
    for metric in found["distributions"]:
        data = metric.result
        numbers[metric.key.metric.name] = {
            "count": data.count,
            "sum": data.sum,
            "min": data.min,
            "max": data.max,
        }
    return numbers
