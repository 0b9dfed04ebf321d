"""Expressions over one set of columns, dirty values for these columns, and helpers."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

import polars as pl
from hypothesis import strategies as st

from transforms.prepare.preparation import Preparation

SCHEMA = {
    "text": pl.String(),
    "whole": pl.Int64(),
    "other": pl.Int64(),
    "id": pl.UInt64(),
    "small": pl.Int8(),
    "number": pl.Float64(),
    "single": pl.Float32(),
    "flag": pl.Boolean(),
    "day": pl.Date(),
    "time": pl.Datetime("us", "America/New_York"),
    "clock": pl.Datetime("ms"),
}

OF_ONE_ROW = (
    *("whole + other", "whole - other", "whole * other", "-whole", "-number", "id + whole"),
    *("whole / other", "whole // other", "whole % other", "number // other", "number % single"),
    *("whole = other", "whole < number", "id >= whole", "text = 'a'", "day < clock", "flag = flag"),
    *("time > clock", "number <> single", "text is distinct from upper(text)", "flag is true"),
    *("flag and number > 0", "flag or whole > 0", "not flag", "whole is null", "text is not null"),
    *("whole in (1, 2, null)", "text in ('a', 'b')", "whole between other and 3", "id in (1, -1)"),
    *("text like '%a_'", "text ilike 'A%'", "text not like ''", "text || whole", "text || time"),
    *("case when flag then whole else number end", "case whole when 1 then 'x' end"),
    *("if(flag, text, 'none')", "coalesce(whole, other, 0)", "nullif(whole, other)"),
    *("greatest(whole, number)", "least(day, clock, time)", "concat(text, day, flag, number, id)"),
    *("abs(whole)", "abs(small)", "abs(number)", "ceil(number)", "floor(single)", "round(number)"),
    *("round(number, 3)", "sign(number)", "sign(id)", "sqrt(number)", "exp(number)", "ln(whole)"),
    *("log2(number)", "log10(single)", "pow(number, whole)", "pow(whole, other)", "ceil(whole)"),
    *("lower(text)", "upper(text)", "initcap(text)", "reverse(text)", "length(text)"),
    *("trim(text)", "ltrim(text, 'a ')", "rtrim(text, '\n')", "left(text, 3)", "right(text, 2)"),
    *("substr(text, 2)", "substr(text, whole, other)", "substr(text, id, small)"),
    *("lpad(text, 5, '0')", "replace(text, 'a', 'bb')", "split_part(text, 'a', 2)"),
    *("starts_with(text, 'a')", "ends_with(text, text)", "regexp_like(text, '^a+')"),
    *("regexp_extract(text, '(a)(b)?', 2)", "regexp_replace(text, '(a)', '$1$1')"),
    *("cast(text as bigint)", "cast(text as double)", "cast(text as boolean)", "text::date"),
    *("cast(text as timestamp)", "cast(number as bigint)", "cast(single as text)", "id::bigint"),
    *("cast(time as date)", "cast(time as text)", "cast(day as timestamp)", "cast(clock as text)"),
    *(
        "cast(whole as boolean)",
        "cast(flag as bigint)",
        "cast(whole as double)",
        "try_cast(id as text)",
    ),
    *("date(time)", "date(clock, 'Asia/Kathmandu')", "local_time(time, 'Pacific/Apia')"),
    *("extract(epoch from time)", "date_part('week', day)", "hour(time)", "year(clock)"),
    *("strftime(time, '%G-W%V %H')", "from_epoch(whole)", "from_epoch(number, 'ms')"),
    *("from_epoch(id, 'us')", "time + interval '1 month'", "clock - interval '3 hours'"),
    *(
        "day >= date '2026-11-01'",
        "time < timestamp '2026-11-01 12:00'",
        "clock = date '0001-01-01'",
    ),
    *("coalesce(clock, timestamp '9999-12-31 23:59:59.999999')", "day in (date '1970-01-01')"),
    *("date_part('epoch', timestamp '2026-03-29T01:30:00+01:00') - whole",),
    *("day + interval '2 weeks'", "time - interval '10 years'"),
    *("time_bucket(time, '6 hours', 'Europe/Berlin')", "time_bucket(clock, '15 minutes')"),
    *("time_bucket(day, '1 week')", "time_bucket(time, '3 months', 'Australia/Lord_Howe')"),
    *("bin(number, 0.1)", "bin(whole, 10)", "bin(id, 7)", "bin(single, [-1, 0.5, 3])"),
    *(
        "bin(whole, [0, 10])",
        "bin(number, 1000000)",
        "h3(number, single, 5)",
        "h3(whole, other, 9)",
    ),
)

OF_SEVERAL_ROWS = (
    *("emoji(text)", "emoji(text, 'without skin tone')", "words(text)", "ngrams(text, 2)"),
    *("upper(words(text))", "if(flag, emoji(text), 'none')", "emoji(lower(text))"),
    *("length(ngrams(text || ' ' || text, 3))", "words(cast(whole as text))"),
)

_PIECES = (
    *("a", "b", "ab", " ", "\n", "'", '"', "%", "\x00", "A", "İ", "ß", "e\u0301", "é", "日本"),
    *("❤", "❤️", "❤︎", "👍🏽", "👩‍👩‍👧‍👦", "🇩🇪", "🇦", "🇦🇦", "1️⃣", "\u200d", "\ufe0f", "🏽", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"),
    *("12", "-7", "1e5", "nan", "inf", "true", "2024-02-30", "2024-03-01", " 10:00:00", "Z"),
)
_WHOLE = (0, 1, -1, 2, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63))
_NUMBERS = (0.0, -0.0, 0.3, -0.7, 1e-300, 1e300, 90.0, math.nan, math.inf, -math.inf)
_FAR = (-(2**62), 2**62, -(10**17), 10**17, -62135596800 * 10**6 - 1, 253402300800 * 10**6)
_EPOCH = datetime(1970, 1, 1)
_TURNS = (datetime(2024, 3, 31, 1, 30), datetime(2024, 10, 27, 0, 30), datetime(2024, 11, 3, 5, 59))


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)


def _rows() -> st.SearchStrategy[dict]:
    whole = st.sampled_from(_WHOLE) | st.integers(-20, 20)
    number = st.sampled_from(_NUMBERS) | st.floats(-200, 200) | st.floats()
    micros = (
        st.sampled_from(_FAR)
        | st.sampled_from([_micros(time) for time in _TURNS])
        | st.integers(_micros(datetime(1, 1, 1)), _micros(datetime(9999, 12, 31)))
    )
    values = {
        "text": st.lists(st.sampled_from(_PIECES), max_size=8).map("".join) | st.text(max_size=6),
        "whole": whole,
        "other": whole,
        "id": st.sampled_from((0, 1, 2**63, 2**64 - 1)) | st.integers(0, 2**64 - 1),
        "small": st.integers(-128, 127),
        "number": number,
        "single": st.floats(width=32) | st.sampled_from((0.5, 45.25, -128.0)),
        "flag": st.booleans(),
        "day": st.sampled_from((-(2**31), 2**31 - 1)) | st.integers(-719162, 2932896),
        "time": micros,
        "clock": micros.map(lambda value: value // 1000),
    }
    return st.fixed_dictionaries({name: st.none() | value for name, value in values.items()})


def frames(min_size: int = 0, max_size: int = 8) -> st.SearchStrategy[pl.DataFrame]:
    """Frames of the schema with extremes, nulls, NaN, odd text and times out of range."""
    return st.lists(_rows(), min_size=min_size, max_size=max_size).map(frame_of)


def frame_of(rows: list[dict]) -> pl.DataFrame:
    """A frame of the schema; dates and times are given as numbers."""
    columns = []
    for name, dtype in SCHEMA.items():
        values = [row[name] for row in rows]
        if dtype.is_temporal():
            physical = pl.Int32 if dtype == pl.Date else pl.Int64
            columns.append(pl.Series(name, values, dtype=physical).cast(dtype))
        else:
            columns.append(pl.Series(name, values, dtype=dtype))
    return pl.DataFrame(columns)


def evaluate(expression: str, **columns) -> list:
    """The values of an expression over columns of Python values or series."""
    frame = pl.DataFrame(columns)
    return Preparation({"result": expression}).apply_to_frame(frame)["result"].to_list()


def days(*texts: str) -> list[date]:
    return [date.fromisoformat(text) for text in texts]
