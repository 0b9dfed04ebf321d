"""Readers learn that a release is not to be used any more: from the index beside it."""

import json
import shutil

import pytest
from once_release import command, files, run, write_release, write_weekly

from pipelines.publication.release_files import release_digest
from pipelines.publication.verify_folder import verify_folder
from pipelines.publication.withdrawn import Withdrawn, all_withdrawn, withdrawn_in
from pipelines.run.endings import end_release
from pipelines.run.periods import read_period
from pipelines.spec import load_release


@pytest.fixture
def config(tmp_path):
    return write_release(tmp_path)


def index(folder):
    return json.loads((folder / "releases.json").read_bytes())


def told(folder):
    return [
        (one["version"], one["sha256sums_sha256"], one["reason"])
        for one in index(folder)["withdrawn"]
    ]


def withdraw(config, reason, period=None):
    release = load_release(config)
    return end_release(release, read_period(release.spec.period, period), "withdraw", reason)


def test_a_withdrawn_release_stays_as_it_is_and_the_index_says_why(config, tmp_path):
    run(config)
    before = files(tmp_path / "out")
    done = command("withdraw", config, "--reason", "wrong")
    assert (done.returncode, done.stdout) == (0, "r@all is withdrawn; its charge is spent\n")
    assert files(tmp_path / "out") == before
    (listed,) = index(tmp_path)["releases"]
    assert listed["withdrawn"] == "wrong"
    assert told(tmp_path) == [(1, listed["sha256sums_sha256"], "wrong")]
    verified = command("verify", tmp_path / "out")
    assert verified.returncode == 0
    assert verified.stdout.endswith("out: withdrawn, not to be used: wrong\n")
    as_json = json.loads(command("verify", tmp_path / "out", "--json").stdout)
    assert as_json["checked"][0]["withdrawn"] == "wrong"
    assert [one.problems for one in verify_folder(tmp_path)] == [(), ()]


def test_whoever_withdraws_learns_that_readers_are_not_told(config, tmp_path):
    run(config)
    (tmp_path / "releases.json").write_text("[]")
    done = command("withdraw", config, "--reason", "wrong")
    assert done.returncode == 1
    assert done.stdout == "r@all is withdrawn; its charge is spent\n"
    assert "readers are not told: " in done.stderr
    assert "releases.json is no index of releases, and stays" in done.stderr
    (tmp_path / "releases.json").unlink()
    again = command("withdraw", config, "--reason", "other words")
    assert again.returncode == 0
    assert again.stdout == "r@all is withdrawn, as before (wrong); its charge is spent\n"
    assert [reason for _, _, reason in told(tmp_path)] == ["wrong"]


def test_readers_of_an_old_copy_learn_that_it_was_corrected(config, tmp_path):
    run(config)
    copy = shutil.copytree(tmp_path / "out", tmp_path / "copies" / "out")
    run(config, correct="a later file")
    (listed,) = index(tmp_path)["releases"]
    assert (listed["version"], listed["withdrawn"]) == (2, None)
    reason = "corrected by version 2: a later file"
    assert told(tmp_path) == [(1, release_digest(copy), reason)]
    shutil.copy(tmp_path / "releases.json", copy.parent)
    (found,) = verify_folder(copy)
    assert (found.problems, found.withdrawn) == ((), reason)
    (found,) = verify_folder(tmp_path / "out")
    assert (found.problems, found.withdrawn) == ((), "")


def test_it_is_told_again_where_the_index_was_lost(config, tmp_path):
    run(config)
    run(config, correct="once")
    before = index(tmp_path)
    assert before["withdrawn"]
    (tmp_path / "releases.json").unlink()
    run(config)
    assert index(tmp_path) == before


def test_releases_of_another_series_do_not_make_it_forgotten(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        config = write_release(folder)
        text = config.read_text().replace("folder: out", f"folder: ../shared/{folder.name}")
        config.write_text(text.replace("release: r", f"release: {folder.name}"))
    run(first / "release.yaml")
    withdraw(first / "release.yaml", "wrong")
    run(second / "release.yaml")
    withdraw(second / "release.yaml", "wrong too")
    found = index(tmp_path / "shared")
    assert [one["withdrawn"] for one in found["releases"]] == ["wrong", "wrong too"]
    assert [one["series"] for one in found["withdrawn"]] == ["first", "second"]


def test_the_page_of_a_series_says_it_beside_the_release(tmp_path):
    config = write_weekly(tmp_path)
    for week in ("2026-W45", "2026-W46"):
        run(config, period=week, report=True)
    page = tmp_path / "out" / "index.html"
    assert "withdrawn:" not in page.read_text()
    withdraw(config, "wrong <b>file</b>", "2026-W45")
    text = page.read_text()
    assert text.count("withdrawn: wrong &lt;b&gt;file&lt;/b&gt;") == 1
    (row,) = (one for one in text.split("<tr>") if "2026-W45</a>" in one)
    assert "withdrawn: wrong" in row


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"withdrawn": 3}', b'{"withdrawn": [{"series": "r"}]}', b"[" * 100_000],
)
def test_an_index_that_is_none_tells_of_nothing(content):
    assert withdrawn_in(content) == []


def test_what_cannot_be_read_of_an_index_does_not_hide_the_rest():
    told = Withdrawn("r", "all", 1, "ab" * 32, "a")
    content = json.dumps({"withdrawn": [3, {"series": "r"}, told.to_dict(), None]})
    assert withdrawn_in(content.encode()) == [told]


def test_the_last_reason_of_a_release_counts():
    first = Withdrawn("r", "all", 1, "ab" * 32, "a")
    second = Withdrawn("r", "all", 1, "ab" * 32, "b")
    other = Withdrawn("q", "all", 1, "cd" * 32, "a")
    assert all_withdrawn([first], [second, other]) == [other, second]
    assert all_withdrawn([second], []) == [second]
