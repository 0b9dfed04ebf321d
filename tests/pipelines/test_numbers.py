"""Numbers for people: short, and never wrong in the digits that they show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.numbers import percent, short_number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.012345, "0.01235"),
        (3, "3"),
        (999.96, "1,000"),
        (1516.7, "1,517"),
        (15174, "15,170"),
        (-15174, "-15,170"),
        (123456789, "123,500,000"),
        (1.5e9, "1.5e+09"),
        (1e-12, "1e-12"),
    ],
)
def test_short_numbers(value, text):
    assert short_number(value) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0, "0"),
        (8.3e-8, "8.3e-06"),
        (0.00012, "0.012"),
        (0.0123, "1.2"),
        (0.5, "50"),
        (0.998, "100"),
        (12, "1,200"),
    ],
)
def test_percents(part, text):
    assert percent(part) == text


@given(value=st.floats(-1e15, 1e15).filter(lambda value: abs(value) > 1e-200))
def test_a_short_number_is_near(value):
    assert float(short_number(value).replace(",", "")) == pytest.approx(value, rel=6e-4)


@given(part=st.floats(1e-12, 1e9))
def test_a_percent_is_near(part):
    assert float(percent(part).replace(",", "")) == pytest.approx(100 * part, rel=0.051)
