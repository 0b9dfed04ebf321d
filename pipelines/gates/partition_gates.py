"""Gates on the partitions of the output: by the tables as they would be published.

What they look at is noisy and paid for, and lists come from the config, so whatever is decided here
is post-processing: it costs nothing, and may be published, stopped releases included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from pipelines.publication.completeness import NAMED, Completeness, Missing
from pipelines.spec import LoadedRelease, ProblemList
from pipelines.spec.listed_keys import fit_listed
from pipelines.spec.public_keys import PublicKeyReader
from transforms.key_list import KeyList
from transforms.rows import canonical_type

_ROUNDING = 1e-9
"""So that a share of 0.9 of 10 partitions is 9."""


@dataclass(frozen=True)
class ExpectedPartitions:
    """Partitions that a table should have.

    Attributes:
        frame: Their keys.
        share: How many of them must be there.
    """

    frame: pl.DataFrame
    share: float


def expected_partitions(
    release: LoadedRelease, schema: Mapping[str, pl.DataType] | None = None
) -> dict[str, ExpectedPartitions]:
    """Reads the lists of partitions that tables should have.

    Args:
        release: The release series.
        schema: Types of the key columns, by table or of the prepared rows; None where they are not
            known yet.

    Returns:
        Those of each table that has a list.

    Raises:
        ConfigError: A list cannot be used.
    """
    problems = ProblemList(release.source)
    found: dict[str, ExpectedPartitions] = {}
    for name, gate in release.spec.gates.partitions.items():
        if gate.listed is None:
            continue
        path = ("gates", "partitions", name, "listed")
        keys = release.spec.placed(name).spec.key_columns
        listed = PublicKeyReader(
            keys, release.spec.column_types(), release.resolve, path, problems, distinct=True
        ).read(gate.listed)
        if listed is None:
            continue
        with problems.at(path):
            frame = KeyList.of(keys, listed.parts).frame
            if schema is not None:
                frame = pl.DataFrame(
                    [fit_listed(frame[key], canonical_type(key, schema[key])) for key in keys]
                )
            found[name] = ExpectedPartitions(frame, gate.share)
    problems.raise_if_any()
    return found


def partition_gates(release: LoadedRelease, tables: Mapping[str, pl.DataFrame]) -> Completeness:
    """Looks whether tables have the partitions that they should have.

    Args:
        release: The release series.
        tables: The tables as they would be published. The row of other partitions is none.
    """
    found = Completeness()
    for name, gate in release.spec.gates.partitions.items():
        keys = release.spec.placed(name).spec.key_columns
        table = tables[name].select(keys).drop_nulls()
        gaps: list[Missing] = []
        if gate.listed is not None:
            gaps += _missing(name, expected_partitions(release, table.schema)[name], table)
        if gate.number is not None and not gate.number[0] <= table.height <= gate.number[1]:
            least, most = map(str, gate.number)
            gaps.append(Missing("number", (least, most), table.height, gate.number[0], name))
        found += Completeness((f"partitions of {name}",), tuple(gaps))
    return found


def _missing(name: str, expected: ExpectedPartitions, table: pl.DataFrame) -> Iterator[Missing]:
    """Yields what is missing where less is there than the share."""
    missing = expected.frame.join(table, on=table.columns, how="anti")
    there = expected.frame.height - missing.height
    if there >= expected.share * expected.frame.height - _ROUNDING:
        return
    first = missing.sort(pl.all()).head(NAMED).select(pl.all().cast(pl.String))
    names = tuple(", ".join(row) for row in first.iter_rows())
    yield Missing("partitions", names, missing.height, expected.frame.height, name)
