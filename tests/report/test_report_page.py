"""The report of a release: self-contained, safe against its keys, and right in what it says."""

import re
from hashlib import sha256
from itertools import pairwise

import html5lib
import polars as pl
import pytest
from made_up import CONFIG, NASTY, publish, tables, with_errors
from markupsafe import escape

from pipelines.report.index import index_page
from pipelines.report.page import report_page
from pipelines.report.published import ReportError, read_release
from pipelines.report.series import ReleasesHere

XHTML = "{http://www.w3.org/1999/xhtml}"
LOADS = {"src", "srcset", "data", "action", "poster", "background", "xlink:href", "formaction"}


def parsed(page):
    """Returns the elements of a page; a parse error fails."""
    return html5lib.HTMLParser(strict=True).parse(page)


def elements(page):
    for element in parsed(page).iter():
        if isinstance(element.tag, str):
            yield element.tag.rpartition("}")[2], element


def is_whole_and_safe(page):
    """Asserts what holds for each page of ours."""
    ids, levels, references = [], [], []
    for tag, element in elements(page):
        assert tag not in ("script", "link", "iframe", "img", "image", "object", "embed", "base")
        for name, value in element.attrib.items():
            assert name not in LOADS
            assert not name.startswith("on")
            if name == "href":
                assert value.startswith(("#", "./"))
                references += [value[1:]] if value.startswith("#") else []
            if "url(" in value and tag not in ("div", "figcaption"):
                assert set(re.findall(r"url\(([^)]*)\)", value)) <= {f"#{one}" for one in ids}
            if name in ("aria-labelledby", "aria-describedby"):
                references.append(value)
        if "id" in element.attrib:
            ids.append(element.attrib["id"])
        if re.fullmatch("h[1-6]", tag):
            levels.append(int(tag[1]))
    assert len(ids) == len(set(ids))
    assert set(references) <= set(ids)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    styles = [element.text for tag, element in elements(page) if tag == "style"]
    assert len(styles) == 1
    assert "url(" not in styles[0]
    assert "@import" not in styles[0]
    (html,) = (element for tag, element in elements(page) if tag == "html")
    assert html.attrib["lang"] == "en"
    for tag, element in elements(page):
        if tag == "figure":
            (image,) = element.findall(f"{XHTML}div[@role='img']")
            assert len(image.attrib["aria-label"]) > 20
        if tag == "table":
            assert element.find(f"{XHTML}caption") is not None
            heads = list(element.iter(f"{XHTML}th"))
            assert heads
            assert all(head.attrib["scope"] in ("col", "row") for head in heads)


def text_of(page):
    return " ".join("".join(parsed(page).itertext()).split())


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    publish(folder / "2026-W45", tables())
    publish(folder / "2026-W46", tables(scale=1.5, emoji=("😀", "👍", "🎉")))
    return folder


@pytest.fixture(scope="module")
def page(series):
    return report_page(series / "2026-W46")


def test_the_page_is_whole_and_loads_nothing(page):
    is_whole_and_safe(page)
    assert "http://" not in page
    assert "https://" not in page


def test_the_index_is_whole_and_loads_nothing(series):
    index = index_page(series)
    is_whole_and_safe(index)
    assert "http" not in index.replace("http-equiv", "")
    links = [e.attrib["href"] for tag, e in elements(index) if tag == "a"]
    assert links == ["./2026-W46/", "./2026-W45/"]
    assert "1,500 ± 20" in text_of(index)
    assert "adding up" in text_of(index)


def test_the_same_folder_gives_the_same_bytes(series, page):
    assert report_page(series / "2026-W46") == page
    (series / "2026-W46" / "report.html").write_text("old")
    (series / "2026-W46" / "SHA256SUMS").write_text("made later, as the report is in it")
    assert report_page(series / "2026-W46") == page


def test_csv_alone_says_the_same_of_numbers(series, tmp_path):
    alone = publish(
        tmp_path / "2026-W46", tables(scale=1.5, emoji=("😀", "👍", "🎉")), formats=["csv"]
    )
    both = {table.name: table for table in read_release(series / "2026-W46").tables}
    for table in read_release(alone).tables:
        assert table.frame.select(table.keys).equals(both[table.name].frame.select(table.keys))
        for number in table.numbers:
            ours, theirs = table.frame[number], both[table.name].frame[number]
            assert ours.cast(pl.Float64).equals(theirs.cast(pl.Float64))


