"""The index of releases beside each other: what is there, and what it costs together."""

import json
import shutil
import threading
from datetime import date

import pytest
from commands import command_here
from publications import LISTED, SELECTED, make_publication, read_json, write_config, write_json

from pipelines.plan import plan_release
from pipelines.publication import series_index as module
from pipelines.publication.place import promote
from pipelines.publication.series_index import list_releases, series_index, write_index
from pipelines.publication.verify_folder import verify_folder
from pipelines.run.exactly_once import run_release
from pipelines.spec import ConfigError, load_release
from transforms.accounting import price

COUNT = "\n  t: {public: {country: [DE, FR]}, metrics: {n: count}, noise: laplace}\n"
GAUSSIAN = "\n  t: {public: {country: [DE, FR]}, metrics: {n: count}, noise: gaussian}\n"


def publish_weeks(folder, weeks, tables=COUNT, privacy="epsilon: 1", overlap=0, **settings):
    for week in range(weeks):
        window = (date(2026, 11, 1 + 7 * week), date(2026, 11, min(30, 7 + 7 * week + overlap)))
        make_publication(
            folder / "configs",
            tables,
            privacy=privacy,
            place=folder / f"w{week}",
            facts={"period": f"w{week}", "window": window},
            **settings,
        )
    return read_json(folder / "releases.json")


def test_every_publication_is_in_the_index(tmp_path):
    index = publish_weeks(tmp_path, 3)
    assert [release["folder"] for release in index["releases"]] == ["w0", "w1", "w2"]
    assert index == json.loads(json.dumps(series_index(tmp_path)))
    first = index["releases"][0]
    assert (first["series"], first["period"], first["epsilon"], first["delta"]) == ("r", "w0", 1, 0)
    assert first["window"] == ["2026-11-01", "2026-11-07"]
    assert first["plan_hash"] == read_json(tmp_path / "w0" / "plan.json")["plan_hash"]


def test_losses_of_releases_add_up(tmp_path):
    index = publish_weeks(tmp_path, 3)
    (together,) = index["cumulative"]
    assert together["epsilon"] == pytest.approx(3)
    assert together["delta"] == 0
    assert together["releases"] == ["w0", "w1", "w2"]
    assert together["privacy_unit"] == "user"


def test_losses_compose_by_the_accountant_and_not_by_adding_epsilons(tmp_path):
    index = publish_weeks(tmp_path, 3, GAUSSIAN, "epsilon: 1, delta: 1e-6")
    (together,) = index["cumulative"]
    losses = [loss for r in module.releases_in(tmp_path) for loss in r.content.stated.losses]
    assert len(losses) == 3
    assert together["epsilon"] == pytest.approx(price(losses, 3e-6).epsilon)
    assert together["epsilon"] < 2
    assert together["delta"] == pytest.approx(3e-6)
    assert together["rho"] == pytest.approx(price(losses, 3e-6).rho)


def test_budgets_of_rho_add_up_in_rho(tmp_path):
    (together,) = publish_weeks(tmp_path, 2, GAUSSIAN, "rho: 0.25")["cumulative"]
    assert together["rho"] == pytest.approx(0.5)
    assert together["delta"] == pytest.approx(2e-6)


def test_windows_that_are_disjoint_are_called_so_and_one_day_costs_one_release(tmp_path):
    (together,) = publish_weeks(tmp_path, 3)["cumulative"]
    assert together["windows"].startswith("disjoint")
    assert together["worst_day"]["epsilon"] == pytest.approx(1)
    assert len(together["worst_day"]["releases"]) == 1


def test_windows_that_overlap_in_one_day_are_called_so(tmp_path):
    (together,) = publish_weeks(tmp_path, 3, overlap=1)["cumulative"]
    assert together["windows"].startswith("overlapping")
    assert together["worst_day"]["epsilon"] == pytest.approx(2)
    assert len(together["worst_day"]["releases"]) == 2


def test_windows_that_are_not_known_are_called_so(tmp_path):
    make_publication(tmp_path, COUNT, privacy="epsilon: 1")
    (together,) = series_index(tmp_path)["cumulative"]
    assert (together["windows"], together["worst_day"]) == ("not stated", None)


