"""Dates and timestamps that are written as constants: `DATE '2026-11-01'`."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

DATE_USAGE = "DATE '2026-11-01'"
TIMESTAMP_USAGE = "TIMESTAMP '2026-11-01 12:00:00', with 'Z' or '+01:00' at the end or without"

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_ZONE = r"Z|[+-][0-9]{2}:[0-9]{2}"


def read_date(text: str) -> date:
    """Returns the date of a constant.

    Raises:
        ValueError: It is not one of the calendar.
    """
    try:
        if re.fullmatch(_DATE, text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(f"{text!r} is not a date; allowed: such as {DATE_USAGE}")


def read_timestamp(text: str) -> datetime:
    """Returns the timestamp of a constant: in UTC if it has an offset, else without a zone.

    Raises:
        ValueError: It is not one of the calendar.
    """
    try:
        if re.fullmatch(rf"{_DATE}([ T]{_TIME}({_ZONE})?)?", text):
            found = datetime.fromisoformat(text)
            return found if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{text!r} is not a timestamp; allowed: such as {TIMESTAMP_USAGE}")
