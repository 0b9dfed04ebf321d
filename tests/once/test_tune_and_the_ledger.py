"""Looks at private data are in the ledger before any row is read, and in what comes later."""

import json
import re
import shutil
import signal
import tempfile
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest
from kill_places import Place, both, copied_at
from once_release import command, files, run, write_release, write_weekly
from small_series import MONDAYS, USERS, book, kinds

from pipelines.ledger import LedgerError, PrivacyUnit, RefusedError
from pipelines.ledger.composition import composed, epsilon_at
from pipelines.plan import plan_release
from pipelines.plan.file import plan_file
from pipelines.publication.facts import Facts, LedgerPlace, Look
from pipelines.run.folders import one_at_a_time
from pipelines.run.ledger import ReleaseLedger
from pipelines.run.periods import EVERY_DAY, read_period
from pipelines.spec import ConfigError, load_release
from pipelines.tune import measure as measuring
from pipelines.tune.options import TuneError, TuneOptions
from pipelines.tune.tuning import tune
from transforms.accounting.accountant import price
from transforms.tuning import histograms

NOBODY = 65534
LEDGER = ("pipelines.ledger.ledger", "Ledger")
MEASURE = ("pipelines.tune.measure", "", "measure")


def look(config, **options):
    return tune(config, TuneOptions(**options), [])


def tunings(config):
    return list(book(config).tunings.values())


def nothing_is_read(monkeypatch):
    monkeypatch.setattr(measuring, "measure", lambda *_: pytest.fail("rows were read"))


def write_policy(folder, caps, columns="user, country, at", more=""):
    (folder / "policy.yaml").write_text(
        f"datasets: {{r: {{columns: [{columns}], {more}caps: [{caps}]}}}}"
    )


def write_many(folder):
    """Two tables, private selection and a sum: several histograms."""
    rows = pl.DataFrame({"user": USERS}).join(pl.DataFrame({"country": ["DE", "FR"]}), how="cross")
    rows.with_columns(value=pl.lit(1.5)).write_parquet(folder / "in.parquet")
    config = folder / "release.yaml"
    config.write_text(
        "release: r\ndataset: events\ninput: {files: in.parquet}\n"
        "privacy: {unit: user, epsilon: 1, delta: 1e-6}\n"
        "tables:\n"
        "  a: {keys: [country], metrics: {n: count, s: {sum: value, clip: [0, 2]}}}\n"
        "  b: {public: {country: [DE]}, metrics: {n: count}}\n"
        "output: {folder: out}\n"
    )
    return config


# What is charged


@pytest.mark.parametrize("budget", [{"epsilon": 1.5}, {"epsilon": 0.7, "delta": 1e-7}])
def test_the_charge_is_the_noise_of_all_histograms(tmp_path, budget):
    config = write_many(tmp_path)
    found = look(config, **budget)
    (tuning,) = tunings(config)
    mechanisms = found.plan.charge.mechanisms
    assert set(mechanisms) == {"a.cells", "a.sizes", "a.values:s", "b.cells"}
    charged = tuning.charge.mechanisms
    assert charged == tuple(mechanism.losses for mechanism in mechanisms.values())
    delta = budget.get("delta", 0.0)
    found_price = price(tuning.charge.losses, delta)
    assert found_price.epsilon == pytest.approx(budget["epsilon"], rel=1e-3)
    assert tuning.charge.delta == delta
    if not delta:
        by_hand = sum(mechanism.l1 / mechanism.scale for mechanism in mechanisms.values())
        assert sum(loss.epsilon for loss in tuning.charge.losses) == pytest.approx(by_hand)
        assert by_hand == pytest.approx(budget["epsilon"], rel=1e-6)
    assert (tuning.charge.dataset, tuning.charge.unit) == ("events", PrivacyUnit(("user",)))
    assert (found.entry.number, found.entry.place) == (1, str(tmp_path / ".dp-release/ledger.db"))


@pytest.mark.parametrize(
    ("unit", "policy", "window"),
    [
        ("user", "", "2026-11-09 to 2026-11-15"),
        ("[user, date(at)]", "time: at, ", "2026-11-09 to 2026-11-15"),
        ("[user, date(at)]", "time: sent, ", str(EVERY_DAY)),
    ],
)
def test_days_and_unit_are_those_of_a_release(tmp_path, unit, policy, window):
    config = write_weekly(tmp_path, more="policy: policy.yaml\n")
    config.write_text(config.read_text().replace("unit: user", f"unit: {unit}"))
    cap = "[date(at), user]" if "sent" in policy else "user"
    write_policy(tmp_path, f"{{unit: {cap}, epsilon: 99}}", more=policy)
    look(config, epsilon=1.0, period="2026-W46")
    (tuning,) = tunings(config)
    release = load_release(config)
    plan = plan_release(release)
    own = ReleaseLedger.of(release)
    period = read_period("week", "2026-W46")
    request = own.request(plan, plan_file(release, plan), period)
    assert (tuning.charge.unit, tuning.charge.window) == (
        request.charge.unit,
        request.charge.window,
    )
    assert str(tuning.charge.window) == window


