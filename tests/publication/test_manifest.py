"""What a manifest, a registry record and hashes say, held against the tools that read them."""

import json
import re
import subprocess
from datetime import date
from pathlib import Path

import jsonschema
import polars as pl
import pytest
import yaml
from frictionless import validate
from publications import ABOUT, EVERYTHING, LISTED, SELECTED, make_publication, read_json

from pipelines.publication.facts import Facts, LedgerPlace
from pipelines.publication.release_files import release_digest
from pipelines.spec.about_spec import AboutSpec

REGISTRY = Path(__file__).parents[3] / "shared" / "reference" / "registry"

NAMES_OF_26 = (
    *("unit", "cumulative", "whole user", "delta", "variant", "budget over time", "bounds"),
    *("sensitivities", "keys", "mechanisms", "floating point", "random", "unprotected"),
    *("pre-processing", "tuning", "post-processing", "error", "suppression", "small groups"),
    *("deployment", "side channels", "security", "analysts", "provenance", "changes", "contact"),
)


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """A publication about which the publisher says all that can be said."""
    folder = tmp_path_factory.mktemp("described")
    ledger = LedgerPlace("entry7", 12, "ab" * 32)
    known = {"period": "2026-W46", "window": (date(2026, 11, 9), date(2026, 11, 15))}
    changed = {**known, "run": "run3", "ledger": ledger}
    return make_publication(folder, EVERYTHING, more=ABOUT, facts=changed)


def manifest(folder):
    return read_json(folder / "datapackage.json")


def points(folder):
    return {point["point"]: point for point in manifest(folder)["privacy"]["disclosure"]}


def errors(folder):
    return validate(str(folder / "datapackage.json")).flatten(["type", "message"])


# Frictionless


def test_frictionless_finds_nothing_wrong(described, everything, small):
    assert errors(described) == errors(everything) == errors(small) == []


def test_frictionless_finds_a_changed_number(small):
    path = small / "selected.csv"
    path.write_text(path.read_text().replace("1", "2", 1))
    assert {kind for kind, _ in errors(small)} == {"hash-count"}


def test_keys_of_all_kinds_are_read_by_frictionless_and_verified(tmp_path):
    from publications import ROWS

    from pipelines.publication.verify import verify_release

    when = pl.col("day").str.to_datetime("%Y-%m-%d", time_unit="us")
    rows = ROWS.with_columns(
        number=pl.lit(7),
        part=pl.lit(0.5),
        flag=pl.col("country") == "DE",
        date=when.dt.date(),
        clock=pl.lit("12:30:00").str.to_time(),
        at=when,
        zoned=when.dt.replace_time_zone("Europe/Berlin"),
        money=pl.lit("1.50").cast(pl.Decimal(10, 2)),
        large=pl.lit(2**63 + 1, dtype=pl.UInt64),
    )
    kinds = ["number", "part", "flag", "date", "clock", "at", "zoned", "money", "large"]
    for formats in (["csv"], ["parquet", "csv"]):
        folder = make_publication(
            tmp_path / formats[0],
            f"\n  t: {{keys: [{', '.join(kinds)}], metrics: {{n: count}}}}\n",
            rows=rows,
            formats=formats,
        )
        assert verify_release(folder).problems == ()
        assert errors(folder) == []
    fields = manifest(folder)["resources"][0]["schema"]["fields"]
    assert [field["type"] for field in fields[: len(kinds)]] == [
        *("integer", "number", "boolean", "date", "time", "datetime", "datetime", "number"),
        "integer",
    ]


def test_empty_text_and_null_in_keys_do_not_make_a_package_invalid(tmp_path):
    from publications import ROWS

    rows = ROWS.with_columns(pl.col("country").replace("XX", ""))
    folder = make_publication(
        tmp_path, "\n  t: {keys: [country], other: true, metrics: {n: count}}\n", rows=rows
    )
    assert errors(folder) == []
    assert all("primaryKey" not in r.get("schema", {}) for r in manifest(folder)["resources"])


def test_resources_are_the_files_with_their_hashes(described):
    package = manifest(described)
    listed = {resource["path"] for resource in package["resources"]}
    assert listed == {path.name for path in described.iterdir()} - {
        "datapackage.json",
        "SHA256SUMS",
    }
    for resource in package["resources"]:
        assert resource["bytes"] == (described / resource["path"]).stat().st_size


