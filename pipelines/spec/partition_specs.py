"""Which partitions a table has and how much of a unit counts: bounds, selection, public keys."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field, Tag, ValidationInfo, field_validator, model_validator

from pipelines.spec.date_ranges import DateRangeSpec, is_date_range
from pipelines.spec.fields import KeyValue, Model, Text, WholeNumber, by_kind, wrong_kind
from transforms.bounds import Bounds
from transforms.mechanisms import AUTO, SelectionChoice, SelectionStrategy
from transforms.table import PrivateSelection

_L0_LINF = ("max_partitions_contributed", "max_contributions_per_partition")


class BoundsSpec(
    Model,
    json_schema_extra={
        "if": {"required": ["max_contributions"]},
        "then": {"not": {"anyOf": [{"required": [name]} for name in _L0_LINF]}},
    },
):
    """How much of one privacy unit counts in a table."""

    max_partitions_contributed: WholeNumber = Field(default=1, json_schema_extra={"minimum": 1})
    """Partitions that one privacy unit may touch (L0)."""
    max_contributions_per_partition: WholeNumber = Field(
        default=1, json_schema_extra={"minimum": 1}
    )
    """Rows of one privacy unit that count in one partition (Linf)."""
    max_contributions: WholeNumber | None = Field(default=None, json_schema_extra={"minimum": 1})
    """Rows of one privacy unit that count in the table, wherever they are (L1). Allowed only
    without the other two."""

    @field_validator("*")
    @classmethod
    def _in_range(cls, value: int, info: ValidationInfo) -> int:
        Bounds(**{str(info.field_name): value})
        return value

    @model_validator(mode="after")
    def _check(self) -> BoundsSpec:
        others = [name for name in _L0_LINF if name in self.model_fields_set]
        if "max_contributions" in self.model_fields_set and others:
            raise ValueError(
                f"max_contributions stands beside {' and '.join(others)}; allowed: "
                f"max_contributions alone, or {' with '.join(_L0_LINF)}"
            )
        return self

    def bounds(self) -> Bounds:
        """Returns the bounds for the engine."""
        return Bounds(
            self.max_partitions_contributed,
            self.max_contributions_per_partition,
            self.max_contributions,
        )


class SelectionSpec(Model):
    """Private selection of the partitions to release."""

    strategy: SelectionChoice = AUTO
    """How the choice is made; `auto` is the way that needs the fewest privacy units."""
    pre_threshold: WholeNumber | None = Field(default=None, json_schema_extra={"minimum": 1})
    """Partitions with fewer privacy units are never released; not with weighted_gaussian. Default:
    no such rule."""

    @field_validator("pre_threshold")
    @classmethod
    def _in_range(cls, value: int) -> int:
        PrivateSelection(pre_threshold=value)
        return value

    @model_validator(mode="after")
    def _check(self) -> SelectionSpec:
        self.selection()
        return self

    def selection(self) -> PrivateSelection:
        """Returns the private selection for the engine."""
        return PrivateSelection(self.strategy, self.pre_threshold)


_STRATEGIES = (AUTO, *get_args(SelectionStrategy))


def _strategy_alone(value: Any) -> Any:
    if isinstance(value, str):
        return {"strategy": value}
    if isinstance(value, dict):
        return value
    raise wrong_kind(f"{', '.join(_STRATEGIES)}, or a mapping with strategy")


def _public_kind(value: Any) -> str | None:
    match value:
        case str():
            return "<file>"
        case list() | tuple():
            return "<list>"
        case dict():
            return "<mapping>"
        case _:
            return None


def _key_list_kind(value: Any) -> str | None:
    return "<dates>" if is_date_range(value) else _public_kind(value)


Selection = Annotated[
    SelectionSpec,
    BeforeValidator(_strategy_alone, json_schema_input_type=SelectionChoice | SelectionSpec),
]
_ListFile = Annotated[Text, Tag("<file>")]
_KeyValues = Annotated[
    _ListFile
    | Annotated[tuple[KeyValue, ...], Tag("<list>")]
    | Annotated[DateRangeSpec, Tag("<dates>")],
    by_kind(
        _key_list_kind,
        "a list of values, a file with a column of that name, or a mapping with from and to",
    ),
]
PublicSpec = Annotated[
    _ListFile
    | Annotated[tuple[dict[Text, KeyValue], ...], Tag("<list>")]
    | Annotated[dict[Text, _KeyValues], Tag("<mapping>")],
    by_kind(
        _public_kind,
        "a file, a list of mappings, or a mapping of keys to lists, files or date ranges",
    ),
]
