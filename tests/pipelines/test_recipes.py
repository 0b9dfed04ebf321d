"""The recipes under configs/, on real and on generated data, against their exact bounded values."""

import math
from statistics import fmean

import polars as pl
import pytest
from recipes import CONFIGS, STATIONS, TRIPS, copy_recipe, exact_values, run_recipe
from small_release import DOCUMENTS

from pipelines import synthetic
from pipelines.emoji_catalogue import COUNTRIES
from transforms.bounding import UNITS
from transforms.metrics import PrivacyUnitCount
from transforms.noise import noise_scale, release_probability

pytestmark = pytest.mark.statistical

FALSE_ALARM = 1e-7
"""Probability that one assertion about noise fails although all is well; there are some ten."""


def only_noise(metric):
    (noise,) = metric.noises
    return noise


def all_with_truth(table, release, rows, key):
    """Joins a released table with its exact bounded values, in the unit of the columns."""
    plan = table.plan
    counts = exact_values(release, table, rows.to_arrow(), key)
    exact = counts.select(
        *plan.keys,
        pl.col(f"exact:{UNITS}").alias("units"),
        *(
            (
                pl.col(
                    f"exact:{UNITS if isinstance(metric.metric, PrivacyUnitCount) else metric.name}"
                )
                * float(only_noise(metric).component.granularity)
            ).alias(f"{metric.name}_exact")
            for metric in plan.metrics
        ),
    )
    joined = exact.join(table.frame, on=plan.keys, how="left", coalesce=True)
    assert joined.height == exact.height
    return joined


def assert_noise_is_as_stated(joined, plan):
    """Checks the errors of the released numbers against their noise.

    T = -ln P(|X| > |error|) is exponential with the mean 1, whatever the distribution of X: so of
    n errors one has T above ln(n / p) with probability at most p. The mean of T is below x, for
    x < 1, or above x, for x > 1, with probability at most (x exp(1 - x)) ** n (Chernoff). Noise is
    rounded to a granule, which moves it by half a granule at most, and the mean of T by less than a
    granule in standard deviations.
    """
    released = joined.drop_nulls(plan.metrics[0].name)
    surprises, roundings = [], []
    for metric in plan.metrics:
        noise = only_noise(metric)
        step = float(noise.component.granularity)
        scale = noise_scale(noise.mechanism) * step
        laplace = noise.mechanism.noise == "laplace"
        assert noise.std == pytest.approx((math.sqrt(2) if laplace else 1) * scale, abs=step)
        assert (released[f"{metric.name}_std"] == noise.std).all()
        errors = (released[metric.name] - released[f"{metric.name}_exact"]).abs()
        least = (errors - step / 2).clip(lower_bound=0).to_list()
        tails = [error / scale if laplace else half_normal(error / scale) for error in errors]
        assert max(
            error / scale if laplace else half_normal(error / scale) for error in least
        ) <= math.log(released.height / FALSE_ALARM)
        surprises += tails
        roundings.append(step / scale)
    low, high = likely_means(len(surprises))
    rounding = fmean(roundings)
    assert low - rounding <= fmean(surprises) <= high + rounding


def half_normal(size):
    """Returns -ln P(|Z| > size) of a standard normal Z."""
    return -math.log(math.erfc(size / math.sqrt(2)))


def likely_means(count):
    """Returns x below and above 1 with (x exp(1 - x)) ** count at most FALSE_ALARM."""
    grid = [number / 1000 for number in range(10_000)]
    likely = [x for x in grid if (x * math.exp(1 - x)) ** count > FALSE_ALARM]
    return likely[0] - 0.001, likely[-1] + 0.001


def sure_partitions(joined, plan):
    """Checks that what is all but surely released is there, and what all but surely is not.

    Returns the number of partitions that are all but surely released.
    """
    probability = {
        units: release_probability(plan.selection, units) for units in joined["units"].unique()
    }
    chance = joined["units"].replace_strict(probability, return_dtype=pl.Float64)
    there = joined[plan.metrics[0].name].is_not_null()
    tolerated = FALSE_ALARM / joined.height
    assert there.filter(chance >= 1 - tolerated).all()
    assert not there.filter(chance <= tolerated).any()
    return there.filter(chance >= 1 - tolerated).len()


def test_bike_stations_on_the_real_trips(tmp_path, key):
    release = copy_recipe(tmp_path, "bike_stations", STATIONS, TRIPS)
    tables = run_recipe(release)
    trips = pl.read_parquet(CONFIGS / "data" / TRIPS)

    stations = tables["stations"]
    listed = pl.read_csv(CONFIGS / "data" / STATIONS)["start_station"]
    assert stations.frame["start_station"].to_list() == sorted(listed)
    joined = all_with_truth(stations, release, trips, key)
    assert_noise_is_as_stated(joined, stations.plan)
    all_trips = trips.join(listed.to_frame(), on="start_station", how="semi").height
    assert 0.1 * all_trips < joined["trips_exact"].sum() < all_trips

    routes = tables["routes"]
    joined = all_with_truth(routes, release, trips, key)
    assert joined["trips"].is_not_null().sum() == routes.frame.height
    assert sure_partitions(joined, routes.plan) > 10
    assert_noise_is_as_stated(joined, routes.plan)

    published = tmp_path / "published" / "bike_stations"
    assert {path.name for path in published.iterdir()} == {
        *DOCUMENTS,
        *("routes.csv", "routes.parquet", "stations.csv", "stations.parquet"),
    }


