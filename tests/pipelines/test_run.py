"""Whole runs, in this process and as the command: what comes out, and what must not."""

import json
import os
import re
import subprocess
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import sleep

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import COMMAND, command_here, command_in_process
from small_release import DOCUMENTS, write_release

from pipelines.plan import plan_release
from pipelines.run import drawing
from pipelines.run.exactly_once import run_release
from pipelines.run.failures import RunError
from pipelines.spec import ConfigError, load_release
from transforms import stages

SECRET = "XQZ-private-XQZ"
NUMBER = re.compile(r"-?\d[\d,.]*")


def write_tables(folder, tables, *, source="files: in.parquet", **privacy):
    """Writes a release of tables, published in two formats."""
    formats = "  formats: [parquet, csv]\n"
    return write_release(folder, source, f"{{{tables}}}", output=formats, **privacy)


def run(config, *beam_options, correct=None):
    release = load_release(config)
    return run_release(release, plan_release(release), beam_options, correct=correct)


def command(*arguments):
    """Runs `dp-release` here, from another folder."""
    return command_here(*arguments, cwd=Path(__file__).parent)


def in_process(*arguments, program=None):
    """Runs it, or a Python program that calls its `main`, in a process of its own."""
    return command_in_process(*arguments, program=program, cwd=Path(__file__).parent)


def published(folder, table="t"):
    return pl.read_parquet(folder / "out" / f"{table}.parquet")


def files_below(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_one_line(text):
    assert text.endswith("\n")
    assert text.count("\n") == 1, text


def assert_nothing_left_beside(folder):
    assert not [path for path in folder.iterdir() if path.name.startswith(".out")]


USERS = [f"u{number}" for number in range(60)]
EVENTS = pl.DataFrame(
    {
        "user": USERS * 3,
        "country": ["DE"] * 60 + ["FR"] * 60 + ["DE"] * 60,
        "day": [date(2024, 1, 1)] * 120 + [date(2024, 1, 2)] * 60,
        "dwell": [2.0] * 180,
    }
)
TABLES = (
    "t: {keys: [country, day], bounds: {max_partitions_contributed: 3}, "
    "metrics: {uses: count, users: privacy_unit_count, seconds: {sum: dwell, clip: [0, 10]}}}, "
    "known: {public: {country: [FR, XX, DE]}, bounds: {max_partitions_contributed: 2}, "
    "metrics: {users: privacy_unit_count}}"
)


@pytest.fixture
def events(tmp_path):
    EVENTS.write_parquet(tmp_path / "in.parquet")
    return write_tables(tmp_path, TABLES)


# What comes out


def test_the_command_publishes_every_table_in_every_format_and_shows_it(tmp_path, events):
    done = in_process("run", events)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *(*DOCUMENTS, "report.html", "t.parquet", "t.csv", "known.parquet", "known.csv")
    }
    lines = [line for line in done.stdout.splitlines() if line]
    assert lines[0] == "t, largest uses first, with 95 % intervals"
    assert lines[1].split() == ["country", "day", "uses", "users", "seconds"]
    assert lines[5] == f"3 rows in {tmp_path}/out/t.parquet, {tmp_path}/out/t.csv"
    error = r"(\.\d+)? ± \d+(\.\d+)?"
    counts, seconds = f"(59|60|61){error}", rf"1[0-3]\d{error}"
    for line in lines[2:5]:
        assert re.fullmatch(rf" (DE|FR) +2024-01-0\d +{counts} +{counts} +{seconds} ?", line)
    assert {line.split()[0] for line in lines[8:11]} == {"DE", "FR", "XX"}
    assert lines[-1] == f"report in {tmp_path}/out/report.html"
    assert_nothing_left_beside(tmp_path)


def test_parquet_and_csv_agree_and_are_sorted_by_key_with_the_error_of_every_number(
    tmp_path, events
):
    run(events)
    found = published(tmp_path)
    metrics = ["uses", "users", "seconds"]
    errors = [f"{name}{end}" for name in metrics for end in ("", "_std", "_low", "_high")]
    assert found.columns == ["country", "day", *errors]
    assert found.equals(found.sort("country", "day"))
    csv = pl.read_csv(tmp_path / "out" / "t.csv", schema=found.schema)
    assert csv.equals(found)
    for name in metrics:
        assert (found[f"{name}_low"] <= found[name]).all()
        assert (found[name] <= found[f"{name}_high"]).all()
        assert (found[f"{name}_std"] > 0).all()
    assert found["seconds"].to_list() == pytest.approx([120, 120, 120], abs=20)
    assert published(tmp_path, "known")["users"].to_list() == pytest.approx([60, 60, 0], abs=1)


