"""What a release YAML turns into: defaults, types, paths, engine objects."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.spec import ConfigError, ReleaseSpec, load_release, plan_release_tables
from pipelines.spec import release_tables as make_tables
from transforms.bounds import Bounds, Guarantee
from transforms.budget import Budget
from transforms.mechanisms import SelectionStrategy
from transforms.metrics import (
    Count,
    DistinctCount,
    Mean,
    PrivacyUnitCount,
    Quantiles,
    Sum,
    Variance,
    VectorSum,
)
from transforms.table import PrivateSelection, PublicKeys

GOOD = Path(__file__).parent / "good_configs"
GOOD_CONFIGS = sorted(GOOD.glob("*.yaml"))
EMOJI_WEEKLY = GOOD / "emoji_weekly.yaml"
EVERY_METRIC = GOOD / "every_metric.yaml"
SMALLEST = GOOD / "smallest.yaml"
TYPED = GOOD / "typed_text_files.yaml"


@pytest.fixture
def write(tmp_path):
    def write(**changes):
        config = {
            "release": "r",
            "input": {"files": "*.parquet"},
            "privacy": {"unit": "u", "epsilon": 1, "delta": 1e-8},
            "tables": {"t": {"keys": ["k"], "metrics": {"n": "count"}}},
            "output": {"folder": "out"},
        }
        file = tmp_path / "r.yaml"
        file.write_text(yaml.safe_dump(config | changes))
        return file

    return write


@pytest.mark.parametrize("file", GOOD_CONFIGS, ids=lambda file: file.stem)
def test_a_good_config_makes_a_plan(file):
    release = load_release(file)
    tables = make_tables(release)
    plans = plan_release_tables(release, tables).tables
    placed = release.spec.placed_tables()
    assert [plan.name for plan in plans] == [table.name for table in placed]
    for plan, table in zip(plans, placed, strict=True):
        assert plan.keys == table.spec.key_columns


@pytest.mark.parametrize("file", GOOD_CONFIGS, ids=lambda file: file.stem)
def test_a_spec_is_the_same_after_a_round_trip_through_json(file):
    spec = load_release(file).spec
    assert (
        ReleaseSpec.model_validate(spec.model_dump(mode="json", exclude_unset=True, by_alias=True))
        == spec
    )


def test_defaults():
    spec = load_release(SMALLEST).spec
    assert (spec.title, spec.dataset) == ("daily", "daily")
    assert spec.input.files == ("a.csv", "b/*.csv")
    assert spec.input.file_format == "csv"
    assert spec.privacy.unit == ("user_id", "day")
    assert spec.output.formats == ("parquet",)
    table = make_tables(load_release(SMALLEST))["table"]
    assert table.bounds == Bounds(1, 1)
    assert table.partitions == PrivateSelection("auto")
    assert (table.noise, table.share, dict(table.shares)) == ("auto", 1.0, {})


def test_delta_is_zero_by_default(write):
    spec = load_release(write(privacy={"unit": "u", "epsilon": 2})).spec
    assert spec.privacy.budget() == Budget(2.0, 0.0)


def test_engine_tables_of_the_example():
    tables = make_tables(load_release(EMOJI_WEEKLY))
    by_country = tables["by_country"]
    assert by_country.keys == ("country", "emoji")
    assert by_country.bounds == Bounds(8, 5)
    assert by_country.metrics == {
        "uses": Count(),
        "users": PrivacyUnitCount(),
        "seconds": Sum("dwell_s", clip=(0.0, 60.0), granularity=0.001),
    }
    assert by_country.metrics["seconds"].step == Decimal("0.001")
    assert (by_country.noise, by_country.share) == ("gaussian", 3.0)
    assert by_country.shares == {"uses": 2.0, "selection": 1.0}
    assert isinstance(tables["totals"].partitions, PublicKeys)
    assert tables["inline"].metrics["total"] == Sum("dwell_s", clip_total=(-10.0, 60.0))


def test_engine_metrics_of_every_kind():
    tables = make_tables(load_release(EVERY_METRIC))
    assert tables["all"].metrics == {
        "uses": Count(),
        "users": PrivacyUnitCount(),
        "seconds": Sum("dwell_s", clip=(0.0, 60.0)),
        "speed": Mean("speed", (0.0, 50.0)),
        "spread": Variance("speed", (0.0, 50.0), 0.5),
        "delay": Quantiles("delay_ms", (0.5, 0.99), (0.0, 1000.0)),
        "words": DistinctCount("word"),
        "move": VectorSum(("dx", "dy"), 10.0, "l2"),
        "turn": VectorSum(("dx",), 3.0, "l1", 1.0),
    }
    assert tables["all"].partitions == PrivateSelection("weighted_gaussian")
    assert tables["rows"].bounds == Bounds(max_contributions=20)
    assert tables["words"].metrics == tables["words_too"].metrics == {}


@pytest.mark.parametrize(
    ("file", "guarantee"),
    [
        (SMALLEST, Guarantee("add_remove", "unit")),
        (EVERY_METRIC, Guarantee("replace", "unit")),
        (GOOD / "unit_partition.yaml", Guarantee("add_remove", "unit_partition")),
        (GOOD / "single_rows.yaml", Guarantee("add_remove", "row")),
    ],
)
def test_the_guarantee_of_the_config_is_that_of_the_plan(file, guarantee):
    release = load_release(file)
    plans = plan_release_tables(release, make_tables(release)).tables
    assert {plan.guarantee for plan in plans} == {guarantee}


def test_where_rows_are_protected_there_is_no_unit():
    assert load_release(GOOD / "single_rows.yaml").spec.privacy.unit == ()


@pytest.mark.parametrize("strategy", ["truncated_geometric", "laplace", "gaussian"])
def test_selection_by_name_and_as_a_mapping_are_the_same(write, strategy):
    def partitions(selection):
        table = {"keys": ["k"], "metrics": {"n": "count"}, "selection": selection}
        return make_tables(load_release(write(tables={"t": table})))["t"].partitions

    assert partitions(strategy) == partitions({"strategy": strategy}) == PrivateSelection(strategy)
    with_threshold = {"strategy": strategy, "pre_threshold": 20}
    assert partitions(with_threshold) == PrivateSelection(strategy, 20)


def test_named_columns_and_their_places():
    spec = load_release(EMOJI_WEEKLY).spec
    named = list(spec.named_columns())
    assert named[:4] == [
        (("privacy", "unit", 0), "user_id", "identity"),
        (("tables", "by_country", "keys", 0), "country", "identity"),
        (("tables", "by_country", "keys", 1), "emoji", "identity"),
        (("tables", "by_country", "metrics", "seconds", "sum"), "dwell_s", "value"),
    ]
    assert (("tables", "totals", "public", "kind"), "kind", "identity") in named


def test_the_columns_of_every_metric_are_named_with_what_they_are_read_for():
    spec = load_release(EVERY_METRIC).spec
    named = [
        (path[3:], column, role)
        for path, column, role in spec.named_columns()
        if path[:3] == ("tables", "all", "metrics")
    ]
    assert named == [
        (("seconds", "sum"), "dwell_s", "value"),
        (("speed", "mean"), "speed", "value"),
        (("spread", "variance"), "speed", "value"),
        (("delay", "quantiles"), "delay_ms", "value"),
        (("words", "distinct_count"), "word", "identity"),
        (("move", "vector_sum", 0), "dx", "value"),
        (("move", "vector_sum", 1), "dy", "value"),
        (("turn", "vector_sum", 0), "dx", "value"),
    ]
    assert spec.column_types() == {
        **dict.fromkeys(["user_id", "day", "country", "word"], "string"),
        **dict.fromkeys(["dwell_s", "speed", "delay_ms", "dx", "dy"], "float"),
    }


def test_column_types_of_text_files():
    assert load_release(EMOJI_WEEKLY).spec.column_types() == {}
    assert load_release(SMALLEST).spec.column_types() == {
        "user_id": "string",
        "day": "string",
        "hour": "string",
    }
    typed = load_release(TYPED).spec.column_types()
    assert (typed["user_id"], typed["day"], typed["seconds"]) == ("string", "date", "int")


def test_a_column_of_sums_is_float_by_default(write):
    table = {"keys": ["sum"], "metrics": {"s": {"sum": "c", "clip": [0, 1]}}}
    spec = load_release(write(input={"files": "a.csv"}, tables={"t": table})).spec
    assert spec.column_types() == {"u": "string", "sum": "string", "c": "float"}


def test_a_key_can_be_summed_when_its_type_is_given(write):
    table = {"keys": ["k"], "metrics": {"s": {"sum": "k", "clip": [0, 1]}}}
    source = {"files": "a.csv", "types": {"k": "int"}}
    spec = load_release(write(input=source, tables={"t": table})).spec
    assert spec.column_types()["k"] == "int"


@pytest.mark.parametrize("extension", ["parquet", "csv", "jsonl"])
def test_the_format_is_inferred_from_the_extension(write, extension):
    source = {"files": [f"a/*.{extension}", f"gs://b/c.{extension}"]}
    if extension == "jsonl":
        source["optional"] = ["u", "k"]
    assert load_release(write(input=source)).spec.input.file_format == extension


def test_the_format_can_be_given(write):
    source = {"files": ["a/*.txt", "b/*.gz"], "format": "csv"}
    assert load_release(write(input=source)).spec.input.file_format == "csv"


def test_relative_paths_are_relative_to_the_folder_of_the_config(write, tmp_path):
    release = load_release(write(input={"files": ["a/*.csv", "/b/*.csv", "gs://c/*.csv"]}))
    assert release.input_files == (f"{tmp_path}/a/*.csv", "/b/*.csv", "gs://c/*.csv")
    assert release.output_folder == f"{tmp_path}/out"
    assert release.staging_folder == f"{tmp_path}/.dp-release/r"


def test_urls_and_absolute_folders_stay_as_they_are():
    release = load_release(TYPED)
    assert release.output_folder == "gs://bucket/published"
    assert release.staging_folder == "/var/private"


def test_a_config_without_a_folder_in_its_name(write, monkeypatch):
    folder = write().parent
    monkeypatch.chdir(folder)
    assert load_release("r.yaml").input_files == (f"{folder}/*.parquet",)


def test_specs_are_frozen():
    spec = load_release(SMALLEST).spec
    with pytest.raises(ValueError, match="frozen"):
        spec.release = "other"


@pytest.mark.parametrize("path", [("input",), ("privacy",), ("output",), ("tables", "t")])
def test_an_unknown_key_is_refused_everywhere(write, path):
    config = yaml.safe_load(write().read_text())
    place = config
    for step in path:
        place = place[step]
    place["zzz"] = 1
    with pytest.raises(ConfigError, match=r"zzz: unknown key; allowed: "):
        load_release(write(**config))


names = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
shares = st.floats(0.1, 10)
clips = st.tuples(st.floats(-1e3, 0), st.floats(1, 1e3)).map(list)
column_metrics = st.one_of(
    st.fixed_dictionaries({"sum": st.just("value"), "clip": clips}),
    st.fixed_dictionaries({"mean": st.just("value"), "clip": clips}),
    st.fixed_dictionaries({"variance": st.just("value"), "clip": clips}),
    st.fixed_dictionaries(
        {"quantiles": st.just("value"), "ranks": st.just([0.1, 0.5]), "clip": clips}
    ),
    st.just({"distinct_count": "OTHER"}),
    st.fixed_dictionaries(
        {"vector_sum": st.just(["value", "more"]), "max_norm": st.floats(0.1, 1e3)}
    ),
)
tables = st.dictionaries(
    names,
    st.fixed_dictionaries(
        {
            "keys": st.just(["KEY"]),
            "metrics": st.dictionaries(
                names.filter(lambda name: name != "selection"),
                st.sampled_from(["count", "privacy_unit_count"]) | column_metrics,
                max_size=3,
            ),
        },
        optional={
            "noise": st.sampled_from(["laplace", "gaussian"]),
            "share": shares,
            "selection": st.sampled_from(get_args(SelectionStrategy)),
            "bounds": st.fixed_dictionaries(
                {}, optional={"max_partitions_contributed": st.integers(1, 100)}
            )
            | st.fixed_dictionaries({"max_contributions": st.integers(1, 100)}),
        },
    ),
    min_size=1,
    max_size=3,
)


@given(tables, st.floats(0.1, 10), st.floats(1e-9, 1e-3))
@settings(deadline=None, max_examples=15)
def test_what_is_written_is_what_is_planned(tmp_path_factory, tables, epsilon, delta):
    config = {
        "release": "r",
        "input": {"files": "*.parquet"},
        "privacy": {"unit": "u", "epsilon": epsilon, "delta": delta},
        "tables": tables,
        "output": {"folder": "out"},
    }
    file = tmp_path_factory.getbasetemp() / "written.yaml"
    file.write_text(json.dumps(config))
    release = load_release(file)
    planned = plan_release_tables(release, make_tables(release))
    plans = planned.tables
    assert release.spec.privacy.budget() == Budget(epsilon, delta)
    assert [plan.name for plan in plans] == list(tables)
    for plan in plans:
        assert [metric.name for metric in plan.metrics] == list(tables[plan.name]["metrics"])
    assert 0.995 * epsilon <= planned.cost.prices[0].epsilon <= epsilon


def test_the_package_is_imported_without_beam():
    code = (
        "import sys, pipelines.spec; "
        "print([m for m in sys.modules if m.partition('.')[0] in ('apache_beam', 'pipeline_dp')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