def test_it_says_what_is_promised_and_what_it_costs(series, page):
    plan = read_release(series / "2026-W46").plan
    text = text_of(page)
    assert " ".join(plan["guarantee"]["protects"].split()) in text
    assert " ".join(plan["guarantee"]["does_not_protect"].split()) in text
    assert "epsilon 1, delta 1e-06" in text
    assert f"{plan['price']['epsilon']:.6g}" in text
    assert f"{plan['price']['upper']:.6g}" in text


def test_every_mechanism_is_in_it(series, page):
    text = text_of(page)
    for table in read_release(series / "2026-W46").plan["tables"].values():
        for metric in table["metrics"].values():
            for name, noise in metric["noise"].items():
                assert name in text
                assert f"{noise['std']:.4g}" in text.replace(",", "")


def test_downloads_have_the_hashes_of_the_files(series, page):
    files = {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in (series / "2026-W46").iterdir()
        if path.name not in ("report.html", "SHA256SUMS")
    }
    links = [e.attrib["href"] for tag, e in elements(page) if tag == "a" and "download" in e.attrib]
    assert links == [f"./{name}" for name in sorted(files)]
    assert all(digest in page for digest in files.values())


def test_the_kinds_of_charts_fit_the_keys(page):
    figures = {e.attrib["id"]: e for tag, e in elements(page) if tag == "figure"}
    assert {"t1-bars-1", "t1-bars-2", "t1-bars-3", "t2-time", "t3-map"} <= set(figures)
    assert "t1-map" not in figures
    marks = {"bars": "mark-rect", "lines": "mark-symbol", "map": "mark-shape"}
    for figure in figures.values():
        inside = [e.attrib.get("class", "") for e in figure.iter() if isinstance(e.tag, str)]
        assert any(marks[figure.attrib["class"]] in name for name in inside)
    assert "NaN" not in page


def test_a_chart_has_the_numbers_of_the_table_beside_it(page):
    (figure,) = (e for tag, e in elements(page) if e.attrib.get("id") == "t1-bars-1")
    texts = "".join(figure.itertext())
    (table,) = (e for tag, e in elements(page) if e.attrib.get("id") == "t1-largest")
    rows = [
        [cell.text or "".join(cell.itertext()) for cell in row] for row in table.iter(f"{XHTML}tr")
    ]
    assert rows[0] == ["country", "emoji", "uses", "users", "speed"]
    assert rows[1] == ["c0", "😀", "1,500 ± 20", "750 ± 10", "4.0 ± 1.0"]
    assert all(row[2] in texts for row in rows[1:])


def test_changes_are_told_from_noise(page):
    text = text_of(page)
    assert "Since 2026-W45" in text
    (table,) = (e for tag, e in elements(page) if e.attrib.get("id") == "t1-change-table")
    rows = [["".join(cell.itertext()) for cell in row] for row in table.iter(f"{XHTML}tr")][1:]
    assert rows[0][:2] == ["c0", "😀"]
    assert {tuple(row[:3]): row[-1] for row in rows}[("c0", "😀", "uses")] == "yes"
    assert {tuple(row[:3]): row[-1] for row in rows}[("c0", "😀", "speed")] == "no"
    assert "2 rows are only in this one, 2 only in the earlier one" in text
    assert "Holm's rule over all 11 numbers" in text


SIZES = """
release: g
input: {files: in.csv}
privacy: {unit: user, epsilon: 1, delta: 1e-6}
tables:
  t:
    public: {k: [a, b]}
    metrics: {users: privacy_unit_count, seconds: {sum: s, clip: [-1e+6, 2.5e+6]}}
output: {folder: out}
"""


def of_sizes(users, seconds):
    """Returns a table with numbers of very different size."""
    numbers = [*with_errors("users", users, 4.0), *with_errors("seconds", seconds, 23_617.0)]
    return {"t": pl.DataFrame([pl.Series("k", ["a", "b"]), *numbers])}


@pytest.fixture(scope="module")
def sizes(tmp_path_factory):
    """The page of a release whose numbers are of very different size, compared with another."""
    folder = tmp_path_factory.mktemp("sizes")
    publish(folder / "2026-W45", of_sizes([170, 81], [-31_740.0, 208_700.4]), SIZES)
    now = of_sizes([134, 117], [120_260.0, 1_234_567_890.0])
    return report_page(publish(folder / "2026-W46", now, SIZES))


