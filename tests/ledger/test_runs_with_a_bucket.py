"""A whole run whose ledger is an object in a bucket, as on a cluster: two machines, one budget."""

import polars as pl
import pytest

from pipelines.ledger import RefusedError
from pipelines.plan import plan_release
from pipelines.run.exactly_once import run_release
from pipelines.spec import load_release


@pytest.mark.parametrize("place_of_kind", ["small-gcs"])
def test_two_machines_share_a_ledger_in_a_bucket(tmp_path, place_of, place_of_kind):
    place = place_of(place_of_kind)
    pl.DataFrame({"user": range(60), "k": ["a"] * 60}).write_parquet(tmp_path / "in.parquet")
    (tmp_path / "policy.yaml").write_text(
        "datasets: {r: {columns: [user, k], caps: [{unit: user, epsilon: 1.5}]}}"
    )
    releases = []
    for machine in ("one", "two"):
        (tmp_path / machine).mkdir()
        config = tmp_path / machine / "release.yaml"
        config.write_text(
            f"release: {machine}\ndataset: r\ninput: {{files: ../in.parquet}}\n"
            "privacy: {unit: user, epsilon: 1}\n"
            "tables: {t: {public: {k: [a]}, metrics: {n: count}}}\n"
            f"output: {{folder: out}}\nledger: {place}\npolicy: ../policy.yaml\n"
        )
        releases.append(load_release(config))
    one, two = releases
    assert run_release(one, plan_release(one)).is_new
    assert not run_release(one, plan_release(one)).is_new
    with pytest.raises(RefusedError, match="entry 1: one@all, published"):
        run_release(two, plan_release(two))
    assert not (tmp_path / "two" / "out").exists()
