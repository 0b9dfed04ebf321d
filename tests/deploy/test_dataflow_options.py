"""Options of a run on Dataflow: from a file and from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from apache_beam.options.pipeline_options import DebugOptions
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
from apache_beam.runners.worker.data_sampler import DataSampler
from deploy_files import ROOT

from pipelines.run import options as run_options
from pipelines.run.dataflow import ALWAYS, DataflowSpec, dataflow_arguments, load_dataflow
from pipelines.run.options import (
    NoAnswerError,
    OptionError,
    bounding_ram,
    pipeline_options,
    read_options,
)
from pipelines.spec import ConfigError

GOOD = {
    "project": "proj-abc",
    "region": "europe-west1",
    "temp": "gs://proj-abc-staging/temp/",
    "worker_image": f"europe-west1-docker.pkg.dev/proj-abc/dp/release@sha256:{'0' * 64}",
    "service_account": "worker@proj-abc.iam.gserviceaccount.com",
}
WRONG = {
    "project": ("Proj", "is the text 'Proj'; allowed: a project id such as my-project-1"),
    "region": ("europe", "is the text 'europe'; allowed: a region such as europe-west1"),
    "temp": ("/tmp", "is the text '/tmp'; allowed: a folder gs://bucket/folder"),
    "worker_image": (
        "image:latest",
        "is the text 'image:latest'; allowed: an image with its digest, name@sha256:...",
    ),
    "service_account": ("me", "is the text 'me'; allowed: an account of a service"),
    "kms_key": (
        "key",
        "is the text 'key'; allowed: projects/P/locations/L/keyRings/R/cryptoKeys/K",
    ),
    "threads": (0, "is the number 0; allowed: a whole number from 1"),
    "max_workers": (-1, "is the number -1; allowed: a whole number from 1"),
    "bounding_ram": ("16", "is the text '16'; allowed: a size such as 16GB"),
}


def write(folder: Path, **more: object) -> Path:
    path = folder / "dataflow.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **more}))
    return path


def values(arguments: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        found.setdefault(name, []).append(value)
    return found


def test_the_file_becomes_options_of_beam(tmp_path):
    key = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
    spec = load_dataflow(write(tmp_path, kms_key=key, labels={"team": "telemetry"}))
    arguments = dataflow_arguments(spec, ["--max_num_workers=3"])
    assert arguments[: len(ALWAYS)] == list(ALWAYS)
    assert values(arguments[len(ALWAYS) :]) == {
        "project": ["proj-abc"],
        "region": ["europe-west1"],
        "temp_location": ["gs://proj-abc-staging/temp"],
        "staging_location": ["gs://proj-abc-staging/temp/graphs"],
        "sdk_container_image": [GOOD["worker_image"]],
        "service_account_email": [GOOD["service_account"]],
        "dataflow_kms_key": [key],
        "machine_type": ["n2-highmem-4"],
        "number_of_worker_harness_threads": ["2"],
        "max_num_workers": ["20", "3"],
        "bounding_ram": ["16GB"],
        "labels": ["team=telemetry"],
    }


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_named_with_its_place_and_what_is_allowed(tmp_path, name):
    value, message = WRONG[name]
    path = write(tmp_path, **{name: value})
    with pytest.raises(ConfigError) as caught:
        load_dataflow(path)
    (line,) = str(caught.value).splitlines()
    assert f"{name}: {message}" in line
    assert line.startswith(f"{path}:")


def test_a_misspelt_key_is_named(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'max_workers'"):
        load_dataflow(write(tmp_path, max_worker=3))


def test_the_example_is_complete():
    spec = load_dataflow(ROOT / "deploy" / "dataflow.example.yaml")
    assert set(spec.model_dump()) == set(DataflowSpec.model_fields)
    text = (ROOT / "deploy" / "dataflow.example.yaml").read_text(encoding="utf-8")
    assert {*DataflowSpec.model_fields} == set(yaml.safe_load(text))


def test_memory_for_bounding_is_an_option_of_every_runner():
    parsed = pipeline_options(["--bounding_ram=16GB"])
    assert bounding_ram(parsed) == "16GB"
    assert bounding_ram(pipeline_options([])) is None
    with pytest.raises(OptionError, match="--bounding_ram"):
        pipeline_options(["--bounding_ram=much"])


def test_the_command_refuses_a_wrong_file_before_anything_else(tmp_path):
    path = write(tmp_path, region="moon")
    done = subprocess.run(
        [
            Path(sys.executable).with_name("dp-release"),
            *("run", ROOT / "configs" / "bike_stations.yaml", "--dataflow", path),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        timeout=50,
    )
    assert done.returncode == 1
    assert "region: is the text 'moon'; allowed: a region such as europe-west1" in done.stderr
    assert done.stderr.count("\n") == 1


# Samples of rows

SAMPLES = ["enable_data_sampling", "enable_always_on_exception_sampling"]
CHOSEN = {
    "a file": lambda path: dataflow_arguments(load_dataflow(path)),
    "a name": lambda _: ["--runner=DataflowRunner"],
    "another name": lambda _: ["--runner", "dataflowrunner"],
    "nothing": lambda _: [],
}


@pytest.mark.parametrize("chosen", CHOSEN)
def test_workers_keep_no_samples_of_rows_whatever_the_service_adds(tmp_path, chosen):
    options = read_options(CHOSEN[chosen](write(tmp_path)))
    debug = options.view_as(DebugOptions)
    debug.add_experiment("enable_always_on_exception_sampling")  # As Dataflow does.
    assert DataSampler.create(options) is None
    debug.experiments.remove("disable_always_on_exception_sampling")
    assert DataSampler.create(options) is not None


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize(
    "option", ["--experiments={}", "--experiment=one,{}", "--dataflow_service_options=one, {}=1"]
)
@pytest.mark.parametrize("runner", [[], ["--runner=DataflowRunner"]], ids=["local", "dataflow"])
def test_samples_of_rows_are_refused(sample, option, runner):
    with pytest.raises(OptionError, match=r"would write rows of people .*; allowed: without") as e:
        pipeline_options([*runner, option.format(sample)])
    assert sample in str(e.value)


def test_a_template_keeps_no_samples_before_its_options_are_read():
    assert "--experiments=disable_always_on_exception_sampling" in ALWAYS


# Buckets that do not answer


def test_a_bucket_that_does_not_answer_is_named_in_time(tmp_path, monkeypatch):
    """Beam asks Google Cloud about the buckets, and asks again for minutes."""
    asked = threading.Event()
    monkeypatch.setattr(run_options, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(PipelineOptionsValidator, "validate", lambda _: asked.wait(20))
    monkeypatch.setattr(run_options, "create_runner", lambda name: name)
    began = time.monotonic()
    with pytest.raises(NoAnswerError) as caught:
        pipeline_options(dataflow_arguments(load_dataflow(write(tmp_path))))
    asked.set()
    assert time.monotonic() - began < 10
    assert str(caught.value) == (
        "gs://proj-abc-staging/temp or gs://proj-abc-staging/temp/graphs did not answer in 0.1 s; "
        "allowed: a bucket that can be reached from here"
    )
