"""A released table on terminals of any width: whole numbers, and how many columns are left out."""

import re
from contextlib import redirect_stdout
from io import StringIO

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.show import show_table
from transforms.budget import Budget
from transforms.metrics import Count
from transforms.planning import plan_tables
from transforms.table import PublicKeys, Table


def shown(width, keys, metrics):
    """Returns the lines for some rows of `keys`, the numbers of a metric being `metrics`."""
    frame = pl.DataFrame({"k": keys})
    table = Table("k", dict.fromkeys(metrics, Count()), partitions=PublicKeys(frame))
    (plan,) = plan_tables({"t": table}, Budget(1.0))
    for name, value in metrics.items():
        frame = frame.with_columns(
            pl.lit(value).alias(name),
            pl.lit(1.0).alias(f"{name}_std"),
            pl.lit(value - 12).alias(f"{name}_low"),
            pl.lit(value + 12).alias(f"{name}_high"),
        )
    out = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out):
        patch.setenv("COLUMNS", str(width))
        show_table(plan, frame, 8)
    return out.getvalue().splitlines()[1:]


METRICS = {f"metric_{number}": 10**number for number in range(10)}


@pytest.mark.parametrize("width", [20, 40, 60, 80, 142, 143, 200])
def test_the_metrics_that_fit_are_shown_and_the_others_counted(width):
    """A column is as wide as its number, here `1,000 ± 12`, and two blanks."""
    lines = shown(width, ["a", "b"], METRICS)
    columns = lines[0].split()[1:]
    assert columns == list(METRICS)[: len(columns)]
    for line in lines[1:3]:
        numbers = re.findall(r"([0-9,]+) ± 12", line)
        assert numbers == [f"{METRICS[name]:,}" for name in columns]
        assert len(line) <= width
    left = len(METRICS) - len(columns)
    several = "column" if left == 1 else "columns"
    assert lines[3:] == ([f" and {left} more {several}"] if left else [])
    assert len(columns) == {20: 1, 40: 3, 60: 5, 80: 6, 142: 9, 143: 10, 200: 10}[width]


def test_a_long_key_takes_half_of_the_terminal_and_is_wrapped():
    lines = shown(60, ["many words " * 20], METRICS)
    assert lines[0].split() == ["k", "metric_0", "metric_1", "metric_2"]
    assert "1 ± 12" in lines[1]
    assert "10 ± 12" in lines[1]
    assert lines[-1] == " and 7 more columns"
    assert max(map(len, lines)) <= 60


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 120),
    keys=st.lists(st.text("ab 日", max_size=40), min_size=1, max_size=3, unique=True),
    numbers=st.lists(st.integers(0, 10**15), min_size=1, max_size=6),
)
def test_no_number_is_wrapped_or_cut(width, keys, numbers):
    metrics = {f"m{place}": number for place, number in enumerate(numbers)}
    lines = shown(width, keys, metrics)
    columns = lines[0].split()[1:]
    assert columns == list(metrics)[: max(1, len(columns))]
    whole = [[f"{metrics[name]:,}" for name in columns]] * len(keys)
    found = [re.findall(r"([0-9,]+) ± 12", line) for line in lines]
    assert [numbers for numbers in found if numbers] == whole
