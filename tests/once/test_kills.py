"""Kill -9 at every step of a run; after each, a rerun shows one draw for one charge.

The function of a step is wrapped, here in the test: in a process of its own by one that kills it
before or after the function; in this process by one that copies all there is on the disk, which is
what a kill leaves.
"""

import shutil
import signal

import pytest
from kill_places import Place, both, copied_at
from once_release import command, files, run, write_release
from small_series import DOCUMENTS, book, kinds, state

LEDGER = ("pipelines.ledger.ledger", "Ledger")
STAGING = ("pipelines.run.staging", "ReleaseStaging")
PUBLISHING = ("pipelines.run.publishing", "")
OUTLET = ("pipelines.run.outlet", "")
BEFORE_DRAWING = [
    *both(*LEDGER, "reserve"),
    *both(*STAGING, "hash_key"),
    *both(*STAGING, "begin"),
    Place(*LEDGER, "draw"),
]
DRAWING = [
    Place(*LEDGER, "draw", after=True),
    Place("pipelines.run.ledger", "ReleaseLedger", "remember", after=True),
    Place("transforms.stages", "", "draw"),
    Place("transforms.stages", "", "draw", after=True),
    Place("pipelines.run.drawing", "", "read_staged", after=True),
    Place(*STAGING, "freeze"),
    Place("pipelines.storage.durable", "", "sync"),
]
FROZEN = [
    Place(*STAGING, "freeze", after=True),
    Place(*STAGING, "drop_shards", after=True),
    Place(*LEDGER, "drawn"),
]
DRAWN = [
    Place(*LEDGER, "drawn", after=True),
    *both(*PUBLISHING, "render_release"),
    Place("pipelines.publication.release_files", "", "_write", after=True),
    Place(*PUBLISHING, "write_publication", after=True),
    Place(*LEDGER, "publish"),
]
PUBLISHED = [
    Place(*LEDGER, "publish", after=True),
    Place(*OUTLET, "promote"),
    Place("pipelines.publication.place", "shutil", "copytree", after=True),
    Place("pipelines.publication.place", "Path", "rename", of=".building"),
    Place(*OUTLET, "promote", after=True),
]
STATES = {
    **dict.fromkeys(BEFORE_DRAWING, "reserved"),
    **dict.fromkeys(DRAWING + FROZEN, "drawing"),
    **dict.fromkeys(DRAWN, "drawn"),
    **dict.fromkeys(PUBLISHED, "published"),
    BEFORE_DRAWING[0]: None,
}


def kill(config, place, *arguments):
    done = command("run", config, "--no-report", *arguments, program=place.program)
    assert done.returncode == -signal.SIGKILL, (place, done.stderr)
    assert done.stdout == ""


def drawn(config, version=1):
    """The frozen values of each attempt."""
    folder = config.parent / ".dp-release" / "r" / "all" / f"v{version}"
    return {path.parent.name: files(path) for path in folder.glob("attempt-*/drawn")}


def assert_one_draw(config, *, attempts=(1, 2)):
    """One charge, one draw, one publication, which a rerun leaves as it is."""
    counted = kinds(config)
    assert counted.pop("drawing") in attempts
    assert counted == {"reserved": 1, "drawn": 1, "published": 1}
    published, ledger = files(config.parent / "out"), kinds(config)
    assert set(published) == {*DOCUMENTS, "t.csv", "t.parquet"}
    assert not run(config).is_new
    assert (files(config.parent / "out"), kinds(config)) == (published, ledger)
    (attempt,) = drawn(config)
    assert attempt == f"attempt-{ledger['drawing']}"
    assert not list(config.parent.glob(".out*"))


def copies_of(home, places, begin, **options):
    """Runs a release once, copied at places; returns what puts its folder back to one of them."""
    folder, copies, copytree = home / "release", {}, shutil.copytree
    folder.mkdir()
    config = write_release(folder)

    def copy(place):
        copies[place] = home / str(len(copies))
        copytree(folder, copies[place])

    begin(config)
    with copied_at(places, copy):
        run(config, **options)

    def killed_at(place):
        shutil.rmtree(folder)
        shutil.copytree(copies[place], folder)
        return config

    return killed_at


@pytest.fixture(scope="module")
def killed_at(tmp_path_factory):
    return copies_of(tmp_path_factory.mktemp("killed"), list(STATES), lambda _: None)


@pytest.mark.parametrize("place", STATES, ids=str)
def test_after_a_kill_anywhere_a_rerun_shows_one_draw_for_one_charge(killed_at, place):
    config = killed_at(place)
    folder = config.parent

    if STATES[place] is None:
        assert kinds(config) == {}
    else:
        assert state(config) == STATES[place]
        assert kinds(config)["reserved"] == 1
    shown, frozen = files(folder / "out"), drawn(config)
    assert (shown == {}) == (place != PUBLISHED[-1])
    done = run(config)

    assert done.is_new == (place not in PUBLISHED)
    assert_one_draw(config, attempts=[2] if place in DRAWING else [1])
    if place in FROZEN + DRAWN + PUBLISHED:
        assert drawn(config) == frozen
    if shown:
        assert files(folder / "out") == shown


def test_a_release_that_is_killed_at_every_step_in_turn_comes_out_once(tmp_path):
    """Steps that a run does not come to any more are those before where it is."""
    config = write_release(tmp_path)
    places = [BEFORE_DRAWING[1], BEFORE_DRAWING[-1], DRAWING[1], FROZEN[0], DRAWN[-1], PUBLISHED[0]]
    for place in places:
        kill(config, place)
        assert state(config) == STATES[place]
    run(config)
    assert_one_draw(config, attempts=[2])


WITHDRAWING = [
    Place(*LEDGER, "publish", after=True),
    Place("pipelines.publication.place", "", "_sync", after=True),
    Place("pipelines.publication.place", "Path", "rename", of=".building"),
    Place(*OUTLET, "promote", after=True),
    *both(*LEDGER, "withdraw"),
]


@pytest.fixture(scope="module")
def correction_killed_at(tmp_path_factory):
    home = tmp_path_factory.mktemp("corrected")
    return copies_of(home, WITHDRAWING, run, correct="a wrong file")


@pytest.mark.parametrize("place", WITHDRAWING, ids=str)
def test_a_correction_that_is_killed_is_finished_by_the_next_run(correction_killed_at, place):
    assert_finished(correction_killed_at(place))


def test_a_process_that_is_killed_while_it_corrects_is_no_different(tmp_path):
    config = write_release(tmp_path)
    run(config)
    kill(config, Place(*LEDGER, "withdraw"), "--correct", "a wrong file")
    assert_finished(config)


def assert_finished(config):
    """The next run finishes a correction that was killed."""
    folder = config.parent
    (first, _) = book(config).releases.values()
    done = run(config)  # The reason is in the ledger; saying it again is the same.
    again = run(config, correct="a wrong file")

    assert [done.release.key.version, again.release.key.version] == [2, 2]
    assert kinds(config) == {
        **{"reserved": 2, "drawing": 2, "drawn": 2, "published": 2, "withdrawn": 1}
    }
    assert (state(config, version=1), state(config, version=2)) == ("withdrawn", "published")
    published = files(folder / "out")
    staged = folder / ".dp-release" / "r" / "all" / "v2" / "attempt-1" / "publication"
    assert published["t.csv"] == files(staged)["t.csv"]
    assert first.publication != done.release.publication
