"""The generator of emoji telemetry: the same for a seed, and as skewed and dirty as it says."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from pipelines import synthetic
from pipelines.emoji_catalogue import COUNTRIES, emoji_characters

CONFIGS = Path(__file__).parents[1] / "configs"
ROWS, UNITS = 200_000, 20_000
MAX_SANE_DWELL = 10_000.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    synthetic.write_emoji_events(folder, rows=ROWS, units=UNITS, seed=7)
    return folder


@pytest.fixture(scope="module")
def events(folder):
    return read(folder)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean")
    synthetic.write_emoji_events(folder, rows=ROWS, units=UNITS, seed=7, clean=True)
    return read(folder)


def read(folder):
    return pl.read_parquet(folder / "*.parquet")


def partitions_per_unit(events):
    partitions = events.drop_nulls().select("user_id", "country", "emoji").unique()
    return partitions.group_by("user_id").len("partitions")


def test_the_same_seed_gives_the_same_files(tmp_path):
    for name in ("a", "b"):
        synthetic.write_emoji_events(tmp_path / name, rows=5_000, units=500, seed=3)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_another_seed_gives_other_events(tmp_path):
    for seed in (3, 4):
        synthetic.write_emoji_events(tmp_path / str(seed), rows=5_000, units=500, seed=seed)
    assert not read(tmp_path / "3").equals(read(tmp_path / "4"))
    assert set(read(tmp_path / "3")["user_id"]) & set(read(tmp_path / "4")["user_id"]) == {None}


def test_rows_do_not_depend_on_how_python_hashes(tmp_path):
    for hash_seed in ("0", "1"):
        out = str(tmp_path / hash_seed)
        options = ["--rows", "2_000", "--units", "200", "--seed", "3", "--out", out]
        subprocess.run(
            [sys.executable, "-m", "pipelines.synthetic", *options],
            check=True,
            env={"PYTHONHASHSEED": hash_seed},
        )
    assert read(tmp_path / "0").equals(read(tmp_path / "1"), null_equal=True)


def test_columns_and_types(events):
    assert events.schema == {
        "time": pl.Datetime("us", "UTC"),
        "user_id": pl.String,
        "country": pl.String,
        "emoji": pl.String,
        "dwell_s": pl.Float64,
        "app_version": pl.String,
    }
    assert events.height == ROWS
    assert events["user_id"].drop_nulls().str.contains(r"^[0-9a-f]{16}$").all()
    assert set(events["country"].drop_nulls()) == set(COUNTRIES)
    assert set(events["app_version"]) == set(synthetic.VERSIONS)


def test_times_fill_the_week_in_order(events):
    start = datetime.combine(synthetic.DEFAULT_MONDAY, datetime.min.time(), UTC)
    assert events["time"].is_sorted()
    assert start <= events["time"].min() < start + timedelta(minutes=5)
    assert start + timedelta(days=7, minutes=-5) < events["time"].max() < start + timedelta(days=7)


def test_another_week(tmp_path):
    synthetic.write_emoji_events(
        tmp_path, rows=100, units=10, seed=1, files=2, monday=date(2024, 1, 1)
    )
    assert set(read(tmp_path)["time"].dt.iso_year()) == {2024}
    assert set(read(tmp_path)["time"].dt.week()) == {1}


def test_emoji_are_distinct_single_characters_or_sequences():
    emoji = emoji_characters()
    assert len(emoji) == len(set(emoji)) > 2_000
    assert {"😂", "👍🏽", "👩‍🚀", "🇧🇷", "❤️"} <= set(emoji)
    assert not any(character.isspace() or character.isascii() for character in emoji)


def test_files_of_about_equal_size_and_row_groups_of_at_most_a_million(tmp_path):
    paths = synthetic.write_emoji_events(tmp_path, rows=1_500_000, units=10, seed=1, files=1)
    groups = pq.ParquetFile(paths[0]).metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [750_000] * 2


def test_old_files_are_replaced(tmp_path):
    synthetic.write_emoji_events(tmp_path, rows=100, units=10, seed=1, files=5)
    synthetic.write_emoji_events(tmp_path, rows=100, units=10, seed=1, files=2)
    assert read(tmp_path).height == 100


@pytest.mark.parametrize("name", ["user_id", "country", "emoji"])
def test_share_of_nulls(events, name):
    assert events[name].null_count() / ROWS == pytest.approx(synthetic.DIRT, rel=0.3)


@pytest.mark.parametrize(
    "spoilt",
    [
        pl.col("dwell_s").is_nan(),
        pl.col("dwell_s").is_infinite(),
        pl.col("dwell_s") < 0,
        pl.col("dwell_s").is_between(MAX_SANE_DWELL, 1e300),
    ],
    ids=["nan", "infinite", "negative", "huge"],
)
def test_share_of_spoilt_dwell(events, spoilt):
    assert events.select(spoilt.mean()).item() == pytest.approx(synthetic.DIRT, rel=0.3)


def test_clean_events_have_no_dirt(clean):
    assert clean.null_count().sum_horizontal().item() == 0
    assert clean["dwell_s"].is_between(0, MAX_SANE_DWELL).all()


def test_dwell_is_in_milliseconds(clean):
    assert clean.select((pl.col("dwell_s").round(3) == pl.col("dwell_s")).all()).item()
    assert clean["dwell_s"].median() == pytest.approx(1.5, rel=0.03)


def test_users_are_heavy_tailed(clean):
    rows = clean["user_id"].value_counts()["count"].sort(descending=True)
    assert rows.median() <= 5
    assert rows.head(UNITS // 100).sum() / ROWS == pytest.approx(0.2, abs=0.05)
    assert UNITS // 2 < len(rows) <= UNITS


def test_emoji_and_countries_are_skewed(clean):
    for name, top in (("emoji", 0.05), ("country", 0.15)):
        counts = clean[name].value_counts(sort=True)["count"]
        assert counts[0] / ROWS > top
        assert counts[0] > 20 * counts.median()


def test_tastes_differ_by_country(clean):
    top = {
        country: clean.filter(country=country)["emoji"].value_counts(sort=True)["emoji"].head(30)
        for country in ("US", "BR")
    }
    assert "🇧🇷" in set(top["BR"])
    assert "🇧🇷" not in set(top["US"])


def test_most_events_are_at_home(clean):
    per_country = clean.group_by("user_id", "country").len().sort("len", descending=True)
    home = per_country.group_by("user_id", maintain_order=True).first()["len"].sum()
    assert 0.95 < home / ROWS < 1


def test_bots_have_thousands_of_partitions(events):
    partitions = partitions_per_unit(events).sort("partitions", descending=True)["partitions"]
    bots = round(UNITS * synthetic.BOT_UNITS)
    assert (partitions[:bots] > 3_000).all()
    assert partitions[bots] < 1_000


def test_clean_events_have_no_bots(clean):
    assert partitions_per_unit(clean)["partitions"].max() < 1_000


def test_one_unit_with_distinct_partitions(tmp_path):
    synthetic.write_one_unit(tmp_path, rows=30_000, seed=1)
    assert partitions_per_unit(read(tmp_path))["partitions"].to_list() == [30_000]


def test_one_unit_joins_the_other_events(tmp_path):
    synthetic.main(
        ["--rows", "1_000", "--units", "100", "--one-unit-rows", "2_000", "--out", str(tmp_path)]
    )
    assert read(tmp_path).height == 3_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 0}, "rows is 0; allowed: 1 or more"),
        ({"units": -1}, "units is -1"),
        ({"files": 101}, "at most one per row, 100"),
        ({"monday": date(2026, 11, 10)}, "2026-11-10, a Tuesday; allowed: a Monday"),
    ],
)
def test_what_cannot_be_generated_is_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        synthetic.write_emoji_events(tmp_path, **{"rows": 100, "units": 10, "seed": 1, **arguments})


def test_one_install_and_one_row_per_file(tmp_path):
    synthetic.write_emoji_events(tmp_path, rows=7, units=1, seed=1)
    assert read(tmp_path).height == 7


def test_the_public_list_of_the_recipe_has_every_country():
    listed = pl.read_csv(CONFIGS / "data" / "emoji_countries.csv")
    assert listed.columns == ["country"]
    assert sorted(listed["country"]) == sorted(COUNTRIES)


def test_import_is_quick():
    code = "import sys, pipelines.synthetic; sys.exit('apache_beam' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
