"""dp-release report, and the report that a run publishes."""

import json
import subprocess
import sys
from hashlib import sha256

import polars as pl
import pytest
from made_up import CONFIG, publish, tables
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.plan import plan_release
from pipelines.publication.verify import verify_release
from pipelines.report import page as page_module
from pipelines.report.files import NEEDS, add_index
from pipelines.report.svg import svg_of
from pipelines.run.exactly_once import run_release
from pipelines.spec import load_release

RELEASE = """
release: r
input: {files: in.csv}
privacy: {unit: user, epsilon: 100, delta: 1e-6}
tables: {t: {public: {k: [a, b, c]}, metrics: {users: privacy_unit_count}}}
output: {folder: out/2026-W46}
"""


def command(*arguments):
    done = CliRunner().invoke(app, ["report", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def config(tmp_path):
    pl.DataFrame({"user": ["1", "2", "3"], "k": ["a", "a", "b"]}).write_csv(tmp_path / "in.csv")
    (tmp_path / "r.yaml").write_text(RELEASE)
    return tmp_path / "r.yaml"


def run(path, **options):
    release = load_release(path)
    return run_release(release, plan_release(release), **options)


def test_it_writes_the_page_again_byte_by_byte(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = publish(tmp_path / "s" / "2026-W46", tables())
    assert command(folder) == (0, "s/2026-W46/report.html\n", "")
    first = (folder / "report.html").read_bytes()
    assert command(folder, "--out", tmp_path / "page.html") == (0, "page.html\n", "")
    assert (tmp_path / "page.html").read_bytes() == first
    assert command(tmp_path / "s") == (0, "s/index.html\n", "")
    index = (tmp_path / "s" / "index.html").read_text(encoding="utf-8")
    assert 'href="./2026-W46/report.html"' in index
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [
        ".config.yaml",
        "2026-W46",
        "index.html",
    ]


def test_json_says_what_was_written(tmp_path):
    folder = publish(tmp_path / "2026-W46", tables())
    for place, of in ((folder / "report.html", "release"), (tmp_path / "index.html", "series")):
        code, text, errors = command(place.parent, "--json")
        content = place.read_bytes()
        assert (code, errors) == (0, "")
        assert json.loads(text) == {
            "page": str(place),
            "of": of,
            "sha256": sha256(content).hexdigest(),
            "bytes": len(content),
        }


def test_another_process_writes_the_same_bytes(tmp_path):
    folder = publish(tmp_path / "2026-W46", tables())
    pages = []
    for hash_seed in ("1", "2"):
        program = (
            "import sys; from pipelines.report.page import report_page; from pathlib import Path\n"
            "sys.stdout.buffer.write(report_page(Path(sys.argv[1])).encode())"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(folder)],
            capture_output=True,
            timeout=50,
            env={**__import__("os").environ, "PYTHONHASHSEED": hash_seed},
        )
        assert done.stderr == b""
        pages.append(done.stdout)
    assert pages[0] == pages[1] == page_module.report_page(folder).encode()


def test_the_ids_of_a_chart_are_the_same_each_time():
    """Vega numbers its clips from the start of the process on, so that two charts may share ids."""
    import altair as alt

    rows = alt.InlineData(values=[{"x": 1, "y": 2}])
    chart = alt.Chart(rows).mark_bar(clip=True).encode(alt.X("x:Q"), alt.Y("y:Q"))
    first, second, other = (svg_of(chart, figure) for figure in ("a", "a", "b"))
    assert first == second
    assert 'id="a-1"' in first
    assert "url(#a-1)" in first
    assert other == first.replace("a-1", "b-1")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "is no folder; allowed: one that holds a release or releases\n"),
        (lambda folder: folder.mkdir(), "holds no release, and no folders of releases such as"),
        (
            lambda folder: [
                publish(folder / "2026-11", tables()),
                publish(folder / "2026-12", tables(), CONFIG.replace("release: r", "release: q")),
            ],
            "holds releases of q, r; allowed: one series\n",
        ),
    ],
)
def test_what_is_no_release_is_refused(tmp_path, make, said):
    make(tmp_path / "x")
    code, text, errors = command(tmp_path / "x")
    assert (code, text) == (1, "")
    assert said in errors
    assert "Traceback" not in errors


def test_a_page_that_cannot_be_written_is_a_user_error(tmp_path):
    folder = publish(tmp_path / "2026-W46", tables())
    code, _, errors = command(folder, "--out", tmp_path / "none" / "page.html")
    assert code == 1
    assert errors.endswith("cannot be written: No such file or directory\n")


@pytest.fixture(params=["altair", "jinja2", "vl_convert"])
def missing(request, monkeypatch):
    """One of the libraries of the extra `plot`, which is not installed."""
    monkeypatch.setitem(sys.modules, request.param, None)
    for name in [name for name in sys.modules if name.startswith("pipelines.report.")]:
        if name not in ("pipelines.report.files", "pipelines.report.published"):
            monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("missing")