def test_only_rows_of_the_period_are_looked_at(tmp_path, monkeypatch):
    """Without noise: each user has one row in the week, and three in all."""
    config = write_weekly(tmp_path)
    found = {}
    measure = measuring.measure
    monkeypatch.setattr(histograms, "add_noise", lambda values, mechanism: values)
    monkeypatch.setattr(measuring, "measure", lambda *of: found.update(measure(*of)) or found)
    look(config, epsilon=1.0, period="2026-W46")
    cells = found["t"].filter(pl.col("histogram") == "cells", pl.col("n") > 0)
    assert cells.select("bin", "n").rows() == [(0, len(USERS))]
    outside = pl.read_parquet(tmp_path / "in.parquet").filter(pl.col("at") != MONDAYS[1])
    outside.write_parquet(tmp_path / "in.parquet")
    look(config, epsilon=1.0, period="2026-W46")
    assert found["t"]["n"].sum() == 0


def test_files_of_the_period_are_looked_at(tmp_path):
    config = write_weekly(tmp_path)
    (tmp_path / "in.parquet").rename(tmp_path / "2026-W46.parquet")
    config.write_text(config.read_text().replace("in.parquet", "'{period}.parquet'"))
    look(config, public_data=True, period="2026-W46")
    with pytest.raises(ConfigError, match=r"2026-W45\.parquet"):
        look(config, epsilon=1.0, period="2026-W45")
    assert kinds(config) == {}


def test_every_look_is_charged_again(tmp_path):
    config = write_release(tmp_path)
    looks = [look(config, epsilon=0.5).entry.number for _ in range(2)]
    first, second = tunings(config)
    assert looks == [1, 2]
    assert first.plan == second.plan
    assert first.key != second.key
    losses = composed([*first.charge.losses, *second.charge.losses])
    assert epsilon_at(losses, 0.0) == pytest.approx(1.0, rel=1e-3)


def test_a_look_without_accounting_is_noted_with_what_when_and_which_config(tmp_path):
    config = write_weekly(tmp_path)
    before = datetime.now(UTC).replace(microsecond=0)
    found = look(config, unaccounted=True, period="2026-W46")
    (note,) = book(config).notes
    digest = sha256(config.read_bytes()).hexdigest()
    start, _, rest = note.reason.partition(", on ")
    assert start == (
        "tuning of r (t) on rows of 2026-11-09 to 2026-11-15, looked at exactly, which is not "
        "differentially private"
    )
    when, _, end = rest.partition("; ")
    assert before <= datetime.strptime(when, "%Y-%m-%dT%H:%M:%S%z") <= datetime.now(UTC)
    assert end == f"config sha256 {digest}"
    assert (note.dataset, note.entry, found.entry.number) == ("r", 1, 1)
    assert kinds(config) == {"unaccounted": 1}


@pytest.mark.parametrize("content", [None, b"no database" * 100])
def test_public_data_ask_no_ledger(tmp_path, content):
    config = write_release(tmp_path, more="ledger: l/ledger.db\n")
    if content is not None:
        (tmp_path / "l").mkdir()
        (tmp_path / "l" / "ledger.db").write_bytes(content)
    assert look(config, public_data=True).entry is None
    assert (tmp_path / "l").exists() == (content is not None)


# What is refused costs nothing, and nothing is read


def test_a_look_that_does_not_fit_leaves_with_2_and_says_what_would_fit(tmp_path):
    config = write_release(tmp_path, more="policy: policy.yaml\n")
    write_policy(tmp_path, "{unit: user, epsilon: 1.5}")
    run(config)
    before = kinds(config), files(tmp_path / ".dp-release")
    done = command("tune", config, "--epsilon", "1")
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("r@tuning-")
    assert lines[0].endswith(" is refused; nothing was drawn and nothing is charged")
    assert "the cap of epsilon 1.5 at delta 0 per lifetime for one user" in lines[1]
    assert "epsilon 1 is used by 1 entries" in lines[1]
    assert re.fullmatch(r"it costs epsilon 1 alone; what would fit: epsilon 0\.49\d*", lines[-2])
    assert (kinds(config), files(tmp_path / ".dp-release")) == before
    refused = json.loads(command("tune", config, "--epsilon", "1", "--json").stdout)["refused"]
    assert refused["largest"] == pytest.approx(0.5, abs=0.01)
    assert command("tune", config, "--epsilon", str(refused["largest"])).returncode == 0


