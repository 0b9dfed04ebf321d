"""The guarantee of a release in plain words: what is protected, how well, and what is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.spec import PrivacySpec, ReleaseSpec
from transforms.accounting.conversions import tight_epsilon

_OTHER_RELEASES = (
    "Anybody against other releases of the same data together: their {}s and deltas add up."
)

_EXAMPLE_DELTA = 1e-6
"""Delta of noise at which the epsilon of a budget of rho is told."""

_LARGE = 14
"""Epsilon beyond which its factor is a power of ten."""


@dataclass(frozen=True)
class GuaranteeText:
    """What a release promises, and about what.

    Attributes:
        privacy: The part of the config that says so.
        keys: All key columns of the release, each once.
        selects: Whether partitions of a table are selected privately.
    """

    privacy: PrivacySpec
    keys: Sequence[str]
    selects: bool

    @classmethod
    def of(cls, spec: ReleaseSpec) -> GuaranteeText:
        """Returns the guarantee of a release."""
        tables = [placed.spec for placed in spec.placed_tables()]
        keys = dict.fromkeys(key for table in tables for key in table.key_columns)
        return cls(spec.privacy, list(keys), any(table.public is None for table in tables))

    @property
    def unit(self) -> str:
        """The privacy unit in a word: `user_id`, `user_id + day`, or `row`."""
        return " + ".join(self.privacy.unit) or "row"

    @property
    def protects(self) -> str:
        """What neighbouring data sets differ in, and how far results may tell them apart.

        For any set S of results, P(S) on one data set is at most e^epsilon P(S) + delta on the
        other (C. Dwork and A. Roth, *The Algorithmic Foundations of Differential Privacy*, 2014,
        definition 2.4). A budget of rho bounds Renyi divergences (M. Bun and T. Steinke,
        *Concentrated Differential Privacy*, 2016, definition 1.1), from which an epsilon at any
        delta follows (`transforms.accounting.conversions.tight_epsilon`).
        """
        single = self.privacy.bounding == "row"
        if self.privacy.adjacency == "add_remove":
            change = f"Whether {'it is' if single else 'they are'} in the data or not"
        else:
            change = f"Putting any other {'row in its' if single else 'rows in their'} place"
        if self.privacy.rho is not None:
            return f"{self._thing}. {change} {self._of_rho(self.privacy.rho)}."
        return (
            f"{self._thing}. {change} makes no result of the release, all tables together, more "
            f"than {_factor(self.privacy.stated)} times (e^epsilon) as likely or unlikely"
            f"{self._allowance}."
        )

    def _of_rho(self, rho: float) -> str:
        room = min(_EXAMPLE_DELTA, 1 - self.privacy.delta)
        epsilon = tight_epsilon(rho, room)
        failing = f", but for events of probability {self.privacy.delta:g}"
        return (
            "moves the distribution of results of the release, all tables together, by a Renyi "
            f"divergence of at most {rho:g} a of each order a > 1 ({rho:g}-zCDP)"
            f"{failing if self.privacy.delta else ''}. So no result is more than "
            f"{_factor(epsilon)} times as likely or unlikely, but for an allowance of "
            f"{self.privacy.delta + room:.3g} in its probability, for instance"
        )

    @property
    def _thing(self) -> str:
        match self.privacy.bounding:
            case "unit" if len(self.privacy.unit) == 1:
                return f"All rows of one {self.unit}"
            case "unit":
                return f"All rows of one combination of {_and(self.privacy.unit)}"
            case "unit_partition":
                return (
                    f"All rows of one {self.unit} that have the same values of {_and(self.keys)}, "
                    "the keys of the release"
                )
            case "row":
                return "One row, as it is after filters and derived columns"

    @property
    def _allowance(self) -> str:
        if self.privacy.delta == 0:
            return ""
        example = " such as that selection shows a partition that is only theirs"
        return (
            f", but for an allowance of {self.privacy.delta:g} (delta) in its probability: for "
            f"rare events{',' + example if self.selects else ''}"
        )

    @property
    def does_not_protect(self) -> str:
        """What somebody might take to be protected, and is not."""
        return " ".join(
            filter(
                None, [self._several, self._known, _OTHER_RELEASES.format(self.privacy.stated_as)]
            )
        )

    @property
    def _several(self) -> str:
        """Says who has several protected things, and what that means for them."""
        delta = ", and a larger delta" if self.privacy.delta else ""
        times = "k" if self.privacy.rho is None else "k^2"
        stated = f"{self.privacy.stated_as} of up to {times} times {self.privacy.stated:g}"
        loss = f"has {'an' if self.privacy.rho is None else 'a'} {stated}{delta}"
        match self.privacy.bounding:
            case "unit" if len(self.privacy.unit) == 1:
                return f"Somebody with several values of {self.unit}: whoever has k of them {loss}."
            case "unit":
                columns = " or one ".join(self.privacy.unit)
                return f"One {columns} as a whole: whoever has k of the combinations {loss}."
            case "unit_partition":
                return (
                    f"One {self.unit} as a whole: whoever has rows with k different values of "
                    f"{_and(self.keys)} {loss}. Nothing bounds k."
                )
            case "row":
                return (
                    "A person, device or account with several rows: whoever has k rows "
                    f"{loss}. Nothing bounds k."
                )

    @property
    def _known(self) -> str:
        if self.privacy.adjacency == "add_remove":
            return ""
        things = {
            "unit": f"different values of {self.unit}",
            "unit_partition": f"different values of {self.unit} together with the keys",
            "row": "rows",
        }[self.privacy.bounding]
        return f"The number of {things} in the data: it is taken as known."

    def to_dict(self) -> dict[str, Any]:
        """Returns the guarantee as JSON values."""
        return {
            "privacy_unit": list(self.privacy.unit),
            "adjacency": self.privacy.adjacency,
            "bounding": self.privacy.bounding,
            "protects": self.protects,
            "does_not_protect": self.does_not_protect,
        }


def _factor(epsilon: float) -> str:
    """Returns e^epsilon, rounded up."""
    if epsilon > _LARGE:
        return f"10^{math.ceil(epsilon / math.log(10))}"
    digits = max(0, 2 - math.floor(epsilon / math.log(10)))
    return f"{math.ceil(math.exp(epsilon) * 10**digits) / 10**digits:,.{digits}f}"


def _and(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
