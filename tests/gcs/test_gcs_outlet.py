"""What readers of a bucket see: one whole release, the latest version, all in the index."""

import json
import threading

import pytest
from gcs_servers import small_bucket
from release_on_gcs import command, objects, run, shown, write_release
from small_series import DOCUMENTS

from pipelines.ledger import ReleaseKey
from pipelines.publication import gcs_series
from pipelines.publication.checksums import SUMS_FILE, sums_of, sums_text
from pipelines.publication.release_files import release_digest
from pipelines.run.gcs_outlet import GcsOutlet
from pipelines.storage.errors import ChangedError, StorageError
from pipelines.storage.gcs import GcsFolder


@pytest.fixture
def outlet(bucket):
    return GcsOutlet(GcsFolder.of(f"{bucket}/out"))


def files(folder, **contents):
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_text(content)
    (folder / SUMS_FILE).write_text(sums_text(sums_of(folder)))
    return folder


def key(version=1, series="r"):
    return ReleaseKey(series, "all", version)


def pointed(outlet):
    return json.loads(outlet.folder.read("current.json"))


def test_an_empty_prefix_has_no_release(outlet):
    assert not outlet.holds_release()
    assert outlet.digest() is None
    assert outlet.problem() is None
    assert outlet.files(["a"]) == ()


def test_contents_are_there_before_the_pointer(outlet, tmp_path, monkeypatch):
    """Whatever moment a reader looks at: no pointer, or all that it stands for."""
    publication = files(tmp_path / "p", a="1", b="2", c="3")
    swap = GcsFolder.swap
    seen = []

    def look(folder, name, content, generation):
        done = swap(folder, name, content, generation)
        found = outlet.folder.read("current.json")
        if found is not None:
            pointer = json.loads(found)
            there = {n: outlet.folder.read(f"{pointer['folder']}{n}") for n in pointer["files"]}
            assert there.pop(SUMS_FILE)
            assert there == {"a": b"1", "b": b"2", "c": b"3"}
        seen.append(found is not None)
        return done

    monkeypatch.setattr(GcsFolder, "swap", look)
    outlet.put(publication, key())
    assert seen == [False, False, False, False, True]
    assert outlet.digest() == release_digest(publication)
    assert outlet.files(["a", "z"]) == (f"{outlet.place}/{outlet.digest()}/a",)


def test_a_later_version_stays(outlet, tmp_path):
    """A run that slept through a correction wakes up."""
    one, two = files(tmp_path / "1", a="1"), files(tmp_path / "2", a="2")
    outlet.put(one, key(1))
    outlet.put(two, key(2))
    outlet.put(one, key(1))
    assert (pointed(outlet)["version"], outlet.digest()) == (2, release_digest(two))


def test_a_run_that_is_overtaken_between_look_and_swap_looks_again(outlet, tmp_path, monkeypatch):
    one, two = files(tmp_path / "1", a="1"), files(tmp_path / "2", a="2")
    look = GcsFolder.read_with_generation

    def overtaken(folder, name):
        found = look(folder, name)
        if name == "current.json":
            monkeypatch.undo()
            outlet.put(one, key(1))
            outlet.put(two, key(2))
        return found

    monkeypatch.setattr(GcsFolder, "read_with_generation", overtaken)
    outlet.put(one, key(1))
    assert (pointed(outlet)["version"], outlet.digest()) == (2, release_digest(two))


def test_publishing_again_writes_nothing(outlet, tmp_path):
    publication = files(tmp_path / "p", a="1")
    outlet.put(publication, key())
    before = outlet.folder.read_with_generation("current.json")
    outlet.put(publication, key())
    assert outlet.folder.read_with_generation("current.json") == before


def test_an_object_with_other_bytes_is_not_published(outlet, tmp_path):
    publication = files(tmp_path / "p", a="1")
    outlet.folder.child(release_digest(publication)).create("a", b"garbage")
    with pytest.raises(ChangedError, match="other bytes"):
        outlet.put(publication, key())
    assert not outlet.holds_release()


def test_strange_files_are_not_published_beside(outlet):
    outlet.folder.create("mine.txt", b"")
    assert "holds other files, such as mine.txt" in outlet.problem()


def test_another_index_is_not_replaced(outlet, tmp_path):
    outlet.folder.parent.create("releases.json", b"{}")
    assert "is no index of releases" in outlet.problem()
    outlet.put(files(tmp_path / "p", a="1"), key())
    outlet.list_releases()
    assert outlet.folder.parent.read("releases.json") == b"{}"


def test_a_pointer_that_is_none_is_an_error(outlet):
    outlet.folder.create("current.json", b"{}")
    with pytest.raises(StorageError, match=r"current.json is no pointer to a release"):
        outlet.digest()


