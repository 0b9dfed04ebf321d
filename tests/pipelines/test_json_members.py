"""A misspelt member of JSON lines is found before the run; what lines hold never is an error."""

import gzip
import json

import pytest
from small_release import checked, problems, read_rows, run, write_config

from pipelines import json_members
from pipelines.json_members import sample_members

GOOD = {"user": "u", "country": "DE", "dwell": 1}


def write_lines(path, *lines):
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    )
    return path


def test_a_misspelt_member_is_refused_with_the_closest_one(tmp_path):
    write_lines(tmp_path / "a.jsonl", GOOD, GOOD)
    assert problems(write_config(tmp_path, "files: a.jsonl", keys="contry")) == [
        "release.yaml:6:12: tables.t.keys[0]: no member 'contry' in the first JSON lines; "
        "most have: user, country, dwell; did you mean 'country'?; "
        "a member that few lines have is listed in input.optional"
    ]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"unit": "usr"}, "privacy.unit"),
        ({"keys": "user, x"}, "tables.t.keys[1]"),
        ({"metrics": "s: {sum: dwel, clip: [0, 1]}"}, "tables.t.metrics.s.sum"),
    ],
)
def test_every_use_of_a_member_is_looked_at(tmp_path, changes, path):
    write_lines(tmp_path / "a.jsonl", GOOD)
    (problem,) = problems(write_config(tmp_path, "files: a.jsonl", **changes))
    assert problem.split(": ")[1] == path


def test_a_declared_type_is_no_excuse(tmp_path):
    write_lines(tmp_path / "a.jsonl", GOOD)
    config = write_config(tmp_path, "files: a.jsonl, types: {contry: int}", keys="contry")
    assert len(problems(config)) == 1


def test_an_optional_member_may_be_in_no_line(tmp_path):
    write_lines(tmp_path / "a.jsonl", GOOD)
    config = write_config(tmp_path, "files: a.jsonl, optional: [rare]", keys="rare")
    assert read_rows(config).rows() == [("u", None)]


def test_a_member_that_one_line_has_is_enough_also_as_null(tmp_path):
    write_lines(tmp_path / "a.jsonl", *[{"user": "u"}] * 500, {"user": "u", "country": None})
    assert checked(write_config(tmp_path, "files: a.jsonl"))


def test_members_of_few_objects_are_not_named(tmp_path):
    lines = [{"user": "u", f"id{number}": 1, "secret": 1} for number in range(10)]
    lines += [{"user": "u"}] * 10
    write_lines(tmp_path / "a.jsonl", *lines)
    (problem,) = problems(write_config(tmp_path, "files: a.jsonl", keys="id3x"))
    assert "; most have: user; " in problem
    assert "id1" not in problem
    assert "secret" not in problem


def test_no_common_member_is_no_list(tmp_path):
    write_lines(tmp_path / "a.jsonl", {"user": 1}, {"a": 1}, {"b": 1})
    (problem,) = problems(write_config(tmp_path, "files: a.jsonl"))
    assert problem.endswith(
        "no member 'country' in the first JSON lines; "
        "a member that few lines have is listed in input.optional"
    )


BAD = ["", "  ", "x", "[1]", '"text"', "null", "{", '{"user": ', "[" * 100_000, '{"a": 1e999}']


def test_bad_lines_among_good_ones_are_fine(tmp_path):
    write_lines(tmp_path / "a.jsonl", *BAD, GOOD, *BAD)
    with (tmp_path / "a.jsonl").open("ab") as file:
        file.write(b"\xff\xfe\x00\n")
    assert read_rows(write_config(tmp_path, "files: a.jsonl"))["user"].drop_nulls().to_list() == [
        "u"
    ]


def test_a_file_without_any_object_is_refused(tmp_path):
    write_lines(tmp_path / "a.jsonl", "[", json.dumps(GOOD) + ",", "]")
    assert problems(write_config(tmp_path, "files: a.jsonl")) == [
        "release.yaml:2:16: input.files: no line of the first ones is a JSON object"
    ]


def test_files_of_empty_lines_are_fine(tmp_path):
    write_lines(tmp_path / "a.jsonl", "", " ")
    assert checked(write_config(tmp_path, "files: a.jsonl"))


def test_files_are_sampled_together_and_from_end_to_end(tmp_path):
    for number in range(40):
        line = {"user": "u"} if number else GOOD
        write_lines(tmp_path / f"{number:02}.jsonl", line)
    assert checked(write_config(tmp_path, "files: '*.jsonl'"))
    paths = [str(path) for path in sorted(tmp_path.glob("*.jsonl"))]
    assert sample_members(paths).lines == json_members.SAMPLE_FILES
    assert sample_members(paths[::-1]).counts["country"] == 0
    assert sample_members(paths[:3]).lines == 3


def test_only_the_first_lines_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(json_members, "SAMPLE_LINES", 3)
    path = write_lines(tmp_path / "a.jsonl", *[{"user": "u"}] * 3, GOOD)
    assert sample_members([str(path)]).counts == {"user": 3}


def test_a_line_that_is_cut_off_by_the_sample_is_left_out(tmp_path, monkeypatch):
    path = write_lines(tmp_path / "a.jsonl", GOOD, GOOD)
    for size in range(1, path.stat().st_size + 1):
        monkeypatch.setattr(json_members, "_SAMPLE_BYTES", size)
        found = sample_members([str(path)])
        assert found.lines == found.objects == (2 * size // path.stat().st_size)


def test_a_last_line_without_a_newline_is_a_line(tmp_path):
    (tmp_path / "a.jsonl").write_text("\ufeff" + json.dumps(GOOD))
    assert sample_members([str(tmp_path / "a.jsonl")]).objects == 1


def test_compressed_lines_are_looked_at(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    config = write_config(tmp_path, "files: a.jsonl.gz, format: jsonl", keys="contry")
    assert "did you mean 'country'?" in problems(config)[0]
    path.write_bytes(b"no gzip")
    assert problems(config) == ["release.yaml:2:16: input.files: a.jsonl.gz cannot be read"]


def test_lines_of_0_bytes_are_released_as_no_rows(tmp_path):
    (tmp_path / "a.jsonl").touch()
    assert run(write_config(tmp_path, "files: a.jsonl")).height == 0


@pytest.mark.parametrize("empty", ["a.jsonl", "c.jsonl"])
def test_files_of_0_bytes_are_not_looked_into(tmp_path, empty):
    (tmp_path / empty).touch()
    write_lines(tmp_path / "b.jsonl", {"usr": "a", "country": "DE"})
    (problem,) = problems(write_config(tmp_path, "files: '*.jsonl'"))
    assert "no member 'user' in the first JSON lines; most have: usr, country" in problem
