"""`datapackage.json`: the manifest of a release, a Frictionless data package.

It follows https://datapackage.org (version 2): resources with hashes, sizes and table schemas. What
is our own: `release`, `privacy` with the 26 points, `publication`, and in fields `unit`,
`statistic`, `metric` and `noise`. Csv files are tables to Frictionless, which reads each cell;
Parquet files, which have types of their own, are files with a schema for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.digests import file_digest
from pipelines.publication.columns import table_fields
from pipelines.publication.content import Content
from pipelines.publication.disclosure import disclosure
from pipelines.publication.stated import StatedTable

MANIFEST_FILE = "datapackage.json"
SCHEMA_VERSION = 1

_PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
_MEDIA_TYPES = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv",
    "json": "application/json",
    "yaml": "application/yaml",
}


@dataclass(frozen=True)
class FileDigest:
    """A file of a release.

    Attributes:
        name: Its name.
        size: Its bytes.
        sha256: Its SHA-256, in hexadecimal digits.
    """

    name: str
    size: int
    sha256: str

    @classmethod
    def of(cls, name: str, content: bytes) -> FileDigest:
        """Returns the digest of a file with some content."""
        return cls(name, len(content), sha256(content).hexdigest())

    @classmethod
    def read(cls, path: Path) -> FileDigest:
        """Returns the digest of a file here.

        Raises:
            OSError: It cannot be read.
        """
        return cls(path.name, path.stat().st_size, file_digest(path))


@dataclass(frozen=True)
class TableFile:
    """A published table in one format.

    Attributes:
        file: The file.
        frame: The table.
    """

    file: FileDigest
    frame: pl.DataFrame


def datapackage(
    content: Content, tables: Mapping[str, Sequence[TableFile]], documents: Sequence[FileDigest]
) -> dict[str, Any]:
    """Returns the manifest as JSON values.

    Args:
        content: What the release is described by.
        tables: The files of each table.
        documents: The other files that the manifest lists.

    Raises:
        ValueError: The plan file holds no plan, or a table has other columns than its plan.
    """
    facts, about, plan = content.facts, content.facts.about, content.file.plan
    by_name = {table.plan.name: table for table in content.stated.tables}
    package = {
        "$schema": _PROFILE,
        "name": content.series,
        "title": facts.title,
        "description": about.get("description"),
        "version": str(facts.version),
        "created": facts.to_dict()["published"],
        "licenses": [{"name": about["license"]}] if "license" in about else None,
        "contributors": _contributors(about),
        "resources": [
            *(
                _table_resource(content, by_name[name], file)
                for name, files in tables.items()
                for file in files
            ),
            *(_resource(document, "file") for document in documents),
        ],
        "release": {
            "schema_version": SCHEMA_VERSION,
            "series": content.series,
            "dataset": plan["dataset"],
            "plan_hash": content.file.plan_hash,
            "tables": list(tables),
        },
        "privacy": {
            "guarantee": plan["guarantee"],
            content.stated.privacy.stated_as: plan[content.stated.privacy.stated_as],
            "delta": plan["delta"],
            "price": plan["price"],
            "disclosure": disclosure(content),
        },
        "publication": facts.to_dict(),
    }
    return {name: value for name, value in package.items() if value is not None}


def manifest_text(package: Mapping[str, Any]) -> str:
    """Returns a manifest as the text of its file."""
    return json.dumps(package, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _contributors(about: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    if "curator" not in about:
        return None
    contact = {"email": about["contact"]} if _is_mail(about.get("contact", "")) else {}
    return [{"title": about["curator"], **contact, "roles": ["publisher"]}]


def _is_mail(contact: str) -> bool:
    name, at, domain = contact.partition("@")
    return bool(name and at and "." in domain) and not any(map(str.isspace, contact))


def _resource(file: FileDigest, kind: str) -> dict[str, Any]:
    suffix = file.name.rpartition(".")[2]
    return {
        "name": file.name,
        "path": file.name,
        "type": kind,
        "format": suffix,
        "mediatype": _MEDIA_TYPES[suffix],
        "encoding": "utf-8",
        "bytes": file.size,
        "hash": f"sha256:{file.sha256}",
    }


def _table_resource(content: Content, table: StatedTable, published: TableFile) -> dict[str, Any]:
    file, frame = published.file, published.frame
    is_csv = file.name.endswith(".csv")
    keys = list(table.plan.keys)
    fields = table_fields(
        table,
        frame.schema,
        content.facts.about.get("columns", {}),
        content.stated.guarantee.unit,
    )
    dialect = {"delimiter": ",", "header": True, "lineTerminator": "\n", "quoteChar": '"'}
    return {
        **_resource(file, "table" if is_csv else "file"),
        **({"dialect": dialect} if is_csv else {}),
        "row_count": frame.height,
        "schema": {
            "fields": fields,
            "missingValues": [""],
            **({"primaryKey": keys} if _identify(frame, keys) else {}),
        },
    }


def _identify(frame: pl.DataFrame, keys: Sequence[str]) -> bool:
    """Returns whether no key is null, or an empty text, which csv readers take for null."""
    texts = [name for name in keys if frame.schema[name] == pl.String]
    empty = pl.any_horizontal(pl.col(list(keys)).is_null(), *(pl.col(name) == "" for name in texts))
    return not frame.select(empty.any()).item()