def test_changes_of_each_number_have_an_axis_of_their_own(sizes):
    """Users change by 36, seconds by a billion: no bar of users would be seen beside them."""
    figures = {e.attrib["id"]: e for tag, e in elements(sizes) if tag == "figure"}
    for name, number, shown in (
        ("t1-change-bars-1", "users", ["\N{MINUS SIGN}36 ± 12", "36 ± 12"]),
        ("t1-change-bars-2", "seconds", ["152,000 ± 71,000", "1,234,359,000 ± 71,000"]),
    ):
        texts = [e.text for e in figures[name].iter() if e.tag.endswith("text")]
        assert sorted(text for text in texts if "±" in text) == sorted(shown)
        caption = figures[name].find(f"{XHTML}figcaption").text
        assert caption.startswith(f"{number}: changes that stand out most from noise")
    lengths = [
        float(width)
        for e in figures["t1-change-bars-1"].iter()
        if "mark-rect" in e.attrib.get("class", "")
        for path in e
        for width in re.findall(r"h([\d.]+)", path.attrib["d"])
    ]
    assert sum(length > 40 for length in lengths) == 2


def test_all_numbers_of_a_page_are_written_alike(sizes):
    """With thousands and a minus sign; before, now and change are as exact as the change."""
    (table,) = (e for tag, e in elements(sizes) if e.attrib.get("id") == "t1-change-table")
    rows = [["".join(cell.itertext()) for cell in row] for row in table.iter(f"{XHTML}tr")][1:]
    minus = "\N{MINUS SIGN}"
    found = {tuple(row[:2]): row[2:6] for row in rows}
    assert found["a", "users"] == ["170", "134", f"{minus}36 ± 12", "5.7"]
    assert found["a", "seconds"] == [f"{minus}32,000", "120,000", "152,000 ± 71,000", "33,000"]
    assert found["b", "seconds"] == ["209,000", "1,234,568,000", "1,234,359,000 ± 71,000", "33,000"]
    text = text_of(sizes)
    assert f"clip {minus}1,000,000 to 2,500,000" in text
    cells = [e for _, e in elements(sizes) if e.attrib.get("class") == "number"]
    for cell in [*("".join(cell.itertext()) for cell in cells), *texts_of_charts(sizes)]:
        assert not re.search(r"(^|[ (])-[0-9]|[0-9]e\+|(?<![0-9.])[0-9]{4}", cell)


def texts_of_charts(page):
    return [e.text for tag, e in elements(page) if tag == "text"]


def test_whole_numbers_are_whole_on_the_index_too(tmp_path):
    for week in ("2026-W45", "2026-W46"):
        publish(tmp_path / week, of_sizes([170, 81], [1.0, 2.0]), SIZES)
    text = text_of(index_page(tmp_path))
    assert "170 ± 8" in text
    assert "170.0" not in text


def test_an_axis_has_thousands_below_a_million_and_prefixes_above(sizes):
    figures = {e.attrib["id"]: e for tag, e in elements(sizes) if tag == "figure"}
    texts = {
        name: [e.text for e in figure.iter() if e.tag.endswith("text")]
        for name, figure in figures.items()
    }
    assert {"0", "400M", "1.2G"} <= set(texts["t1-change-bars-2"])
    assert {"\N{MINUS SIGN}40", "0", "40"} <= set(texts["t1-change-bars-1"])
    assert {"0", "50", "100"} <= set(texts["t1-bars-1"])


def test_names_of_periods_are_never_cut_at_their_hyphens(page, series):
    """They break after them, unless the style sheet is told what they are."""
    shown = [
        (tag, e)
        for made in (page, index_page(series))
        for tag, e in elements(made)
        if e.text and re.search("[0-9]-W[0-9]", e.text) and tag not in ("title", "text")
    ]
    assert len(shown) > 10
    assert all(tag == "a" or e.attrib["class"] == "period" for tag, e in shown)
    assert "th a, .period { white-space: nowrap; }" in page


