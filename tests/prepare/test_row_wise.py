"""What a row becomes depends on that row only, whatever is in it, and nothing makes it fail."""

import math
from random import Random

import polars as pl
import pytest
from expressions import OF_ONE_ROW, OF_SEVERAL_ROWS, SCHEMA, frame_of, frames
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from transforms.prepare.functions import NAMES
from transforms.prepare.parse import parse
from transforms.prepare.preparation import Preparation
from transforms.prepare.tree import calls

ONE_EACH = [
    Preparation({f"c{number}": text for number, text in enumerate(OF_ONE_ROW[start : start + 8])})
    for start in range(0, len(OF_ONE_ROW), 8)
]
SEVERAL = [
    Preparation({"item": text}, where="cast(item as text) <> 'a' or item is null")
    for text in OF_SEVERAL_ROWS
]
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def apply(preparation, rows):
    return pl.DataFrame(preparation.apply(rows.to_arrow(), [*rows.columns, *preparation.columns]))


@SLOW
@given(frames(max_size=6), st.sampled_from(ONE_EACH), st.data())
def test_prepared_pieces_are_pieces_of_the_prepared_whole(frame, preparation, data):
    cut = data.draw(st.integers(0, frame.height))
    whole = preparation.apply_to_frame(frame)
    pieces = [preparation.apply_to_frame(part) for part in (frame.head(cut), frame.slice(cut))]
    assert_frame_equal(pl.concat(pieces), whole, check_exact=True)


@SLOW
@given(frames(min_size=1, max_size=4), st.sampled_from(ONE_EACH))
def test_a_row_alone_becomes_what_it_becomes_among_others(frame, preparation):
    whole = preparation.apply_to_frame(frame)
    alone = [preparation.apply_to_frame(frame.slice(row, 1)) for row in range(frame.height)]
    assert_frame_equal(pl.concat(alone), whole, check_exact=True)


@SLOW
@given(frames(min_size=1, max_size=5), st.sampled_from(SEVERAL))
def test_rows_that_a_row_is_exploded_to_do_not_depend_on_others(frame, preparation):
    rows = frame.with_row_index("row")
    whole = apply(preparation, rows)
    for row in range(frame.height):
        alone = apply(preparation, rows.slice(row, 1))
        assert_frame_equal(alone, whole.filter(pl.col("row") == row), check_exact=True)


@SLOW
@given(frames(min_size=1, max_size=5), st.sampled_from(SEVERAL), st.randoms())
def test_the_order_of_rows_does_not_matter(frame, preparation, random):
    rows = frame.with_row_index("row")
    mixed = apply(preparation, rows[random.sample(range(frame.height), frame.height)])
    whole = apply(preparation, rows)
    assert_frame_equal(mixed.sort("row", maintain_order=True), whole, check_exact=True)


@SLOW
@given(frames(max_size=6), st.sampled_from(ONE_EACH))
def test_types_are_those_that_were_told_beforehand_and_no_value_is_nan(frame, preparation):
    prepared = preparation.apply_to_frame(frame)
    assert dict(prepared.schema) == preparation.schema(SCHEMA)
    for name in preparation.columns:
        if prepared[name].dtype == pl.Float64:
            assert not any(math.isnan(value) for value in prepared[name].drop_nulls())


@pytest.mark.parametrize("preparation", [*ONE_EACH, *SEVERAL])
def test_no_rows_become_no_rows_of_the_same_types(preparation):
    prepared = preparation.apply_to_frame(pl.DataFrame(schema=SCHEMA))
    assert prepared.height == 0
    assert dict(prepared.schema) == preparation.schema(SCHEMA)


def test_every_function_is_tried_here():
    used = {
        call.function for text in (*OF_ONE_ROW, *OF_SEVERAL_ROWS) for call in calls(parse(text))
    }
    synonyms = {"btrim", "ceiling", "char_length", "power", "substring"}
    likes = {"minute", "month", "day"}
    assert {*NAMES} - synonyms - likes - {"lookup"} <= used


@pytest.mark.parametrize("preparation", ONE_EACH, ids=lambda preparation: preparation.columns["c0"])
def test_many_rows_at_once_become_what_each_becomes_alone(preparation):
    """Column libraries compute many rows in another way than a few, which may show in last bits."""
    random = Random(7)
    rows = [
        {
            "text": " ".join(random.choices(["a", "b", "ab", "é", "12", "👍🏽", "日本"], k=3)),
            "whole": random.randint(-(10**6), 10**6),
            "other": random.randint(-9, 9),
            "id": random.randrange(2**64),
            "small": random.randint(-128, 127),
            "number": random.gauss(0, 1) * 10 ** random.randint(-9, 17),
            "single": random.gauss(0, 50),
            "flag": random.random() < 0.5,
            "day": random.randint(0, 20000),
            "time": random.randrange(2 * 10**15),
            "clock": random.randrange(2 * 10**12),
        }
        for _ in range(300)
    ]
    frame = frame_of(rows)
    whole = preparation.apply_to_frame(frame)
    alone = [preparation.apply_to_frame(frame.slice(row, 1)) for row in range(frame.height)]
    assert_frame_equal(pl.concat(alone), whole, check_exact=True)
