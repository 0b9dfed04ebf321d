"""The `expect` of a table: typical numbers of a partition, to state errors against."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from pipelines.spec.errors import KeyPath, did_you_mean
from pipelines.spec.fields import Name, Number
from transforms.expected_error import LARGEST, SMALLEST, check_size


def _in_range(value: float) -> float:
    check_size("this", value)
    return value


ExpectedNumber = Annotated[
    Number,
    AfterValidator(_in_range),
    Field(json_schema_extra={"minimum": SMALLEST, "maximum": LARGEST}),
]
ExpectSpec = dict[Name, ExpectedNumber]


def expect_problems(
    expect: Mapping[str, float], metrics: Collection[str], plain: Collection[str]
) -> Iterator[tuple[KeyPath, str]]:
    """Yields what is wrong with the `expect` of a table.

    Args:
        expect: What the config says.
        metrics: All metrics of the table.
        plain: Those that are a number plus one draw of noise.

    Yields:
        Place inside the table, and message.
    """
    allowed = ", ".join(plain) or "none here"
    for name in expect:
        if name not in metrics:
            yield (
                ("expect", name),
                f"the table has no metric {name!r}; allowed: {allowed}{did_you_mean(name, plain)}",
            )
        elif name not in plain:
            yield (
                ("expect", name),
                f"{name!r} is not a number plus one draw of noise; allowed: {allowed}",
            )