def test_other_periods_and_other_series_are_not_compared(tmp_path):
    first = publish(tmp_path / "2026-W45", tables(), CONFIG.replace("release: r", "release: q"))
    publish(tmp_path / "2026-11", tables())
    publish(tmp_path / "2026-W47", tables())
    now = publish(tmp_path / "2026-W46", tables())
    assert "Since" not in text_of(report_page(now))
    assert "Since" not in text_of(report_page(first))


def test_a_release_without_a_period_is_compared_with_none(tmp_path):
    publish(tmp_path / "a", tables())
    assert "Since" not in text_of(report_page(publish(tmp_path / "b", tables())))


def test_it_is_the_same_page_before_it_is_in_place(series, tmp_path, page):
    building = series / ".2026-W46.building"
    building.mkdir()
    for path in (series / "2026-W46").iterdir():
        (building / path.name).write_bytes(path.read_bytes())
    assert report_page(building, name="2026-W46", beside=ReleasesHere(series)) == page


@pytest.mark.parametrize("formats", [["parquet"], ["csv"]])
def test_keys_are_shown_and_not_obeyed(tmp_path, formats):
    publish(tmp_path / "2026-W45", tables(scale=3, emoji=NASTY), formats=formats)
    nasty = publish(tmp_path / "2026-W46", tables(emoji=NASTY), formats=formats)
    page = report_page(nasty)
    assert not set(page) & {
        *map(chr, range(9)),
        "\x1b",
        "\x7f",
        "\x85",
        "\u202e",
        "\u2066",
        "\ufffe",
    }
    for loads in ("<script", "<img", "{{", "<!--"):
        assert loads not in page.replace(str(escape("{{ 7 * 7 }}")), "").replace("{{ 7 * 7 }}", "")
    assert "49{% raw" not in page
    is_whole_and_safe(page)
    is_whole_and_safe(index_page(tmp_path))
    text = text_of(page)
    assert "<script>alert(1)</script>" in text
    assert "[U+202E]evil[U+2066]" in text
    assert "a[U+0000]b[U+001B][31mc" in text
    assert "👨‍👩‍👧‍👦" in text
    assert "x" * 1_000 not in text


def test_hidden_texts_of_the_publisher_are_shown_too(tmp_path):
    package = {
        "title": "<b>Title</b>\u202e",
        "publication": {
            "period": "2026-W46",
            "window": ["2026-11-09", "2026-11-15"],
            "published": "2026-11-20T00:00:00Z",
            "version": 2,
            "reason": "a & b",
            "ledger": {"entry": "e<1>", "entries": 3, "digest": "00"},
            "about": {"contact": "<a href='javascript:x'>", "links": ["http://x"]},
        },
        "privacy": {"disclosure": [{"point": 1, "title": "Unit", "statement": "<i>all</i>"}]},
    }
    page = report_page(publish(tmp_path / "2026-W46", tables(), package=package))
    is_whole_and_safe(page)
    text = text_of(page)
    assert "<b>Title</b>[U+202E]" in text
    assert "2026-11-09 to 2026-11-15" in text
    assert "e<1>" in text
    assert "<i>all</i>" in text


def test_empty_tables_and_missing_numbers_make_a_page(tmp_path):
    frames = {name: frame.clear() for name, frame in tables().items()}
    is_whole_and_safe(report_page(publish(tmp_path / "2026-W45", frames)))
    nulls = tables()
    nulls["areas"] = pl.DataFrame(
        [nulls["areas"]["area"], *with_errors("uses", [None, float("nan"), float("inf")])]
    )
    nulls["hours"] = nulls["hours"].with_columns(pl.lit(None, pl.Int64).alias("users"))
    page = report_page(publish(tmp_path / "2026-W46", nulls))
    is_whole_and_safe(page)
    assert "NaN" not in page
    is_whole_and_safe(index_page(tmp_path))


def test_a_last_release_without_rows_leaves_the_index_without_a_chart(tmp_path):
    publish(tmp_path / "2026-W45", tables())
    empty = {name: frame.clear() for name, frame in tables().items()}
    publish(tmp_path / "2026-W46", empty)
    page = index_page(tmp_path)
    is_whole_and_safe(page)
    assert "2026-W46" in page
    assert "From release to release" not in page


