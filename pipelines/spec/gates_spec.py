"""The `gates` of a release YAML: what has to be there before a release is made or published."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from pipelines.spec.errors import KeyPath, did_you_mean
from pipelines.spec.fields import Model, Name, Share, Text, WholeNumber, refuse, wrong_kind
from pipelines.spec.partition_specs import PublicSpec

if TYPE_CHECKING:
    from pipelines.spec.input_spec import InputSpec

OnGap = Literal["stop", "publish"]
"""`stop` makes no release; `publish` makes one that says what is missing."""

_RETENTION = re.compile(r"([1-9][0-9]{0,4}) days")
_WITH_DAYS = ("date", "timestamp")


def _whole_pair(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 2:
        return value
    raise wrong_kind("a list of two whole numbers, [least, most]")


def _range(value: tuple[int, int]) -> tuple[int, int]:
    if not 0 <= value[0] <= value[1]:
        raise ValueError(
            f"this is {list(value)}; allowed: [least, most], from 0, the least not above the most"
        )
    return value


def _retention(value: str) -> str:
    if not _RETENTION.fullmatch(value):
        raise ValueError(f"this is {value!r}; allowed: a number of days such as 90 days")
    return value


def _share(value: float) -> float:
    if value > 1:
        raise ValueError(f"this is {value:g}; allowed: above 0, at most 1")
    return value


Range = Annotated[
    tuple[WholeNumber, WholeNumber], BeforeValidator(_whole_pair), AfterValidator(_range)
]


class PartitionsGateSpec(Model):
    """Partitions that a published table should have. Held against what is published, so free."""

    number: Range | None = None
    """Least and most partitions."""
    listed: PublicSpec | None = None
    """Partitions that should be there, written like `public` of a table."""
    share: Annotated[Share, AfterValidator(_share)] = 1.0
    """How many of those that are listed must be there. Default: 1, which is all."""

    @model_validator(mode="after")
    def _check(self) -> PartitionsGateSpec:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[tuple[KeyPath, str]]:
        if self.number is None and self.listed is None:
            yield (), "expects nothing; allowed: with number, listed, or both"
        if self.listed is None and "share" in self.model_fields_set:
            yield ("share",), "is the share of nothing; allowed: with listed"


class GatesSpec(Model):
    """What has to be there before a release is made or published."""

    on_missing: OnGap = "stop"
    """What happens when days of the input, earlier periods of the series or partitions of the
    output are missing: `stop`, or `publish` with a status that names them. Default: stop."""
    days: Text | None = None
    """Column from folder names (dt=* in files) that says of which day a file is. Each day of the
    period must have a file. Default: input.time, where that is such a column."""
    since: Text | None = None
    """First period of the series, such as 2026-W40: all from it to the one before this must be
    published. Default: earlier periods are not looked at."""
    files: Range | None = None
    """Least and most files that are read; else the release stops. Default: any number."""
    bytes: Range | None = None
    """Least and most bytes of these files together; else the release stops. Default: any number."""
    retention: Annotated[Text, AfterValidator(_retention)] | None = None
    """How old input may be, such as 90 days: a release of older days stops before it is read.
    Default: of any age."""
    unfinished: OnGap = "stop"
    """What happens before the last day of the period is over, by the day in UTC: `stop`, or
    `publish` with a status that says so. Default: stop."""
    partitions: dict[Name, PartitionsGateSpec] = Field(default={})
    """Partitions that tables should have once they are published, by table. Default: any."""

    @property
    def retention_days(self) -> int | None:
        """How many days old input may be; None for any number."""
        match = None if self.retention is None else _RETENTION.fullmatch(self.retention)
        return None if match is None else int(match[1])


class GatedRelease(Protocol):
    """What of a release decides whether gates make sense."""

    @property
    def input(self) -> InputSpec:
        """The input."""

    @property
    def gates(self) -> GatesSpec:
        """The gates."""

    @property
    def period(self) -> str | None:
        """Period of the series."""


def days_column(release: GatedRelease) -> str | None:
    """Returns the column of folder names that says of which day a file is; None for none."""
    spec = release.input
    if release.gates.days is not None:
        return release.gates.days
    if spec.time in spec.folder_columns and spec.types.get(str(spec.time)) in _WITH_DAYS:
        return spec.time
    return None


def gate_problems(release: GatedRelease, tables: tuple[str, ...]) -> Iterator[tuple[KeyPath, str]]:
    """Yields what is wrong with the gates of a release.

    Args:
        release: The release series.
        tables: Names of its published tables.
    """
    gates, given = release.gates, release.gates.model_fields_set
    days = days_column(release)
    if release.input.files is None:
        for key in ("days", "files", "bytes"):
            if key in given:
                message = "is about files, and the input is bigquery; allowed: only with files"
                yield ("gates", key), message
    elif gates.days is not None and gates.days not in release.input.folder_columns:
        folders = release.input.folder_columns
        yield (
            ("gates", "days"),
            f"{gates.days!r} is no column from folder names; "
            f"allowed: {', '.join(folders) or 'none here, without a folder such as dt=* in files'}"
            f"{did_you_mean(gates.days, folders)}",
        )
    if release.period is None:
        for key in ("since", "unfinished"):
            if key in given:
                yield ("gates", key), "is about periods; allowed: with the key 'period'"
        if gates.days is not None and gates.retention is None:
            yield ("gates", "days"), "no days are expected; allowed: with period, or retention"
        if gates.retention is not None and days is None:
            yield (
                ("gates", "retention"),
                "the age of the input is not known; allowed: with period, or days",
            )
    watched = (release.period is not None and days is not None) or gates.since or gates.partitions
    if "on_missing" in given and not watched:
        yield (
            ("gates", "on_missing"),
            "nothing is expected, so nothing can be missing; allowed: with days, since or "
            "partitions",
        )
    for table in gates.partitions:
        if table not in tables:
            yield (
                ("gates", "partitions", table),
                f"there is no table {table!r}; allowed: {', '.join(tables)}"
                f"{did_you_mean(table, tables)}",
            )