def test_a_look_leaves_less_for_releases(tmp_path):
    config = write_release(tmp_path, more="policy: policy.yaml\n")
    write_policy(tmp_path, "{unit: user, epsilon: 1.5}")
    look(config, epsilon=1.0)
    with pytest.raises(RefusedError, match=r"entry 1: r@tuning-.*, tuning, input of"):
        run(config)


@pytest.mark.parametrize(
    ("columns", "more", "message"),
    [
        ("user, at", "", "reads the column 'country'"),
        ("user, country, at", "units: [device], ", "has the privacy unit 'user'"),
    ],
)
def test_a_look_that_the_policy_does_not_allow(tmp_path, monkeypatch, columns, more, message):
    config = write_release(tmp_path, more="policy: policy.yaml\n")
    write_policy(tmp_path, "{unit: user, epsilon: 9}", columns, more)
    nothing_is_read(monkeypatch)
    with pytest.raises(RefusedError, match=message):
        look(config, epsilon=1.0)
    assert kinds(config) == {}


WRONG = [
    ({"period": None}, [], TuneError, "no period is given"),
    ({"period": "2026-11"}, [], TuneError, "allowed: a week such as 2026-W46"),
    ({"out": Path("nowhere/p.yaml")}, [], TuneError, "--out is nowhere/p.yaml; allowed: a file"),
    ({"plot": Path("nowhere/p.svg")}, [], TuneError, "--plot is nowhere/p.svg; allowed: a file"),
    ({}, ["--bogus=1"], TuneError, "'--bogus=1' is not a Beam option"),
    ({"table": "x"}, [], ConfigError, "has no table 'x'"),
]


@pytest.mark.parametrize(("options", "beam", "kind", "message"), WRONG)
@pytest.mark.parametrize("mode", [{"epsilon": 1.0}, {"unaccounted": True}])
def test_a_look_that_cannot_be_is_not_in_the_ledger(
    tmp_path, monkeypatch, mode, options, beam, kind, message
):
    config = write_weekly(tmp_path)
    nothing_is_read(monkeypatch)
    with pytest.raises(kind, match=message):
        tune(config, TuneOptions(**{"period": "2026-W46", **mode, **options}), beam)
    assert kinds(config) == {}


@pytest.mark.parametrize("mode", [{"epsilon": 1.0}, {"unaccounted": True}])
def test_while_another_run_is_under_way_nothing_is_charged(tmp_path, monkeypatch, mode):
    config = write_release(tmp_path)
    nothing_is_read(monkeypatch)
    with (
        one_at_a_time(load_release(config)),
        pytest.raises(ConfigError, match="another run of this release is under way"),
    ):
        look(config, **mode)
    assert kinds(config) == {}


@pytest.mark.parametrize("mode", [{"epsilon": 1.0}, {"unaccounted": True}])
def test_a_ledger_that_is_broken_or_cannot_be_made(tmp_path, monkeypatch, mode):
    config = write_release(tmp_path, more="ledger: in.parquet/ledger.db\n")
    nothing_is_read(monkeypatch)
    with pytest.raises(ConfigError, match=r"ledger: .*in\.parquet cannot be made: "):
        look(config, **mode)
    config = write_release(tmp_path, more="ledger: ledger.db\n")
    (tmp_path / "ledger.db").write_bytes(b"no database" * 100)
    with pytest.raises(LedgerError, match="cannot be read"):
        look(config, **mode)
    assert not [path for path in (tmp_path / ".dp-release" / "r").iterdir() if path.is_dir()]


LIMITED = f"""
import logging, os, resource
logging.basicConfig(level=logging.CRITICAL)  # as the command does before it imports Beam
import pipelines.ledger.sqlite_store
import pipelines.tune.measure as measuring
import pipelines.tune.tuning as tuning
enter = tuning.enter
def limited(*arguments):
    if {{full}}:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, resource.RLIM_INFINITY))
    elif not os.getuid():
        os.seteuid({NOBODY})
    try:
        return enter(*arguments)
    finally:
        os.seteuid(os.getuid())
tuning.enter = limited
measuring.measure = lambda *_: print("rows were read")
from pipelines.cli import main
main()
"""