def test_every_column_has_a_type_a_unit_and_a_description(described):
    for resource in manifest(described)["resources"]:
        if "schema" not in resource:
            continue
        frame = pl.read_csv(described / f"{resource['name'].rpartition('.')[0]}.csv")
        fields = resource["schema"]["fields"]
        assert [field["name"] for field in fields] == frame.columns
        assert resource["row_count"] == frame.height
        for field in fields:
            assert field["type"]
            assert field["description"]
            assert field["statistic"] in ("key", "value", "std", "low", "high")
            assert (field["statistic"] == "key") != ("unit" in field)
    by_name = {
        (resource["name"], field["name"]): field
        for resource in manifest(described)["resources"]
        for field in resource.get("schema", {}).get("fields", [])
    }
    seconds = by_name["selected.csv", "seconds"]
    assert seconds["unit"] == "unit of dwell (seconds on the key)"
    assert seconds["noise"]["distribution"] == "gaussian"
    assert seconds["noise"]["granularity"] == "0.1"
    assert by_name["selected.csv", "country"]["description"] == "Country of the keyboard"
    assert by_name["selected.csv", "users"]["unit"] == "privacy units (user)"
    assert "noise" not in by_name["listed.csv", "mean"]
    assert by_name["listed.csv", "per_use"]["unit"].endswith(" per rows")
    assert "square of the unit" in by_name["listed.csv", "spread"]["unit"]


def test_stated_noise_is_that_of_the_plan(everything):
    plan = read_json(everything / "plan.json")["plan"]
    for resource in manifest(everything)["resources"]:
        for field in resource.get("schema", {}).get("fields", []):
            if "noise" in field:
                metrics = plan["tables"][resource["name"].rpartition(".")[0]]["metrics"]
                noise = metrics[field["metric"]]["noise"][field["metric"]]
                assert field["noise"]["std"] == noise["std"]
                assert field["noise"]["half_width_95"] == noise["half_width_95"]


# The 26 points


def test_all_26_points_are_there_in_their_order(described):
    found = points(described)
    assert list(found) == list(range(1, 27))
    for point, word in zip(found.values(), NAMES_OF_26, strict=True):
        assert word in point["title"].lower(), word
        assert len(point["statement"]) > 20
        assert not re.search(r"None|\{|\}|\(\)|\.\.|  ", point["statement"]), point


def test_every_source_of_a_point_exists(described):
    file, package = read_json(described / "plan.json"), manifest(described)
    tops = {**file, **package, "about": dict.fromkeys(AboutSpec.model_fields), "dp-release": {}}
    one_of = {"plan.rho", "plan.price.method", "plan.price.upper_bounds"}
    for point in points(described).values():
        assert point["sources"]
        for source in point["sources"]:
            assert source == "releases.json" or source in one_of or reached(tops, source), source


def reached(value, place):
    """Returns whether a place is there, `*` standing for any key."""
    first, _, rest = place.partition(".")
    if not isinstance(value, dict):
        return False
    if first == "*":
        return any(not rest or reached(part, rest) for part in value.values())
    return first in value and (not rest or value[first] is None or reached(value[first], rest))


def test_all_that_the_publisher_says_is_in_a_point_and_nothing_is_missing(described):
    text = json.dumps(manifest(described), ensure_ascii=False)
    found = points(described)
    for name, value in manifest(described)["publication"]["about"].items():
        for part in value.values() if isinstance(value, dict) else [value]:
            assert str(part if not isinstance(part, list) else part[0]) in text, name
    assert all(point["not_stated"] == [] for point in found.values())
    assert "not stated" not in "".join(point["statement"] for point in found.values())
    assert "Delta is NOT below 1 / population, which is 1 / 1,000,000" in found[4]["statement"]
    assert "entry7" in found[24]["statement"]
    assert "2026-11-09 to 2026-11-15" in found[1]["statement"]


def test_what_the_publisher_does_not_say_is_called_not_stated(small):
    found = points(small)
    for number, names in {
        4: ["population"],
        6: ["schedule"],
        13: ["unprotected"],
        15: ["tuning"],
        20: ["trust", "access"],
        22: ["retention"],
        26: ["contact", "curator", "sector", "region", "purpose", "license", "links"],
    }.items():
        assert found[number]["not_stated"] == names
    for number in (6, 13, 15, 20, 22, 24, 26):
        assert "not stated" in found[number]["statement"], number
    assert "charged to no ledger" in found[6]["statement"]