def test_the_run_returns_what_it_published(tmp_path, events):
    done = run(events)
    assert [table.plan.name for table in done.published] == ["t", "known"]
    for table in done.published:
        assert table.frame.equals(published(tmp_path, table.plan.name))
        assert [path.suffix for path in table.files] == [".parquet", ".csv"]
        assert all(path.is_file() for path in table.files)
    assert (done.release.state, done.is_new) == ("published", True)
    assert done.folder == tmp_path / "out"
    private = tmp_path / ".dp-release" / "r"
    assert private.stat().st_mode & 0o077 == 0


def test_the_published_plan_is_the_plan_that_the_command_shows(tmp_path, events):
    shown = command("plan", "--json", events)
    assert (shown.returncode, shown.stderr) == (0, "")
    run(events)
    published = json.loads((tmp_path / "out" / "plan.json").read_text(encoding="utf-8"))
    assert list(published) == ["schema_version", "plan_hash", "made_of", "plan"]
    assert published.items() <= json.loads(shown.stdout).items()
    tables = published["plan"]["tables"]
    assert list(tables) == ["t", "known"]
    assert tables["known"]["public_partitions"] == 3


def test_formats_are_the_ones_asked_for(tmp_path, events):
    events.write_text(events.read_text().replace("[parquet, csv]", "[csv]"))
    run(events)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {*DOCUMENTS, "t.csv", "known.csv"}


WHEN = datetime(2024, 2, 28, 12, 30, 15, 250_000)
KEYS = {
    "string": ['ü,"q"', "b\nc"],
    "int": [-7, 2**63 - 1],
    "small int": pl.Series([-7, 8], dtype=pl.Int8),
    "uint64": pl.Series([0, 2**64 - 1], dtype=pl.UInt64),
    "float": [-0.25, float("inf")],
    "bool": [False, True],
    "date": [date(1969, 7, 20), date(2024, 2, 29)],
    "timestamp": [WHEN, datetime(1969, 7, 20)],
    "zoned timestamp": [WHEN.replace(tzinfo=UTC), datetime(1969, 7, 20, tzinfo=UTC)],
    "millisecond": pl.Series([WHEN, WHEN.replace(1969)], dtype=pl.Datetime("ms", "Europe/Berlin")),
    "time": [time(1, 2, 3), time(23, 59, 59, 999_999)],
    "decimal": [Decimal("1.50"), Decimal("-2.25")],
    "category": pl.Series(["x", "y"], dtype=pl.Categorical),
}


def table_of_each(kinds):
    """A table for each kind of key, in the column of that name; the budget is to grow with them."""
    bounds = "bounds: {max_partitions_contributed: 2}"
    return ", ".join(
        f"{table_of(kind)}: {{keys: ['{kind}'], {bounds}, metrics: {{n: count}}}}" for kind in kinds
    )


def table_of(kind):
    return kind.replace(" ", "_")


@pytest.fixture(scope="module")
def released_keys(tmp_path_factory):
    """A release with a table for each type of key."""
    folder = tmp_path_factory.mktemp("keys")
    values = pl.DataFrame(KEYS)
    pl.DataFrame({"user": USERS}).join(values, how="cross").write_parquet(folder / "in.parquet")
    run(write_tables(folder, table_of_each(KEYS), epsilon=300.0 * len(KEYS)))
    return folder


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_of_any_scalar_type_comes_out_as_it_went_in(released_keys, kind):
    found = published(released_keys, table_of(kind))
    assert sorted(found[kind].to_list()) == sorted(pl.Series(KEYS[kind]).to_list())
    assert found["n"].to_list() == pytest.approx([60, 60], abs=1)
    text = pl.read_csv(released_keys / "out" / f"{table_of(kind)}.csv", infer_schema=False)
    assert text[kind].n_unique() == 2


