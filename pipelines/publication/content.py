"""What a release is described by: its plan file, and facts that only publication knows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pipelines.plan.file import PlanFile
from pipelines.publication.facts import Facts
from pipelines.publication.stated import StatedPlan, stated_plan

NOT_STATED = "not stated"


@dataclass(frozen=True)
class Content:
    """All that the manifest of a release is made of, but for its tables.

    Attributes:
        file: The plan file beside the data.
        facts: What it does not have.
    """

    file: PlanFile
    facts: Facts

    @cached_property
    def stated(self) -> StatedPlan:
        """The plan as objects.

        Raises:
            ValueError: The file holds no plan.
        """
        return stated_plan(self.file.plan)

    @property
    def series(self) -> str:
        """Name of the release series."""
        return str(self.file.plan["release"])

    @property
    def name(self) -> str:
        """The release: `emoji_weekly@2026-W46`, or the series where there is no period."""
        facts = self.facts
        period = "" if facts.period is None else f"@{facts.period}"
        return f"{self.series}{period}{f' version {facts.version}' if facts.version > 1 else ''}"

    def said(self, name: str) -> str:
        """Returns what the publisher says about something, or that it is not stated."""
        return str(self.facts.about.get(name, NOT_STATED))
