"""Members of JSON lines are declared; no line decides whether a release runs."""

import gzip
import json

import pytest
from small_release import checked, read_rows, run, write_config

from pipelines.plan import plan_release
from pipelines.spec import ConfigError, load_release

GOOD = {"user": "u", "country": "DE", "dwell": 1}
SOURCE = "files: a.jsonl, types: {user: string, country: string}"


def write_lines(path, *lines):
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    )
    return path


def refusals(config):
    """What `validate` says: there are no files."""
    with pytest.raises(ConfigError) as caught:
        plan_release(load_release(config))
    return [line.replace(f"{config.parent}/", "") for line in str(caught.value).splitlines()]


def test_a_misspelt_member_is_refused_with_the_closest_one(tmp_path):
    assert refusals(write_config(tmp_path, SOURCE, keys="contry")) == [
        "release.yaml:2:56: input.types.country: the release does not read this column; it reads "
        "user, contry; did you mean 'contry'?",
        "release.yaml:6:12: tables.t.keys[0]: the member 'contry' is not declared, and JSON Lines "
        "have no header that would tell a misspelt one; allowed: with its type in input.types; "
        "did you mean 'country'?",
    ]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"unit": "usr"}, "privacy.unit"),
        ({"keys": "country, x"}, "tables.t.keys[1]"),
        ({"metrics": "s: {sum: dwell, clip: [0, 1]}"}, "tables.t.metrics.s.sum"),
    ],
)
def test_every_use_of_a_member_is_looked_at(tmp_path, changes, path):
    found = [line.split(": ")[1] for line in refusals(write_config(tmp_path, SOURCE, **changes))]
    assert path in found
    assert set(found) <= {path, "input.types.user"}


def test_the_time_and_expressions_read_members_too(tmp_path):
    source = f"{SOURCE}, time: at, where: version > '7'"
    found = refusals(write_config(tmp_path, source, more="period: day\n"))
    assert [line.split(": ")[1] for line in found] == ["input.time", "input.where"]


def test_optional_members_and_columns_from_folders_are_declared(tmp_path):
    config = write_config(
        tmp_path, "files: dt=*/a.jsonl, optional: [user, country]", keys="country, dt"
    )
    assert load_release(config).spec.column_types() == dict.fromkeys(
        ["user", "country", "dt"], "string"
    )


def test_csv_files_need_no_declarations(tmp_path):
    assert load_release(write_config(tmp_path, "files: a.csv"))


BAD = ["", "  ", "x", "[1]", '"text"', "null", "{", '{"user": ', "[" * 100_000, '{"a": 1e999}']


@pytest.mark.parametrize(
    "lines",
    [
        [GOOD],
        [{"user": "u"}],
        [{"usr": "u"}],
        ["[", json.dumps(GOOD) + ",", "]"],
        BAD,
        ["", " "],
    ],
)
def test_no_line_decides_whether_a_release_runs(tmp_path, lines):
    """Not even that no line has a member or is an object: one person's may be the only one."""
    write_lines(tmp_path / "a.jsonl", *lines)
    config = write_config(tmp_path, SOURCE)
    assert set(checked(config)[2]) == {"user", "country"}
    assert set(read_rows(config).columns) == {"user", "country"}


def test_bad_lines_among_good_ones_are_fine(tmp_path):
    write_lines(tmp_path / "a.jsonl", *BAD, GOOD, *BAD)
    with (tmp_path / "a.jsonl").open("ab") as file:
        file.write(b"\xff\xfe\x00\n")
    assert read_rows(write_config(tmp_path, SOURCE))["user"].drop_nulls().to_list() == ["u"]


def test_a_missing_member_is_null(tmp_path):
    write_lines(tmp_path / "a.jsonl", {"user": "u"}, {"country": "DE"})
    assert read_rows(write_config(tmp_path, SOURCE)).rows() == [("u", None), (None, "DE")]


def test_lines_of_0_bytes_are_released_as_no_rows(tmp_path):
    (tmp_path / "a.jsonl").touch()
    assert run(write_config(tmp_path, SOURCE)).height == 0


def test_compressed_lines_are_read(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    source = SOURCE.replace("a.jsonl", "a.jsonl.gz, format: jsonl")
    assert read_rows(write_config(tmp_path, source)).rows() == [("u", "DE")]
