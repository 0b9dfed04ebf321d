"""Turns pydantic's errors into problems: in plain words and at the right place."""

from __future__ import annotations

import re
from inspect import isclass
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipelines.spec.errors import KeyPath, closest_word, describe, did_you_mean
from pipelines.spec.fields import PROBLEMS, Model
from pipelines.spec.release_spec import ReleaseSpec
from pipelines.spec.source import ProblemList
from pipelines.spec.table_spec import TAGGED_MODELS, UNION_TAGS

_KEY = "[key]"
_ALLOWED = {
    "string_type": "text",
    "string_pattern_mismatch": "lower-case letters, digits and underscores, first a letter",
    "string_too_short": "at least one character",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "too_short": "at least one item",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


def add_problems(
    error: ValidationError, problems: ProblemList, root: type[Model] = ReleaseSpec
) -> None:
    """Adds everything that pydantic found wrong with a config.

    Args:
        error: The error of `model_validate`.
        problems: Where the problems go.
        root: The model that did not fit.
    """
    details = error.errors(include_url=False)
    unknown = [detail for detail in details if detail["type"] == "extra_forbidden"]
    misspelt = {(*_path(detail)[:-1], _meant(detail, root)) for detail in unknown}
    for detail in details:
        path = _path(detail)
        match detail["type"]:
            case "extra_forbidden":
                problems.add(path, _unknown_key(detail, root), at_key=True)
            case "missing" if path not in misspelt:
                problems.add(path[:-1], f"the key {path[-1]!r} is missing")
            case "missing" | "default_factory_not_called":
                pass
            case "value_error":
                problems.add_engine_error(path, detail["ctx"]["error"])
            case kind if kind == PROBLEMS:
                for place, message, *at in detail["ctx"]["problems"]:
                    problems.add((*path, *place), message, at=at[0] if at else None)
            case _:
                problems.add(path, _wrong_value(detail), at_key=_KEY in detail["loc"])


def _path(detail: ErrorDetails) -> KeyPath:
    return tuple(step for step in detail["loc"] if step not in (*UNION_TAGS, _KEY))


def _wrong_value(detail: ErrorDetails) -> str:
    value, kind = detail["input"], detail["type"]
    words: list[str] = []
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
        allowed = ", ".join(words)
    else:
        allowed = _ALLOWED.get(kind, detail["msg"])
    if kind in ("int_type", "float_type") and _is_quoted_number(value):
        allowed += " without quotes"
    return f"{describe(value)}; allowed: {allowed}{did_you_mean(value, words)}"


def _is_quoted_number(value: Any) -> bool:
    try:
        return isinstance(value, str) and float(value) is not None
    except ValueError:
        return False


def _unknown_key(detail: ErrorDetails, root: type[Model]) -> str:
    allowed = _keys_beside(detail, root)
    suggestion = did_you_mean(detail["loc"][-1], allowed)
    return f"unknown key{suggestion or '; allowed: ' + ', '.join(allowed)}"


def _meant(detail: ErrorDetails, root: type[Model]) -> str | int:
    key = detail["loc"][-1]
    return closest_word(key, _keys_beside(detail, root)) or key


def _keys_beside(detail: ErrorDetails, root: type[Model]) -> list[str]:
    """Returns the keys that the model around the place of an error has."""
    model = root
    steps = iter(detail["loc"][:-1])
    for step in steps:
        if step in TAGGED_MODELS:
            model = TAGGED_MODELS[str(step)]
            continue
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if step not in fields:
            continue
        annotation = fields[str(step)].annotation
        if get_origin(annotation) is dict:
            next(steps)
        model = _model_in(annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[Model] | None:
    if isclass(annotation) and issubclass(annotation, Model):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
