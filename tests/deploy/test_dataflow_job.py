"""The job that Dataflow would get, translated here: machines, accounts, keys, memory, coders.

Beam's runner writes the job to a bucket, an emulator in this process, in place of submitting it.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest
from deploy_files import ROOT, needs

needs("apache_beam.runners.dataflow", "google.cloud.storage", "gcp_storage_emulator")
pytest.importorskip(
    "apache_beam.io.gcp.gcsio", reason="needs Beam's gcp: pip install 'dp-release[cloud]'"
)

from apache_beam.portability.api import beam_runner_api_pb2  # noqa: E402

sys.path.insert(0, str(ROOT / "tests" / "once"))

from once_release import run, write_release  # noqa: E402
from small_series import kinds  # noqa: E402

from pipelines.ledger import LedgerError  # noqa: E402
from pipelines.plan import plan_release  # noqa: E402
from pipelines.run.dataflow import dataflow_arguments, load_dataflow  # noqa: E402
from pipelines.run.exactly_once import publish_release  # noqa: E402
from pipelines.run.staging import StagingError  # noqa: E402
from pipelines.spec import load_release  # noqa: E402

KEY = "projects/proj-abc/locations/europe-west1/keyRings/dp/cryptoKeys/dp"
IMAGE = f"europe-west1-docker.pkg.dev/proj-abc/dp/release@sha256:{'0' * 64}"
ENVIRONMENT = f"""\
project: proj-abc
region: europe-west1
temp: gs://bucket/temp
worker_image: {IMAGE}
service_account: worker@proj-abc.iam.gserviceaccount.com
kms_key: {KEY}
subnetwork: regions/europe-west1/subnetworks/dataflow
bounding_ram: 24GB
labels: {{team: telemetry}}
"""


class Translated:
    """A job as Dataflow would get it.

    Attributes:
        job: The request.
        pipeline: The graph.
        config: The config of its release.
    """

    def __init__(self, folder: Path, bucket) -> None:
        self.config = write_release(folder)
        environment = folder / "dataflow.yaml"
        environment.write_text(ENVIRONMENT)
        arguments = dataflow_arguments(
            load_dataflow(environment),
            ["--template_location=gs://bucket/job", "--max_num_workers=7", "--job_name=r-all"],
        )
        self.arguments = arguments
        self.launched = run(self.config, beam_options=arguments, detach=True)
        self.job = json.loads(bucket.blob("job").download_as_bytes())
        self.files = [blob.name for blob in bucket.list_blobs()]
        (graph,) = [name for name in self.files if name.endswith("pipeline.pb")]
        content = bucket.blob(graph).download_as_bytes()
        self.pipeline = beam_runner_api_pb2.Pipeline.FromString(content)

    @property
    def pool(self):
        (pool,) = self.job["environment"]["workerPools"]
        return pool

    def coder(self, number: str) -> str:
        coder = self.pipeline.components.coders[number]
        parts = ", ".join(map(self.coder, coder.component_coder_ids))
        name = coder.spec.urn.removeprefix("beam:coder:").removesuffix(":v1")
        return f"{name}({parts})" if parts else name

    def shuffles(self) -> dict[str, str]:
        """Coders of all inputs of groupings; those inside of a reshuffle are its own affair."""
        components = self.pipeline.components
        urns = ("beam:transform:group_by_key:v1", "beam:transform:reshuffle:v1")
        every = {t.unique_name: t for t in components.transforms.values() if t.spec.urn in urns}
        return {
            name: self.coder(components.pcollections[next(iter(t.inputs.values()))].coder_id)
            for name, t in every.items()
            if not any(name.startswith(f"{other}/") for other in every)
        }


@pytest.fixture(scope="module")
def bucket():
    import google.auth
    from gcp_storage_emulator.server import create_server
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = create_server("127.0.0.1", port, in_memory=True, default_bucket="bucket")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        patch.setattr(google.auth, "default", lambda *_, **__: (AnonymousCredentials(), "proj-abc"))
        server.start()
        try:
            yield storage.Client("proj-abc").bucket("bucket")
        finally:
            server.stop()


@pytest.fixture(scope="module")
def translated(tmp_path_factory, bucket):
    return Translated(tmp_path_factory.mktemp("release"), bucket)


def test_workers_have_private_addresses_their_account_and_the_key(translated):
    environment = translated.job["environment"]
    assert translated.job["name"] == "r-all"
    assert translated.job["labels"] == {"team": "telemetry"}
    assert environment["serviceAccountEmail"] == "worker@proj-abc.iam.gserviceaccount.com"
    assert environment["serviceKmsKeyName"] == KEY
    assert translated.pool["ipConfiguration"] == "WORKER_IP_PRIVATE"
    assert translated.pool["subnetwork"] == "regions/europe-west1/subnetworks/dataflow"


def test_the_job_runs_on_runner_v2_with_one_process_and_few_threads_per_worker(translated):
    experiments = set(translated.job["environment"]["experiments"])
    assert {"use_runner_v2", "no_use_multiple_sdk_containers"} <= experiments
    assert "use_multiple_sdk_containers" not in experiments
    assert translated.pool["numThreadsPerWorker"] == 2
    assert translated.pool["machineType"] == "n2-highmem-4"


def test_the_command_line_comes_on_top_of_the_file(translated):
    assert translated.pool["autoscalingSettings"]["maxNumWorkers"] == 7


def test_workers_run_the_image_of_the_launcher_and_install_nothing(translated):
    images = translated.pool["sdkHarnessContainerImages"]
    assert {image["containerImage"] for image in images} == {IMAGE}
    (package,) = translated.pool["packages"]
    assert package["name"] == "submission_environment_dependencies.txt"  # A note, not a package.
    assert not [name for name in translated.files if "main_session" in name]


def test_only_the_bounding_stage_asks_for_memory(translated):
    components = translated.pipeline.components
    hinted = {
        t.unique_name: components.environments[t.environment_id].resource_hints
        for t in components.transforms.values()
        if components.environments[t.environment_id].resource_hints
    }
    (name,) = hinted
    assert name == "Aggregate/Sum/Merge and bound"
    assert dict(hinted[name]) == {"beam:resources:min_ram_bytes:v1": b"24000000000"}


def test_shuffles_carry_whole_numbers_and_bytes(translated):
    shuffles = translated.shuffles()
    reading = shuffles.pop("Read/Spread over workers")
    assert reading == "pickled_python"  # Names of files, and nothing that is in them.
    assert len(shuffles) >= 4
    assert set(shuffles.values()) == {"kv(varint, bytes)"}


def test_the_job_request_stays_small_as_the_graph_travels_beside_it(translated):
    assert len(json.dumps(translated.job)) < 100_000


def test_a_launched_template_is_not_published_before_the_job_is_done(translated):
    assert translated.launched.release.state == "drawing"
    release = load_release(translated.config)
    with pytest.raises(LedgerError, match="launched as a job that has not finished"):
        publish_release(release, plan_release(release))
    with pytest.raises(LedgerError, match="launched as a job that has not finished"):
        run(translated.config, beam_options=translated.arguments, detach=True)
    assert kinds(translated.config)["drawing"] == 1


def test_a_template_without_detach_publishes_nothing(tmp_path, bucket, translated):
    config = write_release(tmp_path)
    with pytest.raises(StagingError, match="workers staged files that are not in"):
        run(config, beam_options=translated.arguments)
    assert not (tmp_path / "out").exists()
