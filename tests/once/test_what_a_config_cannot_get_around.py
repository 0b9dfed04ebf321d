"""Folders, ledgers and policies that would lose a charge, mix two series up, or be looked into."""

import sqlite3

import pytest
from once_release import command, files, run, write_release, write_weekly
from small_series import book, kinds

from pipelines.ledger import BrokenLedgerError, PrivacyUnit, RefusedError
from pipelines.plan import plan_release
from pipelines.plan.file import plan_file
from pipelines.run.exactly_once import RunError
from pipelines.run.ledger import ReleaseLedger
from pipelines.run.periods import read_period
from pipelines.spec import ConfigError, load_release

POLICY = "datasets: {r: {columns: [user, country], caps: [{unit: user, epsilon: 9}]}}"


@pytest.fixture
def config(tmp_path):
    return write_release(tmp_path)


def mode_of(path):
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("ledger", ["out/ledger.db", "out", "other/../out/deep/ledger.db"])
def test_a_ledger_in_the_published_folder_is_refused(tmp_path, ledger):
    """Publication replaces that folder, and all charges would go with it."""
    config = write_release(tmp_path, more=f"ledger: {ledger}\n")
    with pytest.raises(ConfigError, match=r"ledger: .* is published, and replaced by publication"):
        run(config)
    assert not (tmp_path / "out").exists()


def test_a_ledger_in_the_staging_is_refused(tmp_path):
    """Void and abandon delete what is there."""
    config = write_release(tmp_path, more="ledger: .dp-release/r/all/v1/ledger.db\n")
    with pytest.raises(ConfigError, match="where releases are deleted; allowed: a file outside it"):
        run(config)


def test_a_link_does_not_hide_that_the_ledger_is_published(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    config = write_release(tmp_path, more="ledger: link/ledger.db\n")
    with pytest.raises(ConfigError, match="is published, and replaced by publication"):
        run(config)


def test_a_staging_has_one_series(tmp_path, monkeypatch):
    """Else what one series has frozen would be published as the draw of the other."""
    config = write_release(tmp_path)
    text = config.read_text().replace("folder: out", "folder: out, staging: shared")
    config.write_text(text)
    other = tmp_path / "other.yaml"
    other.write_text(text.replace("release: r", "release: s").replace("out,", "other,"))
    monkeypatch.setattr("pipelines.run.steps.draw", lambda *_, **__: 1 / 0)
    with pytest.raises(RunError):
        run(other)
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="is the staging of the series 's'; allowed: one for"):
        run(config)
    assert kinds(config) == {"reserved": 1, "drawing": 1}
    run(other)


def test_what_was_charged_under_a_policy_is_not_charged_without_one(config, tmp_path):
    (tmp_path / "policy.yaml").write_text(POLICY)
    text = config.read_text()
    config.write_text(f"{text}policy: policy.yaml\n")
    run(config)
    for dataset in ("r", "renamed"):
        again = text.replace("release: r", "release: again").replace("folder: out", "folder: else")
        config.write_text(f"{again}dataset: {dataset}\n")
        with pytest.raises(RefusedError, match="has no policy, and this ledger was charged under"):
            run(config)
    assert kinds(config)["reserved"] == 1


def test_without_a_policy_from_the_start_nothing_is_refused(config):
    run(config)
    run(config, correct="once more")
    assert not book(config).has_policy


