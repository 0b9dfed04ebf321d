"""BigQuery: what Beam's connector is asked for, and columns out of its rows. Nothing is sent."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import apache_beam as beam
import polars as pl
import pytest
from apache_beam.io.iobase import Read
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.testing.util import assert_that
from small_release import checked, problems, write_config

from pipelines.plan import plan_release
from pipelines.plan.file import plan_file
from pipelines.run import drawing
from pipelines.run.exactly_once import run_release
from pipelines.run.ledger import ReleaseLedger
from pipelines.run.periods import read_period
from pipelines.run.sizes import unit_shards
from pipelines.sources import bigquery
from pipelines.sources.bigquery import BigQueryInput, ReadBigQuery, rows_to_table
from pipelines.sources.check import release_input
from pipelines.spec import load_release
from transforms.text_types import POLARS_TYPES

SOURCE = "bigquery: {table: my-project.events.emoji, row_restriction: \"country != 'XX'\"}"


@pytest.fixture
def installed(monkeypatch):
    """Beam's connector, or what stands for it where it is not installed."""
    monkeypatch.setattr(bigquery, "import_module", lambda name: None)


def connector_is_installed():
    try:
        import google.cloud.bigquery_storage  # noqa: F401
    except ImportError:
        return False
    return True


# What is asked for


@pytest.mark.skipif(
    not connector_is_installed(), reason="needs the extra gcp: pip install 'dp-release[gcp]'"
)
def test_the_pipeline_is_translated_with_table_columns_and_restriction(tmp_path):
    config = write_config(tmp_path, SOURCE, metrics="s: {sum: dwell, clip: [0, 1]}")
    source, files, schema = checked(config)
    assert files == []
    assert schema == {"user": pl.String, "country": pl.String, "dwell": pl.Float64}
    pipeline = beam.Pipeline(runner="FnApiRunner")
    _ = pipeline | "Read" >> ReadBigQuery(source)
    proto, context = pipeline.to_runner_api(return_context=True)
    transforms = proto.components.transforms.values()
    (read,) = [t for t in transforms if t.spec.urn == "beam:transform:read:v1"]
    payload = beam_runner_api_pb2.ReadPayload.FromString(read.spec.payload)
    asked = Read.from_runner_api_parameter(read, payload, context).source
    table = asked.table_reference
    assert (table.projectId, table.datasetId, table.tableId) == ("my-project", "events", "emoji")
    assert asked.selected_fields == ["user", "country", "dwell"]
    assert asked.row_restriction == "country != 'XX'"
    assert asked.method == "DIRECT_READ"
    assert asked.query is None
    assert asked.use_native_datetime
    names = {transform.unique_name for transform in transforms}
    assert {"Read/Read rows", "Read/Batch rows", "Read/To columns"} <= names


def test_without_the_connector_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(bigquery, "import_module", missing)
    assert problems(write_config(tmp_path, SOURCE)) == [
        "release.yaml:2:19: input.bigquery: needs Beam's connector, which is missing: "
        "pip install 'dp-release[gcp]'"
    ]


def test_the_config_gives_the_input(tmp_path, installed):
    source = SOURCE.replace("}", ", gigabytes: 0.5}, types: {user: int}")
    config = write_config(tmp_path, source, metrics="s: {sum: dwell, clip: [0, 1]}")
    assert release_input(load_release(config)) == BigQueryInput(
        table="my-project.events.emoji",
        columns=("user", "country", "dwell"),
        types={"user": "int", "country": "string", "dwell": "float"},
        row_restriction="country != 'XX'",
        size=500_000_000,
    )
    assert checked(config)[2]["user"] == pl.Int64


# Columns out of rows


class Rows(beam.PTransform):
    """Stands for the connector: the same rows, whatever it is asked for."""

    class Method:
        DIRECT_READ = "DIRECT_READ"

    rows = ()

    def __init__(self, **asked):
        super().__init__()
        self.asked = asked

    def expand(self, pipeline):
        return pipeline | beam.Create(self.rows)


def test_the_connector_is_asked_for_columns_and_rows(monkeypatch):
    asked = {}

    class Asked(Rows):
        def __init__(self, **settings):
            asked.update(settings)
            super().__init__(**settings)

    monkeypatch.setattr(beam.io, "ReadFromBigQuery", Asked)
    source = BigQueryInput("p.d.t", ("u",), {"u": "string"}, "k > 1", 1)
    _ = beam.Pipeline(runner="FnApiRunner") | ReadBigQuery(source)
    assert asked == {
        "method": "DIRECT_READ",
        "table": "p:d.t",
        "selected_fields": ["u"],
        "row_restriction": "k > 1",
        "use_native_datetime": True,
    }


