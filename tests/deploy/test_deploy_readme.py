"""What the pages of deploy say: commands exist, files are there, numbers are those of the files."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess

import pytest
import typer.main
from commands import command_here
from deploy_files import ROOT, in_image

from pipelines.cli import app
from pipelines.ledger import load_policy
from pipelines.plan import plan_release
from pipelines.run.periods import read_period
from pipelines.spec import load_release

README = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "deploy" / "operations.md").read_text(encoding="utf-8")
PROGRAM = typer.main.get_command(app)
COMMANDS = PROGRAM.commands
CONFIG = "configs/live/emoji_weekly.yaml"


def mentioned(page):
    """Every `dp-release ...` of a page: in blocks by line, in the text between backticks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    quoted = [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", text)]
    short = [f"dp-release {one}" for one in quoted if one.split()[0] in COMMANDS and " --" in one]
    return [one for one in (*lines, *quoted, *short) if one.startswith("dp-release ")]


@pytest.mark.parametrize("line", [*mentioned(README), *mentioned(OPERATIONS)])
def test_every_command_and_option_is_there(line):
    _, *arguments = shlex.split(line.partition(" -- ")[0])
    name = next(one for one in arguments if one in COMMANDS)
    parameters = [*PROGRAM.params, *COMMANDS[name].params]
    known = {option for parameter in parameters for option in parameter.opts}
    assert {one for one in arguments if one.startswith("--")} <= known


JOBS = re.findall(r"jobs execute (\S+) .*?--args='\^;\^(.*?)'", README, re.DOTALL)


@pytest.mark.parametrize(("job", "line"), JOBS)
def test_every_command_of_a_job_is_there_and_is_one_that_its_account_can_run(job, line):
    name, config, *arguments = line.split(";")
    known = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert {one for one in arguments if one.startswith("--")} <= known
    assert config == CONFIG
    of_launcher = {"run", "doctor"}
    assert job == ("dp-release-draw" if name in of_launcher else "dp-release-publish")
    assert name != "run" or "--detach" in arguments


def test_a_correction_is_drawn_and_then_published():
    named = [line.split(";")[0] for _, line in JOBS]
    correction = next(at for at, (_, line) in enumerate(JOBS) if "--correct" in line)
    assert named[correction : correction + 2] == ["run", "publish"]
    assert {"doctor", "withdraw"} <= set(named)


# The config of step 3, in what the images get of the repository


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A copy of what .dockerignore leaves of the configs, with the files of step 3."""
    copy = tmp_path_factory.mktemp("image")
    files = [path for path in (ROOT / "configs").rglob("*") if path.is_file()]
    for name in filter(in_image, [path.relative_to(ROOT).as_posix() for path in files]):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    (config,) = re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (policy,) = re.findall(r"^```yml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (copy / CONFIG).parent.mkdir()
    (copy / CONFIG).write_text(config, encoding="utf-8")
    (copy / CONFIG).with_name("policy.yaml").write_text(policy, encoding="utf-8")
    return copy


def test_the_page_names_no_other_config():
    assert set(re.findall(r"configs/[\w/]+\.yaml", README)) == {
        CONFIG,
        CONFIG.replace("emoji_weekly", "policy"),
    }


def test_every_config_of_the_image_is_fine_there(image):
    configs = sorted(
        path.relative_to(image).as_posix()
        for path in (image / "configs").rglob("*.yaml")
        if path.name != "policy.yaml"
    )
    assert CONFIG in configs
    assert len(configs) > 10
    done = {name: command_here("validate", name, cwd=image, env={}) for name in configs}
    assert {name: one.stderr for name, one in done.items() if one.returncode} == {}


def test_the_config_has_the_periods_of_the_schedule_and_a_policy(image):
    release = load_release(image / CONFIG)
    plan = plan_release(release)
    assert [table.name for table in plan.tables] == ["by_country", "totals"]
    (every,) = re.findall(rf'config = "{CONFIG}", every = "(\w+)"', README)
    assert release.spec.period == every
    (asked,) = set(re.findall(r'"period": "([^"]+)"', README))
    assert read_period(release.spec.period, asked).name == asked
    policy = load_policy(image / CONFIG.replace("emoji_weekly", "policy"))
    caps = policy.datasets[release.spec.dataset].caps
    assert len(caps) == 2
    assert release.spec.policy == "policy.yaml"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a working copy of git")
def test_what_the_steps_commit_is_not_ignored_and_secrets_are():
    def is_ignored(name):
        asked = ["git", "check-ignore", "--quiet", "--no-index", f"deploy/terraform/{name}"]
        return subprocess.run(asked, cwd=ROOT, timeout=20).returncode == 0

    assert not is_ignored(".terraform.lock.hcl")
    assert not is_ignored("backend.tf")
    assert is_ignored("terraform.tfvars")
    assert is_ignored(".terraform/providers")
    (added,) = re.findall(r"^git add (.*)$", README, re.MULTILINE)
    assert {"deploy/terraform/.terraform.lock.hcl", "deploy/terraform/backend.tf"} < {
        *added.split()
    }


def test_destroying_leaves_out_all_that_terraform_protects():
    text = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "deploy/terraform").glob("*.tf")
    )
    blocks = re.findall(r'^resource "(\w+)" "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    protected = {f"{kind}.{name}" for kind, name, body in blocks if "prevent_destroy" in body}
    (kept,) = re.findall(r"^terraform state rm (.*)$", README, re.MULTILINE)
    assert protected < {*kept.split()} <= {f"{kind}.{name}" for kind, name, _ in blocks}
    (emptied,) = re.findall(r"^for bucket in (.*); do$", README, re.MULTILINE)
    buckets = set(re.findall(r'"\$\{local.prefix\}-([\w-]+)"', text))
    assert {*emptied.split()} == buckets - {"ledger"}


def test_every_exit_code_is_named():
    shared = (ROOT / "pipelines/commands/shared.py").read_text(encoding="utf-8")
    codes = {*re.findall(r"^_?[A-Z_]+ = (\d+)$", shared, re.MULTILINE), "0", "1", "130", "143"}
    assert codes <= set(
        re.findall(r"\d+", " ".join(re.findall(r"^\| ([\d, ]+) \|", OPERATIONS, re.M)))
    )


def test_there_are_commands_for_all_that_can_happen():
    named = {line.split()[1] for line in mentioned(README)}
    assert {"run", "budget", "void", "abandon", "withdraw", "verify"} <= named


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert not [link for link in links if not (ROOT / "deploy" / link).exists()]


def test_the_run_book_has_ten_failures():
    rows = re.findall(r"^\| (\d+)\. ", README, re.MULTILINE)
    assert rows == [str(number) for number in range(1, 11)]


def test_what_the_run_book_quotes_is_what_the_program_says():
    source = "".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "pipelines").rglob("*.py"))
    )
    said = [row.split("|")[1] for row in README.splitlines() if re.match(r"\| \d+\. ", row)]
    quoted = [text for cell in said for text in re.findall(r"`([^`]+)`", cell) if text != "verify"]
    assert len(quoted) >= 7
    assert not [text for text in quoted if text not in source]


def test_the_accounts_are_those_of_terraform():
    table = README.partition("| account |")[2].partition("\n\n")[0]
    access = (ROOT / "deploy/terraform/iam.tf").read_text(encoding="utf-8")
    for row in table.splitlines()[2:]:
        account, *cells = [cell.strip() for cell in row.strip("|").split("|")]
        for bucket, cell in zip(("raw", "staging", "ledger", "public"), cells, strict=True):
            found = re.search(rf'"{account.split()[0]}/{bucket}" *= "roles/storage\.(\w+)"', access)
            words = {None: "", "objectViewer": "reads", "objectUser": "writes"}
            assert cell == words[found and found[1]], (account, bucket)


def test_prefixes_that_staging_deletes_are_those_that_the_page_names():
    storage = (ROOT / "deploy/terraform/storage.tf").read_text(encoding="utf-8")
    (prefixes,) = re.findall(r"matches_prefix = \[(.*)\]", storage)
    assert re.findall(r'"([^"]+)"', prefixes) == ["temp/", "releases/"]
    assert "dp-staging/releases/" in README
