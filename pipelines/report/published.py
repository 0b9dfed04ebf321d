"""A published release, read back from its folder: plan, tables, what is said about it, hashes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import file_digest
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.plan.file import PLAN_FILE, PlanFileError, read_plan_file
from transforms.mechanisms import NoiseKind
from transforms.table import released_columns

REPORT_FILE = "report.html"
"""Name of the report beside published data."""

PACKAGE_FILE = "datapackage.json"
"""Name of the manifest, where there is one."""

SUMS_FILE = "SHA256SUMS"
"""Name of the list of hashes. It has that of the report, so it is made later and not in it."""


class ReportError(Exception):
    """A report cannot be made of a folder. The text says why."""


@dataclass(frozen=True)
class PublishedFile:
    """One file of a release.

    Attributes:
        name: Name in the folder.
        size: Bytes.
        sha256: Digest in hexadecimal digits.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class PublishedTable:
    """One published table.

    Attributes:
        name: Its name.
        plan: Its part of the plan (`pipelines.plan.json_values`).
        frame: Its rows. Keys are text, whatever the file had; the row of other partitions has none.
    """

    name: str
    plan: Mapping[str, Any]
    frame: pl.DataFrame

    @property
    def keys(self) -> list[str]:
        """Key columns."""
        return list(self.plan["keys"])

    @property
    def selected(self) -> bool:
        """Whether its partitions were selected privately."""
        return self.plan["selection"] is not None

    @cached_property
    def numbers(self) -> list[str]:
        """Columns that have a standard deviation and an interval beside them."""
        return _numbers(self.frame, self.keys)

    @cached_property
    def rows(self) -> pl.DataFrame:
        """Rows without that of other partitions."""
        return self.frame.filter(~self._is_other)

    @cached_property
    def other(self) -> pl.DataFrame:
        """The row of other partitions, if there is one."""
        return self.frame.filter(self._is_other)

    @cached_property
    def noise(self) -> Mapping[str, NoiseKind]:
        """Distribution of the noise of each number: `gaussian` only if it is that of all parts."""
        mechanisms = dict(self.plan["mechanisms"])
        joint = self.plan["compared_and_released"]
        if joint is not None:
            mechanisms[joint] = mechanisms["selection"]["noise"]
        of_table = _kind(mechanisms.values())
        kinds = dict.fromkeys(self.numbers, of_table)
        for metric in self.plan["metrics"].values():
            kind = _kind(mechanisms[part] for part in metric["noise"])
            kinds.update((name, kind) for name in metric["columns"] if name in kinds)
        return kinds

    def adds_up(self, number: str) -> bool:
        """Returns whether a number is a count or a sum, so that partitions can be added."""
        metric = self.plan["metrics"].get(number)
        return metric is not None and metric["metric"].split(" of ")[0] in ("count", "sum")

    @property
    def _is_other(self) -> pl.Expr:
        other = pl.all_horizontal(pl.col(key).is_null() for key in self.keys)
        return other if self.plan.get("other") else pl.lit(False)


@dataclass(frozen=True)
class PublishedRelease:
    """A release as the public has it.

    Attributes:
        name: Name of its folder, which is its period if the series has periods.
        plan: Its plan (`pipelines.plan.json_values`).
        plan_hash: Identity of the plan.
        versions: Versions of the packages that made it.
        package: Its manifest; empty where there is none.
        tables: Its tables, in the order of the plan.
        files: Its files, by name, without the report and the list of hashes.
    """

    name: str
    plan: Mapping[str, Any]
    plan_hash: str
    versions: Mapping[str, str]
    package: Mapping[str, Any]
    tables: tuple[PublishedTable, ...]
    files: tuple[PublishedFile, ...]

    @property
    def series(self) -> str:
        """The release series."""
        return str(self.plan["release"])

    @property
    def title(self) -> str:
        """Title for people; the name of the series where nothing says it."""
        return str(self.package.get("title") or self.series)

    @property
    def publication(self) -> Mapping[str, Any]:
        """What the manifest says of the release itself; empty where there is no manifest."""
        return self.package.get("publication") or {}

    @property
    def version(self) -> int:
        """Version of the release: 1, or more after corrections."""
        version = self.publication.get("version", 1)
        if not isinstance(version, int):
            raise TypeError(f"version is {version!r}")
        return version

    def table(self, name: str) -> PublishedTable | None:
        """Returns a table, if there is one of this name."""
        return next((table for table in self.tables if table.name == name), None)


