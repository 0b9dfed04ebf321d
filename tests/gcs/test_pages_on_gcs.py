"""Pages of what is in a bucket: the index of a series beside its releases, and reports."""

import re
import signal
import threading

import pytest
from kill_places import Place
from release_on_gcs import command, objects, shown
from series_on_gcs import OUT, WEEKS, outlet, publish_here, put, write_config
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.publication.checksums import SUMS_FILE, sums_of, sums_text
from pipelines.report import gcs_pages
from pipelines.report.index import index_page
from pipelines.storage import gcs
from pipelines.storage.gcs import GcsFolder


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The series as folders here."""
    return publish_here(tmp_path_factory.mktemp("series"))


@pytest.fixture
def out(bucket):
    """URL of the series in a bucket."""
    return f"{bucket}/out"


@pytest.fixture
def series(gcs, here):
    """The series in a small bucket."""
    put(here, *WEEKS)
    return GcsFolder.of(OUT)


def links(page):
    """Addresses of the page by period."""
    return {name: address for address, name in re.findall(r'<a href="\./([^"]+)">(\S+?)</a>', page)}


def report(*arguments):
    done = CliRunner().invoke(app, ["report", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def without_report(here, folder, week):
    """A copy of a release that was published without a report."""
    folder.mkdir()
    for file in (here / week).iterdir():
        if file.name not in ("report.html", SUMS_FILE):
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / SUMS_FILE).write_text(sums_text(sums_of(folder)))
    return folder.rename(folder.with_name(week))


# The index page


def test_the_page_is_that_of_folders_but_for_what_its_links_lead_to(here, out):
    assert put(here, *WEEKS, out=out).add_index_page() is None
    page = GcsFolder.of(out).read("index.html").decode()
    digests = {week: outlet(week, out).digest() for week in WEEKS}
    assert links(page) == {week: f"{week}/{digests[week]}/report.html" for week in WEEKS}
    for week, digest in digests.items():
        page = page.replace(f"./{week}/{digest}/", f"./{week}/")
    assert page == index_page(here)
    assert "composing all mechanisms" in page


def test_what_its_links_lead_to_is_there(here, out, tmp_path):
    """As objects beside the page, on the web and in a copy of the bucket."""
    bare = without_report(here, tmp_path / "bare", WEEKS[0])
    put(bare.parent, WEEKS[0], out=out)
    put(here, *WEEKS[1:], out=out).add_index_page()
    folder = GcsFolder.of(out)
    found = links(folder.read("index.html").decode())
    assert found[WEEKS[0]] == f"{WEEKS[0]}/current.json"
    for week in WEEKS[1:]:
        assert folder.read(found[week]) == (here / week / "report.html").read_bytes()
    assert folder.read(found[WEEKS[0]])


def test_only_what_it_shows_is_downloaded(here, series, monkeypatch):
    names = []
    read = GcsFolder.read_with_generation
    monkeypatch.setattr(
        GcsFolder,
        "read_with_generation",
        lambda folder, name: (names.append(name), read(folder, name))[1],
    )
    assert outlet(WEEKS[0]).add_index_page() is None
    files = ["current.json", "plan.json", "datapackage.json", SUMS_FILE, "t.parquet"]
    assert sorted(names) == sorted(["index.html", "releases.json", *files * 3])


def test_a_browser_shows_pages_and_does_not_keep_them_as_files(gcs, here, series):
    outlet(WEEKS[0]).add_index_page()
    assert gcs.types["x/out/index.html"] == "text/html; charset=utf-8"
    kinds = {
        name.rpartition("/")[2]: kind
        for name, kind in gcs.types.items()
        if name.startswith(f"x/out/{WEEKS[0]}/")
    }
    assert kinds == {
        "current.json": "application/json",
        "datapackage.json": "application/json",
        "deployment.yaml": "application/octet-stream",
        "plan.json": "application/json",
        "report.html": "text/html; charset=utf-8",
        "SHA256SUMS": "application/octet-stream",
        "t.csv": "text/csv; charset=utf-8",
        "t.parquet": "application/octet-stream",
    }


def test_caches_on_the_web_do_not_keep_what_was_swapped(gcs, here, series):
    outlet(WEEKS[0]).add_index_page()
    assert gcs.caching["x/out/index.html"] == "no-cache"
    assert gcs.caching[f"x/out/{WEEKS[0]}/current.json"] == "no-cache"


def test_of_two_that_write_at_once_the_page_has_the_releases_of_both(here, out, monkeypatch):
    """The other one publishes and writes its page while this one has read what there was."""
    original = gcs_pages.fetch_series

    def overtaken(source, folder):
        monkeypatch.undo()
        pages = original(source, folder)
        assert put(here, WEEKS[1], out=out).add_index_page() is None
        return pages

    monkeypatch.setattr(gcs_pages, "fetch_series", overtaken)
    assert put(here, WEEKS[0], out=out).add_index_page() is None
    assert links(GcsFolder.of(out).read("index.html").decode()).keys() == {*WEEKS[:2]}


def test_a_page_that_was_overtaken_by_a_newer_one_does_not_take_its_place(here, out, monkeypatch):
    """The other one has its page out before this one looks for the first time."""
    put(here, WEEKS[0], out=out).add_index_page()
    put(here, *WEEKS[1:], out=out).add_index_page()
    before = GcsFolder.of(out).read_with_generation("index.html")
    assert outlet(WEEKS[0], out).add_index_page() is None
    assert GcsFolder.of(out).read_with_generation("index.html") == before


def test_many_that_write_at_once_leave_a_page_with_all_releases(here, out):
    def one(week):
        assert put(here, week, out=out).add_index_page() is None

    threads = [threading.Thread(target=one, args=(week,)) for week in WEEKS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert links(GcsFolder.of(out).read("index.html").decode()).keys() == {*WEEKS}


def test_a_page_that_changes_all_the_time_is_given_up(here, series, monkeypatch):
    monkeypatch.setattr(gcs, "_ROUNDS", 2)
    monkeypatch.setattr(GcsFolder, "swap", lambda *_: False)
    assert outlet(WEEKS[0]).add_index_page() == (
        f"there is no index page: {OUT}/index.html changes all the time; try again"
    )


def test_a_correction_is_linked_to_in_the_place_of_what_it_corrects(here, out):
    first = put(here.parent / "first", WEEKS[1], out=out)
    first.add_index_page()
    withdrawn = first.digest()
    page = GcsFolder.of(out).read("index.html").decode()
    assert withdrawn in links(page)[WEEKS[1]]
    assert "version 2" not in page
    put(here, WEEKS[1], out=out, version=2).add_index_page()
    page = GcsFolder.of(out).read("index.html").decode()
    assert first.digest() in links(page)[WEEKS[1]]
    assert withdrawn not in page
    assert "version 2" in page


def test_somebody_elses_page_stays(here, out):
    folder = GcsFolder.of(out)
    folder.create("index.html", b"<h1>Our data</h1>")
    assert put(here, WEEKS[0], out=out).add_index_page() == (
        f"there is no index page: {out}/index.html is somebody else's, and stays"
    )
    assert folder.read("index.html") == b"<h1>Our data</h1>"


def test_what_cannot_be_written_or_read_is_said_without_paths_of_this_machine(gcs, here):
    gcs.refuse_below = "x/out/index.html"
    assert put(here, WEEKS[0]).add_index_page() == (
        f"there is no index page: {OUT}/index.html cannot be written: no permission; "
        "allowed: an account that may get, list, create and delete its objects"
    )
    gcs.refuse_below = None
    week = GcsFolder.of(f"{OUT}/{WEEKS[0]}")
    week.child(outlet(WEEKS[0]).digest()).delete(["t.parquet", "t.csv"])
    assert outlet(WEEKS[0]).add_index_page() == (
        f"there is no index page: {OUT}/{WEEKS[0]} has neither t.parquet nor t.csv"
    )


def test_folders_without_a_pointer_to_a_release_are_passed_over(here, series):
    series.child("2026-W50").create("current.json", b"{}")
    series.child("2026-W51").create("mine.txt", b"")
    series.child("latest").create("current.json", series.child(WEEKS[0]).read("current.json"))
    assert outlet(WEEKS[0]).add_index_page() is None
    assert links(series.read("index.html").decode()).keys() == {*WEEKS}


@pytest.mark.parametrize("name", ["releases.json", "index.html"])
def test_a_rerun_after_a_kill_between_pointer_and_page_writes_the_page(tmp_path, gcs, name):
    config = write_config(tmp_path, OUT)
    place = Place("pipelines.storage.gcs", "GcsFolder", "swap", of=name)
    arguments = ("run", config, "--period", WEEKS[0])
    done = command(*arguments, program=f"import anonymous\n{place.program}")
    assert done[:2] == (-signal.SIGKILL, ""), done
    published = shown(f"{OUT}/{WEEKS[0]}")
    assert "report.html" in published
    assert GcsFolder.of(OUT).read("index.html") is None
    code, _, errors = command(*arguments)
    assert (code, errors) == (0, "")
    assert shown(f"{OUT}/{WEEKS[0]}") == published
    assert links(GcsFolder.of(OUT).read("index.html").decode()).keys() == {WEEKS[0]}


# report


def test_a_report_that_is_published_is_made_again_and_nothing_is_written(here, series, tmp_path):
    before = objects(OUT)
    for week in WEEKS:
        url = f"{OUT}/{week}/{outlet(week).digest()}/report.html"
        assert report(f"{OUT}/{week}") == (0, f"{url}\n", "")
        code, _, errors = report(f"{OUT}/{week}", "--out", tmp_path / week)
        assert (code, errors) == (0, "")
        assert (tmp_path / week).read_bytes() == (here / week / "report.html").read_bytes()
    assert objects(OUT) == before


def test_who_may_only_read_can_ask_for_it(gcs, series, tmp_path):
    gcs.refuse_below = "x/"
    assert report(f"{OUT}/{WEEKS[1]}")[0] == 0
    assert report(OUT, "--out", tmp_path / "page.html")[0] == 0


def test_a_report_that_was_deleted_is_put_back(series):
    before = objects(OUT)
    contents = GcsFolder.of(f"{OUT}/{WEEKS[1]}").child(outlet(WEEKS[1]).digest())
    contents.delete(["report.html"])
    assert report(f"{OUT}/{WEEKS[1]}/")[0] == 0
    assert objects(OUT) == before


def test_a_published_release_is_not_changed(here, gcs, tmp_path):
    """Neither where it has no report, nor where the object has other bytes than it should."""
    bare = without_report(here, tmp_path / "bare", WEEKS[0])
    url = put(bare.parent, WEEKS[0]).place
    before = objects(OUT)
    code, text, errors = report(url)
    assert (code, text) == (1, "")
    assert errors == f"{url} was published without report.html; allowed: --out FILE\n"
    assert report(url, "--out", tmp_path / "page.html")[0] == 0
    assert objects(OUT) == before

    contents = GcsFolder.of(put(here, WEEKS[1]).place).child(outlet(WEEKS[1]).digest())
    contents.swap("report.html", b"edited", contents.read_with_generation("report.html")[1])
    before = objects(OUT)
    code, text, errors = report(f"{OUT}/{WEEKS[1]}")
    assert (code, text) == (1, "")
    assert "is there with other bytes" in errors
    assert objects(OUT) == before


def test_a_page_that_other_versions_make_goes_elsewhere(gcs, here, tmp_path, monkeypatch):
    """It has not the hash that the release states, whatever the release before is now."""
    url = put(here, WEEKS[1]).place
    contents = GcsFolder.of(url).child(outlet(WEEKS[1]).digest())
    contents.delete(["report.html"])
    code, text, errors = report(url)
    assert (code, text) == (1, "")
    assert errors.startswith(f"{url} was published with another report.html than would be made now")
    assert contents.read("report.html") is None
    assert report(url, "--out", tmp_path / "page.html")[0] == 0


def test_the_index_of_a_series_is_made_again(series, tmp_path):
    assert report(OUT) == (0, f"{OUT}/index.html\n", "")
    before = objects(OUT)
    code, _, errors = report(OUT, "--out", tmp_path / "page.html")
    assert (code, errors) == (0, "")
    assert (tmp_path / "page.html").read_bytes() == before["index.html"]
    assert objects(OUT) == before


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"{OUT}/none", f"{OUT}/none holds no release, and no folders of releases such as"),
        ("gs://none/none", "there is no such bucket"),
        ("gs://b", "is no place for files; allowed: gs://bucket/folder"),
        ("gs://b/x/..", "is no place for files; allowed: gs://bucket/folder"),
        ("s3://b/x", "is no place for files; allowed: gs://bucket/folder"),
    ],
)
def test_what_is_no_release_is_one_line(series, url, said):
    code, text, errors = report(url)
    assert (code, text, errors.count("\n")) == (1, "", 1)
    assert said in errors


def test_a_release_is_compared_with_the_last_one_before_it_that_can_be_read(here, gcs, tmp_path):
    """The rule of folders: what is in between, is broken or is named otherwise does not count."""
    folder = GcsFolder.of(OUT)
    put(here, WEEKS[0], WEEKS[2])
    folder.child("2026-W46").create("current.json", b"{}")
    folder.child("2026-11-09").create("current.json", folder.child(WEEKS[0]).read("current.json"))
    folder.child("2026-W4x").create("current.json", folder.child(WEEKS[0]).read("current.json"))
    assert report(f"{OUT}/{WEEKS[2]}", "--out", tmp_path / "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"Since {WEEKS[0]}" in re.sub(r"<[^>]*>|\s+", " ", page).replace("  ", " ")


def test_names_that_lead_out_of_a_folder_are_not_downloaded(series, tmp_path, monkeypatch):
    """A bucket may belong to somebody who wants files on this machine."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    week = GcsFolder.of(f"{OUT}/{WEEKS[0]}")
    week.child(outlet(WEEKS[0]).digest()).create("../../evil", b"1")
    code, _, errors = report(week.url)
    assert code == 1
    assert "cannot be a file here; allowed: names without" in errors
    series.create("../current.json", week.read("current.json"))
    assert ".." not in series.folders()
    assert list(tmp_path.iterdir()) == []
