"""What README, reference of the language and operations show works, and stands in the code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from commands import command_here
from small_release import DOCUMENTS

import pipelines.sources.lines
import transforms as dp
import transforms.rows
from pipelines import synthetic
from pipelines.emoji_catalogue import COUNTRIES
from pipelines.ledger import load_policy
from pipelines.plan import plan_release
from pipelines.run.exactly_once import run_release
from pipelines.run.failures import RunError
from pipelines.spec import load_release
from transforms.planning import plan_tables
from transforms.prepare import preparation
from transforms.prepare.functions import NAMES
from transforms.release_curve import selection_threshold
from transforms.table import Table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "configs" / "README.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "deploy" / "operations.md").read_text(encoding="utf-8")
LANGUAGE = {"README.md": README, "configs/README.md": REFERENCE}
PAGES = {**LANGUAGE, "deploy/operations.md": OPERATIONS}


def blocks(language, page=README):
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def table_rows(text):
    """Rows of all Markdown tables with two columns, without their heads."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    return [row for row in rows if row[0] not in ("what", "in a table")]


def command(*arguments, cwd=None, home=None):
    return command_here(*arguments, cwd=cwd, env={} if home is None else {"HOME": str(home)})


# The config


@pytest.fixture
def readme_config(tmp_path):
    """The README's release, with the files that it names."""
    text, *_ = blocks("yaml")
    folder = tmp_path / "configs"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "emoji_countries.csv").write_text("country\nUS\nDE\nXX\n")
    config = folder / "emoji_weekly.yaml"
    config.write_text(text)
    return config


def test_the_release_validates_and_plans(readme_config):
    done = command("validate", readme_config)
    assert (done.returncode, done.stderr) == (0, "")
    plan = plan_release(load_release(readme_config))
    assert [table.name for table in plan.tables] == ["by_country", "totals"]
    assert plan.tables[1].public_keys.height == 3


def test_the_release_runs_and_has_the_columns_that_the_text_names(readme_config):
    events = readme_config.parent / "data" / "emoji_weekly"
    synthetic.write_emoji_events(events, rows=20_000, units=2_000, seed=1, files=2)
    release = load_release(readme_config)
    run_release(release, plan_release(release), [])
    folder = readme_config.parents[1] / "published" / "emoji_weekly"
    names = {path.name for path in folder.iterdir()}
    tables = {
        f"{table}.{kind}" for table in ("by_country", "totals") for kind in ("csv", "parquet")
    }
    assert names == {*DOCUMENTS, *tables}
    totals = pl.read_parquet(folder / "totals.parquet")
    assert totals.columns == ["country", "users", "users_std", "users_low", "users_high"]
    assert totals["country"].to_list() == ["DE", "US", "XX"]
    assert (readme_config.parent / ".dp-release" / "emoji_weekly").is_dir()


PART = {
    "release": "r",
    "input": {"files": "events/*.parquet"},
    "privacy": {"unit": "user_id", "epsilon": 1.0, "delta": 1e-8},
    "tables": {"t": {"keys": ["country"], "metrics": {"uses": "count"}}},
    "output": {"folder": "out"},
}
"""The release around a block that shows only a part of one."""


def planned(text, folder):
    """Returns the plan of a block, with the parts that it does not show."""
    (folder / "data").mkdir()
    (folder / "data" / "emoji_countries.csv").write_text("country\nUS\nDE\n")
    (folder / "regions.csv").write_text("country,region\nDE,Europe\n")
    shown = yaml.safe_load(text)
    assert set(shown) <= {*PART, "title", "about", "dataset", "period", "gates", "ledger", "policy"}
    (folder / "release.yaml").write_text(yaml.safe_dump({**PART, **shown}))
    return plan_release(load_release(folder / "release.yaml"))


def test_both_pages_have_blocks():
    assert len(blocks("yaml", README)) >= 1
    assert len(blocks("yaml", REFERENCE)) >= 3


@pytest.mark.parametrize(
    "text", [block for page in PAGES.values() for block in blocks("yaml", page)]
)
def test_every_block_of_yaml_is_planned(text, tmp_path):
    shown = yaml.safe_load(text)
    names = {table.name for table in planned(text, tmp_path).tables}
    for name in shown.get("tables", ()):
        assert any(made == name or made.startswith(f"{name}_by_") for made in names)


