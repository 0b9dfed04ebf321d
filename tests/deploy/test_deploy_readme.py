"""What the pages of deploy say: commands exist, files are there, numbers are those of the files."""

from __future__ import annotations

import re
import shlex

import pytest
import typer.main
from deploy_files import ROOT

from pipelines.cli import app

README = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "deploy" / "operations.md").read_text(encoding="utf-8")
PROGRAM = typer.main.get_command(app)
COMMANDS = PROGRAM.commands


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
