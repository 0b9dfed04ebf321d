"""Kill -9 at every step of a run in a bucket; after each, a rerun shows one draw for one charge.

The bucket is in this process, so that it stays when the command, a process of its own, is killed.
For most places a run here is copied instead: a kill leaves what is in the bucket then.
"""

import signal

import pytest
from gcs_servers import small_bucket
from kill_places import Place, copied_at
from release_on_gcs import command, drawn, objects, run, shown, write_release
from small_series import DOCUMENTS, kinds, state

from pipelines.ledger import LedgerError

LEDGER = ("pipelines.ledger.ledger", "Ledger")
STAGING = ("pipelines.run.staging", "ReleaseStaging")
OBJECTS = ("pipelines.storage.gcs", "GcsFolder")
BEFORE_DRAWING = [
    Place(*LEDGER, "reserve", after=True),
    Place(*STAGING, "hash_key", after=True),
]
DRAWING = [
    Place(*LEDGER, "draw", after=True),
    Place("pipelines.run.drawing", "", "read_staged", after=True),
    Place(*OBJECTS, "create", of="t.parquet", after=True),
    Place(*OBJECTS, "create", of=".frozen"),
]
FROZEN = [Place(*OBJECTS, "create", of=".frozen", after=True)]
DRAWN = [
    Place(*LEDGER, "drawn", after=True),
    Place(*LEDGER, "publish"),
]
PUBLISHED = [
    Place(*LEDGER, "publish", after=True),
    Place(*OBJECTS, "swap", of="current.json"),
    Place(*OBJECTS, "swap", of="current.json", after=True),
    Place(*OBJECTS, "swap", of="releases.json"),
]
STATES = {
    **dict.fromkeys(BEFORE_DRAWING, "reserved"),
    **dict.fromkeys(DRAWING + FROZEN, "drawing"),
    **dict.fromkeys(DRAWN, "drawn"),
    **dict.fromkeys(PUBLISHED, "published"),
}


def kill(config, place):
    done = command("run", config, "--no-report", program=f"import anonymous\n{place.program}")
    assert done[:2] == (-signal.SIGKILL, ""), done


BUCKET = "gs://b/x"


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """The objects of a run when it comes to each place."""
    found = {}
    with small_bucket() as server:
        config = write_release(tmp_path_factory.mktemp("copied"), BUCKET)
        with copied_at(list(STATES), lambda place: found.update({place: dict(server.objects)})):
            run(config)
    return found


@pytest.mark.parametrize("place", STATES, ids=str)
def test_after_a_kill_anywhere_a_rerun_shows_one_draw_for_one_charge(tmp_path, gcs, copies, place):
    config = write_release(tmp_path, BUCKET)
    gcs.objects = dict(copies[place])
    assert_one_draw(config, place)


@pytest.mark.parametrize("place", [DRAWING[1], PUBLISHED[1]], ids=str)
def test_a_process_that_is_killed_is_no_different(tmp_path, gcs, place):
    config = write_release(tmp_path, BUCKET)
    kill(config, place)
    assert_one_draw(config, place)


def assert_one_draw(config, place):
    """The next run shows one draw, whatever was done before the kill."""
    bucket = BUCKET
    assert state(config) == STATES[place]
    seen, frozen = shown(f"{bucket}/out"), drawn(bucket)
    assert bool(seen) == (place in PUBLISHED[2:])

    if place in DRAWING:  # A bucket cannot tell a dead run from a slow one.
        with pytest.raises(LedgerError, match="--replace-attempt 1"):
            run(config)
        done = run(config, replace_attempt=1)
    else:
        done = run(config)

    assert done.is_new == (place not in PUBLISHED)
    attempts = 2 if place in DRAWING else 1
    assert kinds(config) == {"reserved": 1, "drawing": attempts, "drawn": 1, "published": 1}
    published = shown(f"{bucket}/out")
    assert published.keys() == {*DOCUMENTS, "t.csv", "t.parquet"}
    assert drawn(bucket).keys() == {f"attempt-{attempts}"}
    if frozen:
        assert drawn(bucket) == frozen
    if seen:
        assert published == seen
    before = objects(bucket)
    assert not run(config).is_new
    left = {"out/releases.json", "releases.json"}  # Made anew by whoever publishes next.
    after = objects(bucket)
    assert {n: c for n, c in after.items() if n not in left} == {
        n: c for n, c in before.items() if n not in left
    }