def test_dates_and_timestamps_of_text_files_are_keys_too(tmp_path):
    lines = [f"{user},2024-02-29,2024-02-29T12:30:00+02:00,7,true" for user in USERS]
    (tmp_path / "in.csv").write_text("\n".join(["user,d,t,n,b", *lines]))
    types = ", types: {d: date, t: timestamp, n: int, b: bool}"
    config = write_tables(
        tmp_path, "t: {keys: [d, t, n, b], metrics: {c: count}}", source=f"files: in.csv{types}"
    )
    run(config)
    (row,) = published(tmp_path).select("d", "t", "n", "b").rows()
    assert row == (date(2024, 2, 29), datetime(2024, 2, 29, 10, 30, tzinfo=UTC), 7, True)


def test_a_unit_of_two_columns_is_bounded_by_both(tmp_path):
    rows = pl.DataFrame({"user": USERS}).join(
        pl.DataFrame({"day": [1, 2, 2, 3], "k": ["x"] * 4}), how="cross"
    )
    rows.write_parquet(tmp_path / "in.parquet")
    tables = "t: {keys: [k], metrics: {rows: count, units: privacy_unit_count}}"
    run(write_tables(tmp_path, tables, unit="[user, day]"))
    assert published(tmp_path).select("rows", "units").rows()[0] == pytest.approx((180, 180), abs=1)
    run(write_tables(tmp_path, tables, unit="user"), correct="again")
    assert published(tmp_path).select("rows", "units").rows()[0] == pytest.approx((60, 60), abs=1)


@pytest.mark.parametrize("rows", [0, 1, 60])
def test_public_keys_are_all_there_whatever_the_input_has_and_no_others(tmp_path, rows):
    countries = ["DE", *[SECRET] * 59]
    frame = pl.DataFrame({"user": USERS, "country": countries}).head(rows)
    frame.write_parquet(tmp_path / "in.parquet")
    config = write_tables(tmp_path, "t: {public: {country: [XX, DE, AA]}, metrics: {n: count}}")
    run(config)
    assert published(tmp_path)["country"].to_list() == ["AA", "DE", "XX"]
    assert published(tmp_path)["n"].to_list() == pytest.approx([0, min(rows, 1), 0], abs=1)


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame(schema={"user": pl.String, "country": pl.String}),
        pl.DataFrame({"user": [None, None], "country": ["DE", "FR"]}),
        pl.DataFrame({"user": ["a", "b"], "country": [None, None]}),
        pl.DataFrame({"user": ["a"], "country": ["DE"]}),
    ],
    ids=["no rows", "no units", "no keys", "nothing selected"],
)
def test_a_table_without_partitions_is_published_empty(tmp_path, frame):
    frame.cast(pl.String).write_parquet(tmp_path / "in.parquet")
    tables = "t: {keys: [country], selection: {pre_threshold: 9}, metrics: {n: count}}"
    run(write_tables(tmp_path, tables))
    assert published(tmp_path).shape == (0, 5)
    assert published(tmp_path).schema["country"] == pl.String
    assert (tmp_path / "out" / "t.csv").read_text() == "country,n,n_std,n_low,n_high\n"


# Noise is drawn once


def test_bundles_that_run_twice_show_one_draw_in_every_format(tmp_path):
    EVENTS.write_parquet(tmp_path / "in.parquet")
    config = write_tables(tmp_path, TABLES, epsilon=30.0, delta=0.5)
    done = command("run", config, "--", "--direct_runner_bundle_repeat=2")
    assert (done.returncode, done.stderr) == (0, "")
    attempt = tmp_path / ".dp-release" / "r" / "all" / "v1" / "attempt-1"
    for table, keys in {"t": ["country", "day"], "known": ["country"]}.items():
        found = published(tmp_path, table)
        assert found.height == 3
        assert not found.select(keys).is_duplicated().any()
        csv = pl.read_csv(tmp_path / "out" / f"{table}.csv", schema=found.schema)
        assert csv.equals(found)
        staged = pl.read_parquet(attempt / "drawn" / f"{table}.parquet").sort(keys)
        assert staged.select(keys).equals(found.select(keys))
        assert staged["users"].equals(found["users"].cast(pl.Int64))


def test_a_table_that_was_drawn_twice_is_not_published(tmp_path, events, monkeypatch):
    def draw_and_copy(checked, key, staging, *more):
        draw(checked, key, staging, *more)
        staged = next(staging.glob("t-*.parquet"))
        again = "-".join([*staged.stem.split("-")[:2], "0123456789abcdef.parquet"])
        staged.with_name(again).write_bytes(staged.read_bytes())

    draw = drawing._run_pipeline
    monkeypatch.setattr(drawing, "_run_pipeline", draw_and_copy)
    with pytest.raises(RunError, match="DrawnTwiceError; nothing was published"):
        run(events)
    assert not (tmp_path / "out").exists()


