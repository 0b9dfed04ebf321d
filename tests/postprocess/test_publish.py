"""Post-processing in a release: from the YAML to the plan and to what is published."""

import json
import math
import re
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import polars as pl
import pytest
import yaml
from polars.testing import assert_frame_equal

from pipelines.plan import plan_release
from pipelines.plan.file import plan_file
from pipelines.plan.json_values import plan_to_dict
from pipelines.plan.text import plan_text
from pipelines.publication.content import Content
from pipelines.publication.facts import Facts
from pipelines.run import drawing
from pipelines.run.exactly_once import run_release
from pipelines.run.output import render_release, write_publication
from pipelines.show import show_table
from pipelines.spec import ConfigError, load_release
from pipelines.spec.schema import release_schema
from transforms.postprocess import ClampAtZero, Minimum, PercentChange, Ratio, Round, Suppress, Top
from transforms.render import render
from transforms.table import released_columns

GOOD = Path(__file__).parents[1] / "spec" / "good_configs" / "publish.yaml"


def planned(file=GOOD):
    return plan_release(load_release(file))


# The plan


def test_steps_come_in_one_order_whatever_the_order_of_the_config():
    steps = planned().steps["everything"]
    kinds = [Ratio, PercentChange, Suppress, Minimum, Top, ClampAtZero, Round]
    assert [type(step) for step in steps] == kinds
    ratio, change, suppress, minimum, top, clamp, rounding = steps
    assert ratio == Ratio("per_use", "seconds", "uses", "gaussian")
    assert (change.name, change.metric, change.against) == ("growth", "uses", "baselines/pairs.csv")
    assert change.baseline.rows() == [
        ("DE", "a", 50, 2.5),
        ("DE", "b", 40, 2.5),
        ("US", "a", None, None),
    ]
    assert (suppress.relative_errors, minimum.least) == (
        {"per_use": 0.2},
        {"uses": 20, "seconds": 1.5},
    )
    assert (top, rounding.multiples) == (Top("growth", 3), {"uses": 10, "per_use": 0.5})
    assert list(clamp.biases) == ["uses", "seconds"]


def test_the_stated_bias_of_clamping_is_that_of_the_planned_noise():
    plan = planned()
    by_name = {table.name: table for table in plan.tables}
    clamp = plan.steps["everything"][5]
    for metric in by_name["everything"].metrics:
        expected = metric.noises[0].std / math.sqrt(2 * math.pi)
        assert clamp.biases[metric.name] == pytest.approx(expected)
    (clamp,) = plan.steps["one_step"]
    (users,) = by_name["one_step"].metrics
    assert clamp.biases["users"] == pytest.approx(users.noises[0].std / (2 * math.sqrt(2)))


def test_a_table_without_steps_has_none():
    assert planned().steps["nothing"] == ()


def test_derived_metrics_cost_nothing():
    (table, *_) = planned().tables
    assert [metric.name for metric in table.metrics] == ["uses", "seconds"]
    assert list(table.mechanisms) == ["uses", "seconds"]


def test_the_budget_is_the_same_with_and_without_post_processing(tmp_path):
    config = yaml.safe_load(GOOD.read_text())
    for table in config["tables"].values():
        table.pop("publish")
    for name in ("per_use", "growth"):
        config["tables"]["everything"]["metrics"].pop(name)
    plain = tmp_path / "plain.yaml"
    plain.write_text(yaml.safe_dump(config))
    with_steps, without = planned(), planned(plain)
    for one, other in zip(with_steps.tables, without.tables, strict=True):
        assert one.mechanisms == other.mechanisms
    assert not any(without.steps.values())


def test_the_plan_lists_the_steps_in_words():
    lines = plan_text(planned()).splitlines()
    start = lines.index("  post-processing, free:")
    steps = [line for line in lines[start + 1 :] if re.match(r" {4}\S", line)]  # no wrapped ones
    assert [line.split()[0] for line in steps[:7]] == [
        *("per_use", "growth", "nulled", "dropped", "kept", "clamped", "rounded:")
    ]
    assert plan_text(planned()).count("post-processing, free:") == 2


