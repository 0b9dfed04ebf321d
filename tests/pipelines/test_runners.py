"""What a user says of the runner: right words become Beam's options, wrong ones are named."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    PortableOptions,
    SparkRunnerOptions,
    StandardOptions,
)

from pipelines.doctor.reach import hopeless
from pipelines.run.options import is_local, pipeline_options, time_limit
from pipelines.run.runners import RUNNERS, RunnerChoice, RunnerError

COMMAND = Path(sys.executable).with_name("dp-release")
DAY = "--time_limit_s=86400"

RIGHT = [
    (RunnerChoice(), []),
    (RunnerChoice("local"), ["--runner=FnApiRunner"]),
    (
        RunnerChoice("flink"),
        ["--runner=FlinkRunner", "--flink_master=[local]", "--environment_type=LOOPBACK", DAY],
    ),
    (
        RunnerChoice("flink", "jm:8081", None, 4, "external:localhost:50000", "90s"),
        [
            *("--runner=FlinkRunner", "--flink_master=jm:8081"),
            *("--environment_type=EXTERNAL", "--environment_config=localhost:50000"),
            *("--parallelism=4", "--time_limit_s=90"),
        ],
    ),
    (
        RunnerChoice("flink", None, "localhost:8099", 2, "loopback", "2h"),
        [
            *("--runner=PortableRunner", "--job_endpoint=localhost:8099"),
            *("--environment_type=LOOPBACK", "--parallelism=2", "--time_limit_s=7200"),
        ],
    ),
    (
        RunnerChoice("spark", "local[4]"),
        [
            *("--runner=SparkRunner", "--spark_master_url=local[4]"),
            *("--environment_type=LOOPBACK", DAY),
        ],
    ),
    (
        RunnerChoice("spark", "spark://a:7077", None, None, "docker:image:1"),
        [
            *("--runner=SparkRunner", "--spark_master_url=spark://a:7077"),
            *("--environment_type=DOCKER", "--environment_config=image:1", DAY),
        ],
    ),
    (
        RunnerChoice("prism", time_limit="30m"),
        ["--runner=PrismRunner", "--job_server_timeout=1800", "--time_limit_s=1800"],
    ),
    (RunnerChoice("dataflow"), ["--runner=DataflowRunner", DAY]),
    (
        RunnerChoice("portable", None, "js:1", None, "process:/opt/boot"),
        [
            *("--runner=PortableRunner", "--job_endpoint=js:1", "--environment_type=PROCESS"),
            *(f"--environment_config={json.dumps({'command': '/opt/boot'})}", DAY),
        ],
    ),
]

WRONG = {
    RunnerChoice("fink"): "--runner is 'fink'; allowed: local, flink, spark, prism, dataflow,",
    RunnerChoice(None, "local"): "--master is 'local'; allowed: with a --runner only",
    RunnerChoice(None, time_limit="1h"): "--time-limit is '1h'; allowed: with a --runner only",
    RunnerChoice("local", parallelism=2): "--parallelism is 2; allowed: with a --runner other",
    RunnerChoice("spark", parallelism=2): "--parallelism is 2; allowed: with --runner flink only",
    RunnerChoice("prism", "local"): "--master is 'local'; allowed: with --runner flink or spark",
    RunnerChoice("dataflow", environment="docker:i"): "--environment is 'docker:i'; allowed: with",
    RunnerChoice("flink", "nowhere"): "--master is 'nowhere'; allowed: local, or HOST:PORT",
    RunnerChoice("flink", "local[2]"): "--master is 'local[2]'; allowed: local, or HOST:PORT",
    RunnerChoice("spark", "a:7077"): "--master is 'a:7077'; allowed: local[N], or spark://HOST",
    RunnerChoice("flink", "a:1"): "--environment is missing; allowed: docker:IMAGE, external:",
    RunnerChoice("flink", "a:1", None, None, "loopback"): "--environment is 'loopback'; allowed: d",
    RunnerChoice("flink", None, "far:1", None, "loopback"): "--environment is 'loopback'; allowed",
    RunnerChoice("flink", None, "localhost:1"): "--environment is missing; allowed: loopback,",
    RunnerChoice("flink", "a:1", "b:1", None, "docker:i"): "--master is 'a:1', and the job server",
    RunnerChoice("flink", None, "no.jar"): "--job-server is 'no.jar'; allowed: HOST:PORT of a run",
    RunnerChoice("prism", None, "nowhere"): "--job-server is 'nowhere'; allowed: the program pri",
    RunnerChoice("portable"): "--job-server is missing; allowed: HOST:PORT of a running job serv",
    RunnerChoice("flink", parallelism=0): "--parallelism is 0; allowed: 1 or more",
    RunnerChoice("flink", environment="docker:"): "--environment is 'docker:'; allowed: loopback",
    RunnerChoice("flink", environment="external:a"): "--environment is 'external:a'; allowed:",
    RunnerChoice("flink", time_limit="soon"): "--time-limit is 'soon'; allowed: a time such as",
    RunnerChoice("flink", time_limit="0s"): "--time-limit is '0s'; allowed: a time such as 90s",
}


@pytest.mark.parametrize(("choice", "options"), RIGHT, ids=str)
def test_right_words_become_options_of_beam(choice, options):
    assert choice.beam_options() == options
    assert choice.beam_options(["--job_name=x"]) == [*options, "--job_name=x"]


@pytest.mark.parametrize("choice", WRONG, ids=str)
def test_wrong_words_are_named_with_what_is_allowed(choice):
    with pytest.raises(RunnerError) as caught:
        choice.beam_options()
    assert str(caught.value).startswith(WRONG[choice])
    assert "\n" not in str(caught.value)


def test_a_second_runner_is_refused():
    with pytest.raises(RunnerError, match="there is another one after --"):
        RunnerChoice("flink").beam_options(["--runner=SparkRunner"])


def test_beam_takes_the_options():
    jar = Path(__file__)
    choice = RunnerChoice("flink", "jm:8081", str(jar), 3, "external:workers:50000", "5m")
    options = pipeline_options(choice.beam_options())
    assert not is_local(options)
    assert time_limit(options) == 300
    assert options.view_as(StandardOptions).runner == "FlinkRunner"
    flink = options.view_as(FlinkRunnerOptions)
    assert (flink.flink_master, flink.parallelism) == ("jm:8081", 3)
    assert flink.flink_job_server_jar == str(jar.resolve())
    portable = options.view_as(PortableOptions)
    assert portable.environment_type == "EXTERNAL"
    assert portable.environment_config == "workers:50000"
    spark = pipeline_options(RunnerChoice("spark", None, str(jar)).beam_options())
    assert spark.view_as(SparkRunnerOptions).spark_master_url == "local[2]"


def test_the_local_runner_has_no_time_limit():
    assert time_limit(pipeline_options(RunnerChoice("local").beam_options())) is None


def test_every_runner_but_the_local_one_has_a_time_limit():
    for runner in set(RUNNERS) - {"local", "portable"}:
        assert DAY in RunnerChoice(runner).beam_options()


def test_a_job_server_that_does_not_listen_is_named():
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        endpoint = f"localhost:{taken.getsockname()[1]}"
        choice = RunnerChoice("flink", None, endpoint, None, "loopback")
        assert hopeless(choice) == (
            f"--job-server is {endpoint!r}, where nothing listens; allowed: a running job server"
        )
        taken.listen()
        assert hopeless(choice) is None
    choice = RunnerChoice("flink", endpoint, None, None, "docker:image")
    assert "where no Flink answers" in hopeless(choice)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--runner", "fink"], "--runner is 'fink'; allowed: local, flink"),
        (["--runner", "flink", "--", "--runner=SparkRunner"], "there is another one after --"),
        (["--runner=flink", "--master=localhost:1", "--environment=docker:x"], "no Flink answers"),
    ],
    ids=str,
)
def test_the_command_leaves_with_1_and_one_line(tmp_path, options, message):
    done = subprocess.run(
        [COMMAND, "run", tmp_path / "none.yaml", *options],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
