"""What tuning recommends, as YAML: only the keys that change, in the structure of the config.

A patch is merged into a config like this: a mapping into the mapping at the same place, key by
key; anything else takes the place of what is there. So levels with bounds of their own are listed
in full.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from pipelines.spec import KeyPath, LoadedRelease
from pipelines.tune.plan import TuningPlan
from pipelines.tune.recommend import Recommendation
from transforms.metrics import Sum
from transforms.tuning.grid import scaled_sum

_BOUNDS = ("max_partitions_contributed", "max_contributions_per_partition", "max_contributions")
_LEVELS = "levels"


@dataclass(frozen=True)
class Change:
    """One key of the config that changes.

    Attributes:
        path: Its place.
        value: Its new value.
        why: The reason, for a comment of one line.
    """

    path: KeyPath
    value: Any
    why: str


def changes(plan: TuningPlan, found: Sequence[Recommendation]) -> list[Change]:
    """Returns all changes that tuning recommends."""
    return [change for one in found for change in _changes(plan, one)]


def _changes(plan: TuningPlan, found: Recommendation) -> Iterator[Change]:
    then = found.grid.points[found.best]
    now = found.grid.points[found.current]
    gain = f"error {_percent(_mean(found.now))} to {_percent(_mean(found.then))}"
    for bound in _BOUNDS:
        before, after = getattr(now, bound), getattr(then, bound)
        if before != after:
            yield Change((*found.path, bound), after, f"was {before}; with all changes, {gain}")
    table = plan.release.spec.placed(found.tables[0])
    errors = {one.metric: one for one in found.then[0].metrics}
    before_errors = {one.metric: one for one in found.now[0].metrics}
    for name, factor in found.factors.items():
        metric = plan.tables[found.tables[0]].metrics[name]
        assert isinstance(metric, Sum)
        key = "clip" if metric.clip is not None else "clip_total"
        low, high = (_short(end) for end in scaled_sum(metric, factor).interval)
        was = ", ".join(f"{end:g}" for end in metric.interval)
        why = (
            f"was [{was}]; error {_percent(before_errors[name].error)} to "
            f"{_percent(errors[name].error)}"
        )
        yield Change((*table.place("metrics", name), key), [low, high], why)
    for name, share in found.shares.items():
        noise = _percent(errors[name].parts["noise"])
        was = f"{plan.tables[found.tables[0]].spenders[name]:g}"
        why = f"was {was}, with which noise is {noise} of the total"
        yield Change(table.place("shares", name), _short(share), why)


def patch_data(release: LoadedRelease, changed: Sequence[Change]) -> dict[str, Any]:
    """Returns a patch as plain data.

    Args:
        release: The release series.
        changed: The changes.
    """
    patch: dict[str, Any] = {}
    for change in changed:
        inside = patch
        steps = change.path
        if _LEVELS in steps:
            place = steps.index(_LEVELS)
            inside = _down(inside, steps[:place])
            levels = inside.setdefault(_LEVELS, _levels(release, steps[: place + 1]))
            inside, steps = levels[int(steps[place + 1])], steps[place + 2 :]
        _down(inside, steps[:-1])[str(steps[-1])] = change.value
    return patch


def patch_text(release: LoadedRelease, changed: Sequence[Change], comment: str) -> str:
    """Returns a patch as YAML with comments.

    Args:
        release: The release series.
        changed: The changes.
        comment: Lines for the top.
    """
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    reasons: dict[KeyPath, list[str]] = {}
    for change in changed:
        path, why = change.path, change.why
        if _LEVELS in path:
            place = path.index(_LEVELS) + 1
            path, inside = path[:place], path[place:]
            why = f"level {'.'.join(map(str, inside))}: {why}"
        reasons.setdefault(path, []).append(why)
    lines = _lines(patch_data(release, changed), (), reasons)
    return head + "".join(f"{line}\n" for line in lines) if changed else head + "{}\n"


def apply_patch(data: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Returns the data of a config with a patch merged in."""
    merged = dict(data)
    for key, value in patch.items():
        before = merged.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            merged[key] = apply_patch(before, value)
        else:
            merged[key] = value
    return merged


def _down(inside: dict[str, Any], steps: Sequence[str | int]) -> dict[str, Any]:
    for step in steps:
        inside = inside.setdefault(str(step), {})
    return inside


def _levels(release: LoadedRelease, path: KeyPath) -> list[dict[str, Any]]:
    found = release.source.data
    for step in path:
        found = found[step]
    levels = copy.deepcopy(found)
    return [level if isinstance(level, dict) else {"keys": level} for level in levels]


def _lines(data: Any, path: KeyPath, reasons: dict[KeyPath, list[str]]) -> Iterator[str]:
    indent = "  " * len(path)
    for key, value in data.items():
        place = (*path, key)
        why = reasons.get(place, [])
        name = _flow(key)
        if isinstance(value, dict) and not why:
            yield f"{indent}{name}:"
            yield from _lines(value, place, reasons)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{indent}{name}:"
            yield from (f"{indent}  # {reason}" for reason in why)
            yield from (f"{indent}  - {_flow(item)}" for item in value)
        else:
            yield f"{indent}{name}: {_flow(value)} # {'; '.join(why)}"


def _flow(value: Any) -> str:
    if isinstance(value, str):
        text: str = yaml.safe_dump(value, allow_unicode=True, width=10**6)
        return text.removesuffix("...\n").strip()
    return json.dumps(value, ensure_ascii=False)


def _short(number: float) -> int | float:
    return int(number) if float(number).is_integer() and abs(number) < 1e15 else number


def _mean(points: Sequence[Any]) -> float:
    return float(sum(point.error for point in points) / len(points))


def _percent(part: float) -> str:
    return f"{100 * part:.3g} %"
