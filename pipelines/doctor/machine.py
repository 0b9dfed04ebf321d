"""Checks this machine: Python, the packages, and Java for a job server that starts here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from pipelines.doctor.finding import Finding, failed, ok, skipped

OLDEST_PYTHON = (3, 11)
OLDEST_JAVA = 11
CLOSED_SINCE = 17
"""The Java from which on packages of its own have to be opened."""

OPENED = (
    *("java.lang", "java.lang.reflect", "java.util", "java.util.concurrent"),
    *("java.util.concurrent.atomic", "java.nio", "java.io", "java.net", "java.text", "java.time"),
    "sun.nio.ch",
)
"""Packages of `java.base` that Beam and Flink look into."""

OPENED_FOR_SPARK = (*OPENED, "sun.util.calendar", "sun.security.action", "jdk.internal.ref")
"""The same of Spark."""

_JAVA_OPTIONS = ("JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS")
_SECONDS = 20


def check_python(running: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Checks the version of Python."""
    text = ".".join(map(str, running))
    if running[:2] < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return failed("python", text, f"make the virtual environment with Python {oldest} or newer")
    return ok("python", f"{text} in {sys.prefix}")


def check_packages(package: str = "dp-release") -> Iterator[Finding]:
    """Checks that Beam, and all else that is required, has a version that fits."""
    wrong = []
    for text in requires(package) or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            there = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if requirement.name == "apache-beam":
            yield ok("beam", f"{there}; workers must have the same")
        if not requirement.specifier.contains(there, prereleases=True):
            wrong.append(f"{requirement.name} is {there}; allowed: {requirement.specifier}")
    if wrong:
        yield failed(
            "packages", "; ".join(wrong), "install requirements.lock, as the Makefile does"
        )
    else:
        yield ok("packages", f"as {package} {version(package)} needs them")


def check_java(jar: Path | None, opened: tuple[str, ...] = OPENED) -> Iterator[Finding]:
    """Checks Java, and that it opens what a job server looks into.

    Args:
        jar: The jar of the job server; None for the one that Beam downloads.
        opened: Packages that have to be open.
    """
    java = shutil.which("java")
    if java is None:
        yield failed("java", "there is no java on PATH", "install a Java 17 runtime")
        return
    try:
        done = subprocess.run(  # noqa: S603
            [java, "-version"], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        yield failed("java", f"{java} -version: {error}", "install a Java 17 runtime")
        return
    found = re.search(r'version "(?:1\.)?(\d+)[^"]*"', done.stderr)
    if found is None:
        yield failed("java", f"{java} does not tell its version", "install a Java 17 runtime")
        return
    major = int(found[1])
    if major < OLDEST_JAVA:
        yield failed("java", f"{java} is Java {major}", "install a Java 17 runtime")
        return
    yield ok("java", f"{java} is Java {major}")
    if major < CLOSED_SINCE:
        return
    missing = sorted(set(opened) - _opened_by_options() - _opened_by(jar))
    if jar is None:
        yield skipped("java flags", "Beam downloads a job server, with flags of its own")
    elif missing:
        flags = " ".join(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in missing)
        yield failed(
            "java flags",
            f"Java {major} hides {', '.join(missing)} from {jar}",
            f"use the jar of deploy/flink, or set {_JAVA_OPTIONS[0]}='{flags}'",
        )
    else:
        yield ok("java flags", f"{jar} may look into what it needs")


def _opened_by_options() -> set[str]:
    text = " ".join(os.environ.get(name, "") for name in _JAVA_OPTIONS)
    return set(re.findall(r"--add-opens[= ]java\.base/([\w.]+)=ALL-UNNAMED", text))


def _opened_by(jar: Path | None) -> set[str]:
    """Returns what the manifest of a jar opens; nothing where there is none."""
    if jar is None:
        return set()
    try:
        with zipfile.ZipFile(jar) as opened:
            manifest = opened.read("META-INF/MANIFEST.MF").decode()
    except (OSError, KeyError, zipfile.BadZipFile):
        return set()
    lines = manifest.replace("\r\n", "\n").replace("\n ", "").splitlines()
    opens = [line for line in lines if line.startswith("Add-Opens:")]
    return {name.removeprefix("java.base/") for line in opens for name in line.split()[1:]}