def test_rows_are_batched_before_anything_else(monkeypatch):
    monkeypatch.setattr(beam.io, "ReadFromBigQuery", Rows)
    monkeypatch.setattr(bigquery, "BATCH_ROWS", 1000)
    monkeypatch.setattr(Rows, "rows", [{"user": f"u{n}", "n": n} for n in range(5000)])
    source = BigQueryInput("p.d.t", ("user", "n"), {"user": "string", "n": "int"}, None, 1)

    def check(tables):
        assert len(tables) < 100
        assert max(table.num_rows for table in tables) <= 1000
        assert sorted(n for table in tables for n in table["n"].to_pylist()) == list(range(5000))
        assert all(table.column_names == ["user", "n"] for table in tables)

    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        assert_that(pipeline | ReadBigQuery(source), check)


def test_the_period_is_in_the_restriction(tmp_path):
    source = "bigquery: {table: my-project.events.emoji, row_restriction: \"dt >= '{first}'\"}"
    more = "period: month\n"
    config = write_config(tmp_path, f"{source}, time: dt, types: {{dt: date}}", more=more)
    release = load_release(config)
    period = read_period("month", "2026-11")
    found = release_input(replace(release, placeholders=period.placeholders))
    assert found.row_restriction == "dt >= '2026-11-01'"
    assert found.types["dt"] == "date"


def test_a_release_of_rows(tmp_path, monkeypatch, installed):
    monkeypatch.setattr(beam.io, "ReadFromBigQuery", Rows)
    rows = [{"user": n, "country": "DE" if n % 2 else None} for n in range(80)]
    monkeypatch.setattr(Rows, "rows", rows)
    release = load_release(write_config(tmp_path, SOURCE))
    shards = []
    monkeypatch.setattr(drawing, "unit_shards", lambda size: shards.append(size) or unit_shards(10))
    (table,) = run_release(release, plan_release(release), []).published
    assert table.frame["country"].to_list() == ["DE"]
    assert round(table.frame["users"][0], -1) == 40
    assert shards == [8_000_000_000]


WHEN = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
BERLIN = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("string", ["a", None, ""], ["a", None, ""]),
        ("string", [7, None, -1], ["7", None, "-1"]),
        ("string", [True, None], ["true", None]),
        ("string", [date(2026, 11, 1)], ["2026-11-01"]),
        ("string", [b"x", b"\xff", None], ["x", "\ufffd", None]),
        ("string", [{"a": 1}, None], [None, None]),
        ("string", [[1], []], [None, None]),
        ("string", [None, None], [None, None]),
        ("int", [7, None, 2**62], [7, None, 2**62]),
        ("int", ["7", " 8 ", "x"], [7, 8, None]),
        ("int", [1.5, 2.0], [None, None]),
        ("float", [1.5, None], [1.5, None]),
        ("float", [1, 2], [1.0, 2.0]),
        ("float", [Decimal("1.25"), None], [1.25, None]),
        ("float", [math.inf, -math.inf], [math.inf, -math.inf]),
        ("bool", [True, False, None], [True, False, None]),
        ("bool", ["TRUE", "no"], [True, None]),
        ("date", [date(1, 1, 1), None], [date(1, 1, 1), None]),
        ("date", ["2026-11-01", "soon"], [date(2026, 11, 1), None]),
        ("timestamp", [WHEN, None], [WHEN, None]),
        ("timestamp", [WHEN.astimezone(BERLIN)], [WHEN]),
        ("timestamp", [WHEN.replace(tzinfo=None)], [WHEN]),
        ("timestamp", ["2026-11-01T13:30:00+01:00"], [WHEN]),
        ("timestamp", [time(1, 2)], [None]),
    ],
)
def test_values_become_the_declared_type_or_null(kind, values, expected):
    (column,) = pl.DataFrame(rows_to_table([{"c": value} for value in values], {"c": kind}))
    assert column.dtype == POLARS_TYPES[kind]
    assert column.to_list() == expected


def test_a_missing_value_is_null_and_other_columns_are_left_out():
    table = rows_to_table([{"a": 1, "more": 2}, {}], {"a": "int", "b": "string"})
    assert table.to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": None}]


@pytest.mark.parametrize(
    ("restriction", "columns"),
    [
        ("country != 'XX'", {"country"}),
        ("REGEXP_CONTAINS(secret.note, r'x') AND `odd name` IN (1, 2)", {"secret", "odd name"}),
        ("DATE(_PARTITIONTIME) = '{first}'", {"_PARTITIONTIME"}),
        ("a = ", {"a = "}),
    ],
)
def test_a_policy_sees_the_columns_of_the_restriction(tmp_path, restriction, columns):
    source = f'bigquery: {{table: my-project.events.emoji, row_restriction: "{restriction}"}}'
    release = load_release(write_config(tmp_path, source.replace("{first}", "2026-11-01")))
    plan = plan_release(release)
    period = read_period(None, None)
    request = ReleaseLedger.of(release).request(plan, plan_file(release, plan), period)
    expected = {column.replace("{first}", "2026-11-01") for column in columns}
    assert set(request.columns) == expected | {"user", "country"}
