"""Two runs at once of one release in a bucket, which no lock keeps apart."""

import json
import sys
import threading

import pytest
from release_on_gcs import drawn, objects, run, shown, write_release
from small_series import DOCUMENTS, kinds, state

from pipelines.ledger import LedgerError
from pipelines.ledger.ledger import Ledger
from pipelines.run import release_facts
from pipelines.run import steps as run_steps
from pipelines.run.drawing import draw
from pipelines.run.endings import end_release
from pipelines.run.exactly_once import RunError
from pipelines.run.periods import read_period
from pipelines.run.staging import ReleaseStaging
from pipelines.spec import load_release

ONE = {"reserved": 1, "drawing": 1, "drawn": 1, "published": 1}


def meanwhile(monkeypatch, owner, name, do, *, after=False):
    """Has something happen once, before or after a function is called."""
    original = getattr(owner, name)

    def first(*arguments, **named):
        monkeypatch.setattr(owner, name, original)
        if not after:
            do()
        found = original(*arguments, **named)
        if after:
            do()
        return found

    monkeypatch.setattr(owner, name, first)


@pytest.fixture
def config(tmp_path, bucket):
    return write_release(tmp_path, bucket)


def test_the_second_is_told_while_the_first_draws(config, bucket, monkeypatch):
    def second():
        with pytest.raises(LedgerError, match=r"attempt 1 to draw r@all .* --replace-attempt 1"):
            run(config)

    meanwhile(monkeypatch, run_steps, "draw", second)
    assert run(config).is_new
    assert kinds(config) == ONE
    assert drawn(bucket).keys() == {"attempt-1"}


@pytest.mark.parametrize("place", ["hash_key", "begin"])
def test_of_two_that_are_about_to_draw_one_does(config, bucket, monkeypatch, place):
    """The second one comes, draws and publishes before the first one tells the ledger.

    The first one then may leave a secret that nothing was hashed with, which the next run deletes.
    """
    done = []
    meanwhile(monkeypatch, ReleaseStaging, place, lambda: done.append(run(config)))
    with pytest.raises(LedgerError):
        run(config)
    assert done[0].is_new
    assert kinds(config) == ONE
    before = objects(bucket)
    assert drawn(bucket).keys() == {"attempt-1"}
    assert run(config).release == done[0].release
    assert objects(bucket) == {
        name: content for name, content in before.items() if "/hash-key-" not in name
    }


def test_both_have_the_same_secret(config, monkeypatch):
    """The secret is drawn by both before either has written it; the second then dies."""
    found = []
    hash_key = ReleaseStaging.hash_key

    def kept(self, reservation):
        found.append(hash_key(self, reservation))
        return found[-1]

    def second():
        with monkeypatch.context() as dying:
            dying.setattr(run_steps, "draw", lambda *_: 1 / 0)
            with pytest.raises(RunError):
                run(config)

    monkeypatch.setattr(ReleaseStaging, "hash_key", kept)
    hashing = sys.modules["pipelines.run.staging"].HashKey
    meanwhile(monkeypatch, hashing, "draw", second, after=True)
    with pytest.raises(LedgerError):
        run(config)
    assert [key.secret for key in found] == [found[0].secret] * 2


def test_a_run_that_is_replaced_while_it_draws_is_refused(config, bucket, monkeypatch):
    """It was not dead at all: the work is lost, and one draw is shown."""
    done = []
    meanwhile(
        monkeypatch,
        run_steps,
        "draw",
        lambda: done.append(run(config, replace_attempt=1)),
        after=True,
    )
    with pytest.raises(LedgerError, match=r"by attempt 1; allowed: attempt 2|as it is published"):
        run(config)
    assert kinds(config) == {**ONE, "drawing": 2}
    assert shown(f"{bucket}/out").keys() >= DOCUMENTS
    before = objects(f"{bucket}/out")
    assert run(config).release == done[0].release
    assert objects(f"{bucket}/out") == before


