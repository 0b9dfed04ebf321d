"""What differs between two plans: field by field, and in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.numbers import percent
from pipelines.plan.hash import rounded
from transforms.table import OTHER, SELECTION

_NOTHING = object()


@dataclass(frozen=True)
class Difference:
    """One field that differs.

    Attributes:
        place: Where: `plan.tables.by_country.mechanisms.uses.scale`.
        old: The value before, as JSON; None where there was none.
        new: The value now; None where there is none.
    """

    place: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        return f"{self.place}: {self.old or 'nothing'} -> {self.new or 'nothing'}"


@dataclass(frozen=True)
class Change:
    """One difference between plans that a person should know of.

    Attributes:
        table: The table that it is about; None for the release.
        text: What is different, in words.
    """

    table: str | None
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Returns the change as JSON values."""
        return {"table": self.table, "change": self.text}

    def __str__(self) -> str:
        return self.text if self.table is None else f"{self.table}: {self.text}"


def differences(old: Any, new: Any, place: str) -> list[Difference]:
    """Returns every field in which two JSON values differ, floats to 6 digits.

    Args:
        old: The value before.
        new: The value now.
        place: Its place, for the places of the fields.
    """
    return list(_differences(rounded(old), rounded(new), place))


def _differences(old: Any, new: Any, place: str) -> Iterator[Difference]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            parts = old.get(key, _NOTHING), new.get(key, _NOTHING)
            yield from _differences(*parts, f"{place}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, now) in enumerate(zip(old, new, strict=True)):
            yield from _differences(before, now, f"{place}[{index}]")
    elif old is _NOTHING or new is _NOTHING or _json(old) != _json(new):
        yield Difference(place, _json(old), _json(new))


def _json(value: Any) -> str | None:
    return None if value is _NOTHING else json.dumps(value, ensure_ascii=False, sort_keys=True)


def plan_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Returns what is different between two plans, in words.

    Args:
        old: A plan as JSON values (`pipelines.plan.json_values`), such as that of the last release.
        new: Another one.

    Returns:
        One change per thing that is different, the release first; fields that follow from others
        are not named. Empty if and only if the plans are the same, floats to 6 digits.
    """
    found = [Change(None, text) for text in _of_release(old, new)]
    before, now = _mapping(old.get("tables")), _mapping(new.get("tables"))
    found += [Change(name, "the table is gone") for name in before if name not in now]
    for name, table in now.items():
        if name not in before:
            found.append(Change(name, "the table is new"))
            continue
        changed = list(_of_table(_mapping(before[name]), _mapping(table)))
        if not changed:
            changed = [str(one) for one in differences(before[name], table, "plan")]
        found += [Change(name, text) for text in changed]
    if not found:
        found = [Change(None, str(one)) for one in differences(old, new, "plan")]
    return found


def _of_release(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    words = {
        ("release",): "release",
        ("dataset",): "dataset that is charged",
        ("where",): "rows that count",
        ("period",): "period",
        ("time",): "column of the period",
        ("row_restriction",): "row_restriction",
        ("guarantee", "privacy_unit"): "privacy unit",
        ("guarantee", "adjacency"): "adjacency",
        ("guarantee", "bounding"): "bounding",
        ("epsilon",): "budget epsilon",
        ("rho",): "budget rho",
        ("delta",): "budget delta",
        ("price", "epsilon"): "cost in epsilon",
        ("price", "rho"): "cost in rho",
        ("price", "failed"): "part of delta for selection",
    }
    for path, what in words.items():
        yield from _moved(what, _at(old, *path), _at(new, *path))
    for field, thing in (("columns", "column"), ("types", "type of"), ("files", "file")):
        yield from _each(thing, _at(old, field), _at(new, field))


def _of_table(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    yield from _moved("keys", old.get("keys"), new.get("keys"))
    yield from _each("bound", old.get("bounds"), new.get("bounds"))
    counts = old.get("public_partitions"), new.get("public_partitions")
    yield from _moved("public partitions", *counts)
    if counts[0] == counts[1] and old.get("public_sha256") != new.get("public_sha256"):
        yield "public partitions are others, as many as before"
    for what, path in _SELECTION.items():
        yield from _moved(what, _at(old, "selection", *path), _at(new, "selection", *path))
    yield from _mechanisms(old, new)
    before, now = (_mapping(table.get("metrics")) for table in (old, new))
    for metric in before:
        if metric in now:
            settings = (_at(metrics, metric, "parameters") for metrics in (before, now))
            yield from _each(f"{metric}:", *settings)
    yield from _moved("steps after the noise", *(_effects(table) for table in (old, new)))


_SELECTION = {
    "selection": ("strategy",),
    "units for release with probability 0.5": ("units_for_probability", "0.5"),
}


def _mechanisms(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, now = _mapping(old.get("mechanisms")), _mapping(new.get("mechanisms"))
    yield from (f"mechanism {name} is gone" for name in before if name not in now)
    yield from (f"mechanism {name} is new" for name in now if name not in before)
    for name in before:
        if name in now and name != SELECTION:
            kinds = _at(before, name, "kind"), _at(now, name, "kind")
            yield from _moved(f"noise of {name}", *kinds)
            yield from _moved(f"noise std of {name}", _std(old, name), _std(new, name))


def _std(table: Mapping[str, Any], mechanism: str) -> Any:
    """Returns the standard deviation of a mechanism's noise, in the unit of what is released."""
    for group, prefix in (("metrics", ""), (OTHER, f"{OTHER}:")):
        for metric in _mapping(table.get(group)).values():
            noises = _mapping(_at(metric, "noise"))
            name = mechanism.removeprefix(prefix)
            if mechanism.startswith(prefix) and name in noises:
                return _at(noises, name, "std")
    return None


def _effects(table: Mapping[str, Any]) -> Any:
    steps = table.get("post_processing")
    if not isinstance(steps, list):
        return steps
    return "; ".join(str(_at(step, "effect")) for step in steps) if steps else None


def _each(what: str, old: Any, new: Any) -> Iterator[str]:
    before, now = _mapping(old), _mapping(new)
    for name in dict.fromkeys([*before, *now]):
        yield from _moved(f"{what} {name}", before.get(name), now.get(name))


def _moved(what: str, old: Any, new: Any) -> Iterator[str]:
    """Yields `noise std of uses from 143.2 to 160.4 (+12 %)`, or nothing if nothing moved."""
    if rounded(old) == rounded(new):
        return
    if _is_number(old) and _is_number(new):
        before, now = _numbers(old, new)
        yield f"{what} from {before} to {now}{_percent(old, new)}"
    else:
        yield f"{what} from {_said(old)} to {_said(new)}"


def _percent(old: float, new: float) -> str:
    if not old:
        return ""
    change = new / old - 1
    return f" ({'+' if change > 0 else '-'}{percent(abs(change))} %)"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(old: float, new: float) -> tuple[str, str]:
    """Returns two numbers with as many digits as tell them apart, four or more."""
    for digits in range(4, 17):
        before, now = f"{old:.{digits}g}", f"{new:.{digits}g}"
        if before != now:
            break
    return before, now


def _said(value: Any) -> str:
    match value:
        case None:
            return "none"
        case list():
            return ", ".join(map(_said, value)) or "none"
        case float():
            return f"{value:g}"
        case Mapping():
            return json.dumps(value, ensure_ascii=False, sort_keys=True)
        case _:
            return str(value)


def _at(value: Any, *path: str) -> Any:
    for step in path:
        value = _mapping(value).get(step)
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    """Returns a mapping as it is; none for any other value, in a file that is not ours."""
    return value if isinstance(value, Mapping) else {}
