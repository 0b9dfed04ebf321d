"""`plan` says what is different from the last release of a series in a bucket."""

import json

import pytest
from series_on_gcs import OUT, WEEKS, outlet, publish_here, put, write_config
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.plan import compared
from pipelines.storage.gcs import GcsFolder

CHANGE = {"table": None, "change": "budget epsilon from 1 to 2 (+100 %)"}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return publish_here(tmp_path_factory.mktemp("series"))


@pytest.fixture
def config(tmp_path, gcs):
    """A release to the bucket with twice the budget of those that are published here."""
    path = write_config(tmp_path, OUT)
    path.write_text(path.read_text().replace("epsilon: 1}", "epsilon: 2}"))
    return path


def plan(*arguments):
    done = CliRunner().invoke(app, ["plan", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def planned(*arguments):
    code, text, errors = plan(*arguments, "--json")
    assert (code, errors) == (0, "")
    return json.loads(text)


def test_it_is_compared_with_the_last_release_that_there_is(config, here):
    assert planned(config)["against"] is None
    put(here, *WEEKS[:2])
    GcsFolder.of(OUT).child("2026-W52").create("mine.txt", b"")
    GcsFolder.of(OUT).child("latest").create("current.json", b"{}")
    found = planned(config)
    assert (found["against"], found["against_problem"]) == (f"{OUT}/{WEEKS[1]}", None)
    assert CHANGE in found["changes"]
    assert f"\ndifferent from {OUT}/{WEEKS[1]}:\n  budget epsilon from 1" in plan(config)[1]


def test_a_release_without_periods_is_the_last_one(config, here):
    folder = GcsFolder.of(OUT)
    folder.create("current.json", GcsFolder.of(put(here, WEEKS[0]).place).read("current.json"))
    digest = outlet(WEEKS[0]).digest()
    plan_json = (here / WEEKS[0] / "plan.json").read_bytes()
    folder.child(digest).create("plan.json", plan_json)
    config.write_text(config.read_text().replace("period: week\n", "").replace(", time: at", ""))
    assert planned(config)["against"] == OUT


@pytest.mark.parametrize("kind", ["release", "object"])
def test_it_is_compared_with_what_is_named(config, here, kind):
    put(here, *WEEKS)
    url = f"{OUT}/{WEEKS[0]}"
    if kind == "object":
        url += f"/{outlet(WEEKS[0]).digest()}/plan.json"
    found = planned(config, "--against", url)
    assert found["against"] == url
    assert CHANGE in found["changes"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"{OUT}/none", f"{OUT}/none: no such object; allowed: a plan file, or a prefix with"),
        (f"{OUT}/x", f"{OUT}/x is not JSON; allowed: a file that dp-release plan --out wrote"),
        ("gs://none/x", "gs://none/x: no such object; allowed: a plan file, or a prefix"),
        ("s3://b/x", "'s3://b/x' is no place for files; allowed: gs://bucket/folder"),
    ],
)
def test_what_is_named_and_is_no_plan_is_one_line(config, url, said):
    GcsFolder.of(OUT).create("x", b"x")
    code, text, errors = plan(config, "--against", url)
    assert (code, text, errors.count("\n")) == (1, "", 1)
    assert said in errors


def test_a_pointer_that_is_none_stops_no_plan(config, here):
    put(here, WEEKS[0])
    GcsFolder.of(f"{OUT}/2026-W51").create("current.json", b"{}")
    found = planned(config)
    assert found["against"] == f"{OUT}/2026-W51"
    assert f"{OUT}/2026-W51/current.json is no pointer to a release" in found["against_problem"]
    assert found["changes"] == []
    assert "not compared: " in plan(config)[1]


@pytest.mark.parametrize(
    ("what", "said"),
    [("refused", "no permission"), ("away", "the service is busy or cannot be reached")],
)
def test_a_bucket_that_cannot_be_read_is_not_compared_with(
    config, gcs, here, servers, monkeypatch, what, said
):
    put(here, WEEKS[0])
    if what == "refused":
        gcs.refuse = 403
    else:
        servers.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
        monkeypatch.setattr(compared, "SHORT_PATIENCE", 0.1)
        monkeypatch.setattr("pipelines.plan.ledger.SHORT_PATIENCE", 0.1)
    found = planned(config)
    assert (found["against"], found["changes"]) == (None, [])
    assert said in found["against_problem"]
    assert said in found["ledger"]["problem"]
    assert "\n  not looked at: the ledger is " in plan(config)[1]
