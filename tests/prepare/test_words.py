"""Words and runs of words, against a slow search in Python."""

import unicodedata

import polars as pl
import pytest
from expressions import evaluate
from hypothesis import given, settings
from hypothesis import strategies as st

ALPHABET = "aÉe\u0301ßñяЖ日本İ'\u2019- .,1_\n\t👍\u0301"


def slow_words(text):
    """Letters with marks; an apostrophe between two letters, or marks of letters, is inside."""
    words, word = [], ""
    normal = unicodedata.normalize("NFC", text).lower()
    for position, character in enumerate(normal):
        kind = unicodedata.category(character)[0]
        following = normal[position + 1 : position + 2]
        inside = character in "'\u2019" and word and following and following.isalpha()
        if kind == "L" or (kind == "M" and word) or inside:
            word += character
        elif word:
            words.append(word)
            word = ""
    return [*words, word] if word else words


def found(expression, text):
    return evaluate(expression, text=pl.Series([text], dtype=pl.String))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop, 2 o\u2019clock!", ["don't", "stop", "o\u2019clock"]),
        ("'quoted' words'", ["quoted", "words"]),
        ("e\u0301te\u0301 ÉTÉ", ["été", "été"]),
        ("Привет МИР", ["привет", "мир"]),
        ("日本語です", ["日本語です"]),
        ("हिन्दी", ["हिन्दी"]),
        ("a1b_c", ["a", "b", "c"]),
        ("12 34", [None]),
        (None, [None]),
    ],
)
def test_words_of_a_text(text, expected):
    assert found("words(text)", text) == expected


@settings(max_examples=200, deadline=None)
@given(st.text(ALPHABET, max_size=12))
def test_words_are_those_of_a_slow_search(text):
    assert found("words(text)", text) == (slow_words(text) or [None])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.none() | st.text("ab ", max_size=9), min_size=1, max_size=6),
    st.integers(1, 4),
)
def test_ngrams_are_the_runs_of_words_of_each_text(texts, size):
    expected = []
    for text in texts:
        words = slow_words(text or "")
        runs = [" ".join(words[at : at + size]) for at in range(len(words) - size + 1)]
        expected += runs or [None]
    assert evaluate(f"ngrams(text, {size})", text=pl.Series(texts, dtype=pl.String)) == expected
