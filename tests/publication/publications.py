"""Small publications without a pipeline, and hands that edit them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import polars as pl

from pipelines.plan import plan_release
from pipelines.plan.file import PlanFile, plan_file
from pipelines.publication.checksums import sums_text
from pipelines.publication.content import Content
from pipelines.publication.facts import Facts, software
from pipelines.publication.place import building_folder, put_in_place
from pipelines.publication.release_files import write_release
from pipelines.publication.series_index import write_index
from pipelines.run.output import render_release
from pipelines.sources.public_types import fit_public_keys
from pipelines.spec import load_release
from transforms.draw import draw, draw_other
from transforms.hashing import HashKey
from transforms.local import exact_partials

PUBLISHED = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)

ROWS = pl.DataFrame(
    {
        "user": [f"u{number % 400}" for number in range(1200)],
        "country": ["DE", "FR", "US", "XX"] * 300,
        "day": ["2026-11-01", "2026-11-02", "2026-11-03"] * 400,
        "dwell": [float(number % 10) for number in range(1200)],
    }
)

SELECTED = """
  selected:
    keys: [country, day]
    bounds: {max_partitions_contributed: 3, max_contributions_per_partition: 2}
    metrics:
      uses: count
      users: privacy_unit_count
      seconds: {sum: dwell, clip: [0, 10], granularity: 0.1}
    noise: gaussian
"""

LISTED = """
  listed:
    public: {country: [DE, FR, US, XX]}
    metrics:
      uses: count
      seconds: {sum: dwell, clip: [0, 10]}
      mean: {mean: dwell, clip: [0, 10]}
      spread: {variance: dwell, clip: [0, 10]}
      dwell: {quantiles: dwell, ranks: [0.25, 0.5], clip: [0, 10]}
      per_use: {ratio: [seconds, uses]}
    noise: laplace
"""

WITH_OTHER = """
  others:
    keys: [country]
    other: true
    bounds: {max_partitions_contributed: 2}
    metrics: {uses: count, users: privacy_unit_count}
"""

STEPS = """
  steps:
    public: {country: [DE, FR, US, XX]}
    metrics: {uses: count, seconds: {sum: dwell, clip: [0, 10], granularity: 0.1}}
    publish:
      suppress: {seconds: 0.5}
      minimum: {uses: -1000}
      top: {uses: 3}
      clamp_at_zero: [uses, seconds]
      round: {uses: 5, seconds: 0.5}
"""

LEVELS = """
  levels:
    levels: [[country], [country, day]]
    consistent: true
    public: {country: [DE, FR], day: {from: 2026-11-01, to: 2026-11-03}}
    metrics: {uses: count}
"""

EVERYTHING = SELECTED + LISTED + WITH_OTHER + STEPS + LEVELS

ABOUT = """
about:
  description: How long keys are held, by country and day
  curator: A maker of keyboards
  contact: data@example.org
  purpose: Research on typing
  region: Worldwide
  sector: Technology
  license: CC-BY-4.0
  links: [https://example.org/typing]
  source: Everybody who opted in
  population: 1000000
  schedule: Once
  trust: Two engineers see raw data
  access: Public
  retention: 30 days
  tuning: On made-up data
  unprotected: Nothing else
  justification: As small as is useful
  columns: {country: "Country of the keyboard", dwell: seconds on the key}
"""


def write_config(folder, tables=SELECTED, *, privacy="epsilon: 2, delta: 1e-6", more="", name="r"):
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / f"{name}.yaml"
    config.write_text(
        f"release: {name}\ntitle: Keys\ndataset: keys\ninput: {{files: in.parquet}}\n"
        f"privacy: {{unit: user, {privacy}}}\ntables:{tables}"
        f"output: {{folder: {name}, formats: [parquet, csv]}}\n{more}"
    )
    return config


def drawn_values(plan, rows=ROWS):
    """Draws all tables of a plan as a run would, without Beam."""
    drawn = {}
    for table in plan.tables:
        unit = plan.spec.privacy.unit
        done = draw(exact_partials(rows.to_arrow(), unit, table, HashKey.draw()), table)
        parts = [done.drawn]
        if done.other is not None:
            parts.append(draw_other(done.other, table))
        drawn[table.name] = pl.concat(parts, how="vertical_relaxed")
    return drawn


def planned(config, rows=ROWS):
    """Returns a release, its plan with keys of the types of the rows, and its plan file."""
    release = load_release(config)
    plan = plan_release(release)
    file = plan_file(release, plan)
    tables = fit_public_keys(release, plan.tables, rows.schema)
    return release, type(plan)(**{**vars(plan), "tables": tables}), file


def facts(plan, **changed) -> Facts:
    spec = plan.spec
    said = Facts(spec.title, PUBLISHED, spec.about.stated(), software())
    return Facts(**{**vars(said), **changed})


def publish(plan, drawn, folder, formats, file, said, *, replace=True, index=True):
    """Renders drawn values, and puts all files in place."""
    with building_folder(folder) as building:
        write_release(building, Content(file, said), render_release(plan, drawn), formats)
        put_in_place(building, folder, replace=replace)
    if index:
        write_index(folder.parent)


def make_publication(
    folder: Path, tables=SELECTED, *, formats=("parquet", "csv"), rows=ROWS, place=None, **settings
) -> Path:
    """Publishes a small release and returns its folder."""
    changed, index = settings.pop("facts", {}), settings.pop("index", True)
    release, plan, file = planned(write_config(folder, tables, **settings), rows)
    place = place or Path(release.output_folder)
    said = facts(plan, **changed)
    publish(plan, drawn_values(plan, rows), place, formats, file, said, index=index)
    return place


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path, value):
    path.write_text(
        json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )


def reseal(folder):
    """Makes all hashes right again, as somebody would who edits by hand and knows of them."""
    manifest = read_json(folder / "datapackage.json")
    for resource in manifest["resources"]:
        if (folder / resource["path"]).exists():
            content = (folder / resource["path"]).read_bytes()
            resource["hash"] = f"sha256:{sha256(content).hexdigest()}"
            resource["bytes"] = len(content)
    write_json(folder / "datapackage.json", manifest)
    reseal_sums(folder)


def reseal_sums(folder):
    digests = {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "SHA256SUMS"
    }
    (folder / "SHA256SUMS").write_text(sums_text(digests))


def forge(folder, plan, tables, about):
    """Writes what the program itself would publish if it believed another plan."""
    content = Content(PlanFile(plan, read_json(folder / "plan.json")["made_of"]), about)
    for path in folder.iterdir():
        path.unlink()
    write_release(folder, content, tables, ["parquet", "csv"])
