"""Paths in messages: folders that hold the rows of somebody are not named for them."""

import polars as pl
import pytest

from pipelines.plan import plan_release
from pipelines.run.drawing import check_release_input
from pipelines.run.periods import read_period
from pipelines.sources.files import InputError, shown_path
from pipelines.spec import ConfigError, load_release


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/in/user=ada/a.parquet", "/in/user=*/a.parquet"),
        ("gs://b/user=ada@example.org/day=7/a.csv", "gs://b/user=*/day=*/a.csv"),
        ("/in/dt=2026-11-09/user=2026/a.csv", "/in/dt=2026-11-09/user=*/a.csv"),
        ("/in/month=2026-11/user=/a.csv", "/in/month=2026-11/user=*/a.csv"),
        ("/in/dt=2026-11-09 ada/a.csv", "/in/dt=*/a.csv"),
        ("/in/user=a b=c/a.parquet", "/in/user=*/a.parquet"),
        ("/in/user=*/*.parquet", "/in/user=*/*.parquet"),
        ("/in/plain/a=b.parquet", "/in/plain/a=b.parquet"),
    ],
)
def test_values_of_folders_are_not_shown_but_dates_are(path, shown):
    assert shown_path(path) == shown
    assert str(InputError(f"{path} cannot be read")) == f"{shown} cannot be read"


def test_no_message_of_a_run_names_whose_folder_it_is(tmp_path):
    for user in ("zoe", "bob"):
        (tmp_path / "in" / f"user={user}").mkdir(parents=True)
    pl.DataFrame({"country": ["DE"]}).write_parquet(tmp_path / "in/user=bob/a.parquet")
    (tmp_path / "in/user=zoe/a.parquet").write_bytes(b"no parquet")
    config = tmp_path / "release.yaml"
    text = (
        "release: r\ninput: {files: in/user=*/*.parquet}\nprivacy: {unit: user, epsilon: 1}\n"
        "tables: {t: {public: {country: [DE]}, metrics: {n: count}}}\noutput: {folder: out}\n"
    )
    for wrong in (text, text.replace("country:", "land:")):
        config.write_text(wrong)
        release = load_release(config)
        with pytest.raises(ConfigError) as info:
            check_release_input(release, plan_release(release), read_period(None, None))
        assert "user=*/a.parquet" in str(info.value)
        assert "zoe" not in str(info.value)
