"""Plan files, `run --plan`, and the comparison with the last release, on the command line."""

import json
import math
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.plan import file as plan_file_module
from pipelines.plan import plan_release
from pipelines.plan.file import PlanFileError, check_plan_file, plan_file, read_plan_file
from pipelines.plan.hash import plan_hash
from pipelines.plan.json_values import plan_to_dict
from pipelines.spec import load_release

ROOT = Path(__file__).parents[2]
CONFIG = """
release: r
input: {files: in.parquet, columns: {region: "lookup(k, 'regions.csv', 'region')"}}
privacy: {unit: user, epsilon: 30, delta: 1e-6}
tables:
  t:
    public: keys.csv
    keys: [k]
    metrics: {uses: count, seconds: {sum: s, clip: [0, 10]}, pace: {mean: s, clip: [0, 10]},
      each: {ratio: [seconds, uses]}}
    expect: {uses: 50, seconds: 200}
    noise: laplace
  regions: {keys: [region], metrics: {users: privacy_unit_count}, expect: {users: 9},
    noise: laplace, selection: truncated_geometric}
output: {folder: out, formats: [csv]}
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "keys.csv").write_text("k\na\nb\n")
    (tmp_path / "regions.csv").write_text("k,region\na,x\nb,x\n")
    users = [f"u{number}" for number in range(60)]
    rows = pl.DataFrame({"user": users, "k": ["a", "b"] * 30, "s": [4.0] * 60})
    rows.write_parquet(tmp_path / "in.parquet")
    file = tmp_path / "release.yaml"
    file.write_text(CONFIG)
    return file


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def call(*arguments):
    """Runs a command in this process: its exit code and what it said."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def written(config, tmp_path):
    """A plan file of the config."""
    code, _, errors = call("plan", config, "--out", tmp_path / "plan.json")
    assert (code, errors) == (0, "")
    return tmp_path / "plan.json"


# The file


def test_the_file_has_the_plan_its_hash_and_what_it_was_made_of(config, written):
    found = json.loads(written.read_text(encoding="utf-8"))
    assert list(found) == ["schema_version", "plan_hash", "made_of", "plan"]
    plan = plan_release(load_release(config))
    assert found["plan"] == json.loads(json.dumps(plan_to_dict(plan)))
    assert found["plan_hash"] == plan_hash(plan_to_dict(plan))
    assert list(found["made_of"]) == ["config_sha256", "files", "versions"]
    assert list(found["made_of"]["files"]) == ["keys.csv", "regions.csv"]
    assert found["made_of"]["versions"]["dp-accounting"] == version("dp-accounting")
    assert str(config.parent) not in written.read_text()


