"""Releases with expressions, from files to published tables."""

from datetime import datetime, timedelta

import apache_beam as beam
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.util import assert_that, equal_to

import transforms as dp
from pipelines.plan import plan_release
from pipelines.run.exactly_once import run_release
from pipelines.spec import load_release

CONFIG = """\
release: r
input:
  files: {file}
  where: version >= '7.0' and country is not null
  columns:
    emoji: emoji(text, 'without skin tone')
    area: lookup(country, 'areas.csv', 'area')
privacy: {{unit: [user, "date(time, 'Europe/Berlin')"], epsilon: 300, delta: 1e-6}}
tables:
  by_emoji:
    public: {{emoji: [👍, ❤️, 😂], area: [EU, NA]}}
    bounds: {{max_partitions_contributed: 2, max_contributions_per_partition: 2}}
    metrics: {{uses: count}}
  by_area:
    public: {{area: [EU, NA]}}
    bounds: {{max_contributions_per_partition: 4}}
    metrics: {{rows: count}}
output: {{folder: out}}
"""

LINES = "user: string, version: string, country: string, text: string"

START = datetime(2026, 11, 9, 22)
ROWS = pl.DataFrame(
    [
        *(("a", "👍🏽 👍🏿 ❤", "DE", "7.1", START), ("a", "no", "DE", "7.1", START)),
        *(("b", "no emoji", "DE", "7.0", START), ("b", "😂", "FR", "7.0", START)),
        *(("a", "👍", "DE", "7.1", START + timedelta(hours=2)), ("c", "❤️❤️", "US", "8", START)),
        *(("d", "👍", "US", "6.9", START), ("d", "👍", None, "7.1", START)),
        *(("e", None, "US", "7.1", START), (None, "👍", "US", "7.1", START)),
    ],
    schema=["user", "text", "country", "version", "time"],
    orient="row",
)
"""Midnight in Berlin is between the texts of a: of one unit, two of three thumbs would count."""

EXPECTED = {
    ("👍", "EU"): 3,
    ("❤️", "EU"): 1,
    ("❤️", "NA"): 2,
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "areas.csv").write_text("country,area\nDE,EU\nUS,NA\n")
    return tmp_path


def run(folder, file, config=CONFIG):
    (folder / "r.yaml").write_text(config.format(file=file))
    release = load_release(folder / "r.yaml")
    done = run_release(release, plan_release(release), [])
    return {table.plan.name: table.frame for table in done.published}


@pytest.mark.parametrize("file", ["rows.parquet", "rows.jsonl"])
@pytest.mark.statistical
def test_emoji_of_texts_are_counted_by_person_and_day(folder, file):
    """Noise of scale 0.03 at most moves one of 8 numbers by a half once in 10**7 runs."""
    config = CONFIG
    if file.endswith("parquet"):
        ROWS.write_parquet(folder / file)
    else:
        ROWS.write_ndjson(folder / file)
        config = config.replace(
            "{file}\n", f"{{file}}\n  types: {{{{time: timestamp, {LINES}}}}}\n"
        )
    tables = run(folder, file, config)
    assert tables["by_emoji"].height == 6
    for row in tables["by_emoji"].iter_rows(named=True):
        assert round(row["uses"]) == EXPECTED.get((row["emoji"], row["area"]), 0)
    rows = {row["area"]: round(row["rows"]) for row in tables["by_area"].iter_rows(named=True)}
    # The three emoji of one text are three rows, a text without any is one, that of a null is one.
    assert rows == {"EU": 6, "NA": 3}


@pytest.mark.statistical
def test_a_run_does_not_fail_on_dirt(folder):
    """As above, for the sum of six numbers."""
    far = pl.Series([2**62, -(2**62), 0], dtype=pl.Int64).cast(pl.Datetime("us"))
    dirty = pl.DataFrame(
        {"user": ["a"] * 3, "country": ["DE"] * 3, "version": ["9"] * 3, "time": far}
    ).to_arrow()
    raw = pa.array([b"\xff\xfe", b"\xf0\x9f\x91", "👍".encode()], pa.binary())
    text = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    pq.write_table(dirty.append_column("text", text), folder / "rows.parquet")
    tables = run(folder, "rows.parquet")
    assert round(tables["by_emoji"]["uses"].sum()) == 1


def test_prepare_is_a_step_of_anybodys_pipeline():
    preparation = dp.Preparation({"word": "words(text)"}, where="user is not null")
    table = pa.table({"user": ["a", None, "b"], "text": ["x Y", "z", "-"], "more": [1, 2, 3]})
    with beam.Pipeline("FnApiRunner") as pipeline:
        rows = (
            pipeline
            | beam.Create([table])
            | dp.Prepare(preparation, keep=["user", "word"])
            | beam.FlatMap(lambda prepared: prepared.to_pylist())
        )
        expected = [("a", "x"), ("a", "y"), ("b", None)]
        assert_that(rows, equal_to([{"user": user, "word": word} for user, word in expected]))
