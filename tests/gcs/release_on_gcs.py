"""A small release whose every place is in a bucket, and what is left of runs of it."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

from commands import command_here
from small_series import SECONDS, config_text, environment, rows

from pipelines.plan import plan_release
from pipelines.run.exactly_once import run_release
from pipelines.spec import load_release
from pipelines.storage.gcs import GcsFolder

HERE = Path(__file__).parent


def write_release(folder, bucket, *, file_format="parquet", more="", input_more="", series="r"):
    """Writes a release of public keys, whose noise differs from draw to draw, and its input."""
    content = io.BytesIO()
    rows().write_parquet(content) if file_format == "parquet" else rows().write_csv(content)
    GcsFolder.of(bucket).child("in").create(f"0.{file_format}", content.getvalue())
    config = folder / "release.yaml"
    config.write_text(
        config_text(
            f"{bucket}/in/*.{file_format}{input_more}",
            f"folder: {bucket}/out, staging: {bucket}/private",
            series=series,
            more=f"ledger: {bucket}/ledger.jsonl\n{more}",
        )
    )
    return config


def run(config, **options):
    """Runs it here."""
    release = load_release(config)
    return run_release(release, plan_release(release), **options)


def start(*arguments, program):
    """Starts a program that calls the `main` of the command."""
    path = os.pathsep.join(filter(None, [str(HERE), str(HERE.parents[1])]))
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(PYTHONPATH=path),
    )


def finish(process):
    try:
        stdout, stderr = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    return process.returncode, stdout, stderr


def command(*arguments, program=None):
    """Runs `dp-release` here, or a program that calls its `main` in a process of its own."""
    if program is None:
        done = command_here(*arguments)
        return done.returncode, done.stdout, done.stderr
    return finish(start(*arguments, program=program))


def objects(url):
    """All objects below a URL."""
    folder = GcsFolder.of(url)
    return {name: folder.read(name) for name in folder.names()}


def shown(url):
    """The files that a reader gets who follows the pointer; none where there is no release."""
    folder = GcsFolder.of(url)
    content = folder.read("current.json")
    if content is None:
        return {}
    pointer = json.loads(content)
    return {name: folder.read(f"{pointer['folder']}{name}") for name in pointer["files"]}


def drawn(bucket):
    """Digests of the frozen draws by attempt."""
    found = GcsFolder.of(f"{bucket}/private").names()
    return {name.split("/")[2]: name for name in found if "/drawn/" in name and ".frozen" in name}