def test_a_rerun_returns_the_same_bytes_and_charges_nothing(tmp_path, events):
    run(events)
    before = files_below(tmp_path / "out"), (tmp_path / ".dp-release" / "ledger.db").read_bytes()
    done = command("run", events)
    assert (done.returncode, done.stderr) == (0, "")
    assert "r@all was published before; nothing was drawn or charged" in done.stdout
    assert f"3 rows in {tmp_path}/out/t.parquet, {tmp_path}/out/t.csv" in done.stdout
    after = files_below(tmp_path / "out"), (tmp_path / ".dp-release" / "ledger.db").read_bytes()
    assert after == before


def test_another_plan_is_refused_and_a_correction_leaves_nothing_of_the_old_release(
    tmp_path, events
):
    events.write_text(events.read_text().replace("epsilon: 300.0", "epsilon: 299.0"))
    run(events)
    first = files_below(tmp_path / "out")
    events.write_text(events.read_text().replace("known:", "renamed:"))
    done = command("run", events)
    assert (done.returncode, done.stdout) == (1, "")
    assert_one_line(done.stderr)
    assert done.stderr.startswith("r@all is published with the plan ")
    assert "dp-release run --correct REASON, which charges a new version" in done.stderr
    assert files_below(tmp_path / "out") == first
    done = command("run", events, "--correct", "a wrong name")
    assert (done.returncode, done.stderr) == (0, "")
    second = files_below(tmp_path / "out")
    assert {path.stem for path in second} == {
        *(Path(name).stem for name in DOCUMENTS),
        "report",
        "t",
        "renamed",
    }
    csv = tmp_path / "out" / "t.csv"
    assert first[csv] != second[csv]
    assert_nothing_left_beside(tmp_path)


# Failures


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("transforms.stages.draw", ValueError),
        ("transforms.stages.canonical_rows", pl.exceptions.PanicException),
        ("pipelines.run.output.render", OSError),
    ],
)
def test_a_run_that_fails_says_one_line_without_data_and_leaves_the_old_release(
    tmp_path, events, monkeypatch, name, error
):
    def fail(*_, **__):
        raise error(SECRET)

    run(events)
    before = files_below(tmp_path / "out")
    monkeypatch.setattr(name, fail)
    done = command("run", events, "--correct", "again")
    assert (done.returncode, done.stdout) == (1, "")
    assert_one_line(done.stderr)
    assert done.stderr.startswith(
        f"the run failed with {error.__name__}; nothing was published; details, "
    )
    assert SECRET not in done.stderr
    assert files_below(tmp_path / "out") == before
    details = Path(done.stderr.split("details, which may hold private values: ")[1].strip())
    assert SECRET in details.read_text()
    assert details.is_relative_to(tmp_path / ".dp-release")


def test_a_first_run_that_fails_publishes_nothing(tmp_path, events, monkeypatch):
    def fail(*_, **__):
        raise ValueError(SECRET)

    monkeypatch.setattr(drawing, "DrawTables", fail)
    with pytest.raises(RunError, match="failed with ValueError;") as caught:
        run(events)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__
    assert not (tmp_path / "out").exists()


def test_a_publication_that_fails_half_way_publishes_nothing(tmp_path, events, monkeypatch):
    run(events)
    before = files_below(tmp_path / "out")
    monkeypatch.setattr("pipelines.run.output.write_release", lambda *_, **__: 1 / 0)
    with pytest.raises(RunError, match="failed with ZeroDivisionError"):
        run(events, correct="again")
    assert files_below(tmp_path / "out") == before
    monkeypatch.undo()
    run(events, correct="again")
    assert_nothing_left_beside(tmp_path)


# Nothing private comes out