def test_points_say_what_the_plan_says(tmp_path):
    folder = make_publication(tmp_path, SELECTED + LISTED)
    plan = read_json(folder / "plan.json")["plan"]
    found = {number: point["statement"] for number, point in points(folder).items()}
    selected, listed = plan["tables"]["selected"], plan["tables"]["listed"]
    assert plan["guarantee"]["protects"] in found[1]
    assert plan["guarantee"]["does_not_protect"] == found[3]
    assert "Epsilon 2 and delta 1e-06" in found[2]
    assert "max_partitions_contributed 3" in found[7]
    assert listed["public_sha256"] in found[9]
    assert f"threshold {selected['selection']['threshold']:.6g} units" in found[9]
    for table in (selected, listed):
        for mechanism in table["mechanisms"].values():
            scale = mechanism.get("scale")
            assert scale is None or f"{scale:.6g} granules" in found[10]
        for metric in table["metrics"].values():
            for name, noise in metric["noise"].items():
                assert f"{name} standard deviation {noise['std']:.6g}" in found[17]
    assert "seconds / uses" in found[16]
    assert "50% with" in found[18]


# The registry


@pytest.mark.skipif(not REGISTRY.exists(), reason="the schema of the registry is not here")
@pytest.mark.parametrize("privacy", ["epsilon: 1, delta: 1e-6", "epsilon: 1", "rho: 0.5"])
@pytest.mark.parametrize("more", [ABOUT, ""])
def test_the_record_is_valid_in_the_registry(tmp_path, privacy, more):
    schema = yaml.safe_load((REGISTRY / "deployments-schema.yaml").read_text())
    folder = make_publication(tmp_path, LISTED, privacy=privacy, more=more)
    record = yaml.safe_load((folder / "deployment.yaml").read_text())
    checker = jsonschema.FormatChecker()
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(record)


def test_the_record_has_every_section_of_a_complete_one(described):
    record = yaml.safe_load((described / "deployment.yaml").read_text())
    deployment = record["deployment"]
    assert (record["url_slug"], record["status"], record["tier"]) == ("r", "Draft", 3)
    assert deployment["basic"] == {
        "name": "Keys",
        "data_curators": ["A maker of keyboards"],
        "intended_use": "Research on typing",
        "data_product_type": "Summary statistics",
        "data_product_region": "Worldwide",
        "description": "How long keys are held, by country and day",
        "publication_date": "2026-11-23",
        "data_product_sector": "Technology",
    }
    assert deployment["privacy_loss"]["privacy_parameters"] == {"epsilon": 2.0, "delta": 1e-6}
    assert deployment["dp_variant"]["variant_name"] == "Approximate DP"
    assert deployment["deployment_model"]["release_type"] == "Many releases"
    assert {*deployment} == {
        *("basic", "dp_variant", "privacy_loss", "deployment_model", "accounting"),
        *("implementation", "administrative"),
    }
    assert all(value for section in deployment.values() for value in section.values()), (
        "an empty field"
    )


@pytest.mark.parametrize(
    ("privacy", "name", "parameters"),
    [
        ("epsilon: 1", "Pure DP", {"epsilon": 1}),
        ("rho: 0.5", "Zero-concentrated DP", {"rho": 0.5}),
    ],
)
def test_the_record_names_the_variant(tmp_path, privacy, name, parameters):
    folder = make_publication(tmp_path, LISTED, privacy=privacy)
    deployment = yaml.safe_load((folder / "deployment.yaml").read_text())["deployment"]
    assert deployment["dp_variant"]["variant_name"] == name
    assert deployment["privacy_loss"]["privacy_parameters"] == parameters


# Hashes and bytes


def test_sha256sum_agrees(described):
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=described,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len([*described.iterdir()]) - 1


def test_facts_come_back_as_they_were():
    from publications import PUBLISHED

    ledger = LedgerPlace("e", 3, "f" * 64)
    window = (date(2026, 1, 1), date(2026, 1, 7))
    facts = Facts("T", PUBLISHED, {"region": "x"}, {"a": "1"}, "p", window, 2, "why", "run", ledger)
    assert Facts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts


def test_one_hash_stands_for_the_release(small):
    before = release_digest(small)
    (small / "SHA256SUMS").write_text("")
    assert release_digest(small) != before
