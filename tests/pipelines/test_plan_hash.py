"""The identity of a plan: the same for the same release, another for any other."""

import copy
import json
import random
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ledger.entries import canonical_json
from pipelines.plan import plan_release
from pipelines.plan.hash import plan_hash, rounded_json
from pipelines.plan.json_values import plan_to_dict
from pipelines.spec import load_release

CONFIG = """
release: r
title: T
input: {files: in.csv, types: {n: float}, columns: {region: "lookup(k, 'regions.csv', 'region')"}}
privacy: {unit: u, epsilon: 1, delta: 1e-6}
tables:
  t:
    public: keys.csv
    keys: [k]
    bounds: {max_partitions_contributed: 2}
    metrics:
      uses: count
      total: {sum: n, clip: [0, 10]}
      growth: {percent_change: uses, against: old.csv}
      each: {ratio: [total, uses]}
    publish: {minimum: {uses: 20}}
  s:
    keys: [region]
    metrics: {users: privacy_unit_count}
output: {folder: out}
"""
FILES = {
    "keys.csv": "k\na\nb\n",
    "regions.csv": "k,region\na,x\nb,y\n",
    "old.csv": "k,uses,uses_std\na,10,1\nb,10,1\n",
}


@pytest.fixture
def made(tmp_path):
    """Writes the release with some texts replaced, and returns its plan as JSON values."""

    def made(*changes, folder="one"):
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        texts = {"release.yaml": CONFIG, **FILES}
        for file, old, new in changes:
            assert old in texts[file]
            texts[file] = texts[file].replace(old, new)
        for file, text in texts.items():
            (place / file).write_text(text)
        return plan_to_dict(plan_release(load_release(place / "release.yaml")))

    return made


def test_the_hash_of_a_small_plan_is_known():
    plan = {"b": [1, 2.5, None, True], "a": {"é": "ü", "x": 1e-8}, "c": 123456789012345678}
    text = '{"a":{"x":1e-08,"é":"ü"},"b":[1,2.5,null,true],"c":123456789012345678}'
    assert rounded_json(plan) == text.encode()
    assert plan_hash(plan) == "3999a83c2b84a8265b955e7fc8049f11b7b8a981f13e923ef7a6154daa118ad6"


def test_plans_and_ledgers_keep_their_own_bytes():
    """Plans are rounded and in UTF-8, entries are exact and in ASCII: hashes depend on both."""
    value = {"é": [0.1234567891, 1.0, 2**60], "a": {"z": None, "b": True}, "x": 1e-8}
    a_and_x = '"a":{"b":true,"z":null},"x":1e-08'
    rounded = f'{{{a_and_x},"é":[0.123457,1.0,1152921504606846976]}}'
    exact = f'{{{a_and_x},"\\u00e9":[0.1234567891,1.0,1152921504606846976]}}'
    assert rounded_json(value) == rounded.encode()
    assert canonical_json(value) == exact


GOLDEN = "1728331f8a7be3ecbf39beab164a692da682ce6c27f11b43e4e467e4bb41780f"


def test_the_hash_of_a_small_release_is_known(made):
    """It changes when a plan gets other fields or other noise: then releases are planned anew."""
    private = CONFIG[CONFIG.index("  s:\n") : CONFIG.index("output:")]
    plan = made(("release.yaml", "delta: 1e-6", "delta: 0"), ("release.yaml", private, ""))
    assert plan_hash(plan) == GOLDEN
    assert plan_hash(json.loads(json.dumps(plan))) == GOLDEN


