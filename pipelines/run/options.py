"""Options of the Beam runner, from the command line, and those of this program for its pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
    _BeamArgumentParser,
)
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
from apache_beam.runners.runner import create_runner
from apache_beam.transforms.resources import parse_resource_hints

from pipelines.in_time import TooSlowError, within
from pipelines.run.failures import RunError
from pipelines.spec import did_you_mean

LOCAL_RUNNER = "FnApiRunner"
"""What runs a pipeline on this machine. `DirectRunner` may choose another one by itself."""

NO_SAMPLES = "disable_always_on_exception_sampling"
"""Experiment that keeps a worker from sampling. Dataflow adds the first of `SAMPLES` to every job:
then a worker whose step fails writes the rows it was at to the temporary folder, and the console
shows them. This one wins over it, in Beam's `DataSampler`."""

SAMPLES = ("enable_always_on_exception_sampling", "enable_data_sampling")
"""Experiments that write rows of people where more may look than at the input."""

ANSWER_SECONDS = 30
"""For Beam's own check of the options, which looks at the buckets of a job on Dataflow."""


class OptionError(RunError):
    """A Beam option is wrong."""


class NoAnswerError(OptionError):
    """A place that an option names does not answer, so that Beam cannot check it."""


class ReleaseOptions(PipelineOptions):
    """What Beam does not ask for."""

    @classmethod
    def _add_argparse_args(cls, parser: _BeamArgumentParser) -> None:
        parser.add_argument(
            "--time_limit_s",
            type=int,
            help="Seconds to wait for a runner that is not the local one.",
        )
        parser.add_argument(
            "--bounding_ram",
            type=_memory,
            help="Memory of a worker that bounds a unit shard, such as 16GB, for runners that "
            "choose workers by it.",
        )
        parser.add_argument(
            "--scratch",
            help="Folder of this machine for the shuffle of a large local run whose staging is in "
            "a bucket.",
        )


def pipeline_options(arguments: Sequence[str]) -> PipelineOptions:
    """Parses options for Beam, and has Beam check them; the local runner is pinned.

    Args:
        arguments: Command line arguments: `--runner=FlinkRunner`.

    Returns:
        The options; with them no worker keeps samples of rows.

    Raises:
        OptionError: Beam does not know an option, or cannot use its value, or it samples rows.
        NoAnswerError: A bucket that an option names does not answer.
    """
    parsed = read_options(arguments)
    standard = parsed.view_as(StandardOptions)
    try:
        runner = create_runner(standard.runner)
    except (ValueError, ImportError) as error:
        first_line = str(error).splitlines()[0]
        raise OptionError(f"the runner {standard.runner!r} cannot be used: {first_line}") from None
    check = PipelineOptionsValidator(parsed, runner).validate
    try:
        problems = within(ANSWER_SECONDS, "Google Cloud", check)
    except TooSlowError:
        text = f"{_buckets(parsed)} did not answer in {ANSWER_SECONDS:g} s"
        raise NoAnswerError(f"{text}; allowed: a bucket that can be reached from here") from None
    if problems:
        raise OptionError(f"Beam options: {'; '.join(' '.join(p.split()) for p in problems)}")
    return parsed


def read_options(arguments: Sequence[str]) -> PipelineOptions:
    """Parses options for Beam as `pipeline_options` does, without a look at what they name.

    Raises:
        OptionError: Beam does not know an option, or cannot parse its value, or it samples rows.
    """
    parser = _Parser(add_help=False, allow_abbrev=False, conflict_handler="resolve")
    for options in _option_classes(PipelineOptions):
        options._add_argparse_args(parser)
    _, unknown = parser.parse_known_args(list(arguments))
    if unknown:
        known = [option for action in parser._actions for option in action.option_strings]
        name = unknown[0].partition("=")[0]
        raise OptionError(f"{unknown[0]!r} is not a Beam option{did_you_mean(name, known)}")
    parsed = PipelineOptions(list(arguments))
    _keep_no_samples(parsed)
    standard = parsed.view_as(StandardOptions)
    if standard.runner in (None, "DirectRunner"):
        standard.runner = LOCAL_RUNNER
    return parsed


def is_local(options: PipelineOptions) -> bool:
    """Returns whether the pipeline runs in this process."""
    return str(options.view_as(StandardOptions).runner) == LOCAL_RUNNER


def time_limit(options: PipelineOptions) -> int | None:
    """Returns the seconds to wait for the runner; None for no limit."""
    seconds: int | None = options.view_as(ReleaseOptions).time_limit_s
    return seconds


def bounding_ram(options: PipelineOptions) -> str | None:
    """Returns the memory of workers that bound units; None for that of any."""
    memory: str | None = options.view_as(ReleaseOptions).bounding_ram
    return memory


def scratch(options: PipelineOptions) -> Path | None:
    """Returns the folder for what a local run does not keep in memory; None for its staging."""
    folder: str | None = options.view_as(ReleaseOptions).scratch
    return None if folder is None else Path(folder)


def _keep_no_samples(options: PipelineOptions) -> None:
    """Turns sampling off for any runner, as Dataflow has several names, and refuses to turn it on.

    Raises:
        OptionError: An option asks for samples.
    """
    debug = options.view_as(DebugOptions)
    given = {
        "experiments": debug.experiments,
        "dataflow_service_options": options.view_as(GoogleCloudOptions).dataflow_service_options,
    }
    for name, values in given.items():
        for value in values or ():
            if value.partition("=")[0].strip() in SAMPLES:
                raise OptionError(
                    f"--{name} has {value.strip()!r}, which would write rows of people where more "
                    "can see them; allowed: without"
                )
    debug.add_experiment(NO_SAMPLES)


def _buckets(options: PipelineOptions) -> str:
    """Returns the places that Beam looks at, or what it looks for where none is named."""
    cloud = options.view_as(GoogleCloudOptions)
    places = dict.fromkeys(filter(None, (cloud.temp_location, cloud.staging_location)))
    return " or ".join(places) or "Google Cloud"


def _memory(text: str) -> str:
    parse_resource_hints({"min_ram": text})
    return text


class _Parser(_BeamArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OptionError(f"Beam options: {message}")


def _option_classes(options: type[PipelineOptions]) -> Iterator[type[PipelineOptions]]:
    yield options
    for subclass in options.__subclasses__():
        yield from _option_classes(subclass)
