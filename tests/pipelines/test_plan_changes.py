"""What is different between two plans, in words and field by field."""

import copy
import json

import pytest
import yaml

from pipelines.plan import plan_release
from pipelines.plan.changes import differences, plan_changes
from pipelines.plan.hash import plan_hash
from pipelines.plan.json_values import plan_to_dict
from pipelines.spec import load_release

CONFIG = {
    "release": "r",
    "input": {"files": "*.csv"},
    "privacy": {"unit": "u", "epsilon": 1, "delta": 1e-6},
    "tables": {
        "t": {
            "keys": ["k"],
            "selection": "truncated_geometric",
            "noise": "laplace",
            "bounds": {"max_partitions_contributed": 2},
            "metrics": {"uses": "count", "total": {"sum": "n", "clip": [0, 10]}},
        },
        "s": {"public": {"d": ["a", "b"]}, "metrics": {"users": "privacy_unit_count"}},
    },
    "output": {"folder": "out"},
}


@pytest.fixture
def planned(tmp_path):
    """Returns the plan of the release with some of its values replaced, as JSON values."""

    def planned(**changes):
        config = copy.deepcopy(CONFIG)
        for place, value in changes.items():
            *path, last = place.split("__")
            inner = config
            for step in path:
                inner = inner[step]
            if value is None:
                del inner[last]
            else:
                inner[last] = value
        file = tmp_path / "r.yaml"
        file.write_text(yaml.safe_dump(config))
        return json.loads(json.dumps(plan_to_dict(plan_release(load_release(file)))))

    return planned


def lines(old, new):
    return [str(change) for change in plan_changes(old, new)]


def test_equal_plans_have_no_changes(planned):
    assert lines(planned(), planned()) == []


def test_more_budget_is_less_noise(planned):
    old, new = planned(), planned(privacy__epsilon=2)
    found = lines(old, new)
    assert found[0] == "budget epsilon from 1 to 2 (+100 %)"
    assert found[1].startswith("cost in epsilon from ")
    std = [plan["tables"]["t"]["metrics"]["uses"]["noise"]["uses"]["std"] for plan in (old, new)]
    (line,) = (line for line in found if "noise std of uses" in line)
    assert line == (
        f"t: noise std of uses from {std[0]:.4g} to {std[1]:.4g} "
        f"(-{100 * (1 - std[1] / std[0]):.0f} %)"
    )
    assert any(line.startswith("t: units for release with probability 0.5 from ") for line in found)
    assert not any("scale" in line or "protects" in line for line in found)


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        ("release", "q", "release from r to q"),
        ("dataset", "d", "dataset that is charged from r to d"),
        ("input__where", "k <> 'c'", "rows that count from none to k <> 'c'"),
        ("input__types", {"n": "int"}, "type of n from none to int"),
        ("input__columns", {"k": "lower(j)"}, "column k from none to lower(j)"),
        ("privacy__unit", "v", "privacy unit from u to v"),
        ("privacy__adjacency", "replace", "adjacency from add_remove to replace"),
        ("privacy__delta", 2e-6, "budget delta from 1e-06 to 2e-06 (+100 %)"),
        ("tables__t__keys", ["k", "j"], "t: keys from k to k, j"),
        (
            "tables__t__bounds__max_partitions_contributed",
            3,
            "t: bound max_partitions_contributed from 2 to 3 (+50 %)",
        ),
        (
            "tables__t__bounds",
            {"max_contributions": 9},
            "t: bound max_contributions from none to 9",
        ),
        ("tables__t__selection", "laplace", "t: selection from truncated_geometric to laplace"),
        ("tables__t__noise", "gaussian", "t: noise of uses from laplace to gaussian"),
        ("tables__t__metrics__more", "count", "t: mechanism more is new"),
        ("tables__t__metrics__uses", None, "t: mechanism uses is gone"),
        ("tables__t__metrics__total__clip", [-10, 10], "t: total: clip from 0, 10 to -10, 10"),
        ("tables__s__public__d", ["a", "c"], "s: public partitions are others, as many as before"),
        ("tables__s__public__d", ["a"], "s: public partitions from 2 to 1 (-50 %)"),
        ("tables__s", None, "s: the table is gone"),
        ("tables__s", {"keys": ["x"]}, "s: selection from none to truncated_geometric"),
        ("tables__z", {"keys": ["x"]}, "z: the table is new"),
        ("tables__t__other", True, "t: mechanism other:uses is new"),
    ],
)
def test_a_change_of_the_config_has_a_line(planned, place, value, line):
    assert line in lines(planned(), planned(**{place: value}))


def test_steps_after_the_noise_have_a_line(planned):
    (line,) = lines(planned(), planned(tables__t__publish={"minimum": {"uses": 5}}))
    assert line.startswith("t: steps after the noise from none to dropped are rows below: uses 5")


def numbers(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in items:
        if isinstance(part, dict | list):
            yield from numbers(part, (*path, key))
        else:
            yield (*path, key)


def test_a_plan_of_another_hash_has_a_change_and_one_of_the_same_hash_has_none(planned):
    """Whatever is changed in the file: each number, text or nothing, one at a time."""
    plan = planned()
    found = list(numbers(plan))
    assert len(found) > 80
    for *path, last in found:
        for change in (lambda value: "another", lambda value: value):
            moved = copy.deepcopy(plan)
            inner = moved
            for step in path:
                inner = inner[step]
            inner[last] = change(inner[last])
            same = plan_hash(moved) == plan_hash(plan)
            assert (lines(plan, moved) == []) == same, (path, last)
            assert (differences(plan, moved, "plan") == []) == same


def test_a_change_of_the_release_hides_none_of_a_table(planned):
    plan = planned()
    new = planned(dataset="d")
    for *path, last in numbers(plan["tables"]["t"]):
        moved = copy.deepcopy(new)
        inner = moved["tables"]["t"]
        for step in path:
            inner = inner[step]
        inner[last] = "another"
        first, *others = lines(plan, moved)
        assert first == "dataset that is charged from r to d"
        assert others, (path, last)
        assert all(line.startswith("t: ") for line in others)


@pytest.mark.parametrize("strange", [{}, {"tables": []}, {"tables": {"t": 5}}, {"guarantee": "x"}])
def test_a_plan_of_another_shape_is_compared_all_the_same(planned, strange):
    assert lines(strange, planned())
    assert lines(planned(), strange)


def test_differences_name_the_place_and_both_values():
    old = {"a": {"b": [1, {"c": "x"}]}, "gone": 1.5, "list": [1, 2]}
    new = {"a": {"b": [1, {"c": "y"}]}, "new": None, "list": [1]}
    assert [str(one) for one in differences(old, new, "plan")] == [
        'plan.a.b[1].c: "x" -> "y"',
        "plan.gone: 1.5 -> nothing",
        "plan.list: [1, 2] -> [1]",
        "plan.new: nothing -> null",
    ]


def test_numbers_that_are_close_have_more_digits():
    old = {"tables": {}, "epsilon": 1.0, "delta": 1e-6}
    new = {**old, "epsilon": 1.00002}
    assert lines(old, new) == ["budget epsilon from 1 to 1.00002 (+0.0020 %)"]