def test_the_plan_as_json_lists_the_steps():
    tables = json.loads(json.dumps(plan_to_dict(planned()), allow_nan=False))["tables"]
    steps = tables["everything"]["post_processing"]
    assert [step["step"] for step in steps] == [
        *("ratio", "percent_change", "suppress", "minimum", "top", "clamp_at_zero", "round")
    ]
    assert steps[0]["of"] == ["seconds", "uses"]
    assert steps[1]["against"] == "baselines/pairs.csv"
    assert steps[4] | {"effect": ""} == {"step": "top", "metric": "growth", "k": 3, "effect": ""}
    assert all(step["effect"] for step in steps)
    assert tables["nothing"]["post_processing"] == []


# The schema

WRONG = {
    "ratio of one": {"metrics": {"a": "count", "b": {"ratio": ["a"]}}},
    "ratio of text": {"metrics": {"a": "count", "b": {"ratio": "a"}}},
    "no baseline": {"metrics": {"a": "count", "b": {"percent_change": "a"}}},
    "unknown step": {"publish": {"clamp": "a"}},
    "two rankings": {"publish": {"top": {"a": 1, "b": 2}}},
    "no ranking": {"publish": {"top": {}}},
    "top of none": {"publish": {"top": {"a": 0}}},
    "top of a part": {"publish": {"top": {"a": 1.5}}},
    "error of none": {"publish": {"suppress": {"a": 0}}},
    "text for a minimum": {"publish": {"minimum": {"a": "1"}}},
    "multiples of none": {"publish": {"round": {"a": 0}}},
    "rounding everything": {"publish": {"round": 10}},
    "clamping nothing": {"publish": {"clamp_at_zero": []}},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_settings_are_refused_by_schema_and_models_alike(tmp_path, change):
    config = yaml.safe_load(GOOD.read_text())
    config["tables"] = {
        "t": {"keys": ["k"], "metrics": {"a": "count", "b": "count"}, **change},
    }
    config["privacy"]["delta"] = 1e-8
    validator = jsonschema.Draft202012Validator(release_schema())
    assert not validator.is_valid(config)
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump(config))
    with pytest.raises(ConfigError):
        load_release(file)


# The publication

METRICS = """
  t:
    public: {k: keys.csv}
    metrics:
      n: count
      x: {sum: v, clip: [0, 10], granularity: 0.5}
      mean: {ratio: [x, n]}
      growth: {percent_change: n, against: old.csv}
"""
PUBLISH = """
    publish:
      suppress: {mean: 0.5}
      minimum: {n: 10}
      top: {n: 3}
      round: {n: 10, growth: 5}
"""


def write_release(folder, tables, key_type=pl.String, old="k,n,n_std\na,20,1\nb,30,1\nz,9,1\n"):
    keys = ["a"] * 40 + ["b"] * 30 + ["c"] * 20 + ["d"] * 12 + ["e"] * 3
    if key_type.is_integer():
        keys = [ord(key) for key in keys]
    rows = pl.DataFrame({"k": pl.Series(keys, dtype=key_type), "u": range(105), "v": [2.0] * 105})
    rows.write_parquet(folder / "in.parquet")
    rows.select(pl.col("k").unique()).write_csv(folder / "keys.csv")
    (folder / "old.csv").write_text(old)
    config = folder / "release.yaml"
    config.write_text(
        "release: r\ninput: {files: in.parquet}\n"
        "privacy: {unit: u, epsilon: 300, delta: 1e-6}\n"
        f"tables: {tables}\noutput: {{folder: out, formats: [parquet, csv]}}\n"
    )
    return config


def run(config):
    release = load_release(config)
    return run_release(release, plan_release(release), [])


def test_a_release_is_post_processed(tmp_path):
    """At this epsilon there is all but no noise: of scale 1/150 in n, 1/15 in x."""
    (done,) = run(write_release(tmp_path, METRICS + PUBLISH)).published
    published = pl.read_parquet(tmp_path / "out" / "t.parquet")
    assert_frame_equal(published, done.frame)
    metrics = ("n", "x", "mean", "growth")
    assert published.columns == ["k", *(c for metric in metrics for c in released_columns(metric))]
    assert published["k"].to_list() == ["a", "b", "c"]
    assert published["n"].to_list() == [40, 30, 20]
    assert published["mean"].to_list() == pytest.approx([2, 2, 2], abs=0.3)
    assert published["growth"].to_list() == [100, 0, None]
    assert pl.read_csv(tmp_path / "out" / "t.csv").height == 3
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    kinds = [step["step"] for step in plan["plan"]["tables"]["t"]["post_processing"]]
    assert kinds == ["ratio", "percent_change", "suppress", "minimum", "top", "round"]