def test_the_filters_and_derived_columns_are_those_of_the_plan(tmp_path):
    (text,) = [block for block in blocks("yaml", REFERENCE) if "emoji(text)" in block]
    plan = planned(text, tmp_path)
    assert list(plan.preparation.columns)[:3] == ["emoji", "hour", "region"]


def test_the_thresholds_of_selection_are_those_that_are_named():
    """Those of 20 partitions, at delta 1e-8."""

    def units(strategy, epsilon):
        bounds = dp.Bounds(max_partitions_contributed=20)
        table = Table(["k"], {}, bounds, dp.PrivateSelection(strategy))
        (plan,) = plan_tables({"t": table}, dp.Budget(epsilon, 1e-8))
        return selection_threshold(plan.selection)

    text = " ".join(REFERENCE.split())
    assert "at epsilon 1, delta 1e-8 and 20 partitions, 358 units against 147" in text
    assert round(units("truncated_geometric", 1.0)) == 358
    assert round(units("gaussian", 1.0)) == round(units("weighted_gaussian", 1.0)) == 147
    assert "at epsilon 8, 24 units against 22" in text
    assert round(units("weighted_gaussian", 8.0)) == 24
    assert round(units("gaussian", 8.0)) == 22


def test_every_function_of_expressions_is_named():
    section = REFERENCE[REFERENCE.index("## Filters and derived") : REFERENCE.index("## Privacy")]
    synonyms = {"btrim", "ceiling", "char_length", "power", "substring"}
    assert {*NAMES} - synonyms <= set(re.findall(r"\w+", section))


# Operations


def test_the_policy_is_one(tmp_path):
    (text,) = [block for block in blocks("yml", OPERATIONS) if "caps:" in block]
    (tmp_path / "policy.yaml").write_text(text)
    policy = load_policy(tmp_path / "policy.yaml")
    assert len(policy.datasets["keyboard_events"].caps) == 4


def test_the_detached_run_is_published_as_shown(tmp_path):
    (text,) = [block for block in blocks("", OPERATIONS) if "--detach" in block]
    ignored = shutil.ignore_patterns(".dp-release", "emoji_weekly")
    shutil.copytree(ROOT / "configs", tmp_path / "configs", ignore=ignored)
    launching, shown, publishing = text.splitlines()
    launched = command(*launching.split()[2:], cwd=tmp_path)
    assert (launched.stdout, launched.stderr) == (f"{shown}\n", "")
    assert not (tmp_path / "published").exists()
    published = command(*publishing.split()[2:], "--no-report", cwd=tmp_path)
    assert (published.returncode, published.stderr) == (0, "")
    assert (tmp_path / "published" / "bike_stations" / "SHA256SUMS").exists()


# Links