@pytest.mark.parametrize("full", [True, False], ids=["full", "read-only"])
@pytest.mark.parametrize("mode", [["--epsilon", "1"], ["--unaccounted"]], ids=lambda m: m[0])
def test_a_ledger_that_cannot_be_written_is_told_of_before_rows_are_read(full, mode):
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        config = write_release(folder, more="ledger: l/ledger.db\n")
        text = config.read_text()
        config.write_text(text.replace("folder: out", "folder: out, staging: staging"))
        run(config)
        (folder / "staging").chmod(0o777)
        (folder / "staging" / "lock").chmod(0o666)
        (folder / "l").chmod(0o555)
        (folder / "l" / "ledger.db").chmod(0o444)
        before = kinds(config)
        done = command("tune", config, *mode, program=LIMITED.format(full=full))
        (folder / "l").chmod(0o755)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"ledger {folder}/l/ledger.db cannot be written: ")
        assert len(done.stderr.splitlines()) == 1
        assert kinds(config) == before


# Kills and failures


CHARGED = {
    Place(*LEDGER, "tune"): 0,
    Place(*LEDGER, "tune", after=True): 1,
    **dict.fromkeys(both(*MEASURE), 1),
    Place("transforms.tuning.histograms", "", "add_noise"): 1,
    Place("transforms.tuning.histograms", "", "add_noise", after=True): 1,
    Place("pipelines.tune.tuning", "", "recommend", after=True): 1,
}
NOTED = {
    Place(*LEDGER, "note"): 0,
    Place(*LEDGER, "note", after=True): 1,
    Place(*MEASURE): 1,
}


@pytest.fixture(scope="module")
def killed_at(tmp_path_factory):
    """Puts a folder back to what is on the disk when a look comes to a place.

    That is what a kill leaves there.
    """
    home = tmp_path_factory.mktemp("killed")
    copies = {}

    def copying(places, **options):
        folder = home / str(len(copies))
        folder.mkdir()
        config = write_release(folder)

        def copy(place):
            copies[place, *options] = config, home / f"copy-{len(copies)}"
            shutil.copytree(folder, copies[place, *options][1])

        with copied_at(list(places), copy):
            look(config, **options)

    copying(CHARGED, epsilon=1.0)
    copying(NOTED, unaccounted=True)

    def put_back(place, mode):
        config, copy = copies[place, mode]
        shutil.rmtree(config.parent)
        shutil.copytree(copy, config.parent)
        return config

    return put_back


@pytest.mark.parametrize(("place", "charged"), CHARGED.items(), ids=str)
def test_a_killed_look_is_charged_once_and_the_next_one_again(killed_at, place, charged):
    assert_charged(killed_at(place, "epsilon"), charged)


def test_a_process_that_is_killed_while_it_looks_is_charged_too(tmp_path):
    config = write_release(tmp_path)
    done = command("tune", config, "--epsilon", "1", program=Place(*MEASURE).program)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
    assert_charged(config, 1)


def assert_charged(config, charged):
    """The killed look is charged once or not at all, and the next one again."""
    assert kinds(config) == ({"tuning": 1} if charged else {})
    look(config, epsilon=1.0)
    assert kinds(config) == {"tuning": charged + 1}
    assert len({tuning.key for tuning in tunings(config)}) == charged + 1


@pytest.mark.parametrize(("place", "noted"), NOTED.items(), ids=str)
def test_a_killed_look_without_accounting_is_noted(killed_at, place, noted):
    config = killed_at(place, "unaccounted")
    assert kinds(config) == ({"unaccounted": 1} if noted else {})


@pytest.mark.parametrize(
    ("mode", "kind", "spent"),
    [
        ({"epsilon": 1.0}, "tuning", ", and its charge is spent"),
        ({"unaccounted": True}, "unaccounted", ""),
    ],
)
def test_a_failed_look_is_in_the_ledger_and_says_so(tmp_path, monkeypatch, mode, kind, spent):
    config = write_release(tmp_path)
    monkeypatch.setattr(measuring, "measure", lambda *_: 1 / 0)
    with pytest.raises(TuneError) as caught:
        look(config, **mode)
    assert f"; nothing was written{spent}; details, which may hold private" in str(caught.value)
    assert kinds(config) == {kind: 1}


def test_an_interrupted_look_is_in_the_ledger_and_leaves_no_folder(tmp_path, monkeypatch):
    config = write_release(tmp_path)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(measuring, "measure", interrupt)
    with pytest.raises(KeyboardInterrupt):
        look(config, epsilon=1.0)
    assert kinds(config) == {"tuning": 1}
    staging = tmp_path / ".dp-release" / "r"
    assert [path.name for path in staging.iterdir()] == ["lock"]


