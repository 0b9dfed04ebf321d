"""What `dp-release plan` says about the guarantee, bounds and partitions, in words and as JSON."""

import json
import math
from pathlib import Path

import polars as pl
import pytest
import yaml

from pipelines.plan import plan_release
from pipelines.plan.guarantee import GuaranteeText
from pipelines.plan.json_values import plan_to_dict
from pipelines.plan.text import plan_text
from pipelines.show import show_table
from pipelines.spec import load_release
from transforms.release_curve import selection_threshold, units_for_probability
from transforms.render import render

ROOT = Path(__file__).parents[2]
RESULTS = "makes no result of the release, all tables together, more than 2.72 times (e^epsilon) as"
ALLOWANCE = (
    "but for an allowance of 1e-08 (delta) in its probability: for rare events, such as that "
    "selection shows a partition that is only theirs."
)
OTHERS = (
    "Anybody against other releases of the same data together: their epsilons and deltas add up."
)


@pytest.fixture
def plan(tmp_path):
    def plan(tables=None, **privacy):
        config = {
            "release": "r",
            "input": {"files": "*.parquet"},
            "privacy": {"unit": "user_id", "epsilon": 1, "delta": 1e-8, **privacy},
            "tables": tables or {"t": {"keys": ["country"], "metrics": {"n": "count"}}},
            "output": {"folder": "out"},
        }
        config["privacy"] = {k: v for k, v in config["privacy"].items() if v is not None}
        file = tmp_path / "r.yaml"
        file.write_text(yaml.safe_dump(config, sort_keys=False))
        return plan_release(load_release(file))

    return plan


def words(plan):
    """Returns the text of a plan with the lines of paragraphs put together."""
    return " ".join(plan_text(plan).split())


def guarantee(plan):
    found = plan_to_dict(plan)["guarantee"]
    assert f"protects: {found['protects']}" in words(plan)
    assert f"does not protect: {found['does_not_protect']}" in words(plan)
    return found


def test_all_rows_of_a_unit(plan):
    found = guarantee(plan())
    assert found["privacy_unit"] == ["user_id"]
    assert (found["adjacency"], found["bounding"]) == ("add_remove", "unit")
    assert found["protects"] == (
        "All rows of one user_id. Whether they are in the data or not "
        f"{RESULTS} likely or unlikely, {ALLOWANCE}"
    )
    assert found["does_not_protect"] == (
        "Somebody with several values of user_id: whoever has k of them has an epsilon of up to "
        f"k times 1, and a larger delta. {OTHERS}"
    )


def test_a_unit_of_several_columns(plan):
    found = guarantee(plan(unit=["user_id", "day"]))
    assert found["privacy_unit"] == ["user_id", "day"]
    assert found["protects"].startswith("All rows of one combination of user_id and day. ")
    assert found["does_not_protect"].startswith(
        "One user_id or one day as a whole: whoever has k of the combinations has an epsilon of "
        "up to k times 1, and a larger delta. "
    )


def test_rows_of_a_unit_with_equal_keys_of_all_tables(plan):
    tables = {
        "t": {"keys": ["country"], "metrics": {"n": "count"}},
        "s": {"keys": ["country", "emoji"], "metrics": {"n": "count"}},
    }
    found = guarantee(plan(tables, bounding="unit_partition"))
    assert found["protects"].startswith(
        "All rows of one user_id that have the same values of country and emoji, the keys of the "
        "release. Whether they are in the data or not makes"
    )
    assert found["does_not_protect"] == (
        "One user_id as a whole: whoever has rows with k different values of country and emoji "
        f"has an epsilon of up to k times 1, and a larger delta. Nothing bounds k. {OTHERS}"
    )


def test_single_rows(plan):
    found = guarantee(plan(unit=None, bounding="row"))
    assert found["privacy_unit"] == []
    assert found["protects"].startswith(
        "One row, as it is after filters and derived columns. Whether it is in the data or not"
    )
    assert found["does_not_protect"] == (
        "A person, device or account with several rows: whoever has k rows has an epsilon of up "
        f"to k times 1, and a larger delta. Nothing bounds k. {OTHERS}"
    )


@pytest.mark.parametrize(
    ("privacy", "change", "known"),
    [
        ({}, "Putting any other rows in their place", "different values of user_id"),
        (
            {"bounding": "unit_partition"},
            "Putting any other rows in their place",
            "different values of user_id together with the keys",
        ),
        ({"bounding": "row", "unit": None}, "Putting any other row in its place", "rows"),
    ],
)
def test_replaced_units_are_as_many_as_before(plan, privacy, change, known):
    found = guarantee(plan(adjacency="replace", **privacy))
    assert found["adjacency"] == "replace"
    assert f". {change} {RESULTS}" in found["protects"]
    assert f"The number of {known} in the data: it is taken as known." in found["does_not_protect"]