def test_only_releases_that_protect_the_same_count_together(tmp_path):
    make_publication(tmp_path, COUNT, privacy="epsilon: 1", name="a")
    make_publication(tmp_path, COUNT, privacy="epsilon: 2, adjacency: replace", name="b")
    make_publication(tmp_path, LISTED, privacy="epsilon: 4", name="c")
    index = read_json(tmp_path / "releases.json")
    found = {tuple(group["releases"]): group["epsilon"] for group in index["cumulative"]}
    assert found == {("a", "c"): pytest.approx(5), ("b",): pytest.approx(2)}


def test_folders_without_a_release_are_passed_over(tmp_path):
    make_publication(tmp_path, COUNT, privacy="epsilon: 1", name="a")
    for name in ("empty", ".hidden", "broken"):
        (tmp_path / name).mkdir()
    shutil.copytree(tmp_path / "a", tmp_path / ".a.0123.building")
    (tmp_path / "broken" / "datapackage.json").write_text("{")
    assert [release["folder"] for release in series_index(tmp_path)["releases"]] == ["a"]


def test_somebody_elses_file_of_that_name_stays_and_a_run_is_refused_before_it_draws(tmp_path):
    (tmp_path / "releases.json").write_text('{"mine": 1}')
    assert write_index(tmp_path) is None
    release = load_release(write_config(tmp_path))
    with pytest.raises(ConfigError, match=r"releases\.json is no index of releases"):
        run_release(release, plan_release(release))
    assert (tmp_path / "releases.json").read_text() == '{"mine": 1}'


def test_the_last_of_several_writers_has_seen_all_releases(tmp_path):
    for number in range(5):
        make_publication(tmp_path / "made", COUNT, privacy="epsilon: 1", name=f"r{number}")
    (tmp_path / "all").mkdir()

    def move(number):
        (tmp_path / "made" / f"r{number}").rename(tmp_path / "all" / f"r{number}")
        write_index(tmp_path / "all")

    threads = [threading.Thread(target=move, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert len(read_json(tmp_path / "all" / "releases.json")["releases"]) == 5
    assert not list((tmp_path / "all").glob(".*"))


def test_an_index_that_cannot_be_written_does_not_unmake_a_publication(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(module, "series_index", full)
    made = make_publication(tmp_path / "made", index=False)
    promote(made, tmp_path / "out")
    list_releases(tmp_path)
    assert (tmp_path / "out" / "SHA256SUMS").exists()
    assert not list(tmp_path.glob("*.partial"))


# Verification of the folder


def test_a_folder_of_releases_is_verified_with_its_index(tmp_path):
    publish_weeks(tmp_path, 2)
    found = verify_folder(tmp_path)
    assert [one.folder.name for one in found] == ["w0", "w1", "releases.json"]
    assert all(one.problems == () for one in found)


def test_an_edited_index_and_an_edited_release_are_noticed(tmp_path):
    index = publish_weeks(tmp_path, 2)
    index["cumulative"][0]["epsilon"] = 1.0
    write_json(tmp_path / "releases.json", index)
    (*_, found) = verify_folder(tmp_path)
    assert found.problems == ("index.cumulative[0].epsilon is 1.0; it should be 2.0",)
    write_index(tmp_path)
    (tmp_path / "w1" / "t.csv").write_text("")
    done = command_here("verify", tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"{tmp_path}/w1: t.csv: its hash is not that of SHA256SUMS" in done.stderr
    assert f"{tmp_path}/w0: verified" in done.stderr


def test_an_index_that_lacks_a_release_is_noticed(tmp_path):
    publish_weeks(tmp_path, 2)
    shutil.rmtree(tmp_path / "w0")
    (*_, found) = verify_folder(tmp_path)
    assert any("releases" in problem for problem in found.problems)


@pytest.mark.parametrize("text", ["{", "[]", "null"])
def test_an_index_that_is_none_is_noticed(tmp_path, text):
    make_publication(tmp_path, SELECTED)
    (tmp_path / "releases.json").write_text(text)
    (*_, found) = verify_folder(tmp_path)
    assert found.problems


def test_another_form_of_the_same_index_is_noticed(tmp_path):
    make_publication(tmp_path, SELECTED)
    path = tmp_path / "releases.json"
    path.write_text(json.dumps(read_json(path)))
    (*_, found) = verify_folder(tmp_path)
    assert found.problems == ("it is not written as dp-release writes it",)