def test_every_key_of_the_json(config):
    _, shown, _ = call("plan", config, "--json", "--at", "100")
    found = json.loads(shown)
    assert list(found) == [
        *("schema_version", "plan_hash", "made_of", "plan"),
        *("sizes", "errors", "against", "against_problem", "changes", "ledger", "gates"),
    ]
    plan = found["plan"]
    assert list(plan) == [
        *("schema_version", "release", "dataset", "where", "row_restriction", "columns", "types"),
        *("files", "guarantee", "epsilon", "delta", "price", "tables"),
    ]
    assert list(plan["price"]) == [
        *("epsilon", "delta", "method", "lower", "upper", "upper_bounds", "rho", "failed", "used"),
    ]
    table = plan["tables"]["t"]
    assert list(table) == [
        *("keys", "bounds", "public_partitions", "public_sha256", "selection"),
        *("compared_and_released", "mechanisms", "metrics", "post_processing"),
    ]
    assert table["selection"] is None
    assert list(table["metrics"]) == ["uses", "seconds", "pace"]
    metric = table["metrics"]["seconds"]
    assert list(metric) == ["metric", "parameters", "columns", "noise"]
    assert metric["parameters"] == {"column": "s", "clip": [0.0, 10.0]}
    noise = metric["noise"]["seconds"]
    assert list(noise) == ["granularity", "sensitivity", "std", "half_width_95"]
    assert noise["sensitivity"] == {"l0": 1, "linf": 10.0, "norm": "l1", "size": 10.0}
    assert list(table["mechanisms"]) == ["uses", "seconds", "pace:rows", "pace:sum"]
    selection = plan["tables"]["regions"]["selection"]
    assert list(selection) == [
        *("strategy", "threshold", "partitions_per_unit", "units_for_probability")
    ]
    assert list(selection["units_for_probability"]) == ["0.05", "0.5", "0.95", "0.99"]
    assert found["sizes"] == [100.0]
    errors = found["errors"]["t"]
    assert list(errors) == ["metrics", "release_probability"]
    assert list(errors["metrics"]) == ["uses", "seconds", "pace", "each"]
    for name, metric in errors["metrics"].items():
        assert list(metric) == ["ten_percent_from", "expected", "at"]
        assert list(metric["expected"]) == ["at", "mean_absolute", "relative", "against"]
        assert (metric["at"] == [None]) == (name == "each")
    assert errors["metrics"]["uses"]["expected"]["at"] == 50
    assert errors["metrics"]["pace"]["expected"]["at"] == 50, "rows are those of the count"
    assert errors["metrics"]["pace"]["expected"]["against"] == "range"
    assert errors["metrics"]["each"]["expected"]["at"] == 4
    assert errors["release_probability"] is None
    assert 0 < found["errors"]["regions"]["release_probability"] <= 1
    assert (found["against"], found["against_problem"], found["changes"]) == (None, None, [])


def test_without_an_expectation_no_error_is_stated(config):
    edit(config, "    expect: {uses: 50, seconds: 200}\n", "")
    errors = json.loads(call("plan", config, "--json")[1])["errors"]["t"]["metrics"]
    assert list(errors) == ["uses", "seconds", "pace"]
    assert all(metric["expected"] is None for metric in errors.values())
    assert errors["uses"]["ten_percent_from"] > 0
    assert errors["pace"]["ten_percent_from"] is None


def test_the_text_has_the_errors_as_expected_and_at_sizes(config, monkeypatch):
    monkeypatch.setenv("COLUMNS", "130")
    text = call("plan", config, "--at", "100", "--at", "1e6")[1]
    lines = [" ".join(line.split()) for line in text.splitlines()]
    heads = [line for line in lines if line.endswith("error at 100 error at 1e+06")]
    assert len(heads) == 2
    assert all("error as expected" in head for head in heads)
    assert any(line.startswith("uses ") and " % of 50 " in line for line in lines)
    assert any(line.startswith("pace:rows ") and " % of range at 50 " in line for line in lines)
    assert any(line.startswith("each ") and " % of 4" in line for line in lines)
    assert "; one as expected with 100 %" in " ".join(lines)
    alone = call("plan", config)[1]
    assert "error at" not in alone
    assert "+-10 % from" in alone


