"""The doctor looks at Python, packages and Java, and says how to mend them."""

from __future__ import annotations

import os
import zipfile

import pytest

from pipelines.doctor import machine

ALL_OPENED = " ".join(f"java.base/{name}" for name in machine.OPENED)


@pytest.fixture
def java(tmp_path, monkeypatch):
    """Puts a program on PATH that says it is some Java."""

    def put(says, folder=tmp_path / "bin"):
        folder.mkdir(exist_ok=True)
        program = folder / "java"
        program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    for name in ("JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS"):
        monkeypatch.delenv(name, raising=False)
    return put


@pytest.fixture
def jar(tmp_path):
    """Writes a jar whose manifest opens packages, in lines of 72 bytes as Java has them."""

    def write(opens):
        line = f"Add-Opens: {opens}".encode()
        parts = [line[:72], *(line[at : at + 71] for at in range(72, len(line), 71))]
        path = tmp_path / "server.jar"
        with zipfile.ZipFile(path, "w") as opened:
            manifest = b"Manifest-Version: 1.0\r\n" + b"\r\n ".join(parts) + b"\r\n"
            opened.writestr("META-INF/MANIFEST.MF", manifest)
        return path

    return write


def states(findings):
    return {found.check: found.state for found in findings}


def test_this_python_and_its_packages_are_fine():
    assert machine.check_python().state == "ok"
    assert states(machine.check_packages()) == {"beam": "ok", "packages": "ok"}


def test_an_old_python_is_named():
    found = machine.check_python((3, 9, 1))
    assert (found.state, found.text) == ("failed", "3.9.1")
    assert "Python 3.11 or newer" in found.mend


def test_packages_that_do_not_fit_are_named(monkeypatch):
    required = ["apache-beam>=2.77,<2.78", "no-such-package", "polars<1", "altair; extra == 'plot'"]
    monkeypatch.setattr(machine, "requires", lambda package: required)
    beam, packages = machine.check_packages()
    assert (beam.check, beam.state) == ("beam", "ok")
    assert packages.state == "failed"
    assert "no-such-package is missing; polars is " in packages.text
    assert packages.text.endswith("allowed: <1")
    assert "altair" not in packages.text


def test_no_java_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    (found,) = machine.check_java(None)
    assert str(found) == (
        "failed  java          there is no java on PATH; mend: install a Java 17 runtime"
    )


@pytest.mark.parametrize(
    "says", ['openjdk version "1.8.0_402"', "what is this", 'java version "9.0.1"']
)
def test_an_old_java_is_named(java, says):
    java(says)
    (found,) = machine.check_java(None)
    assert found.state == "failed"


def test_a_java_that_does_not_answer_is_left_alone(java, tmp_path, monkeypatch):
    java("x")
    (tmp_path / "bin" / "java").write_text("#!/bin/sh\nexec sleep 30\n")
    monkeypatch.setattr(machine, "_SECONDS", 0.2)
    (found,) = machine.check_java(None)
    assert (found.check, found.state) == ("java", "failed")
    assert "timed out" in found.text


def test_java_11_needs_no_flags(java, jar):
    java('openjdk version "11.0.22" 2024-01-16')
    assert states(machine.check_java(jar(""))) == {"java": "ok"}


def test_java_17_needs_a_jar_that_opens_its_packages(java, jar):
    java('openjdk version "17.0.15" 2025-04-15')
    assert states(machine.check_java(jar(ALL_OPENED))) == {"java": "ok", "java flags": "ok"}
    _, flags = machine.check_java(jar(ALL_OPENED.replace("java.base/sun.nio.ch", "")))
    assert flags.state == "failed"
    assert "Java 17 hides sun.nio.ch from " in flags.text
    assert "JDK_JAVA_OPTIONS='--add-opens=java.base/sun.nio.ch=ALL-UNNAMED'" in flags.mend


def test_flags_in_the_environment_count(java, jar, monkeypatch):
    java('openjdk version "21" 2023-09-19')
    flags = " ".join(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in machine.OPENED)
    monkeypatch.setenv("JDK_JAVA_OPTIONS", flags)
    assert states(machine.check_java(jar(""))) == {"java": "ok", "java flags": "ok"}
    spark = states(machine.check_java(jar(""), machine.OPENED_FOR_SPARK))
    assert spark == {"java": "ok", "java flags": "failed"}


def test_flags_of_a_jar_that_beam_downloads_are_not_known(java):
    java('openjdk version "17" 2021-09-14')
    assert states(machine.check_java(None)) == {"java": "ok", "java flags": "skipped"}


def test_a_file_that_is_no_jar_opens_nothing(java, tmp_path):
    java('openjdk version "17" 2021-09-14')
    file = tmp_path / "server.jar"
    file.write_text("no jar")
    assert states(machine.check_java(file))["java flags"] == "failed"
