"""What the config may say of gates."""

import pytest
from gated import write_config

from pipelines.spec import ConfigError, load_release
from pipelines.spec.gates_spec import days_column


def refusals(config):
    with pytest.raises(ConfigError) as caught:
        load_release(config)
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ("{on_missing: wait}", "gates.on_missing: is the text 'wait'; allowed: stop, publish"),
        ("{unfinished: no}", "gates.unfinished: is the text 'no'; allowed: stop, publish"),
        ("{retention: 90}", "gates.retention: is the number 90; allowed: text"),
        (
            "{retention: 3 months}",
            "gates.retention: this is '3 months'; allowed: a number of days such as 90 days",
        ),
        (
            "{retention: 0 days}",
            "gates.retention: this is '0 days'; allowed: a number of days such",
        ),
        (
            "{files: 3}",
            "gates.files: is the number 3; allowed: a list of two whole numbers, [least",
        ),
        (
            "{files: [3]}",
            "gates.files: is a list; allowed: a list of two whole numbers, [least, mo",
        ),
        (
            "{files: [5, 3]}",
            "gates.files: this is [5, 3]; allowed: [least, most], from 0, the least",
        ),
        ("{bytes: [-1, 3]}", "gates.bytes: this is [-1, 3]; allowed: [least, most], from 0"),
        ("{bytes: [1.5, 3]}", "gates.bytes[0]: is the number 1.5; allowed: a whole number"),
        ("{retenton: 1 days}", "gates.retenton: unknown key; did you mean 'retention'?"),
        ("{days: day}", "gates.days: 'day' is no column from folder names; allowed: dt"),
        (
            "{partitions: {u: {number: [1, 2]}}}",
            "gates.partitions.u: there is no table 'u'; allowed: t",
        ),
        (
            "{partitions: {t: {}}}",
            "gates.partitions.t: expects nothing; allowed: with number, list",
        ),
        (
            "{partitions: {t: {number: [1, 2], share: 0.5}}}",
            "gates.partitions.t.share: is the share of nothing; allowed: with listed",
        ),
        (
            "{partitions: {t: {listed: a.csv, share: 1.5}}}",
            "gates.partitions.t.share: this is 1.5; allowed: above 0, at most 1",
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(tmp_path, gates, message):
    (found,) = refusals(write_config(tmp_path, gates))
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ("{since: 2026-W01}", "gates.since: is about periods; allowed: with the key 'period'"),
        (
            "{unfinished: stop}",
            "gates.unfinished: is about periods; allowed: with the key",
        ),
        ("{days: dt}", "gates.days: no days are expected; allowed: with period, or retention"),
        (
            "{retention: 9 days}",
            "gates.retention: the age of the input is not known; allowed",
        ),
        (
            "{on_missing: publish}",
            "gates.on_missing: nothing is expected, so nothing can be",
        ),
    ],
)
def test_gates_that_could_never_close_are_refused(tmp_path, gates, message):
    (found,) = refusals(write_config(tmp_path, gates, period=None))
    assert found.startswith(message)


def test_gates_on_files_need_files(tmp_path):
    config = write_config(tmp_path, "{days: dt, files: [1, 2], bytes: [1, 2], retention: 9 days}")
    text = config.read_text().replace(
        "files: events/dt=*/*.parquet", "bigquery: {table: project.dataset.table}"
    )
    config.write_text(text)
    assert [found.partition(": ")[0] for found in refusals(config)] == [
        "gates.days",
        "gates.files",
        "gates.bytes",
    ]


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("", "", "dt"),
        ("types: {dt: date}", "types: {dt: timestamp}", "dt"),
        (", types: {dt: date}", "", None),
        ("time: dt, types: {dt: date}", "time: at", None),
        ("gates: {}", "gates: {days: dt}", "dt"),
    ],
)
def test_days_are_those_of_folders_that_are_dates(tmp_path, old, new, column):
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace(old, new))
    assert days_column(load_release(config).spec) == column