# What shows of them later


def test_budget_shows_looks(tmp_path):
    config = write_release(tmp_path)
    look(config, unaccounted=True)
    text = command("budget", config).stdout
    assert "nothing was spent" in text
    assert "unaccounted, entry 1: tuning of r (t) on all rows, looked at exactly" in text
    look(config, epsilon=0.25)
    text = command("budget", config).stdout
    assert "r@tuning-" in text
    assert "unaccounted, entry 1: " in text
    shown = json.loads(command("budget", config, "--json").stdout)
    (line,) = shown["history"]
    assert (line["entry"], line["state"]) == (2, "tuning")
    assert line["epsilon"] == pytest.approx(0.25, rel=1e-3)
    assert line["reason"].startswith("tuning of r (t) on all rows; config sha256 ")
    assert [note["entry"] for note in shown["unaccounted"]] == [1]
    assert shown["cumulative"][0]["epsilon"] == pytest.approx(0.25, rel=1e-3)


def disclosed(config):
    manifest = json.loads((config.parent / "out" / "datapackage.json").read_text())
    points = {point["point"]: point["statement"] for point in manifest["privacy"]["disclosure"]}
    return manifest["publication"]["looks"], points


def test_manifests_of_later_releases_tell_of_looks(tmp_path):
    config = write_release(tmp_path, more="dataset: events\n")
    run(config)
    looks, points = disclosed(config)
    assert looks == []
    assert points[15].endswith("The ledger has no looks at these data beside releases.")
    assert points[23].endswith("to choose parameters: none that a ledger knows.")

    look(config, epsilon=0.25)
    look(config, unaccounted=True)
    other = tmp_path / "other.yaml"
    other.write_text(
        config.read_text().replace("events", "others").replace("release: r", "release: o")
    )
    look(other, unaccounted=True)
    assert [len(book(config).tunings), len(book(config).notes)] == [1, 2]
    run(config, correct="looked at")
    looks, points = disclosed(config)
    charged, noted = looks
    assert (charged["entry"], noted["entry"]) == (5, 6)
    assert charged["epsilon"] == pytest.approx(0.25, rel=1e-3)
    assert (charged["unit"], charged["delta"]) == ("user", 0)
    assert (noted["epsilon"], noted["unit"]) == (None, None)
    assert "charged epsilon 0.25 at delta 0 for one user (entry 5): tuning of r (t)" in points[15]
    assert "; UNACCOUNTED (entry 6): tuning of r (t) on all rows, looked at exactly" in points[15]
    assert "(point 15): 1 charged, and 1 UNACCOUNTED, whose loss nothing bounds" in points[23]
    done = command("verify", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_manifest_tells_of_no_look_after_the_ledger_that_it_remembers(tmp_path):
    config = write_release(tmp_path)
    for _ in range(3):
        look(config, unaccounted=True)
    own = ReleaseLedger.of(load_release(config))
    assert [one.entry for one in own.looks(LedgerPlace("", 2, ""))] == [1, 2]


def test_the_text_names_the_entry(tmp_path):
    config = write_release(tmp_path)
    done = command("tune", config, "--epsilon", "1")
    assert done.returncode == 0
    place = tmp_path / ".dp-release" / "ledger.db"
    assert f"\ncharged: entry 1 of the ledger {place}\n" in done.stdout
    shown = json.loads(command("tune", config, "--unaccounted", "--json").stdout)
    assert shown["ledger"] == {"place": str(place), "number": 2}
    assert json.loads(command("tune", config, "--public-data", "--json").stdout)["ledger"] is None


def test_looks_are_read_back_as_they_were():
    looks = (Look(3, "a tuning", "user", 0.5, 0.0), Look(4, "a look"))
    facts = Facts("T", datetime(2026, 11, 23, tzinfo=UTC), looks=looks)
    assert Facts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts


@pytest.mark.parametrize(
    "change",
    [{"epsilon": None}, {"unit": None}, {"epsilon": "1"}, {"entry": "3"}, {"what": 1}, {"x": 1}],
)
def test_looks_that_are_none_are_refused(change):
    facts = Facts(
        "T", datetime(2026, 11, 23, tzinfo=UTC), looks=(Look(3, "a tuning", "user", 0.5, 0.0),)
    ).to_dict()
    facts["looks"][0] |= change
    with pytest.raises(ValueError, match=r"unit, epsilon and delta|entry and what|no facts"):
        Facts.from_dict(facts)
