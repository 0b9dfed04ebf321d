"""One of several key sets that a table of a release YAML is made for."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, Tag

from pipelines.spec.expect_spec import ExpectSpec
from pipelines.spec.fields import Model, Name, Share, SharesSpec, Text, by_kind, distinct
from pipelines.spec.partition_specs import BoundsSpec, PublicSpec, Selection
from transforms.mechanisms import NoiseChoice

KeyNames = Annotated[tuple[Text, ...], Field(min_length=1), AfterValidator(distinct)]


class LevelSpec(Model):
    """One key set of a table with levels. What it does not say is as the table says it."""

    keys: KeyNames
    """Key columns of the level."""
    name: Name | None = None
    """Name of the level's table. Default: the name of the table, `_by_` and the keys."""
    bounds: BoundsSpec | None = None
    """How much of one privacy unit counts on this level."""
    public: PublicSpec | None = None
    """The partitions of this level, where they are known in advance."""
    selection: Selection | None = None
    """How the partitions of this level are chosen where they are not public."""
    noise: NoiseChoice | None = None
    """Distribution of the noise on the metrics of this level."""
    other: bool | None = None
    """Whether this level has a row that collects what is not selected."""
    share: Share = 1.0
    """Part of the table's budget, against the other levels."""
    shares: SharesSpec | None = None
    """Parts of the level's budget by metric, and for `selection` and `other`."""
    expect: ExpectSpec | None = None
    """A typical value of metrics in a partition of this level."""


def _level_kind(value: Any) -> str | None:
    match value:
        case list() | tuple():
            return "<keys>"
        case dict() | LevelSpec():
            return "<level>"
        case _:
            return None


Level = Annotated[
    Annotated[KeyNames, Tag("<keys>")] | Annotated[LevelSpec, Tag("<level>")],
    by_kind(_level_kind, "a list of keys, or a mapping with keys"),
]
