"""Losses as JSON values. Floats are written with the digits that give the same float again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from transforms.accounting import ApproximateLoss, FailureLoss, GaussianLoss, LaplaceLoss, Loss

_KINDS: dict[str, type[Loss]] = {
    "laplace": LaplaceLoss,
    "gaussian": GaussianLoss,
    "approximate": ApproximateLoss,
    "failure": FailureLoss,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}

Mechanisms = tuple[tuple[Loss, ...], ...]
"""The losses of each mechanism of a release; those of one mechanism stand together."""


def mechanisms_to_json(mechanisms: Mechanisms) -> list[list[dict[str, Any]]]:
    """Returns the losses of mechanisms as JSON values."""
    return [[{"loss": _NAMES[type(loss)], **asdict(loss)} for loss in m] for m in mechanisms]


def mechanisms_from_json(values: Sequence[Sequence[Mapping[str, Any]]]) -> Mechanisms:
    """Returns the mechanisms that JSON values stand for.

    Raises:
        ValueError: They stand for none.
    """
    return tuple(tuple(map(_loss, mechanism)) for mechanism in values)


def _loss(value: Mapping[str, Any]) -> Loss:
    fields = {name: field for name, field in value.items() if name != "loss"}
    try:
        return _KINDS[value["loss"]](**fields)
    except (KeyError, TypeError):
        raise ValueError(f"{dict(value)} is no loss; allowed: {', '.join(_KINDS)}") from None
