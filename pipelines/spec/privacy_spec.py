"""The `privacy` of a release YAML: what is protected, and how well."""

from __future__ import annotations

from typing import Any

from pydantic import (
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipelines.spec.fields import Model, Number, OneOrMore, refuse
from transforms.bounds import Adjacency, Bounding, Guarantee
from transforms.budget import AnyBudget, Budget, ZcdpBudget

_ROWS_HAVE_NO_UNIT = (
    "is not protected with bounding: row, which protects single rows; "
    "allowed: leave it out, or bounding: unit or unit_partition"
)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class PrivacySpec(
    Model,
    json_schema_extra={
        "if": {"required": ["bounding"], "properties": {"bounding": {"const": "row"}}},
        "then": {"not": {"required": ["unit"]}},
        "else": {"required": ["unit"]},
        "oneOf": [{"required": ["epsilon"]}, {"required": ["rho"]}],
    },
):
    """What is protected, and how well."""

    bounding: Bounding = "unit"
    """What is protected as one: `unit`, all rows of a privacy unit; `unit_partition`, only its rows
    with equal values of all keys; `row`, only single rows."""
    unit: OneOrMore = Field(default=(), validate_default=True, json_schema_extra=_without_default)
    """Column or columns whose value is the privacy unit: whom the guarantee protects. With several,
    each combination of values is a unit of its own. An entry with a parenthesis or :: is a SQL
    expression of one row, such as date(event_time). Must be left out with `bounding: row`."""
    adjacency: Adjacency = "add_remove"
    """What is hidden of it: whether it is there (`add_remove`), or only what it says (`replace`),
    where the number of units is taken as known."""
    epsilon: Number | None = Field(default=None, json_schema_extra={"exclusiveMinimum": 0})
    """Largest privacy loss of one release, all tables together."""
    rho: Number | None = Field(default=None, json_schema_extra={"exclusiveMinimum": 0})
    """The same as zero-concentrated differential privacy (zCDP), instead of epsilon."""
    delta: Number = Field(default=0.0, json_schema_extra={"minimum": 0, "exclusiveMaximum": 1})
    """Probability with which the loss may be larger. Private selection needs some; so does gaussian
    noise under an epsilon."""

    @field_validator("epsilon", "delta")
    @classmethod
    def _in_range(cls, value: float, info: ValidationInfo) -> float:
        Budget(**{"epsilon": 1.0, str(info.field_name): value})
        return value

    @field_validator("rho")
    @classmethod
    def _rho_in_range(cls, value: float) -> float:
        ZcdpBudget(value)
        return value

    @model_validator(mode="after")
    def _stated_once(self) -> PrivacySpec:
        if (self.epsilon is None) == (self.rho is None):
            how = (
                "neither epsilon nor rho is" if self.epsilon is None else "both epsilon and rho are"
            )
            raise ValueError(f"{how} given; allowed: one of the two")
        return self

    @field_validator("unit", mode="wrap")
    @classmethod
    def _where_there_are_units(
        cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        bounding = info.data.get("bounding")
        if value == ():
            if bounding in ("unit", "unit_partition"):
                raise PydanticCustomError("missing", "missing")
            return value
        if bounding == "row":
            refuse(iter([((), _ROWS_HAVE_NO_UNIT)]))
        return validate(value)

    def budget(self) -> AnyBudget:
        """Returns epsilon or rho, and delta, for the engine."""
        if self.rho is not None:
            return ZcdpBudget(self.rho, self.delta)
        assert self.epsilon is not None
        return Budget(self.epsilon, self.delta)

    @property
    def stated_as(self) -> str:
        """The field that says how much may be lost."""
        return "epsilon" if self.rho is None else "rho"

    @property
    def stated(self) -> float:
        """What it says."""
        value = self.epsilon if self.rho is None else self.rho
        assert value is not None
        return value

    def guarantee(self) -> Guarantee:
        """Returns what is protected, for the engine."""
        return Guarantee(self.adjacency, self.bounding)
