"""The JSON Schema is current, complete, and agrees with the models."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from pipelines.spec import ConfigError, load_release
from pipelines.spec.schema import SCHEMA_FILE, release_schema, schema_text
from pipelines.spec.yaml_reader import read_yaml

HERE = Path(__file__).parent
SCHEMA = release_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def load(file):
    return read_yaml(file).data


def example():
    return load(HERE / "good_configs" / "emoji_weekly.yaml")


def test_the_file_is_current():
    assert SCHEMA_FILE.read_text() == schema_text(), "run python -m pipelines.spec.schema"


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", ["ReleaseSpec", *SCHEMA["$defs"]])
def test_every_field_has_a_title_and_a_description(name):
    model = SCHEMA if name == "ReleaseSpec" else SCHEMA["$defs"][name]
    assert model["additionalProperties"] is False
    assert model["description"]
    for field, entry in model["properties"].items():
        target = SCHEMA["$defs"].get(entry.get("$ref", "").rpartition("/")[2], {})
        assert entry.get("title", target.get("title")), field
        assert entry.get("description", target.get("description")), field


@pytest.mark.parametrize(
    "file",
    sorted([*(HERE / "good_configs").glob("*.yaml"), *SCHEMA_FILE.parent.glob("*.yaml")]),
    ids=lambda file: f"{file.parent.name}/{file.stem}",
)
def test_good_configs_are_valid(file):
    VALIDATOR.validate(load(file))


def set_metric(config, metric):
    config["tables"]["by_country"]["metrics"]["m"] = metric


WRONG = {
    "no tables": lambda config: config.pop("tables"),
    "empty tables": lambda config: config.update(tables={}),
    "unknown key": lambda config: config.update(releese="x"),
    "unknown key of a table": lambda config: config["tables"]["totals"].update(key=["a"]),
    "release name": lambda config: config.update(release="Emoji Weekly"),
    "table name": lambda config: config["tables"].update(By=config["tables"]["totals"]),
    "epsilon zero": lambda config: config["privacy"].update(epsilon=0),
    "epsilon quoted": lambda config: config["privacy"].update(epsilon="1"),
    "epsilon true": lambda config: config["privacy"].update(epsilon=True),
    "delta one": lambda config: config["privacy"].update(delta=1),
    "delta empty": lambda config: config["privacy"].update(delta=None),
    "no units": lambda config: config["privacy"].update(unit=[]),
    "format": lambda config: config["input"].update(format="orc"),
    "format empty": lambda config: config["input"].update(format=None),
    "metric": lambda config: config["tables"]["totals"]["metrics"].update(n="cout"),
    "no metrics": lambda config: config["tables"]["totals"].update(metrics={}),
    "metrics missing": lambda config: config["tables"]["totals"].pop("metrics"),
    "metric of no kind": lambda config: set_metric(config, {"clip": [0, 1]}),
    "metric of two kinds": lambda config: set_metric(config, {"sum": "c", "mean": "c"}),
    "mean without clip": lambda config: set_metric(config, {"mean": "c"}),
    "mean of several": lambda config: set_metric(config, {"mean": ["c"], "clip": [0, 1]}),
    "variance clip_total": lambda config: set_metric(
        config, {"variance": "c", "clip_total": [0, 1]}
    ),
    "no ranks": lambda config: set_metric(config, {"quantiles": "c", "clip": [0, 1]}),
    "rank of 1": lambda config: set_metric(
        config, {"quantiles": "c", "ranks": [1], "clip": [0, 1]}
    ),
    "empty ranks": lambda config: set_metric(
        config, {"quantiles": "c", "ranks": [], "clip": [0, 1]}
    ),
    "distinct_count clip": lambda config: set_metric(
        config, {"distinct_count": "c", "clip": [0, 1]}
    ),
    "empty vector": lambda config: set_metric(config, {"vector_sum": [], "max_norm": 1}),
    "no max_norm": lambda config: set_metric(config, {"vector_sum": ["c"]}),
    "max_norm 0": lambda config: set_metric(config, {"vector_sum": ["c"], "max_norm": 0}),
    "norm": lambda config: set_metric(config, {"vector_sum": ["c"], "max_norm": 1, "norm": "l3"}),
    "granularity 0": lambda config: set_metric(
        config, {"mean": "c", "clip": [0, 1], "granularity": 0}
    ),
    "L1 and L0": lambda config: config["tables"]["by_country"].update(
        bounds={"max_contributions": 3, "max_partitions_contributed": 1}
    ),
    "L1 and Linf": lambda config: config["tables"]["by_country"].update(
        bounds={"max_contributions": 3, "max_contributions_per_partition": 1}
    ),
    "L1 of 0": lambda config: config["tables"]["by_country"].update(
        bounds={"max_contributions": 0}
    ),
    "adjacency": lambda config: config["privacy"].update(adjacency="remove"),
    "bounding": lambda config: config["privacy"].update(bounding="user"),
    "unit of rows": lambda config: config["privacy"].update(bounding="row"),
    "unit missing": lambda config: config["privacy"].pop("unit"),
    "unit missing for partitions": lambda config: config.update(
        privacy={"epsilon": 1, "bounding": "unit_partition"}
    ),
    "two clips": lambda config: config["tables"]["by_country"]["metrics"]["seconds"].update(
        clip_total=[0, 1]
    ),
    "clip of one": lambda config: config["tables"]["by_country"]["metrics"]["seconds"].update(
        clip=[1]
    ),
    "noise": lambda config: config["tables"]["totals"].update(noise="uniform"),
    "share": lambda config: config["tables"]["totals"].update(share=0),
    "bound": lambda config: config["tables"]["by_country"]["bounds"].update(
        max_partitions_contributed=0
    ),
    "selection": lambda config: config["tables"]["by_country"].update(selection="best"),
    "pre_threshold": lambda config: config["tables"]["by_country"].update(
        selection={"pre_threshold": 0}
    ),
    "output format": lambda config: config["output"].update(formats=["xlsx"]),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_configs_are_refused_by_schema_and_models_alike(change, tmp_path):
    config = example()
    change(config)
    assert not VALIDATOR.is_valid(config)
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump(config))
    with pytest.raises(ConfigError):
        load_release(file)


def test_the_schema_is_plain_json():
    assert json.loads(schema_text()) == SCHEMA
