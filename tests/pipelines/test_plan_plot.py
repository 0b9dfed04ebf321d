"""Pictures of a plan: well-formed, in need of nothing else, and right in their points."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.plan import plan_release
from pipelines.plan.curves import error_curves, release_curve
from pipelines.plan.plot import plot_plan
from pipelines.spec import load_release
from transforms.expected_error import expected_error
from transforms.noise import release_probability
from transforms.release_curve import units_for_probability

CONFIG = """
release: r
title: Events & <others>
input: {files: in.csv}
privacy: {unit: user, epsilon: 1, delta: 1e-6}
tables:
  t:
    keys: [k]
    bounds: {max_partitions_contributed: 4}
    selection: weighted_gaussian
    metrics: {uses: count, speed: {mean: s, clip: [0, 10]},
      delay: {quantiles: d, ranks: [0.5], clip: [0, 9]}}
    expect: {uses: 500}
  s: {public: {k: [a]}, metrics: {users: privacy_unit_count, total: {sum: s, clip: [0, 9]}}}
  q: {public: {k: [a]}, metrics: {delay: {quantiles: d, ranks: [0.5], clip: [0, 9]}}}
  routes: {keys: [k], selection: laplace}
output: {folder: out}
"""
LOADS = {"src", "href", "xlink:href", "data", "action", "poster", "srcset"}


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    file = tmp_path_factory.mktemp("plot") / "r.yaml"
    file.write_text(CONFIG)
    return plan_release(load_release(file))


@pytest.fixture(scope="module")
def pictures(plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("plan.svg", "plan.html"):
        plot_plan(plan, folder / name)
    return {path.suffix: path.read_text(encoding="utf-8") for path in folder.iterdir()}


class Page(HTMLParser):
    """The elements of a page; asserts that each is closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def loads_nothing(elements):
    for tag, attributes in elements:
        assert tag not in ("script", "link", "iframe", "img", "image", "object")
        assert not LOADS & {name.rpartition("}")[2] for name in attributes}
        assert not any("url(" in str(value) for value in attributes.values())


def test_the_svg_is_xml_that_loads_nothing_and_names_the_tables(pictures):
    root = ElementTree.fromstring(pictures[".svg"])
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    loads_nothing((element.tag.rpartition("}")[2], element.attrib) for element in root.iter())
    texts = [text for element in root.iter() if (text := (element.text or "").strip())]
    assert {"t", "s", "routes"} <= set(texts)
    assert "q" not in texts, "there is nothing to draw of it"
    assert texts.count("Relative error") == 2
    assert texts.count("Probability of release") == 2
    assert {"uses", "speed", "users", "total"} <= set(texts)
    assert texts.count("mean error / number, for means / range") == 1
    assert texts.count("mean error / number") == 1
    assert "privacy units with 4 partitions each" in texts


def test_the_page_is_html_that_loads_nothing(pictures):
    page = Page(pictures[".html"])
    loads_nothing(page.elements)
    outside = re.sub(r'xmlns(:xlink)?="http://www\.w3\.org/[^"]*"', "", pictures[".html"])
    assert "http" not in outside
    assert "@import" not in outside
    assert "Events & <others>" in page.text
    names = [attributes for tag, attributes in page.elements if tag == "meta"]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in names


def test_every_chart_of_the_page_has_marks_and_says_what_it_shows(pictures):
    page = Page(pictures[".html"])
    labels = [attributes["aria-label"] for tag, attributes in page.elements if tag == "figure"]
    assert labels == [
        "Relative error of uses, speed of t against their size",
        "Standard deviation of the noise of t against the size of metrics",
        "Probability that a partition of t is released against its privacy units with 4 "
        "partitions each",
        "Relative error of users, total of s against their size",
        "Standard deviation of the noise of s against the size of metrics",
        "Probability that a partition of routes is released against its privacy units",
    ]
    for figure in pictures[".html"].split("<figure ")[1:]:
        assert 'aria-roledescription="line mark"' in figure
        assert "NaN" not in figure
    assert sum(tag == "svg" for tag, _ in page.elements) == len(labels)


def test_points_are_those_of_the_plan(plan):
    table = plan.tables[0]
    points = error_curves(table)
    assert {point.metric for point in points} == {"uses", "speed"}
    for point in points:
        (metric,) = (metric for metric in table.metrics if metric.name == point.metric)
        assert point.relative == expected_error(metric, point.size).relative
    uses = [point for point in points if point.metric == "uses"]
    assert {point.std for point in uses} == {table.metrics[0].noises[0].std}
    assert [point.size for point in uses] == sorted(point.size for point in uses)
    assert uses[0].relative > 0.1 > uses[-1].relative


def test_a_curve_of_release_goes_from_none_to_all(plan):
    for table in plan.tables:
        if table.selection is not None:
            points = release_curve(table.selection)
            assert points[0].probability < 0.001
            assert points[-1].probability > 0.999
            for point in points:
                assert point.probability == release_probability(table.selection, point.units)
            units = [point.units for point in points]
            assert units == sorted(set(units))
            assert units[0] < units_for_probability(table.selection, 0.5) < units[-1]


def command(tmp_path, *arguments):
    file = tmp_path / "r.yaml"
    file.write_text(CONFIG)
    done = CliRunner().invoke(app, ["plan", str(file), *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_the_command_draws_and_still_says_the_plan(tmp_path):
    code, text, errors = command(tmp_path, "--plot", tmp_path / "plan.svg")
    assert (code, errors) == (0, "")
    assert text.startswith("r: Events & <others>\n")
    assert text.endswith(f"\nplot in {tmp_path}/plan.svg\n")
    assert (tmp_path / "plan.svg").read_text(encoding="utf-8").startswith("<svg ")


def test_the_files_that_were_written_are_named_but_not_in_json(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ("--out", "plan.json", "--plot", "plan.svg")
    _, text, _ = command(tmp_path, *asked)
    assert text.splitlines()[-2:] == ["plan in plan.json", "plot in plan.svg"]
    _, text, _ = command(tmp_path, "--json", *asked)
    assert json.loads(text)["plan_hash"]


def test_another_kind_of_picture_is_refused(tmp_path):
    code, text, errors = command(tmp_path, "--plot", tmp_path / "plan.png")
    assert (code, text) == (1, "")
    assert errors == f"--plot is {tmp_path}/plan.png; allowed: a file that ends in .svg or .html\n"


def test_a_picture_that_cannot_be_written_is_a_user_error(tmp_path):
    code, _, errors = command(tmp_path, "--plot", tmp_path / "none" / "plan.svg")
    assert code == 1
    assert errors.endswith("none/plan.svg cannot be written: No such file or directory\n")


@pytest.mark.parametrize("missing", ["altair", "vl_convert"])
def test_without_the_libraries_it_says_what_to_install(tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    code, _, errors = command(tmp_path, "--plot", tmp_path / "plan.svg")
    assert code == 1
    assert errors == (
        "--plot needs altair and vl-convert-python, which are not installed; "
        "allowed: pip install 'dp-release[plot]'\n"
    )
    assert not (tmp_path / "plan.svg").exists()


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_shows_the_page_without_a_word(pictures, tmp_path):
    page = tmp_path / "plan.html"
    page.write_text(pictures[".html"], encoding="utf-8")
    done = subprocess.run(
        [
            str(Path(str(CHROMIUM))),
            *("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
            *(f"--user-data-dir={tmp_path}/profile", "--window-size=390,800"),
            f"--screenshot={tmp_path}/plan.png",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0
    assert "CONSOLE" not in done.stderr
    assert (tmp_path / "plan.png").stat().st_size > 5_000