def test_keys_that_are_not_selected_and_units_occur_nowhere(tmp_path):
    rare = [f"{SECRET}-key-{number}" for number in range(300)]
    frame = pl.DataFrame(
        {
            "user": [f"{SECRET}-user-{number}" for number in range(300)] * 2,
            "key": ["common"] * 300 + rare,
            "other": ["fine"] * 600,
        }
    )
    frame.write_parquet(tmp_path / "in.parquet")
    bounds = "bounds: {max_partitions_contributed: 2}"
    tables = (
        f"t: {{keys: [key], {bounds}, metrics: {{n: count}}}}, "
        f"two: {{keys: [other, key], {bounds}, metrics: {{n: count}}}}"
    )
    # A key of one unit is released with probability at most delta, so this fails once in 1e10 runs.
    config = write_tables(tmp_path, tables, epsilon=20.0, delta=1e-13)
    done = command("run", config)
    assert (done.returncode, done.stderr) == (0, "")
    assert "common" in done.stdout
    assert SECRET not in done.stdout
    assert published(tmp_path)["key"].to_list() == ["common"]
    written = files_below(tmp_path / "out") | files_below(tmp_path / ".dp-release")
    for path, content in written.items():
        assert SECRET not in str(path)
        assert SECRET.encode() not in content
        if path.suffix == ".parquet":
            assert SECRET not in str(pl.read_parquet(path).to_dicts())
            assert SECRET not in str(pq.read_metadata(path).metadata)


KNOWN = (
    "t: {public: {country: [DE, FR]}, bounds: {max_partitions_contributed: 2}, "
    "metrics: {n: count, users: privacy_unit_count, s: {sum: dwell, clip: [-5, 5]}, "
    "total: {sum: dwell, clip_total: [-5, 5]}}}, "
    "days: {keys: [day], bounds: {max_partitions_contributed: 2}, metrics: {n: count}}"
)
CLEAN_LINES = {
    "csv": [f"{user},{country},2024-01-01,2.5" for user in USERS for country in ("DE", "FR")],
    "jsonl": [
        json.dumps({"user": user, "country": country, "day": "2024-01-01", "dwell": 2.5})
        for user in USERS
        for country in ("DE", "FR")
    ],
}
DIRTY_LINES = {
    "csv": rb"""
u0
u0,DE
u0,DE,2024-01-01,2.5,6
u0,"DE,2024-01-01,1
u"0,DE,2024-01-01,1
"
,DE,2024-01-01,1
u0,,2024-01-01,1
u0,DE,,1
u0,DE,2024-01-01,
u0,DE,nonsense,nonsense
u0,DE,+9999-99-99,1
u0,DE,2024-01-01,nan
u0,DE,2024-01-01,-inf
u0,DE,2024-01-01,1e308
u0,DE,2024-01-01,1e999
u0,[/bold],2024-01-01,1
"u0","DE",2024-01-01,"1"
""".split(b"\n"),
    "jsonl": rb"""
{
[]
null
u0
{"user":"u0"}
{"user":null,"country":"DE"}
{"user":"\ud800"}
{"user":0,"country":true,"day":1}
{"user":"u0","country":["DE"],"day":{},"dwell":1e308}
{"user":"u0","country":"DE","day":"2024-01-01","dwell":NaN}
{"user":"u0","country":"DE","day":"2024-01-01","dwell":"nan"}
{"user":"u0","country":"DE","day":"2024-01-01","dwell":"-inf"}
{"user":"u0","country":"DE","day":"2024-01-01","dwell":1e999}
{"user":"u0","country":"[/bold]","day":"2024-01-01","dwell":1}
""".split(b"\n"),
}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
DIRTY_BYTES = [
    b"\x00",
    b"\xff\xfe,,,",
    b"\r",
    BYTE_ORDER_MARK,
    b"u0," + b"x" * 99_999,
    b"[" * 9_999,
]
DIRTY_FRAME = pl.DataFrame(
    {
        "user": [None, "u0", "u0", "u0", "u0", "u0", "u0", "u0", "\x00"],
        "country": ["DE", None, "DE", "DE", "DE", "DE", "[/bold]", "x" * 99999, "DE"],
        "day": [date(2024, 1, 1)] * 2 + [None] + [date(2024, 1, 1)] * 5 + [date(1, 1, 1)],
        "dwell": [1.0, 1.0, 1.0, float("nan"), float("-inf"), 1.7e308, 5e-324, None, -1.7e308],
    }
)


