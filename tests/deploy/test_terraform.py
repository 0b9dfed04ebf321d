"""Terraform: formatted, clean under checkov, and accounts that can do their duty and no more."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from deploy_files import ROOT, needs

from pipelines.run.dataflow import DataflowSpec

TERRAFORM = ROOT / "deploy" / "terraform"
TEXT = {path.name: path.read_text(encoding="utf-8") for path in sorted(TERRAFORM.glob("*.tf"))}
ALL = "\n".join(TEXT.values())


def program(name):
    """Where a program is, on the path or beside Python; None if it is nowhere."""
    beside = str(Path(sys.executable).parent)
    return shutil.which(name) or shutil.which(name, path=beside)


@pytest.fixture(scope="module")
def parsed():
    needs("hcl2")
    import hcl2

    merged: dict[str, list] = {}
    for text in TEXT.values():
        for kind, blocks in hcl2.loads(text).items():
            if isinstance(blocks, list):
                merged.setdefault(kind, []).extend(blocks)
    return merged


def plain(value):
    """A parsed value without the quotes that the parser leaves around names and texts."""
    if isinstance(value, dict):
        return {plain(key): plain(part) for key, part in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value.strip('"') if isinstance(value, str) else value


def local(parsed, name):
    (found,) = [plain(block)[name] for block in parsed["locals"] if name in plain(block)]
    return found


def resources(parsed, kind):
    return {
        name: body
        for block in plain(parsed["resource"])
        for found, named in block.items()
        if found == kind
        for name, body in named.items()
    }


@pytest.mark.skipif(program("terraform") is None, reason="needs terraform")
def test_it_is_formatted():
    done = subprocess.run(
        [program("terraform"), "fmt", "-check", "-diff", TERRAFORM],
        capture_output=True,
        text=True,
        env={**os.environ, "CHECKPOINT_DISABLE": "1"},
        timeout=50,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(
    program("checkov") is None, reason="needs checkov, in an environment of its own"
)
def test_checkov_finds_nothing():
    done = subprocess.run(
        [
            program("checkov"),
            *("--skip-download", "--framework", "terraform", "--output", "json", "--quiet"),
            *("--directory", str(TERRAFORM)),
        ],
        capture_output=True,
        text=True,
        timeout=55,
    )
    found = json.loads(done.stdout)
    assert found["results"]["failed_checks"] == []
    assert done.returncode == 0


def test_every_exception_of_checkov_is_explained():
    skips = re.findall(r"#checkov:skip=(\w+)(.*)", ALL)
    assert len(skips) >= 3
    assert all(len(reason.removeprefix(":").split()) >= 6 for _, reason in skips)


# Who may do what


def test_accounts_have_one_duty_each(parsed):
    access = local(parsed, "access")
    buckets = {"raw", "staging", "ledger", "public"}
    may = {
        account: {bucket: access.get(f"{account}/{bucket}") for bucket in buckets}
        for account in local(parsed, "accounts")
    }
    view, use = "roles/storage.objectViewer", "roles/storage.objectUser"
    nothing = dict.fromkeys(buckets)
    assert may == {
        "scheduler": nothing,
        "orchestrator": {**nothing, "public": view},
        "launcher": {"raw": view, "staging": use, "ledger": use, "public": view},
        "worker": {"raw": view, "staging": use, "ledger": None, "public": None},
        "publisher": {"raw": None, "staging": use, "ledger": use, "public": use},
    }


def test_nothing_else_gives_access_to_buckets(parsed):
    members = resources(parsed, "google_storage_bucket_iam_member")
    assert set(members) == {"access", "readers", "raw_writers", "log_writer"}
    assert "public" in members["readers"]["bucket"]
    assert members["readers"]["role"] == "roles/storage.objectViewer"
    assert members["raw_writers"]["role"] == "roles/storage.objectCreator"
    assert not re.search(r"storage\.(admin|objectAdmin)|roles/(owner|editor|viewer)\b", ALL)
    of_project = {role.partition("/")[2] for role in local(parsed, "project_roles")}
    assert not [role for role in of_project if "storage" in role or "kms" in role]


def test_only_the_launcher_may_act_as_the_worker(parsed):
    (member,) = resources(parsed, "google_service_account_iam_member").values()
    assert '"worker"' in member["service_account_id"]
    assert '"launcher"' in member["member"]


def test_jobs_run_under_the_account_of_their_duty(parsed):
    jobs = resources(parsed, "google_cloud_run_v2_job")
    texts = {name: json.dumps(body) for name, body in jobs.items()}
    assert "launcher" in texts["draw"]
    assert "publisher" in texts["publish"]
    assert "launcher" not in texts["publish"]


# Buckets


def test_buckets_are_encrypted_with_the_key_and_only_the_public_one_can_be_public(parsed):
    buckets = resources(parsed, "google_storage_bucket")
    assert set(buckets) == {"raw", "staging", "ledger", "public", "logs"}
    for name, bucket in buckets.items():
        assert "google_kms_crypto_key.this.id" in json.dumps(bucket["encryption"]), name
        assert bucket["uniform_bucket_level_access"] is True
        expected = "inherited" if name == "public" else "enforced"
        assert bucket["public_access_prevention"] == expected


def test_what_staging_deletes_is_gone_and_the_ledger_keeps_every_state(parsed):
    buckets = resources(parsed, "google_storage_bucket")
    (soft,) = buckets["staging"]["soft_delete_policy"]
    assert soft["retention_duration_seconds"] == 0
    assert "versioning" not in buckets["staging"]
    (versioning,) = buckets["ledger"]["versioning"]
    assert versioning["enabled"] is True
    assert "retention_policy" not in buckets["ledger"]  # It would refuse the next entry.
    assert "prevent_destroy" in json.dumps(buckets["ledger"])


# Alerts


def test_a_failure_and_a_silence_are_both_told(parsed):
    alerts = resources(parsed, "google_monitoring_alert_policy")
    assert set(alerts) == {"failed", "silent"}
    texts = {name: json.dumps(body) for name, body in alerts.items()}
    assert "FAILED" in texts["failed"]
    assert "condition_absent" in texts["silent"]
    assert "SUCCEEDED" in texts["silent"]
    assert all("var.notification_channels" in text for text in texts.values())


def test_looks_are_more_frequent_than_the_absence_that_is_told():
    (seconds,) = re.findall(r'duration = "(\d+)s" #', TEXT["schedule.tf"])
    (hours,) = re.findall(r'schedule += "30 \*/(\d+) \* \* \*"', TEXT["schedule.tf"])
    assert 2 * int(hours) * 3600 < int(seconds) <= 23.5 * 3600  # More is refused.


# What must fit together


def test_the_file_for_dataflow_has_the_keys_of_the_model():
    (block,) = re.findall(r"dataflow_yaml = yamlencode\(\{\n(.*?)\n  \}\)", ALL, re.DOTALL)
    keys = set(re.findall(r"^    (\w+) +=", block, re.MULTILINE))
    assert keys == set(DataflowSpec.model_fields)


def test_the_schedule_starts_the_workflow_with_arguments_that_it_knows():
    workflow = yaml.safe_load((ROOT / "deploy/schedule/release.workflow.yaml").read_text())
    text = json.dumps(workflow)
    asked = set(re.findall(r"args\.(\w+)", text)) | set(
        re.findall(r'map\.get\(args, \\"(\w+)\\"\)', text)
    )
    given = set(re.findall(r"\{ (\w+) += ", TEXT["schedule.tf"]))
    assert {"config", "every", "dataflow"} <= given & asked
    (looks,) = re.findall(r"argument = jsonencode\(\{(.*)\}\)", TEXT["schedule.tf"])
    assert set(re.findall(r"(\w+) = ", looks)) == {"config", "every", "due_hours"} & asked
    jobs = set(re.findall(r"dp-release-(?:draw|publish)", text))
    assert jobs == set(re.findall(r'"(dp-release-(?:draw|publish))"', TEXT["jobs.tf"]))


def test_images_are_taken_by_digest_only():
    for name in ("release_image", "dataflow_image"):
        (block,) = re.findall(rf'variable "{name}" \{{(.*?)\n\}}', TEXT["variables.tf"], re.DOTALL)
        assert "@sha256:[0-9a-f]{64}$" in block


def test_every_variable_and_output_is_described(parsed):
    for kind in ("variable", "output"):
        for block in plain(parsed[kind]):
            ((name, body),) = block.items()
            assert body["description"].endswith("."), name
