"""Options of a run on Dataflow: a YAML file of one environment, and what is the same everywhere.

A release YAML says what is released. Where it is computed is said once per environment, in a file
of its own, which no plan depends on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from pipelines.spec.errors import ConfigError
from pipelines.spec.fields import Model, Text, WholeNumber
from pipelines.spec.messages import add_problems
from pipelines.spec.source import ProblemList
from pipelines.spec.yaml_reader import read_yaml

ALWAYS = (
    "--runner=DataflowRunner",
    "--experiments=use_runner_v2",
    "--experiments=no_use_multiple_sdk_containers",
    "--experiments=disable_always_on_exception_sampling",
    "--no_use_public_ips",
    "--sdk_location=container",
    "--no_save_main_session",
)
"""Runner v2; one process per worker, as column kernels use all cores and share their memory; no
public addresses, and so nothing that workers would have to install; nothing pickled of the program,
which is in their image; no rows kept of steps that fail (`pipelines.run.options`)."""


def _matches(pattern: str, allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"is the text {value!r}; allowed: {allowed}")
        return value

    return AfterValidator(check)


def _at_least_one(value: int) -> int:
    if value < 1:
        raise ValueError(f"is the number {value}; allowed: a whole number from 1")
    return value


_Positive = Annotated[WholeNumber, AfterValidator(_at_least_one)]


class DataflowSpec(Model):
    """Where and how a release is drawn on Dataflow."""

    project: Annotated[
        Text, _matches(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", "a project id such as my-project-1")
    ]
    """Project that the job runs in."""
    region: Annotated[Text, _matches(r"[a-z]+-[a-z]+[0-9]+", "a region such as europe-west1")]
    """Region of the job; that of the buckets."""
    temp: Annotated[Text, _matches(r"gs://[^/]+(/.*)?", "a folder gs://bucket/folder")]
    """Private folder for what the job writes on its way."""
    worker_image: Annotated[
        Text,
        _matches(r"[^\s@]+@sha256:[0-9a-f]{64}", "an image with its digest, name@sha256:..."),
    ]
    """Image of the workers, by digest; that of the launcher."""
    service_account: Annotated[
        Text, _matches(r"[^\s@]+@[^\s@]+\.gserviceaccount\.com", "an account of a service")
    ]
    """Account of the workers; it reads raw data and writes staging, and nothing else."""
    kms_key: Annotated[
        Text | None,
        _matches(
            r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+",
            "projects/P/locations/L/keyRings/R/cryptoKeys/K",
        ),
    ] = None
    """Key that disks, shuffle and temporary files are encrypted with. Default: one of Google's."""
    subnetwork: Annotated[
        Text | None,
        _matches(
            r"(https://\S+/)?(projects/[^/]+/)?regions/[^/]+/subnetworks/[^/]+",
            "regions/R/subnetworks/S",
        ),
    ] = None
    """Subnetwork with Private Google Access. Default: that of the network `default`."""
    machine_type: Text = "n2-highmem-4"
    """Machine of the workers."""
    threads: _Positive = 2
    """Bundles that a worker works on at once; each uses two cores and some 2 GiB of memory."""
    max_workers: _Positive = 20
    """Most workers."""
    bounding_ram: Annotated[
        Text, _matches(r"[1-9][0-9]*(MB|MiB|GB|GiB)", "a size such as 16GB")
    ] = "16GB"
    """Memory that a worker needs which merges and bounds the units of a shard."""
    labels: dict[
        Annotated[Text, _matches(r"[a-z][a-z0-9_-]{0,62}", "small letters, digits, - and _")],
        Annotated[Text, _matches(r"[a-z0-9_-]{0,63}", "small letters, digits, - and _")],
    ] = Field(default_factory=dict)
    """Labels of the job, for bills."""


def load_dataflow(path: str | Path) -> DataflowSpec:
    """Loads the file of an environment.

    Raises:
        ConfigError: It cannot be read, or something is wrong in it.
    """
    source = read_yaml(path)
    problems = ProblemList(source, list(source.duplicates))
    try:
        spec = DataflowSpec.model_validate(source.data)
    except ValidationError as error:
        add_problems(error, problems, DataflowSpec)
        raise ConfigError(problems.found) from None
    problems.raise_if_any()
    return spec


def dataflow_arguments(spec: DataflowSpec, more: Sequence[str] = ()) -> list[str]:
    """Returns Beam options for a run on Dataflow.

    Args:
        spec: The environment.
        more: Options of the command line. Of an option that is there twice the last one counts.

    Returns:
        Command line options.
    """
    temp = spec.temp.rstrip("/")
    values: Mapping[str, str | int | None] = {
        "project": spec.project,
        "region": spec.region,
        "temp_location": temp,
        "staging_location": f"{temp}/graphs",
        "sdk_container_image": spec.worker_image,
        "service_account_email": spec.service_account,
        "dataflow_kms_key": spec.kms_key,
        "subnetwork": spec.subnetwork,
        "machine_type": spec.machine_type,
        "number_of_worker_harness_threads": spec.threads,
        "max_num_workers": spec.max_workers,
        "bounding_ram": spec.bounding_ram,
    }
    given = [f"--{name}={value}" for name, value in values.items() if value is not None]
    labels = [f"--labels={name}={value}" for name, value in spec.labels.items()]
    return [*ALWAYS, *given, *labels, *more]