@pytest.mark.parametrize("place", ["shards", "freeze", "drop_shards", "drawn_digest"])
def test_a_takeover_at_any_moment_shows_one_whole_draw(config, bucket, monkeypatch, place):
    """The other run takes over while the first one is about to go on with its values."""
    done = []

    original = getattr(ReleaseStaging, place)

    def taken_over(staging, attempt, *more):
        if attempt == 1:
            monkeypatch.undo()
            done.append(run(config, replace_attempt=1))
        return original(staging, attempt, *more)

    monkeypatch.setattr(ReleaseStaging, place, taken_over)
    try:
        run(config)
    except LedgerError:
        assert done[0].is_new
    found = kinds(config)
    assert (found["reserved"], found["drawn"], found["published"]) == (1, 1, 1)
    again = run(config)
    assert again.published[0].frame.height == 2
    assert again.release == done[0].release
    digest = json.loads(objects(f"{bucket}/out")["current.json"])["sha256sums_sha256"]
    assert digest == again.release.publication


def test_nothing_of_an_attempt_is_deleted_before_the_ledger_names_another(
    config, bucket, monkeypatch
):
    """Else the run that is replaced could freeze what is left, and have it accepted."""
    with pytest.raises(KeyError):
        fail_after_shards(config, monkeypatch)
    left = {n for n in objects(f"{bucket}/private") if "/shards/" in n}
    assert left

    def look():
        assert left <= objects(f"{bucket}/private").keys()

    meanwhile(monkeypatch, Ledger, "draw", look)
    assert run(config, replace_attempt=1).is_new
    assert not left & objects(f"{bucket}/private").keys()


def fail_after_shards(config, monkeypatch):
    """Leaves what a kill in the middle of the draw leaves."""

    def cut_off(*arguments):
        draw(*arguments)
        raise KeyError

    def nothing(*_):
        pass

    monkeypatch.setattr(run_steps, "draw", cut_off)
    monkeypatch.setattr(ReleaseStaging, "end", nothing)
    monkeypatch.setattr(ReleaseStaging, "drop_shards", nothing)
    try:
        run(config)
    except Exception:
        raise KeyError from None
    finally:
        monkeypatch.undo()


def test_only_the_attempt_that_is_named_is_replaced(config, monkeypatch):
    with pytest.raises(KeyError):
        fail_after_shards(config, monkeypatch)
    for other in (None, 0, 2):
        with pytest.raises(LedgerError, match="--replace-attempt 1 when no run of it is left"):
            run(config, replace_attempt=other)
    assert run(config, replace_attempt=1).is_new


def test_of_two_that_publish_one_set_of_files_is_shown(config, bucket, monkeypatch):
    """Both have rendered the draw, at different times; the ledger takes one."""
    done = []
    real_now = release_facts.now
    meanwhile(monkeypatch, Ledger, "publish", lambda: done.append(run(config)))
    meanwhile(monkeypatch, release_facts, "now", lambda: None)
    monkeypatch.setattr(release_facts, "now", lambda: real_now().replace(year=2025))
    first = run(config)
    assert kinds(config) == ONE
    assert first.release.publication == done[0].release.publication
    pointer = json.loads(objects(f"{bucket}/out")["current.json"])
    assert pointer["sha256sums_sha256"] == first.release.publication
    assert shown(f"{bucket}/out").keys() == set(pointer["files"])


def test_a_release_that_is_reserved_again_while_it_is_voided_loses_nothing(
    config, bucket, monkeypatch
):
    """Another run reserves and draws before what was voided is deleted."""
    release = load_release(config)

    def stop(*_):
        raise KeyError

    monkeypatch.setattr(ReleaseStaging, "begin", stop)
    with pytest.raises(RunError):
        run(config)
    monkeypatch.undo()
    done = []
    meanwhile(monkeypatch, Ledger, "void", lambda: done.append(run(config)), after=True)
    end_release(release, read_period(None, None), "void", "a test")
    names = objects(f"{bucket}/private").keys()
    assert not [name for name in names if "hash-key" in name]
    assert drawn(bucket).keys() == {"attempt-1"}
    assert run(config).published[0].frame.equals(done[0].published[0].frame)


def test_many_at_once_publish_once(tmp_path, bucket):
    config = write_release(tmp_path, bucket)
    done, told = [], []

    def one():
        try:
            done.append(run(config))
        except LedgerError as error:
            told.append(str(error))

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert len(done) + len(told) == 3
    assert done
    assert kinds(config) == ONE
    assert state(config) == "published"
    assert len({one.release.publication for one in done}) == 1
    assert len(drawn(bucket)) == 1