def test_nobody_else_looks_into_ledger_staging_or_errors(config, tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    config.write_text(config.read_text().replace("folder: out", "folder: out, staging: shared"))
    monkeypatch.setattr("pipelines.run.steps.draw", lambda *_, **__: 1 / 0)
    with pytest.raises(RunError):
        run(config)
    assert mode_of(shared / "error.txt") == 0o600
    assert mode_of(tmp_path / ".dp-release") == 0o700
    assert {mode_of(path) for path in shared.rglob("*") if path.is_dir()} == {0o700}


def test_a_hidden_output_folder_remembers_the_ledger_too(config, tmp_path):
    config.write_text(config.read_text().replace("folder: out", "folder: .out"))
    run(config)
    (tmp_path / ".dp-release" / "ledger.db").unlink()
    with pytest.raises(BrokenLedgerError, match="3 entries are remembered, and 0 are there"):
        run(config)


def test_the_budget_shows_units_that_look_like_markup(config):
    unit = "replace(user, '[/b]', '')"
    config.write_text(config.read_text().replace("unit: user", f'unit: "{unit}"'))
    run(config)
    done = command("budget", config)
    assert (done.returncode, done.stderr) == (0, "")
    assert "'[/b]'" in done.stdout


def test_the_index_says_that_corrected_versions_are_not_counted(tmp_path):
    config = write_weekly(tmp_path)
    run(config, period="2026-W46", report=True)
    index = tmp_path / "out" / "index.html"
    assert "earlier versions" not in index.read_text()
    run(config, period="2026-W46", correct="wrong clip", report=True)
    assert "without 1 earlier versions, now corrected" in index.read_text()
    assert '"earlier_versions": 1' in (tmp_path / "out" / "releases.json").read_text()
    assert command("verify", tmp_path / "out").returncode == 0


@pytest.mark.parametrize("text", ["SHA256SUMS", "name"])
def test_a_falsified_folder_cannot_move_the_cursor(config, tmp_path, text):
    run(config)
    out = tmp_path / "out"
    if text == "name":
        (out / "evil\x1b[1A\x1b[2K").write_text("")
    else:
        sums = out / "SHA256SUMS"
        sums.write_text(f"{sums.read_text()}{'0' * 64}  zz\x1b[2K\x9b\n")
    done = command("verify", out)
    assert done.returncode == 3
    assert not {"\x1b", "\x9b"} & set(done.stderr)


def test_keys_of_a_guarantee_for_partitions_are_in_the_charge(config):
    text = config.read_text().replace("unit: user", "unit: user, bounding: unit_partition")
    config.write_text(text)
    run(config)
    (release,) = book(config).releases.values()
    assert release.charge.unit == PrivacyUnit(
        ("user",), bounding="unit_partition", keys=("country",)
    )


@pytest.mark.parametrize("keep", [0, 1])
def test_a_ledger_without_the_draw_is_refused_though_the_publication_is_gone(
    config, tmp_path, keep
):
    """Carried away and deleted here; the ledger is lost, or restored from before the draw."""
    run(config)
    (tmp_path / "out").rename(tmp_path / "uploaded")
    with sqlite3.connect(tmp_path / ".dp-release" / "ledger.db") as connection:
        connection.execute("DELETE FROM entries WHERE number > ?", (keep,))
    with pytest.raises(BrokenLedgerError, match=f"2 entries are remembered, and {keep} are there"):
        run(config)
    assert not (tmp_path / "out").exists()


def test_another_ledger_is_refused_for_the_same_staging(config, tmp_path):
    run(config)
    (tmp_path / "out").rename(tmp_path / "uploaded")
    config.write_text(f"{config.read_text()}ledger: another.db\n")
    with pytest.raises(BrokenLedgerError, match="2 entries are remembered, and 0 are there"):
        run(config)


def test_the_ledger_is_remembered_before_noise_is_drawn(config, tmp_path, monkeypatch):
    kept = tmp_path / ".dp-release" / "r" / "ledger-head.json"
    seen = []
    monkeypatch.setattr("pipelines.run.steps.draw", lambda *_, **__: seen.append(kept.exists()))
    with pytest.raises(RunError):
        run(config)
    assert seen == [True]


def test_a_publication_of_another_series_is_not_replaced(config, tmp_path, monkeypatch):
    other = tmp_path / "other.yaml"
    other.write_text(config.read_text().replace("release: r", "release: s"))
    monkeypatch.setattr("pipelines.run.steps.draw", lambda *_, **__: 1 / 0)
    with pytest.raises(RunError):
        run(other)
    monkeypatch.undo()
    run(config)
    shown = files(tmp_path / "out")
    with pytest.raises(ConfigError, match="holds a release of the series 'r', which publication"):
        run(other)
    assert files(tmp_path / "out") == shown


@pytest.mark.parametrize(
    ("glob", "columns"),
    [
        ("gender=f/dt=*/in.parquet", {"gender"}),
        ("gender=*/dt=*/in.parquet", set()),
        ("dt=2026-11-*/*.parquet", {"dt"}),
        ("**/dt={period}/in.parquet", {"dt"}),
        ("in.parquet", set()),
    ],
)
def test_a_policy_sees_the_columns_of_chosen_folders(tmp_path, glob, columns):
    config = write_weekly(tmp_path)
    config.write_text(config.read_text().replace("files: in.parquet", f"files: '{glob}'"))
    release = load_release(config)
    plan = plan_release(release)
    ledger, period = ReleaseLedger.of(release), read_period("week", "2026-W46")
    request = ledger.request(plan, plan_file(release, plan), period)
    assert set(request.columns) == {"at", "country", "user"} | columns


def test_the_secret_of_hashes_is_gone_when_values_are_drawn(config, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.run.steps.draw", lambda *_, **__: 1 / 0)
    with pytest.raises(RunError):
        run(config)
    assert len(list(tmp_path.rglob("hash-key*"))) == 1
    monkeypatch.undo()
    run(config)
    assert not list(tmp_path.rglob("hash-key*"))
    assert "is deleted when all values are drawn" in (tmp_path / "out/datapackage.json").read_text()
