"""Pictures of a budget: losses so far, and caps against their limits."""

import json
import math
import re
import sys
from dataclasses import replace
from datetime import date
from xml.etree import ElementTree

import pytest
from ledger_examples import USER_DAY, MemoryStore, charge, laplace, policy, request
from typer.testing import CliRunner

from pipelines.budget_plot import plot_budget
from pipelines.budget_report import BudgetReport
from pipelines.cli import app
from pipelines.ledger import Ledger
from pipelines.ledger.budget import cumulative, history, remaining
from pipelines.ledger.curves import MOST_DAYS, cap_curves

RULES = policy(
    {"epsilon": 1, "per": "release", "delta": 1e-6},
    {"epsilon": 2, "per": "3 days", "delta": 1e-6},
    {"epsilon": 9, "every": "day", "delta": 1e-6},
    {"rho": 5, "delta": 1e-3},
)

DATASET = RULES.datasets["events"]

TODAY = date(2026, 11, 8)


def book(*charges):
    """A ledger with these charges."""
    ledger = Ledger(MemoryStore())
    for number, charged in enumerate(charges):
        ledger.reserve(request(f"p{number}<&>", charged), RULES)
    return ledger.book()


def curves(of):
    return cap_curves(DATASET, of, "events", TODAY)


@pytest.fixture(scope="module")
def spent():
    return book(
        charge("2026-11-01", laplace(0.5)),
        charge("2026-11-02 2026-11-04", laplace(0.25)),
        charge("2026-11-08", laplace(0.125), unit=USER_DAY),
    )


def report(of, delta=1e-6):
    return BudgetReport(
        "events",
        "ledger.db",
        TODAY,
        delta,
        True,
        remaining(DATASET, of, "events", TODAY),
        cumulative(of, "events", delta),
        history(of, "events", delta),
        [],
        curves(of),
    )


def test_days_have_what_a_release_of_that_day_would_find_used(spent):
    sliding, user_day, _ = curves(spent)
    assert sliding.days == user_day.days == tuple(date(2026, 11, day) for day in range(1, 9))
    for curve, number in ((sliding, 1), (user_day, 2)):
        for day, used in zip(curve.days, curve.used, strict=True):
            assert used == remaining(DATASET, spent, "events", day)[number].used
    assert user_day.used[:2] == pytest.approx((0.5, 2 * 0.25), abs=1e-4)
    assert user_day.used[5] == 0
    assert sliding.used[1] == pytest.approx(0.75, abs=1e-4)


def test_a_cap_of_a_lifetime_goes_up_from_release_to_release(spent):
    life = curves(spent)[-1]
    assert [release.key.period for release in life.releases] == ["p0<&>", "p1<&>", "p2<&>"]
    assert list(life.used) == sorted(life.used)
    assert life.used[-1] == remaining(DATASET, spent, "events", TODAY)[-1].used
    assert life.limit == 5


def test_releases_of_all_days_are_shown_for_one():
    sliding, user_day, life = curves(book(charge("1970-01-01 2069-12-31", laplace(0.5))))
    assert sliding.days == user_day.days == (TODAY,)
    assert sliding.used == pytest.approx((0.5,), abs=1e-4)
    assert life.days == ()
    assert curves(book()) == []


def test_curves_have_a_longest_length():
    long = book(charge("2020-01-01", laplace(0.01)), charge("2026-11-01", laplace(0.01)))
    curve = curves(long)[0]
    assert len(curve.days) == MOST_DAYS
    assert curve.days[-1] == date(2026, 11, 1)


def test_a_picture_has_each_cap_with_its_limit(spent, tmp_path):
    plot_budget(report(spent), tmp_path / "b.svg")
    text = (tmp_path / "b.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    for limit in ("limit 2", "limit 9", "limit 5"):
        assert f">{limit}</text>" in text
    assert len(re.findall('aria-roledescription="line mark"', text)) == 4
    assert "limit 1<" not in text


def test_a_page_has_the_charts_and_their_tables(spent, tmp_path):
    plot_budget(report(spent), tmp_path / "b.html")
    text = (tmp_path / "b.html").read_text(encoding="utf-8")
    assert text.count("<figure ") == 4
    assert text.count("<table ") == 3
    assert "<script" not in text
    assert "p0<&>" not in text
    assert "p0&lt;&amp;&gt;" in text
    assert not re.search(r'(src|href)="(?!#)', text)


def test_what_has_no_bound_is_left_out_and_said(spent, tmp_path):
    shown = report(spent)
    lines = [replace(line, cumulative=math.inf) for line in shown.lines]
    plot_budget(replace(shown, lines=lines), tmp_path / "b.html")
    text = (tmp_path / "b.html").read_text(encoding="utf-8")
    assert "The line is left out where that delta allows no bound: 3 of 3." in text
    assert "Infinity" not in text


def test_nothing_spent_is_nothing_to_draw(tmp_path):
    with pytest.raises(ValueError, match="nothing was spent of events"):
        plot_budget(report(book()), tmp_path / "b.svg")


CONFIG = """
release: r
input: {files: in.csv}
privacy: {unit: user, epsilon: 1, delta: 1e-6}
tables: {t: {public: {k: [a, b]}, metrics: {users: privacy_unit_count}}}
output: {folder: out}
"""


def command(tmp_path, *arguments):
    (tmp_path / "in.csv").write_text("user,k\n1,a\n2,b\n")
    (tmp_path / "r.yaml").write_text(CONFIG)
    done = CliRunner().invoke(app, [*arguments[:1], str(tmp_path / "r.yaml"), *arguments[1:]])
    return done.exit_code, done.stdout, done.stderr


def test_the_command_draws_and_still_says_what_is_left(tmp_path):
    picture = tmp_path / "b.svg"
    code, _, errors = command(tmp_path, "budget", "--plot", str(picture))
    assert (code, errors) == (1, "nothing was spent of r, so there is nothing to draw\n")
    assert command(tmp_path, "run", "--no-report")[0] == 0
    code, text, errors = command(tmp_path, "budget", "--plot", str(picture))
    assert (code, errors) == (0, "")
    assert text.startswith("r, in the ledger ")
    assert text.endswith(f"\nplot in {picture}\n")
    assert json.loads(command(tmp_path, "budget", "--json", "--plot", str(picture))[1])["history"]
    assert picture.read_text(encoding="utf-8").startswith("<svg ")
    code, _, errors = command(tmp_path, "budget", "--plot", str(tmp_path / "none" / "b.svg"))
    assert code == 1
    assert errors.endswith("none/b.svg cannot be written: No such file or directory\n")


def test_another_kind_of_picture_is_refused(tmp_path):
    code, _, errors = command(tmp_path, "budget", "--plot", "b.png")
    assert (code, errors) == (
        1,
        "--plot is b.png; allowed: a file that ends in .svg or .html\n",
    )


@pytest.mark.parametrize("missing", ["altair", "jinja2", "vl_convert"])
def test_without_the_libraries_it_says_what_to_install(tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    code, _, errors = command(tmp_path, "budget", "--plot", str(tmp_path / "b.svg"))
    assert code == 1
    assert errors.startswith("--plot needs altair, jinja2 and vl-convert-python, which are not")