def test_bike_hours_on_the_real_trips(tmp_path, key):
    release = copy_recipe(tmp_path, "bike_hours", TRIPS)
    tables = run_recipe(release)
    trips = pl.read_parquet(CONFIGS / "data" / TRIPS)
    clock = (
        pl.col("start_time").dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    )
    day = release.spec.privacy.unit[1]
    rows = trips.filter(pl.col("duration_s") >= 60, pl.col("duration_s") <= 86_400).select(
        pl.col("user_id"),
        clock.dt.date().alias(day),
        clock.dt.weekday().cast(pl.Int64).alias("weekday"),
        clock.dt.hour().cast(pl.Int64).alias("hour"),
    )
    hours = tables["hours"]
    assert hours.frame.height == 7 * 24
    assert_noise_is_as_stated(all_with_truth(hours, release, rows, key), hours.plan)
    assert set(tables["lengths"].frame["minutes"]) <= {1, 5, 10, 15, 30, 60}


def test_emoji_weekly_on_generated_events(tmp_path, key):
    release = copy_recipe(tmp_path, "emoji_weekly", "emoji_countries.csv")
    events = tmp_path / "configs" / "data" / "emoji_weekly"
    synthetic.write_emoji_events(events, rows=100_000, units=10_000, seed=11)
    tables = run_recipe(release)
    rows = pl.read_parquet(events / "*.parquet")

    totals = tables["totals"]
    assert set(totals.frame["country"]) == set(COUNTRIES)
    assert_noise_is_as_stated(all_with_truth(totals, release, rows, key), totals.plan)

    by_country = tables["by_country"]
    joined = all_with_truth(by_country, release, rows, key)
    assert joined["uses"].is_not_null().sum() == by_country.frame.height
    sure_partitions(joined, by_country.plan)


@pytest.fixture
def texts():
    """The made-up texts, with the columns that the recipes derive, by Polars alone."""
    rows = pl.read_ndjson(CONFIGS / "data" / "emoji_texts.jsonl").with_columns(
        pl.col("time").str.to_datetime(time_zone="UTC")
    )
    regions = pl.read_csv(CONFIGS / "data" / "emoji_regions.csv")
    berlin = pl.col("time").dt.convert_time_zone("Europe/Berlin")
    return rows.join(regions, on="country", how="left").with_columns(
        berlin.dt.truncate("6h").alias("window")
    )


TEXT_DATA = ("emoji_texts.jsonl", "emoji_regions.csv")


def test_emoji_texts_on_the_made_up_texts(tmp_path, texts):
    """Noise is within 14 standard deviations; false alarms are far below one in a million."""
    tables = run_recipe(copy_recipe(tmp_path, "emoji_texts", *TEXT_DATA))
    assert list(tables) == ["regions", "emoji_by_region", "by_time"]
    # No text of the sample has more emoji than 3, so each makes 1 to 3 rows.
    rows = texts.filter(pl.col("user_id").is_not_null(), pl.col("region").is_not_null())
    per_unit = rows.group_by("region", "user_id", "window").agg(pl.len().alias("texts"))
    per_region = per_unit.group_by("region").agg(
        pl.col("texts").clip(upper_bound=3).sum().cast(pl.Int64).alias("least"),
        (pl.len() * 3).alias("most"),
    )
    regions = tables["regions"].frame.join(per_region, on="region", how="left").fill_null(0)
    slack = 14 * regions["rows_std"]
    assert (regions["rows"] >= regions["least"] - slack).all()
    assert (regions["rows"] <= regions["most"].cast(pl.Int64) + slack).all()

    emoji = tables["emoji_by_region"].frame
    assert {"region": "Americas", "emoji": "😂"} in emoji.select("region", "emoji").to_dicts()
    used = ["😂", "❤️", "👍", "🎉", "🙏", "☕", "🔥", "😭", "👨\u200d👩\u200d👧", "🇧🇷", "⚽", "☀️"]
    assert emoji["emoji"].is_in(used).all()
    by_time = tables["by_time"].frame
    assert by_time.height == 3 * 4
    assert (by_time["rows"] >= 0).all()


def test_emoji_words_on_the_made_up_texts(tmp_path, texts):
    tables = run_recipe(copy_recipe(tmp_path, "emoji_words", "emoji_texts.jsonl"))
    birthday = texts.filter(
        pl.col("text").str.starts_with("happy birthday"), pl.col("user_id").is_not_null()
    ).select("user_id", "window")
    assert birthday.unique().height > 150
    assert "happy birthday" in tables["in_use"].frame["pair"].to_list()
    (uses,) = tables["frequent"].frame.filter(pair="happy birthday").to_dicts()
    assert 0 < uses["uses"] <= birthday.unique().height + 14 * uses["uses_std"]
    in_use = set(tables["in_use"].frame["pair"])
    assert all(pair.count(" ") == 1 for pair in in_use)
    joined = " | ".join(texts["text"].drop_nulls())
    assert all(pair in joined for pair in in_use)
