"""Readers of a bucket learn that a release is not to be used any more."""

import json

import pytest
from release_on_gcs import run, write_release

from pipelines.publication.verify_place import verify_place
from pipelines.run.endings import end_release
from pipelines.run.periods import read_period
from pipelines.spec import load_release
from pipelines.storage.gcs import GcsFolder


@pytest.fixture
def config(tmp_path, bucket):
    return write_release(tmp_path, bucket, input_more=", time: at", more="period: week\n")


def index(bucket):
    return json.loads(GcsFolder.of(f"{bucket}/out").read("releases.json"))


def test_the_index_and_its_page_say_why(config, bucket):
    run(config, period="2026-W46", report=True)
    release = load_release(config)
    end_release(release, read_period("week", "2026-W46"), "withdraw", "wrong")
    (listed,) = index(bucket)["releases"]
    assert listed["withdrawn"] == "wrong"
    page = GcsFolder.of(f"{bucket}/out").read("index.html").decode()
    assert page.count("withdrawn: wrong") == 1
    (found,) = verify_place(f"{bucket}/out/2026-W46")
    assert (found.problems, found.withdrawn) == ((), "wrong")
    of_release, of_index = verify_place(f"{bucket}/out")
    assert (of_release.problems, of_release.withdrawn) == ((), "wrong")
    assert of_index.problems == ()


def test_a_correction_tells_of_what_it_corrects(config, bucket):
    run(config, period="2026-W46")
    (before,) = index(bucket)["releases"]
    run(config, period="2026-W46", correct="a later file")
    (told,) = index(bucket)["withdrawn"]
    assert told["sha256sums_sha256"] == before["sha256sums_sha256"]
    assert told["reason"] == "corrected by version 2: a later file"
    assert index(bucket)["releases"][0]["withdrawn"] is None
    (found,) = verify_place(f"{bucket}/out/2026-W46")
    assert found.withdrawn == ""
