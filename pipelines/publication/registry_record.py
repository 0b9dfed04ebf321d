"""A record of a release for the OpenDP deployments registry.

The registry (opendp/deployments-registry-data) has one YAML file for each deployment. Records say
what differential privacy a data product has; here all of it comes from the plan and from `about`.
"""

from __future__ import annotations

from typing import Any

import yaml

from pipelines.publication.content import Content
from pipelines.publication.disclosure import statements
from pipelines.publication.facts import PROGRAM

RECORD_FILE = "deployment.yaml"

_COMPLETE = 3
"""Tier of a record with all fields."""


def registry_record(content: Content) -> dict[str, Any]:
    """Returns the record as JSON values.

    Raises:
        ValueError: The plan file holds no plan.
    """
    facts, privacy, said = content.facts, content.stated.privacy, statements(content)
    basic = {
        "name": facts.title,
        "data_curators": [content.said("curator")],
        "intended_use": content.said("purpose"),
        "data_product_type": "Summary statistics",
        "data_product_region": content.said("region"),
        "description": content.said("description"),
        "publication_date": str(facts.published.date()),
    }
    if "sector" in facts.about:
        basic["data_product_sector"] = facts.about["sector"]
    if privacy.rho is not None:
        variant = "Zero-concentrated DP"
    else:
        variant = "Approximate DP" if privacy.delta else "Pure DP"
    parameters = {privacy.stated_as: privacy.stated}
    if privacy.delta:
        parameters["delta"] = privacy.delta
    return {
        "url_slug": content.series,
        "status": "Draft",
        "tier": _COMPLETE,
        "deployment": {
            "basic": basic,
            "dp_variant": {
                "variant_name": variant,
                "data_domain": content.said("source"),
                "unprotected_quantities": said[13],
            },
            "privacy_loss": {
                "privacy_unit": content.stated.guarantee.unit,
                "privacy_unit_details": f"{said[1]} {said[3]}",
                "privacy_parameters": parameters,
                "privacy_parameters_details": f"{said[2]} {said[4]}",
            },
            "deployment_model": {
                "model_name": "Central",
                "model_name_details": said[20],
                "actors": content.said("trust"),
                "release_type": "One release" if facts.period is None else "Many releases",
                "release_type_details": said[6],
                "data_source_type": "Static" if facts.period is None else "Dynamic",
                "data_source_type_details": said[24],
                "access_type": "Non-interactive",
                "access_type_details": content.said("access"),
            },
            "accounting": {"post_processing": said[16], "composition": said[5]},
            "implementation": {
                "preprocessing_and_hyperparameter_tuning": f"{said[14]} {said[15]}",
                "mechanisms": f"{said[10]} {said[11]} {said[12]} {said[21]}",
                "justification": content.said("justification"),
            },
            "administrative": {
                "sources": "\n".join(facts.about.get("links", [])),
                "notes": f"{said[7]} {said[8]} {said[9]} {said[17]} {said[18]}",
                "registry_authors": [f"{PROGRAM} {facts.software.get(PROGRAM, '')}".strip()],
            },
        },
    }


def record_text(record: dict[str, Any]) -> str:
    """Returns a record as the text of its file."""
    return str(yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100))
