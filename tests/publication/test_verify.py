"""`verify` finds whatever is changed in a published folder: by hashes, or as it does not follow."""

import copy
import json
import shutil

import polars as pl
import pytest
from commands import command_here
from publications import (
    ABOUT,
    LISTED,
    SELECTED,
    STEPS,
    forge,
    make_publication,
    read_json,
    reseal,
    reseal_sums,
    write_json,
)

from pipelines.plan.hash import plan_hash
from pipelines.publication.compare import mismatches
from pipelines.publication.facts import Facts
from pipelines.publication.table_files import table_bytes
from pipelines.publication.verify import verify_release


def problems(folder):
    return "\n".join(verify_release(folder).problems)


def edit_table(folder, table, change):
    """Changes a table in both of its files and makes all hashes right."""
    frame = change(pl.read_parquet(folder / f"{table}.parquet"))
    for kind in ("parquet", "csv"):
        (folder / f"{table}.{kind}").write_bytes(table_bytes(frame, kind))
    reseal(folder)


def test_a_publication_is_verified(everything):
    found = verify_release(everything)
    assert found.problems == ()
    assert found.release == "r"
    assert found.plan_hash == read_json(everything / "plan.json")["plan_hash"]
    assert found.price == read_json(everything / "plan.json")["plan"]["price"]
    assert {*found.files, "SHA256SUMS"} == {path.name for path in everything.iterdir()}


@pytest.mark.parametrize(
    ("tables", "privacy"),
    [
        (SELECTED, "rho: 0.5, delta: 1e-6"),
        (LISTED, "rho: 0.5"),
        (LISTED, "epsilon: 3"),
        (SELECTED, "epsilon: 2, delta: 1e-6, adjacency: replace"),
        (STEPS, "epsilon: 0.1"),
        ("\n  t: {keys: [country], metrics: {}}\n", "epsilon: 1, delta: 1e-6"),
        (
            "\n  t: {keys: [country], selection: weighted_gaussian, metrics: {n: count}}\n",
            "epsilon: 1, delta: 1e-6",
        ),
        (
            "\n  t: {keys: [country], selection: truncated_geometric, noise: laplace, "
            "metrics: {n: count, d: {distinct_count: dwell}, "
            "v: {vector_sum: [dwell], norm: l2, max_norm: 5}}}\n",
            "epsilon: 1, delta: 1e-6",
        ),
    ],
)
def test_every_kind_of_release_is_verified(tmp_path, tables, privacy):
    folder = make_publication(tmp_path, tables, privacy=privacy, more=ABOUT)
    assert verify_release(folder).problems == ()


@pytest.mark.parametrize("tables", [LISTED, STEPS])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_one_format_is_enough(tmp_path, kind, tables):
    folder = make_publication(tmp_path, tables, formats=[kind])
    assert verify_release(folder).problems == ()


def test_a_publication_is_verified_wherever_it_is_and_nothing_else_is_read(tmp_path, small):
    moved = small.rename(tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "small")
    assert verify_release(moved).problems == ()


# Every byte


