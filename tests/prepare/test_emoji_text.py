"""Emoji in texts, against the tokenizer of the emoji package and by hand."""

import unicodedata

import emoji
import polars as pl
import pytest
from expressions import evaluate
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.prepare.emoji_text import WITHOUT_SKIN_TONE, emoji_forms
from transforms.prepare.preparation import Preparation

STATUS = emoji.STATUS
LISTED = [e for e, data in emoji.EMOJI_DATA.items() if data["status"] != STATUS["component"]]
QUALIFIED = {
    data["en"]: e
    for e, data in emoji.EMOJI_DATA.items()
    if data["status"] == 2  # fully qualified
}
TONES = [chr(tone) for tone in range(0x1F3FB, 0x1F400)]


def found(text, tones=""):
    return evaluate(f"emoji(text{tones})", text=pl.Series([text], dtype=pl.String))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no emoji", [None]),
        ("", [None]),
        (None, [None]),
        ("a👍b👍", ["👍", "👍"]),
        ("👍🏽", ["👍🏽"]),
        ("👩‍👩‍👧‍👦!", ["👩‍👩‍👧‍👦"]),
        ("🧑🏿‍❤️‍💋‍🧑🏻", ["🧑🏿‍❤️‍💋‍🧑🏻"]),
        ("🇩🇪🇫🇷", ["🇩🇪", "🇫🇷"]),
        ("🇦🇦🇩🇪", ["🇩🇪"]),
        ("🇩", [None]),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", ["🏴󠁧󠁢󠁥󠁮󠁧󠁿"]),
        ("1️⃣ 2 3", ["1️⃣"]),
        ("❤", ["❤️"]),
        ("❤️", ["❤️"]),
        ("❤︎", [None]),
        ("☝🏽", ["☝🏽"]),
        ("🏽", [None]),
        ("👁‍🗨", ["👁️‍🗨️"]),
        ("👍\u200d👍", ["👍", "👍"]),
    ],
)
def test_emoji_of_a_text(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize("status", ["fully_qualified", "minimally_qualified", "unqualified"])
def test_every_listed_emoji_is_one_and_becomes_its_fully_qualified_form(status):
    listed = [e for e, data in emoji.EMOJI_DATA.items() if data["status"] == STATUS[status]]
    expected = [QUALIFIED[emoji.EMOJI_DATA[e]["en"]] for e in listed]
    assert evaluate("emoji(text)", text=listed) == expected


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(LISTED) | st.sampled_from(["a", " ", "é", "日", "1"]), max_size=8))
def test_texts_have_the_emoji_that_the_emoji_package_finds(parts):
    text = " ".join(parts)
    expected = [
        QUALIFIED[emoji.EMOJI_DATA[match["emoji"]]["en"]] for match in emoji.emoji_list(text)
    ]
    assert found(text) == (expected or [None])


def test_without_skin_tone_there_is_none_and_the_emoji_is_a_listed_one():
    tones = f", '{WITHOUT_SKIN_TONE}'"
    plain = evaluate(f"emoji(text{tones})", text=LISTED)
    assert len(plain) == len(LISTED)
    for before, after in zip(LISTED, plain, strict=True):
        assert not set(after) & set(TONES)
        assert emoji.EMOJI_DATA[after]["status"] == STATUS["fully_qualified"]
        if not set(before) & set(TONES):
            assert after == QUALIFIED[emoji.EMOJI_DATA[before]["en"]]


@pytest.mark.parametrize(
    ("toned", "plain"),
    [
        ("👍🏽", "👍"),
        ("☝🏽", "☝️"),
        ("👩🏻‍🤝‍👨🏿", "👫"),
        ("👩🏻‍🤝‍👩🏿", "👭"),
        ("🧑🏿‍❤️‍🧑🏻", "💑"),
        ("🧑🏿‍❤️‍💋‍🧑🏻", "💏"),
        ("👩🏽‍❤️‍👩🏿", "👩‍❤️‍👩"),
        ("🫱🏻‍🫲🏿", "🤝"),
        ("👩🏽‍🚀", "👩‍🚀"),
    ],
)
def test_an_emoji_without_its_skin_tone(toned, plain):
    assert found(toned, f", '{WITHOUT_SKIN_TONE}'") == [plain]


@pytest.mark.parametrize("skin_tones", [True, False])
def test_no_sequence_comes_after_one_that_it_begins_with(skin_tones):
    lengths = [len(sequence) for sequence in emoji_forms(skin_tones=skin_tones)]
    assert lengths == sorted(lengths, reverse=True)


def test_letters_and_digits_are_no_emoji():
    everything = [chr(code) for code in range(0x250) if unicodedata.category(chr(code))[0] in "LN"]
    prepared = Preparation({"e": "emoji(text)"}).apply_to_frame(pl.DataFrame({"text": everything}))
    assert prepared["e"].null_count() == len(everything)
