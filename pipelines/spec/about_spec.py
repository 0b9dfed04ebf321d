"""The `about` of a release YAML: what only the publisher can say. All of it is published."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from pydantic import AfterValidator, Field

from pipelines.spec.fields import Model, OneOrMore, Text, WholeNumber

Sector = Literal["Technology", "Healthcare", "Education", "Government", "Energy", "Finance"]
"""Sectors of the OpenDP deployments registry."""


def _spdx(license: str) -> str:
    """Returns an identifier of SPDX in its proper case."""
    try:
        return str(canonicalize_license_expression(license))
    except InvalidLicenseExpression:
        raise ValueError(
            f"is {license!r}; allowed: an identifier of SPDX, such as CC-BY-4.0, or one that "
            "begins with LicenseRef-"
        ) from None


License = Annotated[str, Field(strict=True, pattern=r"^[-a-zA-Z0-9._]+$"), AfterValidator(_spdx)]


class AboutSpec(Model):
    """What only the publisher can say; published beside the data, "not stated" where left out."""

    description: Text | None = None
    """What the numbers are, for readers."""
    curator: Text | None = None
    """Who publishes."""
    contact: Text | None = None
    """Whom readers can ask: a mail address or a URL."""
    purpose: Text | None = None
    """What the numbers are for."""
    region: Text | None = None
    """Where the people live whose data these are."""
    sector: Sector | None = None
    """Sector of the publisher."""
    license: License | None = None
    """What readers may do with the data: an identifier of SPDX, such as CC-BY-4.0."""
    links: OneOrMore = ()
    """Papers and pages about the release."""
    source: Text | None = None
    """Who is in the raw data and how they were collected."""
    population: Annotated[WholeNumber, Field(ge=1)] | None = None
    """About how many privacy units there are, as everybody may know. Never count them in the
    private data for this."""
    schedule: Text | None = None
    """How often there is a release, and for how long this will go on."""
    trust: Text | None = None
    """Who sees raw data, who sees noisy values before publication, and whom the guarantee is
    meant to hold against."""
    access: Text | None = None
    """Who may read the publication."""
    retention: Text | None = None
    """How long raw data and drafts are kept, and how they are secured."""
    tuning: Text | None = None
    """On what data bounds, budget and thresholds were chosen, and whether that was paid for."""
    unprotected: Text | None = None
    """What else is published, or known, without noise."""
    justification: Text | None = None
    """Why the parameters are what they are."""
    columns: dict[Text, Text] = Field(default_factory=dict)
    """What columns of the input hold, with their units: `{dwell_s: "seconds on the key"}`."""

    def stated(self) -> dict[str, Any]:
        """Returns what is stated, as JSON values."""
        return self.model_dump(mode="json", exclude_defaults=True)