def test_an_index_that_is_overtaken_has_all_releases(tmp_path, bucket, monkeypatch):
    """Another release comes out, and is listed, while this one reads what there is."""
    config = write_release(tmp_path, bucket, input_more=", time: at", more="period: week\n")
    original = gcs_series.fetch_stated

    def overtaken(source, folder):
        monkeypatch.undo()
        original(source, folder)
        run(config, period="2026-W46")

    monkeypatch.setattr(gcs_series, "fetch_stated", overtaken)
    run(config, period="2026-W45")
    index = json.loads(GcsFolder.of(f"{bucket}/out").read("releases.json"))
    assert [release["folder"] for release in index["releases"]] == ["2026-W45", "2026-W46"]


def test_a_reader_who_follows_the_pointer_never_sees_half_a_release(tmp_path, outlet):
    versions = [files(tmp_path / str(n), a=str(n), b=str(n), c=str(n)) for n in range(1, 9)]
    outlet.put(versions[0], key(1))
    is_over = threading.Event()
    seen = []

    def read():
        while not is_over.is_set():
            found = shown(outlet.place)
            seen.append({found[name] for name in "abc"})

    reader = threading.Thread(target=read)
    reader.start()
    for number, version in enumerate(versions[1:], 2):
        outlet.put(version, key(number))
    is_over.set()
    reader.join(30)
    assert seen
    assert all(len(contents) == 1 for contents in seen)


# verify


@pytest.fixture(scope="module")
def two_weeks(tmp_path_factory):
    """The objects of two releases."""
    folder = tmp_path_factory.mktemp("weeks")
    with small_bucket() as server:
        config = write_release(folder, "gs://b/x", input_more=", time: at", more="period: week\n")
        for period in ("2026-W45", "2026-W46"):
            run(config, period=period)
    return server.objects


@pytest.fixture
def published(gcs, two_weeks):
    gcs.objects = dict(two_weeks)
    return GcsFolder.of("gs://b/x/out")


def test_verify_checks_a_release_and_a_series(published):
    from pipelines.publication.verify_place import verify_place

    found = verify_place(published.url)
    assert [str(one.folder) for one in found] == [
        f"{published.url}/2026-W45",
        f"{published.url}/2026-W46",
        f"{published.url}/releases.json",
    ]
    assert [one.problems for one in found] == [(), (), ()]
    (one,) = verify_place(f"{published.url}/2026-W45")
    assert (one.release, one.problems) == ("r@2026-W45", ())


@pytest.mark.parametrize("what", ["edited", "missing", "more", "pointer", "index", "emptied"])
def test_verify_finds_what_was_changed_by_hand(published, what):
    from pipelines.publication.verify_place import verify_place

    week = published.child("2026-W45")
    pointer = json.loads(week.read("current.json"))
    contents = week.child(pointer["sha256sums_sha256"])
    match what:
        case "edited":
            edit(contents, "t.csv", lambda text: text.replace(b"DE", b"XX"))
            expected = "t.csv: its hash is not that of SHA256SUMS"
        case "missing":
            contents.delete(["t.csv"])
            expected = "t.csv: it is missing"
        case "more":
            contents.create("more.csv", b"")
            expected = "more.csv: SHA256SUMS does not have it"
        case "pointer":
            edit(week, "current.json", lambda text: text.replace(b'"version": 1', b'"version":1'))
            expected = "is not as dp-release writes it"
        case "index":
            edit(published, "releases.json", lambda text: text.replace(b"2026-W45", b"2026-W44"))
            expected = "index"
        case "emptied":
            contents.delete(contents.names())
            expected = "the files are not those that it stands for"
    lines = [line for one in verify_place(published.url) for line in one.problems]
    assert any(expected in line for line in lines), lines


def edit(folder, name, change):
    content, generation = folder.read_with_generation(name)
    assert change(content) != content
    assert folder.swap(name, change(content), generation)


def test_verify_leaves_with_3_where_something_was_changed_and_with_1_where_nothing_is(published):
    week = published.child("2026-W45")
    contents = week.child(json.loads(week.read("current.json"))["sha256sums_sha256"])
    edit(contents, "datapackage.json", lambda text: text.replace(b"r@", b"s@"))
    code, stdout, stderr = command("verify", week.url)
    assert (code, stdout) == (3, "")
    assert f"{week.url}: datapackage.json: its hash" in stderr
    code, stdout, stderr = command("verify", "gs://b/nothing")
    assert (code, stdout, stderr.count("\n")) == (1, "", 1)
    assert "gs://b/nothing holds no release; allowed:" in stderr
    code, stdout, stderr = command("verify", "gs://none/nothing")
    assert (code, stdout, stderr.count("\n")) == (1, "", 1)
    assert objects(week.url).keys() >= {"current.json"}
    assert DOCUMENTS