def test_another_folder_another_order_and_another_title_are_the_same_plan(made, tmp_path):
    plan = plan_hash(made())
    assert plan_hash(made(folder="another")) == plan
    shutil.rmtree(tmp_path / "one")
    assert plan_hash(made(("release.yaml", "title: T", "title: U"))) == plan
    assert plan_hash(made(("release.yaml", "folder: out", "folder: elsewhere"))) == plan
    expect = ("release.yaml", "    publish:", "    expect: {uses: 100}\n    publish:")
    assert plan_hash(made(expect)) == plan


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("release.yaml", "release: r", "release: q"),
        ("release.yaml", "title: T", "title: T\ndataset: d"),
        ("release.yaml", "files: in.csv,", "files: in.csv, where: k <> 'c',"),
        ("release.yaml", "n: float", "n: int"),
        ("release.yaml", "'region')", "'region', 'k')"),
        ("release.yaml", "unit: u", "unit: v"),
        ("release.yaml", "unit: u", "unit: u, adjacency: replace"),
        ("release.yaml", "epsilon: 1", "epsilon: 1.001"),
        ("release.yaml", "delta: 1e-6", "delta: 1.01e-6"),
        ("release.yaml", "contributed: 2", "contributed: 3"),
        ("release.yaml", "clip: [0, 10]", "clip: [-10, 10]"),
        ("release.yaml", "clip: [0, 10]", "clip_total: [0, 10]"),
        ("release.yaml", "sum: n", "sum: m"),
        ("release.yaml", "{uses: 20}", "{uses: 21}"),
        ("release.yaml", "total: {", "sums: {"),
        ("release.yaml", "keys: [region]", "keys: [k]"),
        ("release.yaml", "keys: [region]", "keys: [region]\n    selection: truncated_geometric"),
        ("release.yaml", "keys: [region]", "keys: [region]\n    share: 2"),
        ("release.yaml", "keys: [region]", "keys: [region]\n    noise: gaussian"),
        ("keys.csv", "b", "c"),
        ("keys.csv", "b\n", "b\nc\n"),
        ("regions.csv", "b,y", "b,z"),
        ("old.csv", "b,10", "b,11"),
    ],
)
def test_whatever_changes_the_release_changes_the_hash(made, file, old, new):
    change = [(file, old, new)]
    if "sums" in new:
        change.append(("release.yaml", "[total, uses]", "[sums, uses]"))
    if "sum: m" in new:
        change.append(("release.yaml", "{n: float}", "{m: float}"))
    assert plan_hash(made(*change)) != plan_hash(made())


def test_a_restriction_of_the_rows_of_a_table_is_another_release(made):
    source = "files: in.csv, types: {n: float}"
    tables = [
        ("release.yaml", source, f"bigquery: {{table: project-1.dataset.{table}{rows}}}")
        for table, rows in (("c", ""), ("d", ""), ("c", ", row_restriction: x > 1"))
    ]
    first, elsewhere, restricted = (plan_hash(made(table)) for table in tables)
    assert first == elsewhere != restricted


def test_a_list_of_keys_is_the_same_from_any_file(made):
    plan = made(("release.yaml", "public: keys.csv\n    keys: [k]", "public: {k: [a, b]}"))
    assert plan_hash(plan) == plan_hash(made())


def test_files_that_change_places_are_another_release(made):
    """Both lookups are there as before, under each other's name."""
    both = (
        "release.yaml",
        "'region')\"",
        "'region')\", area: \"lookup(k, 'areas.csv', 'region')\"",
    )
    one, other = FILES["regions.csv"], FILES["regions.csv"].replace("x", "z")

    def plan(regions, areas):
        FILES["areas.csv"] = areas
        try:
            return made(both, ("regions.csv", one, regions))
        finally:
            del FILES["areas.csv"]

    assert plan_hash(plan(one, other)) != plan_hash(plan(other, one))


def shuffled(value, generator):
    if isinstance(value, dict):
        items = list(value.items())
        generator.shuffle(items)
        return {key: shuffled(part, generator) for key, part in items}
    return [shuffled(part, generator) for part in value] if isinstance(value, list) else value


def places(value, path=()):
    """Every number of a plan, with its place."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in items:
            yield from places(part, (*path, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def test_the_order_of_keys_does_not_matter(made):
    plan = made()
    for seed in range(20):
        assert plan_hash(shuffled(plan, random.Random(seed))) == plan_hash(plan)


def test_every_number_matters_and_its_last_digits_do_not(made):
    plan = made()
    found = list(places(plan))
    assert len(found) > 50
    for *path, last in found:
        for factor, same in ((1.001, False), (1 + 1e-12, True)):
            moved = copy.deepcopy(plan)
            inner = moved
            for step in path:
                inner = inner[step]
            if isinstance(inner[last], int):
                inner[last] += 0 if same else 1
            elif inner[last] == 0:
                inner[last] += 0.0 if same else 1e-9
            else:
                inner[last] *= factor
            assert (plan_hash(moved) == plan_hash(plan)) == same, (path, last)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
    max_leaves=8,
)


@given(value=st.dictionaries(st.text(), JSON))
def test_any_plan_survives_a_file(value):
    try:
        expected = plan_hash(value)
    except (ValueError, UnicodeEncodeError):
        return
    assert plan_hash(json.loads(json.dumps(value))) == expected


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_json_has_not_is_refused(number):
    with pytest.raises(ValueError, match="JSON"):
        plan_hash({"a": number})
