"""Jobs that nobody waits for, whose staging is in a bucket that launcher and publisher share."""

import pytest
from release_on_gcs import objects, run, shown, write_release
from small_series import kinds, state

from pipelines.ledger import LedgerError
from pipelines.plan import plan_release
from pipelines.run import drawing
from pipelines.run.exactly_once import RunError, publish_release
from pipelines.run.staging import StagingError
from pipelines.spec import load_release
from pipelines.storage.gcs import GcsFolder


@pytest.fixture
def config(tmp_path, bucket):
    return write_release(tmp_path, bucket)


def publish(config):
    release = load_release(config)
    return publish_release(release, plan_release(release))


def below(bucket, part):
    return [name for name in objects(f"{bucket}/private") if part in name]


def test_a_launched_release_is_published_without_its_input(config, bucket):
    launched = run(config, detach=True)
    assert (launched.release.state, shown(f"{bucket}/out")) == ("drawing", {})
    GcsFolder.of(bucket).delete(["in/0.parquet"])
    done = publish(config)
    assert (done.release.state, done.release.attempt) == ("published", 1)
    assert done.published[0].frame["country"].to_list() == ["DE", "FR"]
    assert kinds(config) == {"reserved": 1, "drawing": 1, "drawn": 1, "published": 1}
    assert not below(bucket, "/shards/")


def test_a_job_that_is_not_done_is_waited_for_or_replaced(config, bucket, monkeypatch):
    monkeypatch.setattr(drawing, "_run_pipeline", lambda *_: None)
    run(config, detach=True)
    monkeypatch.undo()
    for again in (publish, run, lambda config: run(config, replace_attempt=2)):
        with pytest.raises(LedgerError, match="launched as a job that has not finished"):
            again(config)
    assert run(config, detach=True, replace_attempt=1).release.attempt == 2
    assert not below(bucket, "/attempt-1/")
    assert publish(config).release.attempt == 2


def test_a_part_of_what_was_staged_is_not_frozen(config, bucket):
    """As for a publisher that reads while another one, which is done, deletes."""
    run(config, detach=True)
    (staged, *_) = below(bucket, "/shards/t-")
    GcsFolder.of(f"{bucket}/private").delete([staged])
    with pytest.raises(StagingError, match="workers staged files that are not in"):
        publish(config)
    assert not below(bucket, "/drawn/")
    assert run(config, replace_attempt=1).release.attempt == 2


def test_what_a_job_drew_twice_is_launched_again(config, bucket, monkeypatch):
    def draw_twice(*arguments):
        pipeline(*arguments)
        pipeline(*arguments)

    pipeline = drawing._run_pipeline
    monkeypatch.setattr(drawing, "_run_pipeline", draw_twice)
    run(config, detach=True)
    monkeypatch.undo()
    with pytest.raises(LedgerError, match="r@all is drawing"):
        publish(config)
    assert below(bucket, "/attempt-1/shards/")  # Until the ledger names another attempt.
    assert run(config, detach=True).release.attempt == 2
    assert publish(config).release.attempt == 2
    assert kinds(config)["drawn"] == 1


def test_a_launch_that_fails_is_over(config, monkeypatch):
    monkeypatch.setattr(drawing, "_run_pipeline", lambda *_: 1 / 0)
    with pytest.raises(RunError):
        run(config, detach=True)
    monkeypatch.undo()
    assert run(config, detach=True).release.attempt == 2
    publish(config)
    assert state(config) == "published"
