"""The JSON Schema of a release YAML, for editors. Run this module to write it to a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines.spec.release_spec import ReleaseSpec

SCHEMA_FILE = Path(__file__).parents[2] / "configs" / "release.schema.json"


def release_schema() -> dict[str, Any]:
    """Returns the JSON Schema of a release YAML."""
    schema = ReleaseSpec.model_json_schema()
    for model in (schema, *schema["$defs"].values()):
        for entry in model["properties"].values():
            _tidy(entry)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _tidy(entry: dict[str, Any]) -> None:
    if "description" in entry:
        entry["description"] = entry["description"].replace("\n", " ")
    if entry.get("default", ...) is None:
        del entry["default"]
        kinds = [kind for kind in entry.pop("anyOf", []) if kind != {"type": "null"}]
        entry.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})
    if "patternProperties" in entry:
        entry["additionalProperties"] = False


def schema_text() -> str:
    """Returns the JSON Schema as the text of its file."""
    return json.dumps(release_schema(), indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text())
