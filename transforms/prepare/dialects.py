"""Frequent functions of other SQL dialects, with what says the same here."""

from __future__ import annotations

_SAME = {
    "CAST(x AS text)": ("string", "str", "varchar"),
    "CAST(x AS bigint)": ("int", "integer", "bigint", "to_int", "trunc", "truncate"),
    "CAST(x AS double)": ("float", "double", "to_double", "to_number"),
    "CAST(x AS boolean)": ("bool", "boolean", "to_boolean"),
    "CAST(x AS date)": ("to_date", "parse_date"),
    "CAST(x AS timestamp)": (
        *("timestamp", "to_timestamp", "datetime", "to_datetime", "parse_datetime", "strptime"),
        *("parse_timestamp", "str_to_date"),
    ),
    "CAST(x AS type), which is null where x does not fit": ("convert", "try_convert", "safe_cast"),
    "coalesce(x, y)": ("ifnull", "nvl", "isnull", "zeroifnull"),
    "if(condition, x, y)": ("iff", "iif", "nvl2"),
    "CASE": ("decode", "switch"),
    "nullif(x, 0)": ("nullifzero",),
    "length(text)": ("len", "character_length", "strlen"),
    "lower(text)": ("lcase", "to_lower"),
    "upper(text)": ("ucase", "to_upper"),
    "substr(text, start, length)": ("mid",),
    "text LIKE '%part%'": ("contains", "instr", "strpos", "position", "charindex", "locate"),
    "starts_with(text, start)": ("startswith",),
    "ends_with(text, end)": ("endswith",),
    "concat(x, y)": ("concat_ws",),
    "split_part(text, 'separator', 1)": ("split", "string_split", "str_split"),
    "regexp_like(text, 'pattern')": ("regexp_contains", "regexp_matches", "rlike", "regexp"),
    "regexp_extract(text, 'pattern')": ("regexp_substr",),
    "x % y": ("mod",),
    "x // y": ("div",),
    "x / y, which is null where y is 0": ("safe_divide", "try_divide"),
    "ln(x), log10(x), log2(x)": ("log",),
    "pow(x, 2)": ("square",),
    "bin(x, 10)": ("width_bucket",),
    "time_bucket(time, '1 day')": (
        *("date_trunc", "datetime_trunc", "timestamp_trunc", "datetrunc", "time_slice"),
        *("date_bin", "tostartofhour", "tostartofday", "tostartofweek", "tostartofmonth"),
    ),
    "strftime(time, '%Y-%m')": (
        *("date_format", "format_date", "format_datetime", "format_timestamp", "to_char"),
    ),
    "from_epoch(number, 's')": (
        *("from_unixtime", "timestamp_seconds", "timestamp_millis", "timestamp_micros"),
        "epoch_ms",
    ),
    "time + INTERVAL '3 hours'": (
        *("date_add", "dateadd", "date_sub", "datetime_add", "datetime_sub", "timestamp_add"),
        *("timestamp_sub", "timestampadd", "add_months"),
    ),
    "date_part('epoch', time) - date_part('epoch', earlier), in seconds": (
        *("datediff", "date_diff", "datetime_diff", "timestamp_diff", "timestampdiff"),
    ),
    "date_part('hour', time)": ("datepart",),
    "date_part('isodow', time)": ("dayofweek", "weekday", "dow"),
    "date_part('week', time)": ("week", "weekofyear", "isoweek"),
    "date_part('doy', time)": ("dayofyear",),
    "date_part('quarter', time)": ("quarter",),
    "date_part('second', time)": ("second",),
    "date_part('epoch', time)": ("unix_seconds", "to_unixtime"),
    "day(time)": ("dayofmonth",),
    "local_time(time, 'Europe/Berlin')": ("convert_timezone", "convert_tz", "from_utc_timestamp"),
}

HINTS = {name: instead for instead, names in _SAME.items() for name in names}
"""What to write instead of a function, by its name in lower case."""
