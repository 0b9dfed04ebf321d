"""Whole runs of tables with levels, rows of other partitions, and long lists of public keys."""

import json
import shutil
from datetime import date

import polars as pl
import pytest
from small_release import DOCUMENTS

from pipelines.plan import plan_release
from pipelines.run import key_storage
from pipelines.run.exactly_once import run_release
from pipelines.run.sizes import partition_shards
from pipelines.run.staging import ReleaseStaging
from pipelines.show import show_table
from pipelines.spec import load_release
from transforms import key_list

EVENTS = pl.DataFrame(
    {
        "user": [f"u{number}" for number in range(120)],
        "country": ["DE", "FR"] * 60,
        "region": ["north", "south", "south"] * 40,
        "day": [date(2026, 11, 1 + number % 3) for number in range(120)],
    }
)


def run(folder, tables, rows=EVENTS, epsilon=300.0, delta=1e-6):
    rows.write_parquet(folder / "in.parquet")
    config = folder / "release.yaml"
    config.write_text(
        "release: r\ninput: {files: in.parquet}\n"
        f"privacy: {{unit: user, epsilon: {epsilon}, delta: {delta}}}\n"
        f"tables: {{{tables}}}\n"
        "output: {folder: out, formats: [parquet, csv]}\n"
    )
    release = load_release(config)
    for made in ("out", ".dp-release"):
        shutil.rmtree(folder / made, ignore_errors=True)
    done = run_release(release, plan_release(release))
    return {table.plan.name: table for table in done.published}


def near(frame, keys, column, expected):
    found = {tuple(row[key] for key in keys): row[column] for row in frame.iter_rows(named=True)}
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert abs(found[key] - value) <= 3, key


def test_each_level_is_a_table_from_one_read(tmp_path):
    tables = run(
        tmp_path,
        "uses: {levels: [[country], {keys: [country, region], share: 2}, [day]], "
        "metrics: {uses: count}}",
    )
    assert list(tables) == ["uses_by_country", "uses_by_country_region", "uses_by_day"]
    near(tables["uses_by_country"].frame, ["country"], "uses", {("DE",): 60, ("FR",): 60})
    pairs = EVENTS.group_by("country", "region").len().rows()
    near(
        tables["uses_by_country_region"].frame,
        ["country", "region"],
        "uses",
        {(country, region): number for country, region, number in pairs},
    )
    assert tables["uses_by_day"].frame["day"].to_list() == [date(2026, 11, d) for d in (1, 2, 3)]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *DOCUMENTS,
        *(f"{name}.{suffix}" for name in tables for suffix in ("csv", "parquet")),
    }


def test_consistent_levels_add_up_beside_the_noisy_numbers(tmp_path):
    tables = run(
        tmp_path,
        "uses: {levels: [[country, region, day], [country], [country, region]], consistent: true, "
        "public: {country: [DE, FR], region: [north, south], "
        "day: {from: 2026-11-01, to: 2026-11-04}}, metrics: {uses: count}}",
        epsilon=0.5,
    )
    fine, coarse, middle = (
        tables[f"uses_by_{name}"].frame
        for name in ("country_region_day", "country", "country_region")
    )
    apart = 0
    for above, below, keys in (
        (coarse, middle, ["country"]),
        (middle, fine, ["country", "region"]),
    ):
        added = below.group_by(keys).agg(pl.col("uses", "uses_consistent").sum())
        both = above.join(added, on=keys, suffix="_below")
        assert both.height == above.height
        differences = (both["uses_consistent"] - both["uses_consistent_below"]).abs()
        assert differences.max() < 1e-6
        apart += (both["uses"] != both["uses_below"]).sum()
        assert (above["uses_consistent_std"] < above["uses_std"]).all()
        assert above["uses"].dtype == pl.Int64
    # noise scales of 6 and more: each of the six differences is 0 with less than 1 in 20
    assert apart
    assert fine.height == 16
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    steps = plan["plan"]["tables"]["uses_by_country"]["post_processing"]
    assert [step["step"] for step in steps] == ["consistent"]


def test_the_other_row_is_published_last_with_empty_keys_and_shown(tmp_path, capsys):
    rare = EVENTS.head(4).with_columns(country=pl.Series(["AA", "ZZ", "", "QQ"]))
    rows = pl.concat([EVENTS, rare.with_columns(user=pl.Series(["r1", "r2", "r3", "r4"]))])
    tables = run(
        tmp_path,
        "t: {keys: [country], selection: {strategy: laplace, pre_threshold: 30}, other: true, "
        "metrics: {uses: count, users: privacy_unit_count}}",
        rows,
    )
    frame = pl.read_parquet(tmp_path / "out" / "t.parquet")
    assert frame["country"].to_list() == ["DE", "FR", None]
    assert abs(frame["uses"][2] - 4) <= 3
    assert frame.row(2, named=True)["users"] is None
    lines = (tmp_path / "out" / "t.csv").read_text().splitlines()
    assert lines[-1].startswith(f",{frame['uses'][2]},")
    assert lines[-1].endswith(",,,,")
    show_table(tables["t"].plan, tables["t"].frame, 8)
    assert "(other)" in capsys.readouterr().out


def test_long_lists_travel_as_files_and_zeros_come_in_slices(tmp_path, monkeypatch):
    monkeypatch.setattr(key_storage, "INLINE_ROWS", 10)
    monkeypatch.setattr(key_list, "SLICE", 7)
    monkeypatch.setattr(ReleaseStaging, "drop_shards", lambda *_: None)
    keys = pl.DataFrame({"region": [f"r{i}" for i in range(40)] + ["north"]})
    keys.write_parquet(tmp_path / "regions.parquet")
    tables = run(
        tmp_path,
        "t: {public: {country: [FR, DE, XX], region: regions.parquet}, metrics: {uses: count}}",
    )
    frame = tables["t"].frame
    assert frame.height == 123
    counted = frame.filter(pl.col("uses") > 10).select("country", "region").rows()
    assert sorted(counted) == [("DE", "north"), ("FR", "north")]
    assert len(list((tmp_path / ".dp-release" / "r").rglob("public-keys-*.arrow"))) == 1


@pytest.mark.parametrize(("rows", "shards"), [(3, 4), (10_000_000, 16), (10**12, 256)])
def test_long_lists_have_more_partition_shards(rows, shards):
    class Plan:
        class public_keys:  # noqa: N801
            height = rows

    assert partition_shards([Plan]) == shards
