"""A report as Chromium shows it: nothing runs, nothing fails, nothing is wider than a phone."""

import html
import json
import re
import shutil
import subprocess

import pytest
from made_up import NASTY, publish, tables

from pipelines.report.index import index_page
from pipelines.report.page import report_page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here"),
    pytest.mark.timeout(120),
]

_PROBE = """<!doctype html><meta charset="utf-8"><title>probe</title>
<iframe id="f" src="page.html" style="width: {width}px; height: 2000px; border: 0"></iframe>
<pre id="found"></pre>
<script>
document.getElementById("f").onload = (event) => {{
  const page = event.target.contentDocument, root = page.documentElement;
  const large = (one) => one.getBoundingClientRect().width > 0;
  const seen = (name) => [...page.querySelectorAll(name)].filter(large).length;
  const text = [...page.querySelectorAll("svg text")].map((t) => t.getBoundingClientRect().right);
  document.getElementById("found").textContent = JSON.stringify({{
    scrollWidth: root.scrollWidth, clientWidth: root.clientWidth,
    figures: seen("figure"), svgs: seen("figure svg"),
    bare: [...page.querySelectorAll("figure")].filter(
      (one) => one.querySelectorAll(".role-mark path, .role-mark line").length === 0).length,
    ink: page.defaultView.getComputedStyle(page.body).color,
    farthestText: Math.max(...text),
    alerted: page.defaultView.alerted === true,
    scrolled: [...page.querySelectorAll(".wide")].filter(
      (one) => one.scrollWidth > one.clientWidth).map((one) => {{
        const style = page.defaultView.getComputedStyle(one);
        return [style.backgroundAttachment, style.backgroundImage.split("linear-gradient").length];
      }}),
    periods: [...page.querySelectorAll("th a, .period")].map((one) => one.getClientRects().length),
  }});
}};
</script>
"""


def chromium(tmp_path, url, *options):
    done = subprocess.run(
        [
            str(CHROMIUM),
            *("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
            *("--allow-file-access-from-files", f"--user-data-dir={tmp_path}/profile"),
            *("--hide-scrollbars", "--virtual-time-budget=5000", *options, url),
        ],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0
    assert "CONSOLE" not in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    publish(folder / "2026-W45", tables(scale=3, emoji=NASTY))
    nasty = publish(folder / "2026-W46", tables(emoji=NASTY))
    return {"report": report_page(nasty), "index": index_page(folder)}


def found_in(page, tmp_path, width):
    """Returns what the probe finds in a page in a window of a width."""
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    probe = tmp_path / "probe.html"
    probe.write_text(_PROBE.format(width=width), encoding="utf-8")
    dom = chromium(tmp_path, probe.as_uri(), "--dump-dom", "--window-size=1400,2100")
    return json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', dom)[1]))


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("name", ["report", "index"])
def test_nothing_is_wider_than_the_window(pages, tmp_path, name, width):
    found = found_in(pages[name], tmp_path, width)
    assert found["clientWidth"] == width
    assert found["scrollWidth"] <= width
    assert found["farthestText"] <= width
    assert found["figures"] == found["svgs"] == pages[name].count("<figure ") > 0
    assert found["bare"] == 0
    assert not found["alerted"]


@pytest.mark.parametrize("name", ["report", "index"])
def test_tables_that_scroll_are_shaded_at_their_edge_and_periods_do_not_wrap(pages, tmp_path, name):
    """Two shades stay at the edges; two covers of the colour of the page scroll with the table."""
    found = found_in(pages[name], tmp_path, 390)
    assert found["scrolled"]
    assert all(one == ["local, local, scroll, scroll", 5] for one in found["scrolled"])
    assert len(found["periods"]) > 2
    assert set(found["periods"]) <= {0, 1}


@pytest.mark.parametrize("size", ["360,2000", "1200,2000"])
def test_a_screenshot_can_be_taken_without_a_word_on_the_console(pages, tmp_path, size):
    page = tmp_path / "page.html"
    page.write_text(pages["report"], encoding="utf-8")
    shot = tmp_path / "page.png"
    chromium(tmp_path, page.as_uri(), f"--screenshot={shot}", f"--window-size={size}")
    assert shot.stat().st_size > 20_000


def test_letters_stand_out_from_their_ground(pages):
    """WCAG 2.2, 1.4.3: a contrast of 4.5 or more, in the light and in the dark."""
    style = re.search("<style>(.*?)</style>", pages["report"], re.DOTALL)[1]
    for scheme in re.findall(r":root \{(.*?)\}", style, re.DOTALL):
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", scheme))
        for ground in ("paper", "card"):
            for letters in ("ink", "soft", "link"):
                assert contrast(colours[letters], colours[ground]) >= 4.5, (letters, ground)
        assert contrast(colours["mark"], colours["paper"]) >= 3


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