def anchors(page):
    """Returns the anchors that Markdown gives to the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("name", [*PAGES, "deploy/README.md"])
def test_every_link_leads_somewhere(name):
    page = ROOT / name
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert local
    for link in local:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("name", LANGUAGE)
def test_every_recipe_is_linked(name):
    linked = {Path(link).name for link in re.findall(r"\]\(([^)\s]+\.yaml)\)", PAGES[name])}
    assert linked == {path.name for path in (ROOT / "configs").glob("*.yaml")}


def test_every_section_named_in_quotes_is_there():
    heads = set(re.findall(r"^#+ (.+)$", REFERENCE, re.MULTILINE))
    named = set(re.findall(r'see "([^"]+)"', REFERENCE))
    assert named
    assert named <= heads


# The snippets


def run_snippet(text, cwd):
    return subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)},
        timeout=50,
    )


def snippet(marker, *, path, replacement):
    (text,) = [block for block in blocks("python") if marker in block]
    assert text.count(path) == 1
    return text.replace(path, str(replacement))


def test_there_are_two_snippets():
    assert len(blocks("python")) == 2


def test_the_pipeline_runs(tmp_path):
    synthetic.write_emoji_events(tmp_path / "events", rows=400_000, units=60_000, seed=1, files=2)
    text = snippet(
        "dp.Aggregate",
        path='"events/*.parquet"',
        replacement=f'"{tmp_path}/events/*.parquet"',
    )
    done = run_snippet(text, tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [eval(line, {"nan": float("nan")}) for line in done.stdout.splitlines()]
    # The most frequent emoji of the USA has some 5,000 users, far above the threshold.
    assert rows
    numbers = [
        f"{name}{end}" for name in ("uses", "seconds") for end in ("", "_std", "_low", "_high")
    ]
    for row in rows:
        assert list(row) == ["country", "emoji", *numbers]
        assert row["country"] in COUNTRIES


def test_the_data_frame_is_aggregated(tmp_path):
    path = "configs/data/valleybike_trips.parquet"
    text = snippet("dp.aggregate(", path=path, replacement=ROOT / path)
    done = run_snippet(f"{text}\nprint(type(released).__module__, *released.columns)\n", tmp_path)
    assert done.returncode == 0, done.stderr
    first, *columns = done.stdout.split()
    assert first.startswith("pandas")
    assert columns == ["start_station", "riders", "riders_std", "riders_low", "riders_high"]


# Names


def test_every_command_is_there():
    named = re.findall(r"dp-release (\w+)", README)
    assert {"validate", "plan", "run"} <= set(named)
    for name in set(named):
        done = command(name, "--help")
        assert (done.returncode, done.stderr) == (0, ""), name
        assert f"dp-release {name}" in done.stdout
    for option in ("--correct", "--period"):
        assert option in README
        assert option in command("run", "--help").stdout


def test_every_option_for_beam_is_one():
    from pipelines.run.options import pipeline_options

    options = re.findall(r"^\$ dp-release run \S+ -- (--\S+)", README, re.MULTILINE)
    assert options
    pipeline_options(options)


def test_every_make_target_is_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(?:`?)make (\w+)|`make (\w+)`", README, re.MULTILINE))
    names = {name for pair in targets for name in pair if name}
    assert {"run", "test"} <= names
    for name in names:
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name


def test_every_file_and_folder_is_there():
    places = re.findall(r"configs/[\w./]+\w", README + REFERENCE + OPERATIONS)
    places = [place for place in places if "emoji.yaml" not in place]
    assert places
    for place in [*places, "pipelines", "transforms", "deploy", "tests"]:
        assert (ROOT / place).exists(), place


def test_every_module_on_the_way_of_a_row_is_there():
    way = README[README.index("The way of a row") :].split("\n\n")[0]
    modules = re.findall(r"`([\w/]+)`(?= )", way.split("Both shuffles")[0])
    assert len(modules) >= 6
    for name in modules:
        packages = [ROOT / package for package in ("transforms", "pipelines")]
        homes = [package / end for package in packages for end in (f"{name}.py", name)]
        assert any(home.exists() for home in homes), name


# Rules for dirt

IN_OTHER_WORDS = {
    "csv line with unbalanced quotes or the wrong number of fields": [
        "CSV line with another number of fields than the header",
        "CSV line with a quote that does not enclose a whole field and is not doubled",
    ],
    "text that does not parse as its declared type, broken JSON line": [
        "value that does not parse as its declared type",
        "JSON line that is not an object, or does not parse",
        "empty CSV field, with quotes or without, JSON null or missing JSON member",
    ],
    "bytes that are not UTF-8 in text files": ["bytes that are not UTF-8"],
}
"""Rows of the reference that sum up rows of `pipelines.sources.lines`."""

RULES = {
    row: rule
    for module in (transforms.rows, pipelines.sources.lines, preparation)
    for row, rule in table_rows(module.__doc__)
}


def dirt_rules():
    part = REFERENCE[REFERENCE.index("## Dirt") :]
    return table_rows(part[: part.index("\nWhat a null")])


def test_the_rules_are_found():
    assert len(dirt_rules()) >= 8
    assert len(RULES) >= 17


@pytest.mark.parametrize(("what", "rule"), dirt_rules())
def test_every_rule_for_dirt_stands_where_it_is_applied(what, rule):
    if what in RULES:
        assert RULES[what] == rule
        return
    for row in IN_OTHER_WORDS[what]:
        outcome = re.findall(r"\w+", RULES[row])[-1]
        assert outcome in re.findall(r"\w+", rule)


def test_a_null_is_to_each_metric_what_is_said():
    """Each mechanism has an epsilon above 70: false alarms are far below one in a million."""
    values = pl.DataFrame(
        {
            "user_id": list(range(200)),
            "k": ["a"] * 200,
            "x": [4.0, None] * 100,
            "y": [3.0] * 200,
        }
    )
    released = dp.aggregate(
        values,
        unit=["user_id"],
        keys=["k"],
        metrics={
            "rows": dp.Count(),
            "units": dp.PrivacyUnitCount(),
            "sum": dp.Sum("x", clip=(0, 10)),
            "mean": dp.Mean("x", clip=(0, 10)),
            "variance": dp.Variance("x", clip=(0, 10)),
            "low": dp.Quantiles("x", (0.1,), clip=(0, 10)),
            "distinct": dp.DistinctCount("x"),
            "move": dp.VectorSum(("x", "y"), 10),
        },
        bounds=dp.Bounds(),
        budget=dp.Budget(epsilon=2000, delta=1e-6),
    )
    (row,) = released.to_dicts()
    for name, exact in {"rows": 200, "units": 200, "distinct": 1}.items():
        assert row[name] == exact, name
    for name, exact in {"sum": 400, "move_x": 400, "move_y": 300}.items():
        assert row[name] == pytest.approx(exact, abs=3), name
    assert row["mean"] == pytest.approx(4, abs=0.1)
    assert row["variance"] == pytest.approx(0, abs=0.1)
    assert row["low_p10"] == pytest.approx(4, abs=0.1)


# Places


def write_release(folder, output):
    folder.mkdir(parents=True)
    users = [f"u{number}" for number in range(60)]
    pl.DataFrame({"user": users, "k": ["a"] * 60}).write_parquet(folder / "in.parquet")
    pl.DataFrame({"k": ["a", "b"]}).write_csv(folder / "keys.csv")
    config = folder / "release.yaml"
    config.write_text(
        "release: r\ninput: {files: in*.parquet}\n"
        "privacy: {unit: user, epsilon: 30, delta: 0}\n"
        "tables: {t: {public: keys.csv, keys: [k], metrics: {n: count}}}\n"
        f"output: {{folder: {output}, formats: [csv]}}\n"
    )
    return config


def test_a_tilde_in_the_output_folder_is_the_home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    config = write_release(tmp_path / "configs", "~/published/r")
    done = command("run", config, cwd=tmp_path, home=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in (home / "published" / "r").iterdir()} == {
        *DOCUMENTS,
        "report.html",
        "t.csv",
    }
    assert not list(tmp_path.rglob("~*"))


def test_a_tilde_in_the_input_is_the_home(tmp_path):
    home = tmp_path / "home"
    config = write_release(home, "out")
    other = tmp_path / "configs"
    other.mkdir()
    text = config.read_text().replace("in*.parquet", "~/in*.parquet")
    (other / "release.yaml").write_text(text.replace("keys.csv", "~/keys.csv"))
    done = command("run", other / "release.yaml", home=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert (other / "out" / "t.csv").exists()


@pytest.mark.filterwarnings("ignore:Possible nested set")
@pytest.mark.parametrize(
    "name",
    [
        "we[1]rd",
        "[!a]",
        *("st*r", "wh?t", "{a,b}", "ünï cødé", "a%20b"),
    ],
)
def test_a_folder_with_any_name_holds_a_release(tmp_path, name):
    (tmp_path / "we1rd").mkdir()
    (tmp_path / "stxr").mkdir()
    for decoy in ("we1rd", "stxr"):
        pl.DataFrame({"user": ["z"], "k": ["b"]}).write_parquet(tmp_path / decoy / "in.parquet")
    config = write_release(tmp_path / name, "out")
    release = load_release(config)
    run_release(release, plan_release(release), [])
    found = dict(
        pl.read_csv(tmp_path / name / "out" / "t.csv", glob=False).select("k", "n").iter_rows()
    )
    # Noise of scale 1/30 is as large as 1 in one of 10^13 runs.
    assert found == {"a": 60, "b": 0}


@pytest.mark.parametrize("name", ["we[1]rd", "st*r"])
def test_the_command_runs_in_a_folder_with_any_name(tmp_path, name):
    config = write_release(tmp_path / name, "out")
    done = command("run", config)
    if "nothing was published" in done.stderr:
        raise RunError(done.stderr)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / name / "out" / "t.csv").exists()


@pytest.mark.parametrize(
    "files",
    [
        "in.parquet",
        "./in.parquet",
        "../configs/in*.parquet",
        "in*.parquet",
    ],
)
def test_a_config_can_be_named_from_its_own_folder(tmp_path, files):
    config = write_release(tmp_path / "configs", "out")
    config.write_text(config.read_text().replace("in*.parquet", files))
    done = command("run", config.name, cwd=config.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert (config.parent / "out" / "t.csv").exists()