def write_events(folder, kind, *, dirty):
    if kind == "parquet":
        clean = [line.split(",") for line in CLEAN_LINES["csv"]]
        schema = ["user", "country", "day", "dwell"]
        frame = pl.DataFrame(clean, schema=schema, orient="row").with_columns(
            pl.col("day").str.to_date(), pl.col("dwell").cast(pl.Float64)
        )
        pl.concat([frame, DIRTY_FRAME] if dirty else [frame]).write_parquet(folder / "in.parquet")
        return
    header = [b"user,country,day,dwell"] if kind == "csv" else []
    lines = [line.encode() for line in CLEAN_LINES[kind]]
    middle = [*DIRTY_LINES[kind], *DIRTY_BYTES] if dirty else []
    (folder / f"in.{kind}").write_bytes(b"\n".join([*header, *lines[:50], *middle, *lines[50:]]))


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_dirty_rows_change_no_exit_code_no_message_and_no_line_of_output(tmp_path, kind):
    seen = []
    for dirty in (False, True):
        folder = tmp_path / str(dirty)
        folder.mkdir()
        write_events(folder, kind, dirty=dirty)
        types = {
            "parquet": "",
            "csv": ", types: {day: date}",
            "jsonl": ", types: {day: date, user: string, country: string, dwell: float}",
        }[kind]
        # The day of a single dirty row is released with probability at most delta.
        config = write_tables(folder, KNOWN, source=f"files: in.{kind}{types}", delta=1e-11)
        done = command("run", config)
        lines = [NUMBER.sub("#", line).split() for line in done.stdout.splitlines()]
        names = sorted(str(path.relative_to(folder)) for path in (folder / "out").iterdir())
        seen.append((done.returncode, done.stderr, sorted(map(str, lines)), names))
        frame = published(folder)
        assert frame["country"].to_list() == ["DE", "FR"]
        assert frame["users"].to_list() == pytest.approx([60, 60], abs=2)
        assert frame["total"].to_list() == pytest.approx([150, 150], abs=15)
    clean, dirty = ([str(part).replace("True", "False") for part in parts] for parts in seen)
    assert clean == dirty
    assert seen[0][:2] == (0, "")


OUT_OF_RANGE = {
    "milliseconds": pa.array([2**63 - 1] * 60, pa.timestamp("ms")),
    "seconds": pa.array([-(2**53)] * 60, pa.timestamp("s")),
    "microseconds": pa.array([2**63 - 1] * 60, pa.timestamp("us", "UTC")),
    "date": pa.array([2**31 - 1] * 60, pa.date32()),
    "year 12000": pa.array([3_670_000] * 60, pa.date32()),
}


def assert_run_does_not_stop(folder, keys, formats):
    pq.write_table(pa.table({"user": USERS, **keys}), folder / "in.parquet")
    config = write_tables(folder, table_of_each(keys), epsilon=300.0 * len(keys))
    config.write_text(config.read_text().replace("[parquet, csv]", formats))
    done = command("run", config)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.stem for path in (folder / "out").glob("*.parquet")} == set(map(table_of, keys))


def test_keys_beyond_the_calendar_do_not_stop_a_run(tmp_path):
    assert_run_does_not_stop(tmp_path, OUT_OF_RANGE, "[parquet, csv]")


def test_durations_beyond_the_calendar_do_not_stop_a_run(tmp_path):
    keys = {"duration": pa.array([2**62] * 60, pa.duration("ms"))}
    assert_run_does_not_stop(tmp_path, keys, "[parquet]")


def test_a_key_is_shown_as_it_is_and_cannot_steer_the_terminal(tmp_path):
    keys = ["[/bold]", "[red]x", ":smile:", "\x1b[31mz", "a\nb"]
    users = pl.DataFrame({"user": USERS})
    users.join(pl.DataFrame({"[k]": keys}), how="cross").write_parquet(tmp_path / "in.parquet")
    bounds = "bounds: {max_partitions_contributed: 5}"
    config = write_tables(tmp_path, f"t: {{keys: ['[k]'], {bounds}, metrics: {{n: count}}}}")
    done = command("run", config)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    shown = {line.split()[0] for line in done.stdout.splitlines()[1:-3]}
    assert shown == {"[k]", *keys[:3], "�[31mz", "a�b"}
    assert set(published(tmp_path)["[k]"]) == set(keys)


# Progress


