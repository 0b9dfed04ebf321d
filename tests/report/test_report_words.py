"""Keys as readers see them, and numbers that are as exact as their errors."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.report.words import (
    error_text,
    file_size,
    fitting,
    key_text,
    number_text,
    number_with_error,
    row_texts,
    visible,
)


@settings(deadline=None)
@given(st.text())
def test_no_character_that_does_something_is_left(text):
    shown = visible(text)
    hidden = {"Cc", "Cs", "Cn", "Zl", "Zp"}
    assert not {unicodedata.category(character) for character in shown} & hidden
    assert all(
        ord(character) in (0x200C, 0x200D) or 0xE0020 <= ord(character) < 0xE0080
        for character in shown
        if unicodedata.category(character) == "Cf"
    )


@settings(deadline=None)
@given(st.text(alphabet="ab\u0301\u200d👨👩界 ", max_size=60))
def test_plain_texts_stay_as_they_are(text):
    if "\u0301" * 5 not in text:
        assert visible(text) == text


def test_long_texts_are_cut():
    assert visible("x" * 161) == "x" * 160 + "…"
    assert visible("x" * 160) == "x" * 160
    assert visible("abc", 2) == "ab…"


def test_marks_do_not_pile_up():
    assert visible("e" + "\u0301" * 9 + "f") == "e" + "\u0301" * 4 + "f"


def test_empty_keys_can_be_seen():
    assert key_text("") == "“”"
    assert key_text(" ") == "“ ”"
    assert key_text(None) == "(null)"
    assert row_texts(["a", "b"], [None, None]) == ["(other)"]
    assert row_texts(["a", "b"], ["x", "1"]) == ["x", "1"]
    assert row_texts(["a", "b"], ["2.5", "1"]) == ["a 2.5", "b 1"]


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=3), st.floats(60, 400))
def test_what_fits_is_kept_and_no_emoji_is_cut_in_half(texts, pixels):
    line = fitting(texts, pixels)
    line.encode("utf-8")
    if sum(17 * len(text) + 30 for text in texts) < pixels:
        assert line == " · ".join(texts)
    assert len(line) <= sum(map(len, texts)) + 4 * len(texts)


def test_long_keys_are_cut_alike():
    assert fitting(["a" * 90, "b"], 200) == "a" * 20 + "… · b"
    first, second = fitting(["a" * 90, "b" * 90], 200).split(" · ")
    assert len(first) == len(second) == 11


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (3890, 3770.0, 4010.0, "3,890 ± 120"),
        (5608646, 5321056.0, 5896236.0, "5,610,000 ± 290,000"),
        (343, 334.0, 352.0, "343 ± 9"),
        (4.0, 3.5, 4.5, "4.00 ± 0.50"),
        (3.1, 2.8, 4.0, "3.10 (2.80 to 4.00)"),
        (-20, -100.0, 60.0, "-20 ± 80"),
        (-0.0001, -10.0, 10.0, "0 ± 10"),
        (0.0, float("-inf"), float("inf"), "0 (unbounded to unbounded)"),
        (1.5, None, None, "1.5"),
        (2, 2.0, 2.0, "2"),
        (None, None, None, "\N{EN DASH}"),
        (float("nan"), 0.0, 1.0, "\N{EN DASH}"),
        (-31740, None, None, "-31,740"),
        (-123_456_789_000, -123_456_790_000.0, -123_456_788_000.0, "-123,456,789,000 ± 1,000"),
        (9e14, 8e14, 1e15, "900,000,000,000,000 ± 100,000,000,000,000"),
        (4e15, 3e15, 5e15, "4e+15 ± 1e+15"),
        (-2e-12, -4e-12, 0.0, "-2e-12 ± 2e-12"),
    ],
)
def test_numbers_are_as_exact_as_their_errors(value, low, high, shown):
    assert number_with_error(value, low, high) == shown.replace("-", "\N{MINUS SIGN}")


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0, 4, "0"),
        (-31740.2, 4, "-31,740"),
        (1_234_567_890, 4, "1,235,000,000"),
        (999_999_999_999_999, 15, "999,999,999,999,999"),
        (1e15, 4, "1e+15"),
        (0.000123456, 4, "0.0001235"),
        (-2_500_000.5, 15, "-2,500,000.5"),
        (float("inf"), 4, "unbounded"),
    ],
)
def test_numbers_without_errors_have_thousands_and_a_minus(value, digits, shown):
    assert number_text(value, digits) == shown.replace("-", "\N{MINUS SIGN}")


@settings(deadline=None)
@given(st.floats(-1e15, 1e15, exclude_min=True, exclude_max=True), st.integers(1, 15))
def test_numbers_are_near_what_they_say_and_have_no_exponent(value, digits):
    shown = number_text(value, digits).replace(",", "")
    assert float(shown.replace("\N{MINUS SIGN}", "-")) == pytest.approx(
        value, rel=0.5001 * 10 ** (1 - digits), abs=1e-300
    )
    assert "-" not in shown
    assert "e" not in shown or abs(value) < 1e-4 or abs(value) > 9.4e14


@pytest.mark.parametrize(
    ("error", "shown"),
    [(33_400.0, "33,000"), (5.66, "5.7"), (0.5, "0.50"), (141.4, "140"), (0.0, "0")],
)
def test_errors_have_two_digits(error, shown):
    assert error_text(error) == shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (2_345_678, "2.35 MB"),
        (7_000_000_000, "7.0 GB"),
    ],
)
def test_sizes(size, shown):
    assert file_size(size) == shown