def test_without_delta_nothing_is_allowed_for(plan):
    tables = {"t": {"public": {"country": ["DE"]}, "metrics": {"n": "count"}}}
    found = guarantee(plan(tables, delta=0))
    assert found["protects"].endswith("as likely or unlikely.")
    assert "delta" not in found["does_not_protect"].replace(OTHERS, "")


def test_delta_for_noise_alone_names_no_selection(plan):
    tables = {"t": {"public": {"country": ["DE"]}, "metrics": {"n": "count"}, "noise": "gaussian"}}
    found = guarantee(plan(tables))
    assert found["protects"].endswith("(delta) in its probability: for rare events.")


@pytest.mark.parametrize("epsilon", [1e-6, 0.1, 1, 3, 10, 13.9, 14.1, 100])
def test_the_factor_is_at_least_e_to_the_epsilon(plan, epsilon):
    tables = {"t": {"public": {"country": ["DE"]}, "metrics": {"n": "count"}}}
    protects = GuaranteeText.of(plan(tables, epsilon=epsilon).spec).protects
    factor = protects.split("more than ")[1].split(" times")[0].replace(",", "")
    if factor.startswith("10^"):
        assert epsilon <= int(factor[3:]) * math.log(10) <= epsilon + math.log(10)
    else:
        assert math.exp(epsilon) <= float(factor) <= math.exp(epsilon) * 1.01


@pytest.mark.parametrize(
    ("bounds", "privacy", "text", "facts"),
    [
        (
            {},
            {},
            "1 partition per user_id, 1 row of one user_id in each",
            {"max_partitions_contributed": 1, "max_contributions_per_partition": 1},
        ),
        (
            {"max_partitions_contributed": 8, "max_contributions_per_partition": 5},
            {"unit": ["user_id", "day"]},
            "8 partitions per user_id + day, 5 rows of one user_id + day in each",
            {"max_partitions_contributed": 8, "max_contributions_per_partition": 5},
        ),
        (
            {"max_contributions": 20},
            {},
            "20 rows of one user_id in the table, wherever they are",
            {"max_contributions": 20},
        ),
        (
            {"max_contributions_per_partition": 3},
            {"bounding": "unit_partition"},
            "3 rows of one user_id in each partition, and any number of partitions",
            {"max_contributions_per_partition": 3},
        ),
        ({}, {"bounding": "row", "unit": None}, "none: every row counts", {}),
    ],
)
def test_bounds_are_those_that_are_enforced(plan, bounds, privacy, text, facts):
    planned = plan({"t": {"keys": ["k"], "bounds": bounds, "metrics": {"n": "count"}}}, **privacy)
    assert f"  bounds: {text}" in plan_text(planned).splitlines()
    assert plan_to_dict(planned)["tables"]["t"]["bounds"] == facts


def selection_line(planned):
    text = words(planned)
    return text[text.index("partitions: ") :].partition(" mechanism")[0]


def units(mechanism):
    return [f"{units_for_probability(mechanism, p):,}" for p in (0.05, 0.5, 0.95, 0.99)]


def test_the_numbers_of_units_or_rows_that_are_released(plan):
    planned = plan()
    few, half, most, nearly_all = units(planned.tables[0].selection)
    rest = f"on, 50 % from {half}, 95 % from {most}, 99 % from {nearly_all}"
    start = f"partitions: released with probability 5 % from {few}"
    assert selection_line(planned) == f"{start} privacy units {rest}"
    assert selection_line(plan(unit=None, bounding="row")) == f"{start} rows {rest}"


def test_the_selection_has_a_line_with_its_loss_noise_and_threshold(plan):
    table = {"keys": ["k"], "selection": "gaussian", "bounds": {"max_partitions_contributed": 4}}
    planned = plan({"t": table})
    (line,) = (line for line in plan_text(planned).splitlines() if "selection: " in line)
    threshold = selection_threshold(planned.tables[0].selection)
    loss = planned.tables[0].selection.noise.loss.mu
    assert line.startswith(
        f"  selection: gaussian, mu {loss:.4g}, delta 2.5e-09, sensitivity 4 x 1"
    )
    assert f", l2 2, noise std {2 / loss:.4g}" in line
    assert f"threshold {threshold:.4g} privacy units" in words(planned)


def test_a_geometric_selection_has_neither_noise_nor_threshold(plan):
    (line,) = (line for line in plan_text(plan()).splitlines() if "selection: " in line)
    assert line == "  selection: truncated_geometric, epsilon 0.5, delta 9e-09, sensitivity 1 x 1"


def test_the_threshold_of_weights(plan):
    table = {"keys": ["k"], "selection": "weighted_gaussian"}
    alone = plan({"t": table})
    assert "with" not in selection_line(alone).replace("with probability", "")
    several = plan({"t": {**table, "bounds": {"max_partitions_contributed": 16}}})
    crowd, single = selection_line(several).split(
        ", with 16 partitions each; of k partitions, a unit adds 1 / sqrt(k) to each, so that it "
        "is 50 % from "
    )
    assert crowd.endswith(f"99 % from {units(several.tables[0].selection)[-1]}")
    least = selection_threshold(several.tables[0].selection)
    assert single == f"{least / 4:.1f} with this one only"