def test_progress_goes_to_standard_error_in_bytes_and_never_in_rows(events, monkeypatch):
    def slow_draw(*arguments):
        sleep(0.1)
        return draw(*arguments)

    draw = stages.draw
    monkeypatch.setattr(stages, "draw", slow_draw)
    monkeypatch.setattr(drawing, "progress", partial(drawing.progress, interval=0.02))
    done = command("run", events)
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert len(lines) > 2
    line = re.compile(r" +\d+ s  (reading|bounding and drawing)  0 of 0 MB  [\d.]+ MB/s")
    assert all(line.fullmatch(text) for text in lines), lines
    assert "MB" not in done.stdout


# What is looked at, and when


LAZY = """
import sys
from pipelines.cli import main
try:
    main()
except SystemExit as stop:
    print("left with", stop.code, [name for name in {modules!r} if name in sys.modules])
"""


def test_help_imports_nothing_heavy():
    modules = ("apache_beam", "polars", "pyarrow", "pydp", "pandas")
    program = LAZY.format(modules=modules)
    for arguments in (["--help"], ["run", "--help"], ["plan", "--help"], ["validate", "--help"]):
        done = in_process(*arguments, program=program)
        assert done.stdout.endswith("left with 0 []\n"), done.stdout
        assert done.stderr == ""


@pytest.mark.parametrize("name", ["plan", "validate"])
def test_plan_and_validate_need_neither_beam_nor_the_input(tmp_path, name):
    config = write_tables(tmp_path, TABLES, source="files: gone/*.parquet")
    done = in_process(name, config, program=LAZY.format(modules=("apache_beam",)))
    assert done.stdout.endswith("left with 0 []\n"), done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == [config]


def test_an_input_that_does_not_fit_leaves_no_trace(tmp_path):
    config = write_tables(tmp_path, TABLES)
    done = command("run", config)
    assert (done.returncode, done.stdout) == (1, "")
    assert_one_line(done.stderr)
    assert done.stderr == f"{config}:2:16: input.files: no file matches {tmp_path}/in.parquet\n"
    assert list(tmp_path.iterdir()) == [config]


def without_reader(*arguments):
    """Runs `dp-release` with its output to a program that is gone; returns exit code and errors."""
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as reader:
        reader.wait(timeout=50)
        done = subprocess.run(
            [COMMAND, *map(str, arguments)],
            stdout=reader.stdin,
            stderr=subprocess.PIPE,
            text=True,
            timeout=50,
        )
    return done.returncode, done.stderr


def test_a_release_whose_output_nobody_reads_is_published(tmp_path, events):
    assert without_reader("run", events) == (141, "")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *(*DOCUMENTS, "report.html", "t.parquet", "t.csv", "known.parquet", "known.csv")
    }
    assert published(tmp_path).height == 3
    assert_nothing_left_beside(tmp_path)


@pytest.mark.parametrize("arguments", [["plan"], ["plan", "--json"], ["validate"]])
def test_a_plan_that_nobody_reads_ends_quietly(events, arguments):
    assert without_reader(*arguments, events) == (141, "")


# Wrong commands


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "{config}", "extra"], "'extra' is not a Beam option; allowed: options after --\n"),
        (["run", "{config}", "--", "extra"], "'extra' is not a Beam option; allowed: "),
        (["run", "{config}", "--", "--direct_num_workers=x"], "--direct_num_workers: invalid int"),
        (["run", "{folder}/gone.yaml"], "{folder}/gone.yaml: no such file\n"),
        (["run", "{folder}"], "{folder}: is a folder; allowed: a YAML file\n"),
        (["plan", "{folder}"], "{folder}: is a folder; allowed: a YAML file\n"),
        (["validate", "{folder}/in.parquet"], "{folder}/in.parquet"),
    ],
)
def test_a_wrong_argument_leaves_with_1_and_one_line(tmp_path, events, arguments, message):
    places = {"config": events, "folder": tmp_path}
    done = command(*(argument.format(**places) for argument in arguments))
    assert (done.returncode, done.stdout) == (1, "")
    assert_one_line(done.stderr)
    assert message.format(**places) in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["run"], ["run", "x", "--no-such"], ["no-such"]])
def test_a_wrong_command_line_does_not_leave_with_the_code_of_a_refused_budget(arguments):
    done = in_process(*arguments)
    assert done.returncode == 1
    assert "Usage: dp-release" in done.stderr


# Where it goes


def refused(config, path):
    """Runs a release that is refused before it reads, and returns the message."""
    with pytest.raises(ConfigError) as caught:
        run(config)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert problem.line is not None
    return problem.message


