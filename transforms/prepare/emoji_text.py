"""The emoji of a text: `emoji(text)`, one row for each.

An emoji is what the data of the `emoji` package (Unicode's emoji-test.txt) lists, the longest that
fits at each place of the text: a skin tone, a family joined by zero-width joiners, a flag or a
keycap is one emoji. It is given in its fully-qualified form, so that ❤ and ❤️ are one. What is not
listed is its listed parts. A character that asks for its text form (U+FE0E behind it) is none, nor
is a skin tone or a letter of a flag that stands alone. Two flag letters that are no flag are
skipped together, so that they do not pair up with the next flag.
"""

from __future__ import annotations

import re
from functools import cache

import polars as pl
from emoji import EMOJI_DATA, STATUS

from transforms.prepare.function import Function, always, constant, of, one_of
from transforms.prepare.kinds import TEXT, Kind, Typed

WITHOUT_SKIN_TONE = "without skin tone"
"""Second argument of `emoji` that makes one emoji of all its skin tones."""

_TEXT_FORM = "\ufe0e"
_EMOJI_FORM = "\ufe0f"
_TONES_IN_NAME = re.compile(
    "(_person_person)?(_(medium-light|medium-dark|light|medium|dark)_skin_tone)+"
)
"""Two people of different tones are named where without tones there is one couple."""
_LETTERS = tuple(map(chr, range(0x1F1E6, 0x1F200)))


@cache
def emoji_forms(*, skin_tones: bool = True) -> dict[str, str | None]:
    """Returns all that is looked for in a text.

    Args:
        skin_tones: Whether emoji keep their skin tones.

    Returns:
        For each sequence of characters the emoji that it is, fully qualified, or None for a
        sequence that is none; the longest sequences first.
    """
    qualified: dict[str, str] = {}
    for sequence, data in EMOJI_DATA.items():
        if data["status"] == STATUS["fully_qualified"]:
            qualified.setdefault(str(data["en"]), sequence)
    forms: dict[str, str | None] = {
        first + second: None for first in _LETTERS for second in _LETTERS
    }
    for sequence, data in EMOJI_DATA.items():
        name = str(data["en"])
        if data["status"] == STATUS["component"]:
            continue
        forms[sequence] = qualified[name if skin_tones else _TONES_IN_NAME.sub("", name)]
        if len(sequence.removesuffix(_EMOJI_FORM)) == 1:
            forms[sequence.removesuffix(_EMOJI_FORM) + _TEXT_FORM] = None
    return dict(sorted(forms.items(), key=lambda form: -len(form[0])))


def _emoji(text: Typed, tones: str | None = None) -> pl.Expr:
    forms = emoji_forms(skin_tones=tones is None)
    found = text.expr.str.extract_many(list(forms), leftmost=True)
    changed = {sequence: form for sequence, form in forms.items() if sequence != form}
    canonical = pl.element().replace(
        pl.Series(list(changed)), pl.Series(list(changed.values()), dtype=pl.String)
    )
    return found.list.eval(canonical).list.drop_nulls()


EMOJI = (
    Function(
        "emoji",
        f"emoji(text [, '{WITHOUT_SKIN_TONE}'])",
        (of(Kind.TEXT), constant(one_of(WITHOUT_SKIN_TONE), optional=True)),
        always(TEXT),
        _emoji,
        explodes=True,
    ),
)