def test_what_is_published_is_a_function_of_what_is_rendered(tmp_path):
    """The same draw, whatever was in the input, gives the same publication."""
    release = load_release(write_release(tmp_path, METRICS + PUBLISH))
    plan = plan_release(release)
    drawn = pl.DataFrame({"k": list("abcde"), "n": [55, 44, 33, 22, 11], "x": [5, 4, 3, 2, 1]})
    (table,) = plan.tables
    expected = render(drawn, table)
    for step in plan.steps["t"]:
        expected = step.apply(expected, ["k"])
    digests = []
    for folder in ("one", "two"):
        rendered = render_release(plan, {"t": drawn})
        assert_frame_equal(rendered["t"], expected)
        facts = Facts("r", datetime(2026, 11, 23, tzinfo=UTC))
        content = Content(plan_file(release, plan), facts)
        (tmp_path / folder).mkdir()
        digests.append(write_publication(rendered, content, ["parquet"], tmp_path / folder))
        (tmp_path / "in.parquet").unlink(missing_ok=True)
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("key_type", "old", "growth"),
    [
        (pl.Int64, "k,n,n_std\n97,20,1\n 98 ,30,1\n", {97: 100, 98: 0, 99: None}),
        (pl.Int16, "n_std,n,k\n1,20,97\n", {97: 100, 98: None}),
        (pl.String, 'k,n,n_std\n"a",20,1\n', {"a": 100, "b": None}),
    ],
)
def test_baselines_from_csv_meet_keys_of_the_type_of_the_input(tmp_path, key_type, old, growth):
    (done,) = run(write_release(tmp_path, METRICS, key_type, old)).published
    found = dict(done.frame.select("k", "growth").iter_rows())
    assert {key: found[key] for key in growth} == pytest.approx(growth, abs=1)


def test_an_earlier_publication_is_a_baseline(tmp_path):
    config = write_release(tmp_path, METRICS)
    run(config)
    (tmp_path / "out").rename(tmp_path / "before")
    for kind in ("parquet", "csv"):
        text = write_release(tmp_path, METRICS).read_text()
        config.write_text(
            text.replace("old.csv", f"before/t.{kind}")
            .replace("folder: out", f"folder: {kind}")
            .replace("release: r\n", f"release: {kind}\n")
        )
        (done,) = run(config).published
        assert done.frame["growth"].to_list() == pytest.approx([0] * 5, abs=50)


@pytest.mark.parametrize(
    ("old", "message"),
    [
        (
            "k,n,n_std\nx,20,1\n",
            "the value 'x' is listed for 'k'; allowed: values of the type Int64",
        ),
        ("k,n,n_std\n1,20,1\n01,20,1\n", "old.csv has several rows for the same k"),
    ],
)
def test_a_baseline_that_does_not_fit_the_input_is_refused_before_the_draw(
    tmp_path, monkeypatch, old, message
):
    monkeypatch.setattr(drawing, "_run_pipeline", lambda *_: pytest.fail("drawn"))
    config = write_release(tmp_path, METRICS, pl.Int64, old)
    with pytest.raises(ConfigError) as caught:
        run(config)
    assert f"{config}:11:44: tables.t.metrics.growth.against: {message}" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_key_column_without_values_meets_no_baseline(tmp_path):
    tables = "{t: {keys: [k], metrics: {n: count, g: {percent_change: n, against: old.csv}}}}"
    config = write_release(tmp_path, tables)
    rows = pl.read_parquet(tmp_path / "in.parquet").with_columns(k=pl.lit(None))
    rows.write_parquet(tmp_path / "in.parquet")
    (done,) = run(config).published
    assert done.frame.height == 0
    assert "g_low" in done.frame.columns


def test_the_terminal_shows_derived_metrics_and_a_dash_for_nulls(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    (done,) = run(write_release(tmp_path, METRICS)).published
    show_table(done.plan, done.frame.filter(k="c"), 5)
    head, columns, row = capsys.readouterr().out.splitlines()
    assert head == "t, largest n first, with 95 % intervals"
    assert columns.split() == ["k", "n", "x", "mean", "growth"]
    assert row.split()[:3] == ["c", "20", "±"]
    assert row.split()[-1] == "-"
