"""`verify --ledger` finds what nothing in the published folder tells."""

import json
from hashlib import sha256

import polars as pl
import pytest
from once_release import command, run, write_release, write_weekly

from pipelines.ledger import load_policy, open_store
from pipelines.publication.checksums import SUMS_FILE, sums_of, sums_text
from pipelines.publication.table_files import table_bytes
from pipelines.publication.verify import verify_release
from pipelines.run.endings import end_release
from pipelines.run.periods import read_period
from pipelines.spec import load_release


@pytest.fixture
def config(tmp_path):
    config = write_release(tmp_path)
    run(config)
    return config


def problems(config, ledger=None):
    store = open_store(str(ledger or load_release(config).ledger))
    return "\n".join(verify_release(config.parent / "out", store).problems)


def reseal(folder):
    manifest = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    for resource in manifest["resources"]:
        content = (folder / resource["path"]).read_bytes()
        resource |= {"hash": f"sha256:{sha256(content).hexdigest()}", "bytes": len(content)}
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    (folder / "datapackage.json").write_text(text, encoding="utf-8")
    (folder / SUMS_FILE).write_text(sums_text(sums_of(folder)))


def test_a_release_agrees_with_its_ledger(config):
    assert problems(config) == ""


def test_the_manifest_says_which_policy_it_was_held_to(tmp_path):
    config = write_release(tmp_path, more="policy: policy.yaml\n")
    policy = "datasets: {r: {columns: [user, country], caps: [{unit: user, epsilon: 9}]}}"
    (tmp_path / "policy.yaml").write_text(policy)
    run(config)
    digest = load_policy(tmp_path / "policy.yaml").digest
    assert problems(config) == ""
    manifest = json.loads((tmp_path / "out" / "datapackage.json").read_text(encoding="utf-8"))
    assert manifest["publication"]["ledger"]["policy"] == digest
    assert f"held to the policy sha256 {digest}" in json.dumps(manifest["privacy"])
    manifest["publication"]["ledger"]["policy"] = ""
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    (tmp_path / "out" / "datapackage.json").write_text(text, encoding="utf-8")
    assert f'ledger: the policy is ""; it should be "{digest}"' in problems(config)


def test_so_does_a_release_of_a_period_and_its_correction(tmp_path):
    config = write_weekly(tmp_path)
    run(config, period="2026-W46")
    run(config, period="2026-W46", correct="again")
    store = open_store(load_release(config).ledger)
    assert verify_release(tmp_path / "out" / "2026-W46", store).problems == ()


def test_a_value_that_was_moved_with_its_interval_and_all_hashes_is_found(config, tmp_path):
    folder = tmp_path / "out"
    frame = pl.read_parquet(folder / "t.parquet")
    moved = frame.with_columns(pl.col("n", "n_low", "n_high") + 1)
    for kind in ("parquet", "csv"):
        (folder / f"t.{kind}").write_bytes(table_bytes(moved, kind))
    reseal(folder)
    assert verify_release(folder).problems == ()
    assert problems(config).startswith("ledger: the files are not those that were published")
    done = command("verify", folder, "--ledger", load_release(config).ledger)
    assert done.returncode == 3


def test_a_withdrawn_release_is_found(config):
    release = load_release(config)
    end_release(release, read_period(None, None), "withdraw", "wrong days")
    assert problems(config) == "ledger: r@all is withdrawn: wrong days"


def test_the_ledger_of_another_release_is_no_witness(config, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    run(write_release(other))
    found = problems(config, other / ".dp-release" / "ledger.db")
    assert "entry 3 of the ledger: its hash is not" in found


def test_another_charge_than_that_of_the_plan_is_found(config, monkeypatch):
    """The ledger says a smaller loss than the mechanisms have."""
    from pipelines.publication import verify_ledger

    real = verify_ledger.mechanisms_to_json
    calls = []

    def smaller(mechanisms):
        values = real(mechanisms)
        calls.append(values)
        if len(calls) == 2:
            values[0][0]["epsilon"] /= 2
        return values

    monkeypatch.setattr(verify_ledger, "mechanisms_to_json", smaller)
    assert problems(config).startswith("ledger: mechanisms[0][0].epsilon is ")


def test_a_ledger_that_is_not_there_is_a_mistake_of_the_user(config, tmp_path):
    done = command("verify", tmp_path / "out", "--ledger", tmp_path / "none.db")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"there is no ledger {tmp_path / 'none.db'}; allowed: ")