@pytest.mark.parametrize("width", [60, 80, 110, 200])
def test_the_text_fits_the_terminal(config, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    for options in ([], ["--at", "100", "--at", "10000"]):
        text = call("plan", config, *options)[1]
        assert max(map(len, text.splitlines())) <= min(width, 130)
        for word in ("privacy_unit_count", "laplace", "truncated_geometric"):
            assert word in text


@pytest.mark.parametrize("size", ["1e-12", "1e18"])
def test_errors_of_any_size_are_numbers(config, size):
    edit(config, "{uses: 50, seconds: 200}", f"{{uses: {size}, seconds: 1e-12}}")
    code, shown, errors = call("plan", config, "--json", "--at", size)
    assert (code, errors) == (0, "")
    assert "NaN" not in shown
    assert "Infinity" not in shown


@pytest.mark.parametrize("size", ["0", "-1", "nan", "inf", "1e-13", "1e19"])
def test_a_size_is_in_range(config, size):
    code, shown, errors = call("plan", config, "--at", size)
    assert (code, shown) == (1, "")
    assert errors == f"--at is {float(size):g}; allowed: from 1e-12 to 1e+18\n"


def test_a_plan_that_cannot_be_written_says_so(config, tmp_path):
    code, _, errors = call("plan", config, "--out", tmp_path / "none" / "plan.json")
    assert code == 1
    assert errors == f"{tmp_path}/none/plan.json cannot be written: No such file or directory\n"


# run --plan


def test_a_run_with_its_plan_publishes_the_same_plan(config, written, tmp_path):
    code, _, errors = call("run", config, "--plan", written)
    assert (code, errors) == (0, "")
    published = (tmp_path / "out" / "plan.json").read_text(encoding="utf-8")
    assert published == written.read_text(encoding="utf-8")


def refused(config, written, tmp_path):
    """Returns the lines of a refused run, after which nothing is there."""
    code, shown, errors = call("run", config, "--plan", written)
    assert (code, shown) == (1, "")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / ".dp-release").exists()
    return errors.splitlines()


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        ("release.yaml", "release: r", "release: r\ntitle: T", "config_sha256: "),
        ("release.yaml", "epsilon: 30", "epsilon: 31", "budget epsilon from 30 to 31 (+3.3 %)"),
        ("release.yaml", "[0, 10]}, pace", "[0, 9]}, pace", "t: seconds: clip from 0, 10 to 0, 9"),
        ("release.yaml", "keys: [region]", "keys: [k]", "regions: keys from region to k"),
        ("release.yaml", "regions.csv'", "./regions.csv'", 'files../regions.csv: nothing -> "'),
        ("keys.csv", "b", "c", 'files.keys.csv: "'),
        ("keys.csv", "b", "c", "t: public partitions are others, as many as before"),
        ("regions.csv", "b,x", "b,y", "file regions.csv from "),
    ],
)
def test_a_run_refuses_when_anything_has_changed(config, written, tmp_path, file, old, new, line):
    edit(tmp_path / file, old, new)
    first, *changes = refused(config, written, tmp_path)
    assert first.startswith(f"the config or its plan has changed since {written} was written; ")
    assert any(change.startswith(f"  {line}") for change in changes), changes


def test_a_refusal_names_the_versions_only_when_the_plan_is_another(config, written, monkeypatch):
    release = load_release(config)
    plan = plan_release(release)
    monkeypatch.setattr(plan_file_module, "version", lambda name: f"{name} 99")
    now = plan_file(release, plan)
    check_plan_file(written, read_plan_file(written), now)
    changed = plan_file_module.PlanFile({**now.plan, "epsilon": 29.0}, now.made_of)
    with pytest.raises(PlanFileError) as caught:
        check_plan_file(written, read_plan_file(written), changed)
    assert "versions.dp-accounting: " in str(caught.value)
    assert '"dp-accounting 99"' in str(caught.value)


def test_a_long_refusal_is_cut(config, written, tmp_path):
    found = read_plan_file(written)
    tables = {f"t{number}": {} for number in range(40)}
    now = plan_file_module.PlanFile({**found.plan, "tables": tables}, found.made_of)
    with pytest.raises(PlanFileError) as caught:
        check_plan_file(written, found, now)
    assert len(str(caught.value).splitlines()) == 22
    assert str(caught.value).endswith("  and 22 more")


@pytest.mark.parametrize("number", ["std", "scale", "epsilon"])
def test_an_edited_plan_is_refused(config, written, tmp_path, number):
    found = json.loads(written.read_text())
    table = found["plan"]["tables"]["t"]
    match number:
        case "std":
            table["metrics"]["uses"]["noise"]["uses"]["std"] *= 1.01
        case "scale":
            table["mechanisms"]["uses"]["scale"] *= 1.01
        case "epsilon":
            found["plan"]["epsilon"] = 31.0
    written.write_text(json.dumps(found))
    (line,) = refused(config, written, tmp_path)
    assert line.startswith(f"{written} was edited: it states the plan_hash {found['plan_hash']}, ")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", " is not JSON; allowed: a file that dp-release plan --out wrote"),
        (b"\xff", " is not JSON; "),
        (b"[" * 100_000, " is not JSON; "),
        (b"[]", " is no plan file; "),
        (b'{"schema_version": 2, "plan_hash": "", "plan": {}, "made_of": {}}', " is no plan file"),
        (b'{"schema_version": 1, "plan_hash": "", "plan": [], "made_of": {}}', " is no plan file"),
        (b'{"schema_version": 1, "plan_hash": "", "plan": {}, "made_of": {}}', " was edited: "),
        (
            b'{"schema_version": 1, "plan_hash": "", "plan": {"a": NaN}, "made_of": {}}',
            " has a number that JSON has not",
        ),
    ],
)
def test_what_is_no_plan_file_is_refused(config, tmp_path, content, problem):
    other = tmp_path / "other.json"
    other.write_bytes(content)
    (line,) = refused(config, other, tmp_path)
    assert line.startswith(f"{other}{problem}")