@pytest.mark.parametrize("name", ["notes.txt", "t.parquet", ".hidden", "deeper/plan.json"])
def test_a_folder_with_other_files_is_refused_and_kept(tmp_path, events, name):
    other = tmp_path / "out" / name
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    with pytest.raises(ConfigError, match=r"holds other files, such as .*, and"):
        run(events)
    assert other.read_text() == "mine"
    assert not (tmp_path / ".dp-release").exists()


@pytest.mark.parametrize("again", [(), ("--correct", "a wrong name")], ids=["again", "corrected"])
def test_a_file_beside_those_of_a_release_is_refused_and_kept(tmp_path, events, again):
    run(events)
    before = files_below(tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    done = command("run", events, *again)
    assert (done.returncode, done.stdout) == (1, "")
    assert "out holds other files, such as notes.txt, and publication replaces" in done.stderr
    (tmp_path / "out" / "notes.txt").unlink()
    assert files_below(tmp_path / "out") == before


@pytest.mark.parametrize("change", ["edited", "deleted"])
def test_it_is_said_that_a_changed_file_of_a_release_was_put_back(tmp_path, events, change):
    run(events)
    before = files_below(tmp_path / "out")
    csv = tmp_path / "out" / "t.csv"
    if change == "edited":
        csv.write_text("country\n")
    else:
        csv.unlink()
    done = command("run", events)
    assert done.returncode == 0
    assert done.stderr == (
        f"{tmp_path}/out was not as it was published, and is again: its files were put back\n"
    )
    assert files_below(tmp_path / "out") == before
    assert command("run", events).stderr == ""


def test_a_correction_does_not_say_that_it_put_back_what_it_replaces(tmp_path, events):
    run(events)
    (tmp_path / "out" / "t.csv").write_text("country\n")
    done = command("run", events, "--correct", "a wrong name")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_empty_folder_is_fine(tmp_path, events):
    (tmp_path / "out").mkdir()
    run(events)
    assert published(tmp_path).height == 3


def test_the_folder_of_the_config_is_no_output_folder(tmp_path, events):
    events.write_text(events.read_text().replace("folder: out", "folder: ."))
    assert "holds other files" in refused(events, "output.folder")
    assert events.exists()


def test_a_file_where_the_output_folder_should_be_is_kept(tmp_path, events):
    (tmp_path / "out").write_text("mine")
    assert "is no folder" in refused(events, "output.folder")
    assert (tmp_path / "out").read_text() == "mine"


def test_an_output_folder_that_cannot_be_made_is_refused_before_anything_is_read(tmp_path, events):
    (tmp_path / "file").write_text("")
    events.write_text(events.read_text().replace("folder: out", "folder: file/deeper/out"))
    assert f"{tmp_path}/file is not a folder" in refused(events, "output.folder")
    events.write_text(events.read_text().replace("folder: file/deeper/out", "folder: file/out"))
    refused(events, "output.folder")
    assert not (tmp_path / ".dp-release").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_without_permission_is_refused(tmp_path, events):
    (tmp_path / "locked").mkdir(mode=0o500)
    events.write_text(events.read_text().replace("folder: out", "folder: locked/out"))
    assert "cannot be written to" in refused(events, "output.folder")


def test_an_output_folder_on_the_web_is_refused(events):
    events.write_text(events.read_text().replace("folder: out", "folder: s3://bucket/out"))
    assert "is no place for files; allowed: gs://bucket/folder" in refused(events, "output.folder")


@pytest.mark.parametrize("staging", ["out", "out/staging", "deeper/../out/private"])
def test_private_staging_inside_the_publication_is_refused(tmp_path, events, staging):
    events.write_text(f"{events.read_text()}  staging: {staging}\n")
    assert "is private, and" in refused(events, "output.staging")
    assert not (tmp_path / "out").exists()


def test_staging_that_cannot_be_made_is_refused(tmp_path, events):
    (tmp_path / "file").write_text("")
    events.write_text(f"{events.read_text()}  staging: file/private\n")
    assert "cannot be made" in refused(events, "output.staging")


def test_staging_goes_where_the_config_says(tmp_path, events):
    events.write_text(f"{events.read_text()}  staging: private\n")
    run(events)
    assert (tmp_path / "private" / "all" / "v1" / "attempt-1" / "drawn" / "t.parquet").is_file()
    assert [path.name for path in (tmp_path / ".dp-release").iterdir()] == ["ledger.db"]
