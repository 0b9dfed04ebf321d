"""The Flex Template: read strictly into the messages of Dataflow's own client."""

from __future__ import annotations

import json
import re

import pytest
from deploy_files import ROOT, needs

needs("google.cloud.dataflow_v1beta3")

from google.cloud import dataflow_v1beta3 as dataflow  # noqa: E402
from google.protobuf.json_format import ParseError  # noqa: E402

FLEX = ROOT / "deploy" / "flex"


def read(message, content):
    return message.from_json(json.dumps(content), ignore_unknown_fields=False)


def content(name):
    return json.loads((FLEX / name).read_text(encoding="utf-8"))


def test_the_metadata_is_what_dataflow_knows():
    metadata = read(dataflow.TemplateMetadata, content("metadata.json"))
    parameters = {parameter.name: parameter for parameter in metadata.parameters}
    assert list(parameters) == ["config", "period", "correct", "replace_attempt", "bounding_ram"]
    assert [n for n, p in parameters.items() if not p.is_optional] == ["config"]
    assert all(parameter.help_text and parameter.label for parameter in metadata.parameters)
    assert parameters["replace_attempt"].param_type == dataflow.ParameterType.NUMBER


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("config", "configs/live/emoji_weekly.yaml", "gs://elsewhere/release.yaml"),
        ("period", "2026-W46", "last week"),
        ("period", "2026-11-09", "2026-W4"),
        ("bounding_ram", "16GB", "16"),
    ],
)
def test_parameters_have_patterns(name, good, bad):
    (parameter,) = [one for one in content("metadata.json")["parameters"] if one["name"] == name]
    (pattern,) = parameter["regexes"]
    assert re.fullmatch(pattern, good)
    assert not re.fullmatch(pattern, bad)


def test_a_misspelt_key_would_be_found():
    wrong = content("metadata.json")
    wrong["parameters"][0]["optional"] = True
    with pytest.raises(ParseError, match="optional"):
        read(dataflow.TemplateMetadata, wrong)


def test_the_spec_that_terraform_completes_is_what_dataflow_knows():
    spec = {**content("spec.json"), "metadata": content("metadata.json")}
    read_spec = read(dataflow.ContainerSpec, spec)
    assert read_spec.sdk_info.language == dataflow.SDKInfo.Language.PYTHON
    assert re.search(r"@sha256:[0-9a-f]{64}$", read_spec.image)


def test_the_launch_is_what_dataflow_knows_and_gives_what_the_metadata_asks():
    launch = read(dataflow.LaunchFlexTemplateRequest, content("launch.example.json"))
    parameters = {one["name"]: one for one in content("metadata.json")["parameters"]}
    given = launch.launch_parameter.parameters
    assert set(given) <= parameters.keys()
    assert {name for name, one in parameters.items() if not one.get("isOptional")} <= set(given)
    (pattern,) = parameters["period"]["regexes"]
    assert re.fullmatch(pattern, given["period"])
    assert launch.launch_parameter.job_name == f"dp-emoji-weekly-{given['period'].lower()}"
    environment = launch.launch_parameter.environment
    assert environment.ip_configuration == dataflow.WorkerIPAddressConfiguration.WORKER_IP_PRIVATE
    assert environment.kms_key_name
    assert re.search(r"@sha256:[0-9a-f]{64}$", environment.sdk_container_image)