def test_a_correction_says_that_it_is_one_and_why(tmp_path):
    def package(version, reason):
        return {"publication": {"version": version, "reason": reason, "published": "2026-11-20T00"}}

    first = publish(tmp_path / "2026-W45", tables(), package=package(1, ""))
    second = publish(tmp_path / "2026-W46", tables(), package=package(2, "wrong <clip>"))
    assert "Corrected" not in text_of(report_page(first))
    text = text_of(report_page(second))
    assert "Corrected: this is version 2." in text
    assert "Why it was made again: wrong <clip>" in text
    index = text_of(index_page(tmp_path))
    assert "2026-W46 version 2" in index
    assert "2026-11-20" in index
    assert "What earlier versions of 2026-W46 cost is spent too" in index


def test_many_groups_along_time_make_a_few_panels(tmp_path):
    config = """
release: g
input: {files: in.csv}
privacy: {unit: user, epsilon: 1, delta: 1e-6}
tables: {t: {keys: [day, word], metrics: {uses: count}}}
output: {folder: out}
"""
    days = [f"2026-01-{day:02}" for day in range(1, 5)]
    rows = [
        (day, str(word), 10 * word + place)
        for word in range(5_000)
        for place, day in enumerate(days)
    ]
    keys = [pl.Series("day", [row[0] for row in rows]), pl.Series("word", [row[1] for row in rows])]
    frames = {"t": pl.DataFrame([*keys, *with_errors("uses", [row[2] for row in rows])])}
    page = report_page(publish(tmp_path / "g", frames, config))
    assert "The 7 of 5,000 with the largest numbers are shown." in page
    (grid,) = (e for tag, e in elements(page) if e.attrib.get("id") == "t1-time-table")
    shown = [["".join(cell.itertext()) for cell in row] for row in grid.iter(f"{XHTML}tr")][1:]
    assert [row[:2] for row in shown[:5]] == [*([day, "4999"] for day in days), [days[0], "4998"]]
    assert len(shown) == 7 * len(days)


def test_caveats_are_those_of_the_release(page, tmp_path):
    text = text_of(page)
    assert "users of by_place), partitions near the threshold" in text
    assert "Negative numbers were set to 0" in text
    public = """
release: p
input: {files: in.csv}
privacy: {unit: user, epsilon: 1}
tables: {t: {public: {k: [a]}, metrics: {users: privacy_unit_count}}}
output: {folder: out}
"""
    frames = {"t": pl.DataFrame([pl.Series("k", ["a"]), *with_errors("users", [3])])}
    other = text_of(report_page(publish(tmp_path / "p", frames, public)))
    assert "near the threshold" not in other
    assert "hidden by selection" not in other
    assert "may come out negative" in other


def test_a_budget_of_rho_has_its_prices(tmp_path):
    config = """
release: z
input: {files: in.csv}
privacy: {unit: user, rho: 0.1}
tables: {t: {public: {k: [a, b, c]}, metrics: {users: privacy_unit_count}}}
output: {folder: out}
"""
    frames = {
        "t": pl.DataFrame([pl.Series("k", ["a", "b", "c"]), *with_errors("users", [3, 4, 5])])
    }
    folder = publish(tmp_path / "2026-11", frames, config)
    text = text_of(report_page(folder))
    assert "rho 0.1, delta 0" in text
    for price in read_release(folder).plan["price"]["at_deltas"]:
        assert f"{price['epsilon']:.6g}{price['delta']:g}" in text
    is_whole_and_safe(index_page(tmp_path))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "plan.json").unlink(), "no such file"),
        (lambda folder: (folder / "plan.json").write_text("{}"), "is no plan file"),
        (
            lambda folder: (folder / "hours.parquet").write_text("x"),
            "is no table with the keys hour",
        ),
        (lambda folder: (folder / "areas.parquet").unlink(), "has neither areas.parquet nor"),
        (lambda folder: (folder / "datapackage.json").write_text("["), "is not JSON"),
        (lambda folder: (folder / "datapackage.json").write_text("[]"), "is no data package"),
    ],
)
def test_a_spoilt_folder_is_a_user_error(tmp_path, spoil, said):
    folder = publish(tmp_path / "2026-W46", tables(), formats=["parquet"])
    spoil(folder)
    with pytest.raises(ReportError, match=re.escape(said)):
        report_page(folder)


def test_a_manifest_of_another_shape_is_a_user_error(tmp_path):
    folder = publish(tmp_path / "2026-W46", tables(), package={"publication": "x"})
    with pytest.raises(ReportError, match="not known here"):
        report_page(folder)
