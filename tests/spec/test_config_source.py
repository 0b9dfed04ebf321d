"""Later checks point at the config: positions, the part of a path that is written, messages."""

import pytest

from pipelines.spec import ConfigError, Position, ProblemList, did_you_mean
from pipelines.spec.errors import Problem, describe, format_path
from pipelines.spec.yaml_reader import parse_yaml

SOURCE = parse_yaml(
    "privacy: {unit: user_id}\ntables:\n  by_country:\n    keys: [country, emoji]\n", "c.yaml"
)


def test_a_problem_has_the_place_and_the_path():
    message = "the input has no column 'emoji'"
    problem = SOURCE.problem(("tables", "by_country", "keys", 1), message)
    assert problem == Problem("c.yaml", message, "tables.by_country.keys[1]", 4, 21)
    assert str(problem) == f"c.yaml:4:21: tables.by_country.keys[1]: {message}"


def test_a_problem_can_point_at_the_key():
    problem = SOURCE.problem(("tables", "by_country"), "is too much", at_key=True)
    assert (problem.line, problem.column) == (3, 3)


@pytest.mark.parametrize(
    ("path", "written", "position"),
    [
        (("privacy", "unit", 0), ("privacy", "unit"), Position(1, 17)),
        (("privacy", "epsilon"), ("privacy",), Position(1, 10)),
        (("tables", "other", "public", "x"), ("tables",), Position(3, 3)),
        (("output",), (), Position(1, 1)),
    ],
)
def test_what_is_not_written_is_left_off_the_path(path, written, position):
    assert SOURCE.written(path) == written
    assert SOURCE.position(path) == position
    assert SOURCE.problem(path, "x").path == format_path(written)


def test_problems_are_collected_and_raised_together_in_the_order_of_the_file():
    problems = ProblemList(SOURCE)
    problems.raise_if_any()
    problems.add(("tables", "by_country", "keys", 0), "second")
    with problems.at(("privacy",)):
        raise ValueError("first")
    with pytest.raises(ConfigError) as caught:
        problems.raise_if_any()
    assert str(caught.value).split("\n") == [
        "c.yaml:1:10: privacy: first",
        "c.yaml:4:12: tables.by_country.keys[0]: second",
    ]


@pytest.mark.parametrize(
    ("path", "error", "text"),
    [
        (("privacy",), "unit is bad", "1:17: privacy.unit: is bad"),
        (("privacy", "unit"), "unit is bad", "1:17: privacy.unit: is bad"),
        (("privacy",), "delta is 0", "1:10: privacy: delta is 0"),
        (("privacy", "delta"), "delta is 0", "1:10: privacy: delta is 0"),
        (("tables",), "", "3:3: tables"),
    ],
)
def test_an_engine_error_is_put_at_the_field_that_it_begins_with(path, error, text):
    problems = ProblemList(SOURCE)
    problems.add_engine_error(path, ValueError(error))
    assert [str(problem) for problem in problems.found] == [f"c.yaml:{text}"]


def test_other_errors_are_not_swallowed():
    problems = ProblemList(SOURCE)
    with pytest.raises(KeyError), problems.at(()):
        raise KeyError


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("a",), "a"),
        (("a", 0, "b", 1, 2), "a[0].b[1][2]"),
        (("a", "x\ny"), r"a.'x\ny'"),
    ],
)
def test_paths_in_words(path, text):
    assert format_path(path) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "is empty"),
        (True, "is true"),
        (False, "is false"),
        (5, "is the number 5"),
        (1.5, "is the number 1.5"),
        ("x\n", r"is the text 'x\n'"),
        ("", "is empty text"),
        ([], "is an empty list"),
        ([1], "is a list"),
        ({}, "is an empty mapping"),
        ({"a": 1}, "is a mapping"),
    ],
)
def test_values_in_words(value, text):
    assert describe(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("contry", "; did you mean 'country'?"),
        ("COUNTRY", "; did you mean 'country'?"),
        ("zzz", ""),
        (5, ""),
        (None, ""),
    ],
)
def test_did_you_mean(value, text):
    assert did_you_mean(value, ["country", "emoji"]) == text


def test_a_problem_without_a_place():
    assert str(Problem("c.yaml", "no such file")) == "c.yaml: no such file"
