"""Checks a published release from its folder alone.

Anything in the folder that was changed by hand is found by hashes. What was changed together with
its hashes is found where it does not follow: the manifest and the registry record are made again
from plan and tables, the plan is worked out again (`verify_plan`), and tables are held against it
(`verify_tables`). What follows from nothing else (a value and its interval moved together, the
title, the ledger entry) only the ledger can tell, which keeps the hash of `SHA256SUMS`
(`verify_ledger`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.digests import file_digest
from pipelines.ledger import LedgerStore
from pipelines.plan.file import PLAN_FILE, PlanFileError, read_plan_file
from pipelines.publication.checksums import SUMS_FILE, read_sums
from pipelines.publication.compare import mismatches
from pipelines.publication.content import Content
from pipelines.publication.datapackage import (
    MANIFEST_FILE,
    FileDigest,
    TableFile,
    datapackage,
    manifest_text,
)
from pipelines.publication.facts import Facts
from pipelines.publication.registry_record import RECORD_FILE, record_text, registry_record
from pipelines.publication.release_files import DOCUMENTS
from pipelines.publication.stated import check_texts
from pipelines.publication.table_files import read_table, table_bytes
from pipelines.publication.verify_ledger import ledger_problems
from pipelines.publication.verify_plan import plan_problems
from pipelines.publication.verify_tables import level_problems, table_problems
from pipelines.spec.about_spec import AboutSpec
from pipelines.storage.storage import Where


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        folder: The release.
        problems: A line for each thing that is wrong.
        release: Name of the release; None where that cannot be read.
        plan_hash: Hash of its plan; None where that cannot be read.
        price: What it costs, worked out again; None where that cannot be done.
        files: Files whose hash is right.
        withdrawn: Why it is not to be used, as the index beside it says; empty if it may be.
    """

    folder: Where
    problems: tuple[str, ...]
    release: str | None = None
    plan_hash: str | None = None
    price: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    withdrawn: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Returns what was found as JSON values."""
        return {
            "folder": str(self.folder),
            "verified": not self.problems,
            "release": self.release,
            "plan_hash": self.plan_hash,
            "price": dict(self.price),
            "files": list(self.files),
            "withdrawn": self.withdrawn or None,
            "problems": list(self.problems),
        }


def verify_release(folder: Path, ledger: LedgerStore | None = None) -> Verification:
    """Checks hashes, schema, manifest, plan and price of a release.

    Args:
        folder: The published folder.
        ledger: The ledger that it was charged to; None to read nothing but the folder.

    Returns:
        What was found; no problems for a release as it was published.

    Raises:
        OSError: The folder or a file in it cannot be read.
        StoreError: The ledger cannot be read.
    """
    found = {path.name: path for path in sorted(folder.iterdir())}
    right, problems = _hashes(found)
    missing = [name for name in (*DOCUMENTS, MANIFEST_FILE, SUMS_FILE) if name not in found]
    if missing:
        return Verification(folder, tuple(problems), files=right)
    try:
        content, manifest = _content(folder)
        stated = content.stated
    except (ValueError, PlanFileError) as error:
        return Verification(folder, (*problems, _inside(folder, str(error))), files=right)
    wrong_plan = plan_problems(stated)
    problems += [f"{PLAN_FILE}: {line}" for line in wrong_plan]
    if not wrong_plan and len(right) == len(found) - 1:
        problems += _contents(folder, found, content, manifest)
    if ledger is not None:
        problems += ledger_problems(folder, content, ledger)
    return Verification(
        folder,
        tuple(problems),
        content.name,
        content.file.plan_hash,
        {} if wrong_plan else content.file.plan["price"],
        right,
    )


def _hashes(found: Mapping[str, Path]) -> tuple[tuple[str, ...], list[str]]:
    """Returns the files whose hashes are right, and what is wrong."""
    problems = [f"{name}: it is no file" for name, path in found.items() if not _is_file(path)]
    if SUMS_FILE not in found or not _is_file(found[SUMS_FILE]):
        return (), [*problems, f"{SUMS_FILE}: it is missing"]
    try:
        sums = read_sums(found[SUMS_FILE].read_bytes().decode())
    except ValueError as error:
        return (), [*problems, f"{SUMS_FILE}: {error}"]
    right = []
    for name in sorted({*sums, *found, *DOCUMENTS, MANIFEST_FILE} - {SUMS_FILE}):
        if name not in found:
            problems.append(f"{name}: it is missing")
        elif name not in sums:
            problems.append(f"{name}: {SUMS_FILE} does not have it")
        elif _is_file(found[name]):
            if file_digest(found[name]) == sums[name]:
                right.append(name)
            else:
                problems.append(f"{name}: its hash is not that of {SUMS_FILE}; it was changed")
    return tuple(right), problems


def _content(folder: Path) -> tuple[Content, dict[str, Any]]:
    file = read_plan_file(folder / PLAN_FILE)
    if set(file.made_of) != {"config_sha256", "files", "versions"}:
        raise ValueError(f"{PLAN_FILE}: made_of is not what dp-release writes")
    check_texts({"config_sha256": file.made_of["config_sha256"]}, f"{PLAN_FILE}: made_of")
    for name in ("files", "versions"):
        check_texts(file.made_of[name], f"{PLAN_FILE}: made_of.{name}")
    if str(file).encode() != (folder / PLAN_FILE).read_bytes():
        raise ValueError(f"{PLAN_FILE}: it is not written as dp-release writes it")
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
        facts = Facts.from_dict(manifest["publication"])
        about = AboutSpec.model_validate(dict(facts.about)).stated()
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"{MANIFEST_FILE}: it is no manifest: {_first_line(error)}") from None
    if about != facts.about:
        raise ValueError(f"{MANIFEST_FILE}: manifest.publication.about is not as it was written")
    return Content(file, facts), manifest


def _contents(
    folder: Path, found: Mapping[str, Path], content: Content, manifest: Mapping[str, Any]
) -> Iterator[str]:
    """Yields what does not follow from plan and facts."""
    stated = {table.plan.name: table for table in content.stated.tables}
    files: dict[str, list[TableFile]] = {name: [] for name in stated}
    broken = False
    for name, path in _table_paths(found):
        table = name.rpartition(".")[0]
        if table not in stated:
            yield f"{name}: the plan has no such table"
            broken = True
            continue
        try:
            frame = read_table(path.read_bytes(), path.suffix[1:], _fields(manifest, name))
            files[table].append(TableFile(FileDigest.read(path), frame))
        except ValueError as error:
            yield f"{name}: {error}"
            broken = True
    for name, of_table in files.items():
        if not of_table:
            yield f"{name}: no file has this table"
            broken = True
        for file in of_table:
            for line in table_problems(stated[name], file.frame):
                broken = True
                yield f"{file.file.name}: {line}"
    if broken:
        return
    ordered = {name: _in_order(manifest, of_table) for name, of_table in files.items()}
    frames = {name: of_table[0].frame for name, of_table in ordered.items()}
    yield from level_problems(stated, frames)
    yield from _csv_problems(files)
    yield from _manifest_problems(folder, content, ordered, manifest)


def _manifest_problems(
    folder: Path,
    content: Content,
    files: Mapping[str, list[TableFile]],
    manifest: Mapping[str, Any],
) -> Iterator[str]:
    record = record_text(registry_record(content)).encode()
    if record != (folder / RECORD_FILE).read_bytes():
        yield f"{RECORD_FILE}: it is not what follows from plan and manifest"
    documents = [FileDigest.read(folder / name) for name in DOCUMENTS]
    right = datapackage(content, files, documents)
    lines = [f"{MANIFEST_FILE}: {line}" for line in mismatches(manifest, right, "manifest")]
    yield from lines
    if not lines and manifest_text(manifest).encode() != (folder / MANIFEST_FILE).read_bytes():
        yield f"{MANIFEST_FILE}: it is not written as dp-release writes it"


def _csv_problems(files: Mapping[str, list[TableFile]]) -> Iterator[str]:
    """Yields csv files that are not what would be written of their table."""
    for of_table in files.values():
        for file in of_table:
            if file.file.name.endswith(".csv"):
                written = table_bytes(of_table[-1].frame, "csv")
                if FileDigest.of(file.file.name, written) != file.file:
                    yield f"{file.file.name}: it is not the table, as dp-release writes it"


def _table_paths(found: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    """Yields csv files before parquet files: tables with types are the last of each."""
    for suffix in (".csv", ".parquet"):
        for name, path in found.items():
            if path.suffix == suffix and _is_file(path):
                yield name, path


def _in_order(manifest: Mapping[str, Any], files: list[TableFile]) -> list[TableFile]:
    """Returns the files of a table in the order of the manifest."""
    listed = [resource["name"] for resource in manifest.get("resources", [])]
    return sorted(
        files, key=lambda file: listed.index(file.file.name) if file.file.name in listed else 0
    )


def _fields(manifest: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Returns the fields that the manifest states for a file."""
    try:
        resources = {resource["name"]: resource for resource in manifest["resources"]}
        fields = list(resources[name]["schema"]["fields"])
        _ = [(field["name"], field["type"], field["statistic"]) for field in fields]
    except (KeyError, TypeError):
        raise ValueError(f"{MANIFEST_FILE} has no schema of it") from None
    return fields


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _inside(folder: Path, message: str) -> str:
    return message.replace(f"{folder}/", "")