def test_a_changed_byte_anywhere_in_any_file_is_noticed(small):
    for path in sorted(small.iterdir()):
        content = path.read_bytes()
        stride = max(1, len(content) // 23)
        for at in {*range(0, len(content), stride), len(content) - 1}:
            changed = bytearray(content)
            changed[at] ^= (1, 0x20, 0x80)[at % 3]
            path.write_bytes(changed)
            assert verify_release(small).problems, (path.name, at)
        path.write_bytes(content)
    assert verify_release(small).problems == ()


def test_every_byte_of_the_hashes_counts(small):
    path = small / "SHA256SUMS"
    content = path.read_bytes()
    for place in range(0, len(content), 3):
        path.write_bytes(content[:place] + b"0" + content[place + 1 :])
        assert content[place : place + 1] == b"0" or verify_release(small).problems, place


def test_a_cut_or_longer_file_is_noticed(small):
    for path in sorted(small.iterdir()):
        content = path.read_bytes()
        for changed in (content[:-1], content[: len(content) // 2], b"", content + b"\n"):
            path.write_bytes(changed)
            assert verify_release(small).problems, path.name
        path.write_bytes(content)


def test_a_missing_file_is_noticed(small):
    for path in sorted(small.iterdir()):
        content = path.read_bytes()
        path.unlink()
        assert f"{path.name}: it is missing" in problems(small)
        path.write_bytes(content)


def test_another_file_is_noticed(small):
    (small / "more.txt").write_text("mine")
    assert "more.txt: SHA256SUMS does not have it" in problems(small)
    (small / "more.txt").unlink()
    (small / "deeper").mkdir()
    assert "deeper: it is no file" in problems(small)


def test_a_link_in_place_of_a_file_is_noticed(tmp_path, small):
    (small / "plan.json").rename(tmp_path / "plan.json")
    (small / "plan.json").symlink_to(tmp_path / "plan.json")
    assert "plan.json: it is no file" in problems(small)


# Tables whose hashes were made right


def set_cell(column, row, value):
    def change(frame):
        cells = frame[column].to_list()
        cells[row] = value(cells[row])
        return frame.with_columns(pl.Series(column, cells, dtype=frame.schema[column]))

    return change


def more(value):
    return value * 1.5 + 1 if isinstance(value, float) else value + 1


@pytest.mark.parametrize("metric", ["uses", "users", "seconds"])
@pytest.mark.parametrize("part", ["", "_std", "_low", "_high"])
def test_a_number_that_does_not_fit_its_noise_is_noticed(folder, metric, part):
    edit_table(folder, "selected", set_cell(metric + part, 1, more))
    assert f"selected.csv: {metric}" in problems(folder)
    assert f"selected.parquet: {metric}" in problems(folder)


@pytest.mark.parametrize("column", ["uses_std", "uses_high", "seconds_low"])
def test_a_number_that_does_not_fit_its_rounding_and_clamping_is_noticed(folder, column):
    edit_table(folder, "steps", set_cell(column, 0, lambda value: (value or 0) + 500))
    assert f"steps.csv: {column.split('_')[0]}" in problems(folder)


@pytest.mark.parametrize("column", ["dwell_p25_std", "mean_high", "spread_low", "per_use"])
def test_a_derived_number_that_cannot_be_is_noticed(folder, column):
    edit_table(folder, "listed", set_cell(column, 0, lambda value: value + 30))
    assert "listed.csv: " in problems(folder)


def test_a_number_off_the_grid_of_its_granularity_is_noticed(folder):
    def moved(frame):
        return frame.with_columns(pl.col("seconds", "seconds_low", "seconds_high") + 0.05)

    edit_table(folder, "selected", moved)
    assert "seconds is no multiple of 0.1" in problems(folder)


def test_levels_that_do_not_add_up_are_noticed(folder):
    edit_table(
        folder, "levels_by_country", set_cell("uses_consistent_std", 0, lambda std: std * 1.01)
    )
    assert "levels_by_country: 1 row is not those of levels that add up" in problems(folder)


CHANGES = {
    "a row is gone": (lambda frame: frame[1:], "listed", "3 rows; it should have 4"),
    "a row is twice": (
        lambda frame: pl.concat([frame[:1], frame[:-1]]),
        "listed",
        "rows have the same keys",
    ),
    "rows in another order": (lambda frame: frame.reverse(), "listed", "not sorted"),
    "a column is gone": (lambda frame: frame[:, :-1], "listed", "its columns are"),
    "a column more": (
        lambda frame: frame.with_columns(exact=pl.lit(1)),
        "listed",
        "its columns are",
    ),
    "columns in another order": (
        lambda frame: frame.select(reversed(frame.columns)),
        "listed",
        "its columns are",
    ),
    "text for numbers": (
        lambda frame: frame.with_columns(pl.col("uses").cast(pl.String)),
        "listed",
        "uses has the type String",
    ),
    "a null key": (
        lambda frame: frame.with_columns(country=pl.Series([*frame["country"][:-1], None])),
        "listed",
        "keys are null",
    ),
    "a row above the top": (
        lambda frame: pl.concat([frame, frame[:1].with_columns(country=pl.lit("ZZ"))]),
        "steps",
        "4 rows; it should have the top 3",
    ),
    "a value that does not add up": (
        lambda frame: frame.with_columns(pl.col("users").fill_null(3)),
        "others",
        "users",
    ),
    "a value without its error": (
        lambda frame: frame.with_columns(uses_std=pl.lit(None, dtype=pl.Float64)),
        "listed",
        "a value is there without its error",
    ),
    "a null": (
        lambda frame: frame.with_columns(
            pl.lit(None, dtype=frame.schema[name]).alias(name)
            for name in ("uses", "uses_std", "uses_low", "uses_high")
        ),
        "listed",
        "uses is null",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_table_that_its_plan_does_not_allow_is_noticed(folder, name):
    change, table, message = CHANGES[name]
    edit_table(folder, table, change)
    assert message in problems(folder)


def test_csv_that_is_not_the_parquet_table_is_noticed(folder):
    text = (folder / "listed.csv").read_text()
    (folder / "listed.csv").write_text(text.replace("\nDE,", '\n"DE",'))
    reseal(folder)
    assert "listed.csv: it is not the table" in problems(folder)


def test_no_table_is_needed_twice_but_each_once(folder):
    for kind in ("csv", "parquet"):
        (folder / f"listed.{kind}").unlink()
    manifest = read_json(folder / "datapackage.json")
    manifest["resources"] = [r for r in manifest["resources"] if "listed" not in r["name"]]
    write_json(folder / "datapackage.json", manifest)
    reseal(folder)
    assert "listed: no file has this table" in problems(folder)


def test_a_table_that_the_plan_does_not_have_is_noticed(folder):
    shutil.copy(folder / "listed.csv", folder / "exact.csv")
    reseal(folder)
    assert "exact.csv: the plan has no such table" in problems(folder)


def test_a_file_that_is_no_table_is_noticed(folder):
    (folder / "listed.parquet").write_bytes(b"PAR1 no table PAR1")
    (folder / "steps.csv").write_bytes(b"\xff\x00,\n")
    reseal(folder)
    assert "listed.parquet: it is no parquet table" in problems(folder)
    assert "steps.csv: it" in problems(folder)


# Documents whose hashes were made right


def leaves(value, place=()):
    """Yields the place and value of everything in JSON that is no list or mapping."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in items:
            yield from leaves(part, (*place, key))
    else:
        yield place, value


def at(value, place):
    for key in place:
        value = value[key]
    return value


def other(value):
    match value:
        case bool() | None:
            return "edited"
        case int() | float():
            return value * 2 + 1
        case _:
            return f"{value}1"


def test_every_value_of_the_manifest_that_follows_is_held_to(small):
    original = read_json(small / "datapackage.json")
    free = {("publication", name) for name in ("title", "published", "period", "window", "version")}
    free |= {("publication", name) for name in ("reason", "run", "ledger", "software", "about")}
    kinds = set()
    for place, value in leaves(original):
        kind = (type(value), *(key for key in place if isinstance(key, str)))
        if place[:2] in free or place[-1] in ("hash", "bytes") or kind in kinds:
            continue
        kinds.add(kind)
        manifest = copy.deepcopy(original)
        at(manifest, place[:-1])[place[-1]] = other(value)
        write_json(small / "datapackage.json", manifest)
        reseal_sums(small)
        assert verify_release(small).problems, place
        write_json(small / "datapackage.json", original)


def test_facts_that_were_edited_do_not_fit_the_rest_of_the_manifest(small):
    for name, value in (("title", "Other"), ("version", 2), ("published", "2020-01-01T00:00:00Z")):
        before = read_json(small / "datapackage.json")
        manifest = {**before, "publication": {**before["publication"], name: value}}
        write_json(small / "datapackage.json", manifest)
        reseal_sums(small)
        assert "datapackage.json: manifest." in problems(small), name
        write_json(small / "datapackage.json", before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("published", "yesterday"),
        ("version", "1"),
        ("window", ["2026-11-02", "2026-11-01"]),
        ("window", ["2026-11-02"]),
        ("ledger", {"entry": "x"}),
        ("ledger", {"entry": 1, "entries": 1, "digest": "x"}),
        ("about", {"nothing": "such"}),
        ("about", {"population": 0}),
        ("about", {"links": []}),
        ("software", ["dp-release"]),
        ("title", 7),
        ("more", 1),
    ],
)
def test_facts_that_are_none_are_noticed(small, name, value):
    manifest = read_json(small / "datapackage.json")
    manifest["publication"][name] = value
    write_json(small / "datapackage.json", manifest)
    reseal_sums(small)
    assert "datapackage.json: " in problems(small)


@pytest.mark.parametrize("text", ["[]", "{}", "null", "{", '{"publication": 3}', "[" * 10_000])
@pytest.mark.parametrize("name", ["datapackage.json", "plan.json"])
def test_documents_that_are_none_are_noticed(small, name, text):
    (small / name).write_text(text)
    reseal_sums(small)
    assert f"{name}" in problems(small)


@pytest.mark.parametrize("name", ["plan.json", "datapackage.json", "deployment.yaml"])
def test_documents_that_are_written_in_another_way_are_noticed(small, name):
    text = (small / name).read_text()
    (small / name).write_text(text.replace("  ", "   ", 1) if "json" in name else f"{text}\n")
    reseal(small) if name != "datapackage.json" else reseal_sums(small)
    assert f"{name}" in problems(small)


@pytest.mark.parametrize("name", ["config_sha256", "files", "versions"])
@pytest.mark.parametrize("value", [7, {"a": 7}, None])
def test_what_a_plan_was_made_of_is_text(small, name, value):
    file = read_json(small / "plan.json")
    file["made_of"][name] = value
    write_json(small / "plan.json", file)
    reseal(small)
    assert "made_of" in problems(small)
    del file["made_of"][name]
    write_json(small / "plan.json", file)
    reseal(small)
    assert "made_of is not what" in problems(small)


@pytest.mark.parametrize("name", ["columns", "types", "files", "where", "dataset", "tables"])
@pytest.mark.parametrize("value", [7, ["a"], {"a": 7}, {}])
def test_a_plan_of_other_kinds_of_values_is_noticed(small, name, value):
    file = read_json(small / "plan.json")
    if file["plan"][name] == value:
        return
    file["plan"][name] = value
    file["plan_hash"] = plan_hash(file["plan"])
    write_json(small / "plan.json", file)
    reseal(small)
    assert problems(small)


# Plans that were edited together with everything that is made of them

FREE = {"where", "row_restriction", "dataset", "release", "public_sha256", "public_partitions", 0}
"""What of a plan follows from nothing else: what rows count, whose data they are, which partitions
are listed (of tables that drop rows), and the end of a clip that is smaller in size."""


def test_every_number_of_a_plan_that_follows_is_worked_out_again(tmp_path):
    """The forger has the program: manifest, record and hashes are made of the edited plan."""
    folder = make_publication(tmp_path, SELECTED + STEPS)
    original = read_json(folder / "plan.json")["plan"]
    about = Facts.from_dict(read_json(folder / "datapackage.json")["publication"])
    tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in original["tables"]}
    unnoticed = set()
    for place, value in leaves(original):
        plan = copy.deepcopy(original)
        at(plan, place[:-1])[place[-1]] = other(value)
        assert plan_hash(plan) != plan_hash(original), place
        try:
            forge(folder, plan, tables, about)
        except Exception:  # Not even the program can make anything of it.
            continue
        if not verify_release(folder).problems:
            unnoticed.add(place)
    assert {place[-1] for place in unnoticed} <= FREE, unnoticed


FORGERIES = {
    "a smaller price": (("price", "epsilon"), 0.1, "plan.price.epsilon is 0.1"),
    "a budget that is not kept": (("epsilon",), 0.5, "times the budget; allowed: at most 1"),
    "a smaller scale": (
        ("tables", "selected", "mechanisms", "uses", "scale"),
        1.0,
        "plan.tables.selected.mechanisms.uses.loss",
    ),
    "a smaller sensitivity": (
        ("tables", "selected", "mechanisms", "uses", "linf"),
        1,
        "as follows from the bounds",
    ),
    "wider bounds": (
        ("tables", "selected", "bounds", "max_partitions_contributed"),
        30,
        "as follows from the bounds",
    ),
    "a wider clip": (
        ("tables", "selected", "metrics", "seconds", "parameters", "clip"),
        [0.0, 100.0],
        "as follows from the bounds",
    ),
    "another adjacency": (("guarantee", "adjacency"), "replace", "as follows from the bounds"),
    "a selection of fewer partitions": (
        ("tables", "selected", "mechanisms", "selection", "l0"),
        1,
        "mechanisms.selection.l0 is 1; it should be 3",
    ),
    "a lower threshold": (
        ("tables", "selected", "selection", "threshold"),
        2.0,
        "plan.tables.selected.selection.threshold",
    ),
    "better words": (
        ("guarantee", "protects"),
        "Everybody, always.",
        "plan.guarantee.protects",
    ),
    "no delta": (("delta",), 0.0, "plan"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_plan_is_noticed_and_named(folder, name):
    place, value, message = FORGERIES[name]
    file = read_json(folder / "plan.json")
    at(file["plan"], place[:-1])[place[-1]] = value
    file["plan_hash"] = plan_hash(file["plan"])
    write_json(folder / "plan.json", file)
    reseal(folder)
    assert message in problems(folder)


def test_a_plan_without_its_hash_is_noticed(folder):
    file = read_json(folder / "plan.json")
    file["plan"]["epsilon"] = 0.1
    write_json(folder / "plan.json", file)
    reseal(folder)
    assert "plan.json was edited: it states the plan_hash" in problems(folder)


@pytest.mark.parametrize(
    ("stated", "right"),
    [
        (True, 1),
        (0, False),
        (1.0, "1.0"),
        (None, 0),
        ([], {}),
        ([1], [1, 2]),
        (1, 2),
        (1.0, 1.00001),
    ],
)
def test_values_of_other_kinds_are_not_the_same(stated, right):
    assert next(mismatches({"a": stated}, {"a": right}, "x")).startswith("x.a ")
    assert next(mismatches({}, {"a": right}, "x")).startswith("x.a is missing; ")


def test_numbers_that_differ_by_rounding_are_the_same():
    assert list(mismatches({"a": [1, 0.1, 2.0]}, {"a": [1.0, 0.1 + 1e-12, 2]}, "x")) == []


# The command


def test_the_command_says_what_was_verified(small):
    done = command_here("verify", small)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{small}: verified r: 5 files, plan ")
    assert "costs epsilon 2 at delta 1e-06" in done.stdout or "costs epsilon 1.99" in done.stdout


def test_the_command_exits_with_3_and_a_list(small):
    (small / "selected.csv").write_text("country\n")
    (small / "more").write_text("")
    done = command_here("verify", small)
    assert (done.returncode, done.stdout) == (3, "")
    lines = done.stderr.splitlines()
    assert f"{small}: selected.csv: its hash is not that of SHA256SUMS; it was changed" in lines
    assert f"{small}: more: SHA256SUMS does not have it" in lines


def test_the_command_prints_json(small):
    done = command_here("verify", small, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["verified"]) == (0, True)
    assert found["checked"][0]["problems"] == []
    (small / "plan.json").unlink()
    done = command_here("verify", small, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["verified"]) == (3, False)
    assert found["checked"][0]["problems"] == ["plan.json: it is missing"]


def test_a_folder_without_a_release_is_an_error_of_the_user(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        done = command_here("verify", folder)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{folder} holds no release; allowed: " in done.stderr


def test_a_file_that_cannot_be_read_is_an_error_of_the_user(small, monkeypatch):
    shutil.rmtree(small)
    small.mkdir()
    (small / "plan.json").mkdir()
    done = command_here("verify", small)
    assert done.returncode == 3
    assert "SHA256SUMS: it is missing" in done.stderr