def test_without_the_libraries_it_says_what_to_install(tmp_path):
    folder = publish(tmp_path / "2026-W46", tables())
    assert command(folder) == (1, "", f"{NEEDS}\n")


def test_a_run_publishes_the_page_that_the_command_makes(tmp_path):
    path = config(tmp_path)
    assert run(path, report=True).without_report is None
    report = tmp_path / "out" / "2026-W46" / "report.html"
    published = report.read_bytes()
    report.unlink()
    assert command(report.parent)[0] == 0
    assert report.read_bytes() == published
    assert verify_release(report.parent).problems == ()


def test_a_published_release_is_not_changed(tmp_path):
    """Its hashes are published, so a page that they do not have goes elsewhere."""
    run(config(tmp_path))
    folder = tmp_path / "out" / "2026-W46"
    assert command(folder) == (
        1,
        "",
        f"{folder} was published without report.html: its SHA256SUMS lists none; "
        "allowed: --out FILE\n",
    )
    assert command(folder, "--out", tmp_path / "page.html")[0] == 0
    assert verify_release(folder).problems == ()


def test_a_report_stays_as_published_when_the_release_before_it_appears(tmp_path):
    """What is compared with nothing in the page that is out would be compared with that."""
    path = config(tmp_path)
    run(path, report=True)
    folder = tmp_path / "out" / "2026-W46"
    path.write_text(RELEASE.replace("2026-W46", "2026-W45"))
    run(path, report=True)
    published = (folder / "report.html").read_bytes()
    assert command(folder) == (
        1,
        "",
        f"{folder} was published with another report.html than would be made now: its SHA256SUMS "
        "lists that one, and the releases beside it, or the versions of what draws it, have "
        "changed since; allowed: --out FILE\n",
    )
    assert (folder / "report.html").read_bytes() == published
    assert command(folder, "--out", tmp_path / "page.html")[0] == 0
    assert ">2026-W45</bdi>" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert verify_release(folder).problems == ()


def test_a_release_does_not_fail_for_its_report(tmp_path, monkeypatch):
    path = config(tmp_path)

    def fails(*arguments, **options):
        raise RuntimeError("no picture today")

    monkeypatch.setattr(page_module, "report_page", fails)
    done = run(path, report=True)
    assert done.without_report == "there is no report: RuntimeError no picture today"
    folder = tmp_path / "out" / "2026-W46"
    assert sorted(file.name for file in folder.iterdir()) == [
        "SHA256SUMS",
        "datapackage.json",
        "deployment.yaml",
        "plan.json",
        "t.parquet",
    ]


@pytest.mark.usefixtures("missing")
def test_a_release_without_the_libraries_has_no_report(tmp_path):
    assert run(config(tmp_path), report=True).without_report == NEEDS
    assert not (tmp_path / "out" / "2026-W46" / "report.html").exists()


def test_no_report_is_made_unasked(tmp_path):
    assert run(config(tmp_path)).without_report is None
    assert not (tmp_path / "out" / "2026-W46" / "report.html").exists()


def test_the_index_is_made_again_but_no_other_page_is_lost(tmp_path):
    publish(tmp_path / "2026-11", tables())
    index = tmp_path / "index.html"
    assert add_index(tmp_path) is None
    first = index.read_text(encoding="utf-8")
    publish(tmp_path / "2026-12", tables())
    assert add_index(tmp_path) is None
    assert "2026-12" not in first
    assert "2026-12" in index.read_text(encoding="utf-8")
    index.write_text("<h1>Our data</h1>")
    assert add_index(tmp_path) == f"there is no index page: {index} is somebody else's, and stays"
    assert index.read_text() == "<h1>Our data</h1>"


def test_the_command_loses_no_page_of_somebody_else_either(tmp_path):
    publish(tmp_path / "2026-11", tables())
    index = tmp_path / "index.html"
    index.write_text("<h1>Our data</h1>")
    code, _, errors = command(tmp_path)
    assert (code, errors) == (1, f"{index} is somebody else's, and stays\n")
    assert index.read_text() == "<h1>Our data</h1>"
    assert command(tmp_path, "--out", tmp_path / "page.html")[0] == 0


def test_a_series_that_cannot_be_read_has_no_index(tmp_path):
    (publish(tmp_path / "2026-11", tables()) / "plan.json").write_text("{}")
    assert str(add_index(tmp_path)).startswith(f"there is no index page: {tmp_path}")
    assert not (tmp_path / "index.html").exists()


def test_the_package_has_the_templates():
    """What setuptools would install beside the modules."""
    from pathlib import Path

    from setuptools import Distribution
    from setuptools.config.pyprojecttoml import apply_configuration

    root = Path(page_module.__file__).parents[2]
    built = apply_configuration(Distribution(), str(root / "pyproject.toml"))
    patterns = built.package_data["pipelines.report"]
    folder = root / "pipelines" / "report"
    packed = {path for pattern in patterns for path in folder.glob(pattern)}
    assert packed == set((folder / "templates").iterdir())
