"""Options for Beam after `--`: wrong ones are named in one line, right ones arrive."""

from __future__ import annotations

import sys

import polars as pl
import pytest
from apache_beam.options.pipeline_options import (
    DirectOptions,
    GoogleCloudOptions,
    StandardOptions,
    TypeOptions,
)
from commands import command_here

from pipelines.run.options import OptionError, is_local, pipeline_options

WRONG = {
    "--direct_num_wrkers=1": (
        "'--direct_num_wrkers=1' is not a Beam option; did you mean '--direct_num_workers'?"
    ),
    "--Runner=DirectRunner": "'--Runner=DirectRunner' is not a Beam option",
    "--direct-num-workers=1": (
        "'--direct-num-workers=1' is not a Beam option; did you mean '--direct_num_workers'?"
    ),
    "--replace": "'--replace' is not a Beam option",
    "--zzzzzzzzzz": "'--zzzzzzzzzz' is not a Beam option",
    "--direct_num_worker=1": (
        "'--direct_num_worker=1' is not a Beam option; did you mean '--direct_num_workers'?"
    ),
    "--runner=Bogus": "the runner 'Bogus' cannot be used: Unexpected pipeline runner: Bogus",
    "--runner=no.such.module.Runner": "the runner 'no.such.module.Runner' cannot be used",
    "--runner=": "the runner '' cannot be used",
    "--runner": "Beam options: argument --runner: expected one argument",
    "--direct_num_workers=x": (
        "Beam options: argument --direct_num_workers: invalid int value: 'x'"
    ),
    "--direct_running_mode=fast": "argument --direct_running_mode: invalid choice: 'fast'",
}


@pytest.fixture
def config(tmp_path):
    frame = pl.DataFrame({"user": [f"u{number}" for number in range(60)], "country": ["DE"] * 60})
    frame.write_parquet(tmp_path / "in.parquet")
    path = tmp_path / "release.yaml"
    path.write_text(
        "release: r\ninput: {files: in.parquet}\n"
        "privacy: {unit: user, epsilon: 30, delta: 1e-6}\n"
        "tables: {t: {keys: [country], metrics: {n: count}}}\n"
        "output: {folder: out, formats: [csv]}\n"
    )
    return path


def command(config, *options):
    return command_here("run", config, "--", *options)


@pytest.mark.parametrize("option", WRONG)
def test_a_wrong_option_is_named_in_one_line(option):
    with pytest.raises(OptionError) as caught:
        pipeline_options([option])
    message = str(caught.value)
    assert message.startswith(WRONG[option]) or WRONG[option] in message
    assert option.partition("=")[0] in message or option.partition("=")[2] in message
    assert "\n" not in message


@pytest.mark.parametrize("option", ["--zzzzzzzzzz", "--12345"])
def test_nothing_is_suggested_for_what_is_like_no_option(option):
    with pytest.raises(OptionError) as caught:
        pipeline_options([option])
    assert str(caught.value) == f"{option!r} is not a Beam option"


@pytest.mark.parametrize(
    "option",
    ["--direct_num_wrkers=1", "--replace", "--runner=Bogus", "--direct_num_workers=x"],
)
def test_the_command_leaves_with_1_and_has_touched_nothing(tmp_path, config, option):
    before = sorted(tmp_path.rglob("*"))
    done = command(config, option)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1, done.stderr
    assert WRONG[option] in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_wrong_option_after_good_ones_is_the_one_named():
    with pytest.raises(OptionError, match="'--bogus_thing=1' is not a Beam option"):
        pipeline_options(["--direct_num_workers=1", "--runner=DirectRunner", "--bogus_thing=1"])


@pytest.mark.parametrize(
    "options",
    [[], ["--runner=DirectRunner"], ["--runner", "DirectRunner"], ["--runner=FnApiRunner"]],
    ids=str,
)
def test_the_local_runner_is_pinned(options):
    parsed = pipeline_options(options)
    assert parsed.view_as(StandardOptions).runner == "FnApiRunner"
    assert is_local(parsed)


@pytest.mark.parametrize("runner", ["FlinkRunner", "PortableRunner", "SparkRunner"])
def test_other_runners_stay_as_they_are(runner):
    parsed = pipeline_options([f"--runner={runner}"])
    assert parsed.view_as(StandardOptions).runner == runner
    assert not is_local(parsed)


def test_good_options_arrive():
    parsed = pipeline_options(
        [
            "--direct_num_workers=2",
            "--direct_running_mode=multi_threading",
            "--job_name=release",
            *("--temp_location", "gs://bucket/temp"),
            "--runtime_type_check",
            *("--experiments=one", "--experiments=two"),
        ]
    )
    assert parsed.view_as(DirectOptions).direct_num_workers == 2
    assert parsed.view_as(DirectOptions).direct_running_mode == "multi_threading"
    assert parsed.view_as(GoogleCloudOptions).job_name == "release"
    assert parsed.view_as(GoogleCloudOptions).temp_location == "gs://bucket/temp"
    assert parsed.view_as(TypeOptions).runtime_type_check
    assert {"one", "two"} <= set(parsed.get_all_options()["experiments"])


def test_options_of_the_program_that_calls_do_not_count(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["dp-release", "run", "x", "--", "--direct_num_workers=7"])
    assert pipeline_options([]).view_as(DirectOptions).direct_num_workers == 1


@pytest.mark.parametrize(
    "options",
    [
        ["--runner=DirectRunner", "--direct_num_workers=1"],
        ["--direct_running_mode=multi_threading", "--direct_num_workers=2"],
    ],
    ids=str,
)
def test_a_run_with_good_options_is_like_any_other(tmp_path, config, options):
    done = command(config, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert pl.read_csv(tmp_path / "out" / "t.csv")["country"].to_list() == ["DE"]
