"""The words of a text: `words(text)` and `ngrams(text, 2)`, one row for each.

A word is a run of letters of any script with their marks, in lower case and composed form (NFC);
apostrophes inside belong to it. Digits, punctuation and blanks separate words. Scripts without
blanks are not cut up: a run of Chinese characters is one word.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from transforms.prepare.function import Function, always, constant, of, whole_from_to
from transforms.prepare.kinds import TEXT, Kind, Typed

_WORD = r"\p{L}[\p{L}\p{M}]*(?:['\u{2019}]\p{L}[\p{L}\p{M}]*)*"
_MOST = 10


def words_of(text: pl.Expr) -> pl.Expr:
    """Returns the list of the words of a text."""
    return text.str.normalize("NFC").str.to_lowercase().str.extract_all(_WORD)


def join_neighbours(words: pl.Series, size: int) -> pl.Series:
    """Returns, for each list of words, all runs of words in it, joined by a blank.

    Args:
        words: Lists of text.
        size: Words in a run.

    Returns:
        Lists of text; a null stays null, and a list with too few words becomes empty.
    """
    counts = words.list.len().fill_null(0).to_numpy().astype(np.int64)
    flat = words.drop_nulls().explode(empty_as_null=False)
    runs = np.maximum(counts - size + 1, 0)
    offsets = np.concatenate([[0], np.cumsum(runs)])
    # The runs of a list start at its first words, one after the other.
    starts = np.arange(offsets[-1]) + np.repeat(np.cumsum(counts) - counts - offsets[:-1], runs)
    joined = pl.select(
        pl.concat_str([flat.gather(starts + step) for step in range(size)], separator=" ")
    ).to_series()
    lists = pa.LargeListArray.from_arrays(
        pa.array(offsets), joined.to_arrow(), mask=words.is_null().to_arrow()
    )
    return pl.Series(words.name, lists, dtype=pl.List(pl.String))


def _ngrams(text: Typed, size: int) -> pl.Expr:
    return words_of(text.expr).map_batches(
        lambda words: join_neighbours(words, size),
        return_dtype=pl.List(pl.String),
        is_elementwise=True,
    )


WORDS = (
    Function(
        "words",
        "words(text)",
        (of(Kind.TEXT),),
        always(TEXT),
        lambda text: words_of(text.expr),
        explodes=True,
    ),
    Function(
        "ngrams",
        "ngrams(text, 2)",
        (of(Kind.TEXT), constant(whole_from_to(1, _MOST))),
        always(TEXT),
        _ngrams,
        explodes=True,
    ),
)
