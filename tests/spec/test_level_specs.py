"""Tables with levels: what each level is made of, and what it is called."""

import json

import pytest

from pipelines.plan import plan_release
from pipelines.plan.json_values import plan_to_dict
from pipelines.plan.text import plan_text
from pipelines.spec import load_release, release_tables
from transforms import Bounds, PrivateSelection, PublicKeys
from transforms.accounting.losses import pure_sum
from transforms.key_list import KeyList


@pytest.fixture
def release(tmp_path):
    def release(**tables):
        config = {
            "release": "r",
            "input": {"files": "*.parquet"},
            "privacy": {"unit": "u", "epsilon": 6, "delta": 1e-6},
            "tables": tables,
            "output": {"folder": "out"},
        }
        file = tmp_path / "r.yaml"
        file.write_text(json.dumps(config))
        return load_release(file)

    return release


COUNT = {"n": "count", "units": "privacy_unit_count"}


def listed(table):
    return KeyList.of(table.keys, table.partitions.parts).frame.rows()


def test_a_level_takes_what_it_does_not_say_from_the_table(release):
    levels = [
        ["a"],
        {
            "keys": ["a", "b"],
            "bounds": {"max_contributions": 7},
            "selection": "laplace",
            "noise": "gaussian",
            "shares": {"n": 5},
            "other": False,
        },
    ]
    uses = {
        "levels": levels,
        "bounds": {"max_partitions_contributed": 3},
        "metrics": COUNT,
        "other": True,
        "shares": {"selection": 2, "other": 4},
    }
    tables = release_tables(release(uses=uses))
    assert list(tables) == ["uses_by_a", "uses_by_a_b"]
    first, second = tables.values()
    assert (first.keys, second.keys) == (("a",), ("a", "b"))
    assert (first.bounds, second.bounds) == (Bounds(3, 1), Bounds(max_contributions=7))
    assert first.partitions == PrivateSelection()
    assert second.partitions == PrivateSelection("laplace")
    assert (first.noise, second.noise) == ("auto", "gaussian")
    assert (first.other, second.other) == (True, False)
    assert first.shares == {"selection": 2, "other": 4}
    assert second.shares == {"n": 5}


def test_the_share_of_a_table_is_divided_among_its_levels(release):
    levels = [["a"], {"keys": ["b"], "share": 2}]
    given = {"noise": "laplace", "selection": "truncated_geometric"}
    plan = plan_release(
        release(
            uses={"levels": levels, "metrics": COUNT, "share": 2, **given},
            t={"keys": ["a"], "metrics": COUNT, **given},
        )
    )
    spent = {
        table.name: float(pure_sum([loss for m in table.mechanisms.values() for loss in m.losses]))
        for table in plan.tables
    }
    unit = sum(spent.values()) / 9
    assert spent == pytest.approx({"uses_by_a": 2 * unit, "uses_by_b": 4 * unit, "t": 3 * unit})


def test_names_are_made_of_keys_and_may_be_given(release):
    levels = [["a", "Key One"], ["Key-One", "a"], {"keys": ["b"], "name": "totals"}]
    tables = release_tables(release(uses={"levels": levels, "metrics": COUNT}))
    assert list(tables) == ["uses_by_a_key_one", "uses_by_key_one_a", "totals"]


def test_each_level_takes_the_lists_of_its_keys(release):
    public = {"a": ["x", "y"], "b": [1, 2], "day": {"from": "2026-11-01", "to": "2026-11-03"}}
    levels = [
        ["a"],
        ["b", "a"],
        {"keys": ["b", "day"], "public": {"b": [7], "day": ["d"]}},
        ["day"],
    ]
    tables = release_tables(release(uses={"levels": levels, "public": public, "metrics": COUNT}))
    first, second, third, fourth = tables.values()
    assert listed(first) == [("x",), ("y",)]
    assert listed(second) == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    assert listed(third) == [(7, "d")]
    assert len(listed(fourth)) == 3


ROWS = [{"a": "x", "b": 1}, {"a": "x", "b": 2}, {"a": "y", "b": 2}]


def test_each_level_takes_the_distinct_rows_of_a_list(release):
    tables = release_tables(
        release(uses={"levels": [["a"], ["b", "a"]], "public": ROWS, "metrics": COUNT})
    )
    assert [listed(table) for table in tables.values()] == [
        [("x",), ("y",)],
        [(1, "x"), (2, "x"), (2, "y")],
    ]


def test_each_level_takes_the_distinct_rows_of_a_file(release, tmp_path):
    (tmp_path / "keys.csv").write_text("a,b\nx,1\nx,2\ny,2\n")
    tables = release_tables(
        release(uses={"levels": [["a"], ["b"], ["a", "b"]], "public": "keys.csv", "metrics": COUNT})
    )
    assert [listed(table) for table in tables.values()] == [
        [("x",), ("y",)],
        [("1",), ("2",)],
        [("x", "1"), ("x", "2"), ("y", "2")],
    ]


def test_a_level_may_select_where_the_table_is_public_and_the_other_way_round(release):
    levels = [["a"], {"keys": ["a", "b"], "selection": "laplace"}]
    uses = {"levels": levels, "public": {"a": [1]}, "metrics": COUNT, "shares": {"selection": 3}}
    first, second = release_tables(release(uses=uses)).values()
    assert isinstance(first.partitions, PublicKeys)
    assert first.shares == {}
    assert second.partitions == PrivateSelection("laplace")
    assert second.shares == {"selection": 3}
    levels = [["a"], {"keys": ["b"], "public": {"b": [1]}}]
    uses = {"levels": levels, "selection": "laplace", "metrics": COUNT}
    first, second = release_tables(release(uses=uses)).values()
    assert first.partitions == PrivateSelection("laplace")
    assert isinstance(second.partitions, PublicKeys)


def test_the_plan_names_levels_other_rows_and_what_is_made_consistent(release):
    public = {"a": ["x", "y"], "b": [1, 2]}
    agreeing = {"levels": [["a", "b"], ["a"]], "public": public, "metrics": COUNT}
    plan = plan_release(
        release(
            uses={"levels": [["a"], ["b"]], "metrics": COUNT, "other": True, "noise": "laplace"},
            sums={**agreeing, "consistent": True},
        )
    )
    text = " ".join(plan_text(plan).split())
    assert "uses: 2 levels, one table each" in text
    assert (
        "other: one more row with empty keys adds up what was not selected, without units" in text
    )
    assert "other:n laplace count" in text
    assert "n_consistent: adjusted" in text
    tables = plan_to_dict(plan)["tables"]
    assert [tables[name]["level_of"] for name in tables] == ["uses", "uses", "sums", "sums"]
    assert list(tables["uses_by_a"]["other"]) == ["n"]
    assert "other:n" in tables["uses_by_a"]["mechanisms"]
    (step,) = tables["sums_by_a"]["post_processing"]
    assert step["levels"] == ["sums_by_a", "sums_by_a_b"]
    assert step["metrics"] == ["n"]
