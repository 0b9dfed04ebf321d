"""Types of config values, and errors that say what is allowed in place of a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from pipelines.spec.errors import KeyPath
from transforms.table import check_share

WRONG_KIND = "wrong_kind"
"""Type of the error for a value that is none of several kinds; its text is what is allowed."""

PROBLEMS = "problems"
"""Type of the error for values that do not go together; lists places and messages."""

Scalar = str | int | float | bool


def wrong_kind(allowed: str) -> PydanticCustomError:
    """Returns the error for a value that is none of the kinds that are allowed."""
    return PydanticCustomError(WRONG_KIND, allowed)


def by_kind(tag: Callable[[Any], str | None], allowed: str) -> Discriminator:
    """Returns what tells the kinds of a union apart.

    Args:
        tag: Returns the tag of a value's kind, or None for a value of no kind.
        allowed: What is allowed, for the error about a value of no kind.

    Returns:
        The annotation for the union.
    """
    return Discriminator(
        tag,
        custom_error_type=WRONG_KIND,
        custom_error_message=allowed,
    )


Found = tuple[KeyPath, str] | tuple[KeyPath, str, int]
"""A problem of a model: the place inside it, the message, and perhaps the place in the text."""


def refuse(problems: Iterator[Found]) -> None:
    """Raises one error for all problems of a model.

    Args:
        problems: Each problem.

    Raises:
        PydanticCustomError: There is a problem.
    """
    found = list(problems)
    if found:
        raise PydanticCustomError(PROBLEMS, PROBLEMS, {"problems": found})


def refused(path: KeyPath, check: Callable[[], object]) -> Iterator[tuple[KeyPath, str]]:
    """Yields what the engine refuses, placed.

    Args:
        path: Place inside the model; a message that begins with the name there goes on from it.
        check: Raises a ValueError where something is wrong.
    """
    try:
        check()
    except ValueError as error:
        yield path, str(error).removeprefix(f"{path[-1]} ")


def distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the values, or raises a ValueError when one is there more than once."""
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"lists {', '.join(map(repr, repeated))} more than once; allowed: once")
    return values


def _one_or_more(value: Any) -> Any:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return value
    raise wrong_kind("text or a list of text")


def _pair(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 2:
        return value
    raise wrong_kind("a list of two numbers, [smallest, largest]")


def _scalar(value: Any) -> Any:
    if isinstance(value, get_args(Scalar)):
        return value
    raise wrong_kind("text, a number, true or false")


def _share(value: float) -> float:
    check_share("this", value)
    return value


def _shares_kind(value: Any) -> str | None:
    match value:
        case dict():
            return "<mapping>"
        case str():
            return "<auto>"
        case _:
            return None


Name = Annotated[str, Field(strict=True, pattern=r"^[a-z][a-z0-9_]*$")]
Text = Annotated[str, Field(strict=True, min_length=1)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
WholeNumber = Annotated[int, Field(strict=True)]
Interval = Annotated[tuple[Number, Number], BeforeValidator(_pair)]
Share = Annotated[Number, AfterValidator(_share), Field(json_schema_extra={"exclusiveMinimum": 0})]
SharesSpec = Annotated[
    Annotated[dict[Name, Share], Tag("<mapping>")] | Annotated[Literal["auto"], Tag("<auto>")],
    by_kind(_shares_kind, "auto, or a mapping"),
]
OneOrMore = Annotated[
    tuple[Text, ...],
    Field(min_length=1),
    BeforeValidator(
        _one_or_more, json_schema_input_type=Text | Annotated[list[Text], Field(min_length=1)]
    ),
    AfterValidator(distinct),
]
KeyValue = Annotated[
    Any, AfterValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})
]


def _field_title(name: str, _: Any) -> str:
    return name.replace("_", " ").capitalize()


def _model_title(model: type[Any]) -> str:
    return model.__name__.removesuffix("Spec")


class Model(BaseModel):
    """A mapping of the config: frozen, without unknown keys, and without keys left empty."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        field_title_generator=_field_title,
        model_title_generator=_model_title,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        if value is None:
            raise wrong_kind("a value, or leave the key out")
        return value
