"""Gates on the partitions of the output: decided on what would be published, and free."""

import polars as pl
import pytest
from gated import (
    DAYS,
    USERS,
    WEEK,
    completeness,
    entries,
    point,
    publish,
    rows,
    run,
    states,
    write_week,
)
from hypothesis import given
from hypothesis import strategies as st

from pipelines.gates.outcome import GateError
from pipelines.gates.partition_gates import partition_gates
from pipelines.plan import plan_release
from pipelines.publication.verify import verify_release
from pipelines.spec import ConfigError, load_release

SELECTED = "keys: [country]"
LISTED = "partitions: {t: {listed: {country: [DE, FR, US]}}}"


def test_a_missing_partition_stops_the_publication_and_the_draw_stays(tmp_path):
    config = write_week(tmp_path, f"{{{LISTED}}}", keys=SELECTED)
    with pytest.raises(GateError) as caught:
        run(config)
    assert caught.value.gates == ("partitions",)
    assert (
        "gates.partitions.t: stopped: 2 of 3 partitions of t are missing: FR; US; allowed: "
        "gates.on_missing: publish or --incomplete, which publish it with this status, or "
        "dp-release abandon, which spends its charge"
    ) in str(caught.value)
    assert states(config) == {f"r@{WEEK}": "drawn"}
    assert not (tmp_path / "out" / WEEK).exists()


def test_a_rerun_stops_again_with_the_same_values_and_charges_nothing(tmp_path):
    config = write_week(tmp_path, f"{{{LISTED}}}", keys=SELECTED)
    texts = []
    for again in (run, run, publish):
        with pytest.raises(GateError) as caught:
            again(config)
        texts.append(str(caught.value))
    assert texts[0] == texts[1] == texts[2]
    assert entries(config) == 3  # reserved, drawing, drawn


@pytest.mark.parametrize("by", ["config", "run", "publish"])
def test_it_is_published_with_a_status_where_that_is_said(tmp_path, by):
    config = write_week(tmp_path, f"{{{LISTED}}}", keys=SELECTED)
    with pytest.raises(GateError):
        run(config)
    if by == "config":
        write_week(tmp_path, f"{{on_missing: publish, {LISTED}}}", keys=SELECTED)
    done = (publish if by == "publish" else run)(config, incomplete=by != "config")
    assert completeness(done)["gates"] == ["unfinished", "days", "partitions of t"]
    (missing,) = completeness(done)["missing"]
    assert missing == {
        "kind": "partitions",
        "names": ["FR", "US"],
        "number": 2,
        "expected": 3,
        "table": "t",
    }
    assert "incomplete: 2 of 3 partitions of t are missing: FR; US" in point(done, 24)
    assert verify_release(done.folder).problems == ()


def test_a_share_of_the_partitions_is_enough(tmp_path):
    gate = "{partitions: {t: {listed: {country: [DE, FR, US]}, share: 0.33}}}"
    assert run(write_week(tmp_path, gate, keys=SELECTED)).completeness.missing == ()


@given(st.integers(0, 30), st.integers(1, 30), st.integers(1, 100))
def test_the_share_is_that_of_exact_arithmetic(there, expected, percent):
    """Against whole numbers: of shares in percent."""
    config = _by_number(expected, percent)
    table = pl.DataFrame({"country": list(range(there))}, schema={"country": pl.Int64})
    found = partition_gates(config, {"t": table})
    enough = 100 * min(there, expected) >= percent * expected
    assert (found.missing == ()) == enough


def _by_number(expected, percent):
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        gate = f"{{listed: {{country: {list(range(expected))}}}, share: {percent / 100}}}"
        return load_release(
            write_week(Path(folder), f"{{partitions: {{t: {gate}}}}}", keys=SELECTED, missing=DAYS)
        )


@pytest.mark.parametrize(
    ("number", "missing"), [("[1, 1]", False), ("[2, 9]", True), ("[0, 0]", True)]
)
def test_the_number_of_partitions_is_held_against_a_range(tmp_path, number, missing):
    gate = f"{{on_missing: publish, partitions: {{t: {{number: {number}}}}}}}"
    found = run(write_week(tmp_path, gate, keys=SELECTED)).completeness
    assert bool(found.missing) == missing
    if missing:
        least, most = number.strip("[]").split(", ")
        assert str(found) == f"incomplete: t has 1 partitions, and {least} to {most} are expected"