def read_release(folder: Path, name: str | None = None) -> PublishedRelease:
    """Reads a published folder.

    Args:
        folder: The folder.
        name: Its name once it is in place; None for the one that it has.

    Raises:
        ReportError: It holds no release, or a file of it cannot be read.
    """
    try:
        planned = read_plan_file(folder / PLAN_FILE)
        tables = tuple(
            _read_table(folder, table, plan) for table, plan in planned.plan["tables"].items()
        )
        files = tuple(_file(path) for path in sorted(folder.iterdir()) if _is_listed(path))
    except PlanFileError as error:
        raise ReportError(str(error)) from None
    except OSError as error:
        raise ReportError(f"{error.filename} cannot be read: {error.strerror}") from None
    return PublishedRelease(
        name or folder.resolve().name,
        planned.plan,
        planned.plan_hash,
        planned.made_of.get("versions", {}),
        _package(folder / PACKAGE_FILE),
        tables,
        files,
    )


def _read_table(folder: Path, name: str, plan: Mapping[str, Any]) -> PublishedTable:
    if Path(name).name != name:
        raise ReportError(f"{folder / PLAN_FILE}: {name!r} cannot be the name of a table")
    parquet, csv = folder / f"{name}.parquet", folder / f"{name}.csv"
    path = parquet if parquet.exists() else csv
    if not path.exists():
        raise ReportError(f"{folder} has neither {parquet.name} nor {csv.name}")
    keys: list[str] = plan["keys"]
    try:
        frame = _read_frame(path)
        parts = [part for name in _numbers(frame, keys) for part in released_columns(name)]
        frame = frame.with_columns(
            pl.col(keys).cast(pl.String), *(_number(frame[part]) for part in parts)
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        raise ReportError(
            f"{path} is no table with the keys {', '.join(keys)}, and numbers with their errors"
        ) from None
    return PublishedTable(name, plan, frame)


def _read_frame(path: Path) -> pl.DataFrame:
    if path.suffix == ".parquet":
        return pl.read_parquet(path, glob=False)
    return pl.read_csv(path, glob=False, infer_schema=False)


def _number(values: pl.Series) -> pl.Series:
    """Returns numbers of csv as whole numbers where all are, else as floats."""
    if values.dtype != pl.String:
        return values
    whole = values.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == values.null_count() else values.cast(pl.Float64)


def _numbers(frame: pl.DataFrame, keys: list[str]) -> list[str]:
    columns = set(frame.columns)
    return [
        name for name in frame.columns if name not in keys and columns >= {*released_columns(name)}
    ]


def _kind(mechanisms: Iterable[Mapping[str, Any]]) -> NoiseKind:
    noises = (mechanism.get("noise", "none") for mechanism in mechanisms)
    kinds = {noise if isinstance(noise, str) else noise["noise"] for noise in noises}
    return "gaussian" if kinds - {"none"} == {"gaussian"} else "laplace"


def _is_listed(path: Path) -> bool:
    own = (REPORT_FILE, SUMS_FILE)
    return path.is_file() and path.name not in own and not path.name.startswith(".")


def _file(path: Path) -> PublishedFile:
    with path.open("rb") as content:
        digest = file_digest(content, "sha256").hexdigest()
    return PublishedFile(path.name, path.stat().st_size, digest)


def _package(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ReportError(f"{path} is not JSON") from None
    if not isinstance(found, dict):
        raise ReportError(f"{path} is no data package")
    return found
