"""Every file in bad_configs raises exactly the problems that its first lines expect.

`# expect: line:column: path: message`, one per problem; `...` stands for any text.
"""

import re
from pathlib import Path

import pytest

from pipelines.plan import plan_release
from pipelines.spec import ConfigError, load_release

BAD_CONFIGS = sorted((Path(__file__).parent / "bad_configs").glob("*.yaml"))


def expected(file):
    lines = file.read_text().splitlines()
    return [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]


def check(file):
    plan_release(load_release(file))


def fits(expectation, text):
    pattern = ".*".join(map(re.escape, expectation.split("...")))
    return re.fullmatch(pattern, text)


@pytest.mark.parametrize("file", BAD_CONFIGS, ids=lambda file: file.stem)
def test_a_bad_config_raises_exactly_the_problems_it_expects(file):
    with pytest.raises(ConfigError) as caught:
        check(file)
    found = [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]
    wanted = expected(file)
    assert wanted
    assert len(found) == len(wanted), found
    for expectation, text in zip(wanted, found, strict=True):
        assert fits(expectation, text), f"{text!r} is not {expectation!r}"


@pytest.mark.parametrize("file", BAD_CONFIGS, ids=lambda file: file.stem)
def test_the_text_of_the_error_is_one_plain_line_per_problem(file):
    with pytest.raises(ConfigError) as caught:
        check(file)
    lines = str(caught.value).split("\n")
    assert lines == [str(problem) for problem in caught.value.problems]
    for line in lines:
        assert line.startswith(f"{file}:")
        assert not re.search(r"pydantic|Input should|<name>|<file>|\[key\]|function-", line), line


def test_problems_come_in_the_order_of_the_file():
    with pytest.raises(ConfigError) as caught:
        load_release(next(file for file in BAD_CONFIGS if file.stem == "wrong_kinds_deeper"))
    places = [(problem.line, problem.column) for problem in caught.value.problems]
    assert places == sorted(places)
    assert len(places) > 10


def test_a_problem_points_at_the_value_in_the_text():
    file = next(file for file in BAD_CONFIGS if file.stem == "metric_unknown")
    with pytest.raises(ConfigError) as caught:
        load_release(file)
    problem = caught.value.problems[0]
    line = file.read_text().splitlines()[problem.line - 1]
    assert line[problem.column - 1 :] == "cout"
    assert problem.path == "tables.t.metrics.a"
    assert problem.file == str(file)