def test_the_row_of_others_and_dropped_rows_are_no_partitions(tmp_path):
    gate = "{on_missing: publish, partitions: {t: {number: [1, 1]}}}"
    config = write_week(tmp_path, gate, keys="keys: [country]\n    other: true")
    assert run(config).completeness.missing == ()
    frame = pl.DataFrame({"country": ["DE", "FR", None]})
    found = partition_gates(load_release(config), {"t": frame})
    assert found.missing[0].number == 2


def test_what_publish_drops_is_missing(tmp_path):
    """The gate is on what readers get: here the row of FR, which is near 0, is dropped."""
    gate = "{on_missing: publish, partitions: {t: {listed: {country: [DE, FR]}}}}"
    config = write_week(tmp_path, gate, more="")
    config.write_text(
        config.read_text().replace("{n: count}\n", "{n: count}\n    publish: {minimum: {n: 20}}\n")
    )
    assert run(config).completeness.missing[0].names == ("FR",)


def test_public_partitions_are_always_there(tmp_path):
    gate = "{partitions: {t: {listed: {country: [DE, FR]}, number: [2, 2]}}}"
    assert rows(run(write_week(tmp_path, gate)))["FR"] == 0


def test_lists_are_files_too_and_many_missing_ones_are_counted(tmp_path):
    names = ["DE", *(f"X{number:03}" for number in range(150))]
    pl.DataFrame({"country": names}).write_csv(tmp_path / "countries.csv")
    gate = "{on_missing: publish, partitions: {t: {listed: countries.csv}}}"
    done = run(write_week(tmp_path, gate, keys=SELECTED))
    (missing,) = done.completeness.missing
    assert (missing.number, missing.expected, len(missing.names)) == (150, 151, 100)
    assert str(missing).endswith("X098; X099 and 50 more")


def test_keys_of_several_columns_and_types_are_compared_as_they_are_meant(tmp_path):
    gate = (
        "{on_missing: publish, partitions: {t: {listed: "
        "{country: [DE], dt: {from: 2026-11-09, to: 2026-11-16}}}}}"
    )
    config = write_week(tmp_path, gate, keys="keys: [country, dt]")
    config.write_text(
        config.read_text().replace("bounds: {", "bounds: {max_partitions_contributed: 7, ")
    )
    (missing,) = run(config).completeness.missing
    assert (missing.names, missing.expected) == (("DE, 2026-11-16",), 8)


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ("{t: {listed: {contry: [DE]}}}", "listed.contry: is not a key of the table"),
        ("{t: {listed: missing.csv}}", "listed: no such file"),
        ("{t: {listed: [{country: [DE]}]}}", "partitions.t.listed"),
    ],
)
def test_lists_that_cannot_be_used_are_refused_by_validate(tmp_path, gate, message):
    config = write_week(tmp_path, f"{{partitions: {gate}}}", keys=SELECTED)
    with pytest.raises(ConfigError) as caught:
        plan_release(load_release(config))
    assert message in str(caught.value)


def test_lists_that_do_not_fit_the_input_are_refused_before_the_charge(tmp_path):
    config = write_week(tmp_path, "{partitions: {t: {listed: {country: [x]}}}}", keys=SELECTED)
    for path in tmp_path.glob("events/*/*"):
        pl.DataFrame({"user": USERS, "country": [7] * len(USERS)}).write_parquet(path)
    with pytest.raises(ConfigError, match=r"gates.partitions.t.listed: the value 'x' is listed"):
        run(config)
    assert states(config) == {}


def test_gates_are_no_part_of_the_plan(tmp_path):
    """They can be changed while a release is drawn, and cost nothing."""
    from pipelines.plan.file import plan_file

    hashes = set()
    for gates in ("{}", f"{{on_missing: publish, {LISTED}, files: [1, 9], retention: 90 days}}"):
        release = load_release(write_week(tmp_path, gates, keys=SELECTED))
        hashes.add(plan_file(release, plan_release(release)).plan_hash)
    assert len(hashes) == 1