EVERY_METRIC = {
    "uses": "count",
    "users": "privacy_unit_count",
    "seconds": {"sum": "dwell_s", "clip": [0, 60]},
    "speed": {"mean": "speed", "clip": [0, 50]},
    "spread": {"variance": "speed", "clip": [0, 50]},
    "delay": {"quantiles": "delay_ms", "ranks": [0.5, 0.99], "clip": [0, 1000]},
    "words": {"distinct_count": "word"},
    "move": {"vector_sum": ["dx", "dy"], "max_norm": 10},
}


def test_every_number_of_every_metric_has_a_line(plan):
    planned = plan({"t": {"keys": ["k"], "metrics": EVERY_METRIC, "noise": "laplace"}})
    lines = [line.split() for line in plan_text(planned).splitlines() if " laplace " in line]
    assert [line[0] for line in lines] == [
        *("uses", "users", "seconds", "speed:rows", "speed:sum"),
        *("spread:rows", "spread:sum", "spread:squares", "delay", "words", "move"),
    ]
    assert "  move" in plan_text(planned)
    assert "laplace vector_sum of dx, dy" in plan_text(planned)
    metrics = plan_to_dict(planned)["tables"]["t"]["metrics"]
    assert metrics["delay"]["columns"] == ["delay_p50", "delay_p99"]
    assert metrics["move"]["columns"] == ["move_dx", "move_dy"]
    assert list(metrics["spread"]["noise"]) == ["spread:rows", "spread:sum", "spread:squares"]
    assert metrics["speed"]["metric"] == "mean of speed"
    json.dumps(plan_to_dict(planned))


def test_a_table_of_partitions_alone(plan):
    planned = plan({"t": {"keys": ["k"]}})
    assert plan_to_dict(planned)["tables"]["t"]["metrics"] == {}
    *_, selection, partitions = plan_text(planned).splitlines()
    assert selection.startswith("  selection: truncated_geometric, ")
    assert partitions.startswith("  partitions: released with probability 5 % from ")


# On the terminal


def shown(planned, drawn, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    (table,) = planned.tables
    show_table(table, render(drawn, table), 8)
    head, columns, *rows = capsys.readouterr().out.splitlines()
    return head, columns.split(), [" ".join(row.split()) for row in rows]


def test_the_terminal_shows_every_metric_with_its_interval(plan, capsys, monkeypatch):
    planned = plan({"t": {"keys": ["k"], "metrics": EVERY_METRIC}}, epsilon=20)
    (table,) = planned.tables
    drawn = pl.DataFrame(
        {"k": ["a", "b"], **{name: [1000, 10] for name in table.drawn_columns}}
    ).cast(dict.fromkeys(table.drawn_columns, pl.Int64))
    head, columns, rows = shown(planned, drawn, capsys, monkeypatch)
    assert head == "t, largest uses first, with 95 % intervals"
    assert columns == [
        *("k", "uses", "users", "seconds", "speed", "spread"),
        *("delay_p50", "delay_p99", "words", "move_dx", "move_dy"),
    ]
    assert rows[0].startswith("a 1,000 ± ")
    assert rows[1].startswith("b 10 ± ")
    assert all("nan" not in row for row in rows)


def test_the_terminal_shows_partitions_alone(plan, capsys, monkeypatch):
    drawn = pl.DataFrame({"k": ["b", "a"]})
    head, columns, rows = shown(plan({"t": {"keys": ["k"]}}), drawn, capsys, monkeypatch)
    assert (head, columns, rows) == ("t, the first partitions", ["k"], ["a", "b"])


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (1234, 1222, 1246, "1,234 ± 12"),
        (3, -1, 7, "3 ± 4"),
        (0.12345, 0.1, 0.1469, "0.123 ± 0.023"),
        (1234.5678, 1230.0, 1239.1356, "1,234.6 ± 4.6"),
        (50.0, 20.0, 50.0, "50 (20 to 50)"),
        (5.0, 5.0, 5.0, "5 ± 0"),
        (5.0, -math.inf, math.inf, "5 (-inf to inf)"),
    ],
)
def test_a_number_has_the_digits_that_its_error_allows(
    plan, capsys, monkeypatch, value, low, high, text
):
    monkeypatch.setenv("COLUMNS", "100")
    (table,) = plan({"t": {"keys": ["k"], "metrics": {"n": "count"}}}).tables
    frame = pl.DataFrame({"k": ["a"], "n": value, "n_std": 1.0, "n_low": low, "n_high": high})
    show_table(table, frame, 1)
    assert capsys.readouterr().out.splitlines()[-1].split(maxsplit=1)[1].strip() == text


def test_the_readme_shows_what_the_plan_says():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.split("$ dp-release plan configs/bike_trips.yaml\n")[1].split("```")[0]
    planned = plan_release(load_release(ROOT / "configs" / "bike_trips.yaml"))
    assert plan_text(planned).startswith(block)