def test_a_missing_plan_file_is_refused(config, tmp_path):
    assert refused(config, tmp_path / "none.json", tmp_path) == [
        f"{tmp_path}/none.json: no such file"
    ]
    (line,) = refused(config, tmp_path, tmp_path)
    assert line == f"{tmp_path} cannot be read: Is a directory"


# The last release


def test_a_plan_is_compared_with_the_one_that_was_published(config, tmp_path):
    assert call("run", config)[0] == 0
    assert "different from" not in call("plan", config)[1]
    edit(config, "epsilon: 30", "epsilon: 15")
    text = call("plan", config)[1]
    _, changes = text.split(f"\ndifferent from {tmp_path}/out/plan.json:\n")
    assert changes.startswith("  budget epsilon from 30 to 15 (-50 %)\n")
    assert "\n  t: noise std of seconds from " in changes
    found = json.loads(call("plan", config, "--json")[1])
    assert found["against"] == f"{tmp_path}/out/plan.json"
    assert found["changes"][0] == {"table": None, "change": "budget epsilon from 30 to 15 (-50 %)"}
    assert [set(change) for change in found["changes"]] == [{"table", "change"}] * len(
        changes.splitlines()
    )


def test_a_plan_is_compared_with_a_file(config, written):
    edit(config, "selection: truncated_geometric", "selection: laplace")
    text = call("plan", config, "--against", written)[1]
    assert "  regions: selection from truncated_geometric to laplace\n" in text


def test_a_published_plan_that_cannot_be_read_stops_no_plan(config, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "plan.json").write_text("{}")
    code, text, errors = call("plan", config)
    assert (code, errors) == (0, "")
    assert f"not compared: {tmp_path}/out/plan.json is no plan file" in " ".join(text.split())
    found = json.loads(call("plan", config, "--json")[1])
    assert "is no plan file" in found["against_problem"]
    code, text, errors = call("plan", config, "--against", tmp_path / "out" / "plan.json")
    assert (code, text) == (1, "")
    assert "is no plan file" in errors


def test_a_plan_reads_no_rows(config, tmp_path):
    (tmp_path / "in.parquet").unlink()
    assert call("plan", config)[0] == 0


def test_a_plan_loads_neither_beam_nor_what_draws():
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom pipelines.cli import app\n"
        f"done = CliRunner().invoke(app, ['plan', {str(ROOT / 'configs' / 'bike_trips.yaml')!r}])\n"
        "heavy = ('apache_beam', 'pipeline_dp', 'pandas', 'altair', 'dp_accounting', 'scipy')\n"
        "print(done.exit_code, [name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=dict(os.environ),
        timeout=50,
    )
    assert done.stdout == "0 []\n", done.stderr


def test_errors_of_a_release_fall_with_its_budget(config):
    few = json.loads(call("plan", config, "--json", "--at", "100")[1])["errors"]["t"]["metrics"]
    edit(config, "epsilon: 30", "epsilon: 3")
    many = json.loads(call("plan", config, "--json", "--at", "100")[1])["errors"]["t"]["metrics"]
    for name in ("uses", "seconds", "pace"):
        ratio = many[name]["at"][0]["relative"] / few[name]["at"][0]["relative"]
        assert ratio > 5
        assert math.isfinite(ratio)
