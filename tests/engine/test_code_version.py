"""Workers with other code than the launcher do not draw."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import apache_beam as beam
import pyarrow as pa
import pytest

import transforms as dp
from pipelines.run.shards import StageTable
from pipelines.sources.read_rows import _Read
from transforms import code_version, same_code
from transforms.code_version import OtherCodeError, check_code_version
from transforms.prepare.ptransform import _PrepareRows
from transforms.tuning.ptransform import _Finish, _SumPartitions, _SumUnits

PLANS = tuple(
    dp.plan_tables({"t": dp.Table(["k"], {"n": dp.Count()}, other=True)}, dp.Budget(1.0, 1e-6))
)
OTHER = "0123456789abcdef"


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The package is a copy of its source, which may be changed."""
    folder = tmp_path / "transforms"
    shutil.copytree(Path(code_version.__file__).parent, folder)
    spec = SimpleNamespace(submodule_search_locations=[str(folder)])
    monkeypatch.setattr(code_version, "find_spec", lambda name: spec)
    yield folder
    code_version.code_version.cache_clear()


def version(*packages):
    code_version.code_version.cache_clear()
    return code_version.code_version(*packages)


def test_the_same_code_in_another_place_has_the_same_version(copied, monkeypatch):
    of_copy = version()
    assert len(of_copy) == 16
    monkeypatch.setattr(code_version, "find_spec", find_spec)
    assert version() == of_copy


def test_what_is_no_source_and_line_ends_do_not_count(copied):
    before = version()
    (copied / "metrics" / "compiled.pyc").write_bytes(b"compiled")
    (copied / ".#noise.py").symlink_to("somebody@here")
    (copied / "broken.py").symlink_to("nowhere.py")
    file = copied / "noise.py"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert version() == before


@pytest.mark.parametrize("name", ["noise.py", "metrics/counts.py"])
def test_any_change_of_the_code_changes_the_version(copied, name):
    before = version()
    file = copied / name
    file.write_text(file.read_text().swapcase())
    assert version() != before


def test_code_that_moves_to_another_file_changes_the_version(copied):
    before = version()
    (copied / "noise.py").rename(copied / "noises.py")
    assert version() != before


def test_another_version_of_a_library_changes_it(monkeypatch):
    before = version()
    versions = code_version.version
    monkeypatch.setattr(
        code_version, "version", lambda name: "0" if name == "python-dp" else versions(name)
    )
    assert version() != before
    code_version.code_version.cache_clear()


def test_code_that_cannot_be_told_is_refused(copied):
    for file in copied.rglob("*.py"):
        file.unlink()
    with pytest.raises(OtherCodeError, match="has no source files here"):
        version()


def test_the_version_of_two_packages_has_both():
    both = version(("transforms", "pipelines"))
    assert both not in (version(("transforms",)), version(("pipelines",)))


def test_other_code_is_refused():
    check_code_version(version())
    with pytest.raises(OtherCodeError, match=rf"transforms is .* on this worker; allowed: {OTHER}"):
        check_code_version(OTHER)


def steps():
    """The steps of a release and of a tuning, as they are launched."""
    rows = pa.table({"user": ["a", "b"], "k": ["x", "y"]})
    pipeline = beam.Pipeline("FnApiRunner")
    drawn = pipeline | beam.Create([rows]) | "Draw" >> dp.DrawTables(["user"], PLANS)
    assert drawn.keys() == {"t"}
    found = {
        "stage": StageTable("folder", "t"),
        "read": _Read(None, {}),
        "prepare": _PrepareRows(None, ()),
        **{step.__name__: step(None) for step in (_SumUnits, _SumPartitions, _Finish)},
    }

    class Visitor(beam.pipeline.PipelineVisitor):
        def visit_transform(self, applied):
            found[applied.full_label] = getattr(applied.transform, "fn", None)

    pipeline.visit(Visitor())
    return found


@pytest.mark.parametrize(
    "step",
    [
        "Draw/Sum/Pre-aggregate and prune",
        "Draw/Sum/Merge and bound",
        "Draw/Sum/List public partitions",
        "Draw/Select and draw noise",
        "Draw/Draw other partitions/List other partitions",
        "Draw/Draw other partitions/Draw noise of other partitions",
        *("read", "prepare", "stage", "_SumUnits", "_SumPartitions", "_Finish"),
    ],
)
def test_no_step_of_another_code_works(step, monkeypatch):
    """Each step by itself, as runners may start them on different workers."""
    fn = steps()[step]
    fn.setup()
    monkeypatch.setattr(code_version, "code_version", lambda packages: OTHER)
    with pytest.raises(OtherCodeError):
        fn.setup()


def test_a_pipeline_of_other_code_fails(monkeypatch):
    rows = pa.table({"user": ["a", "b"], "k": ["x", "y"]})
    pipeline = beam.Pipeline("FnApiRunner")
    monkeypatch.setattr(same_code, "code_version", lambda packages: OTHER)
    _ = pipeline | beam.Create([rows]) | dp.DrawTables(["user"], PLANS)
    with pytest.raises(Exception, match="give workers the same image or environment"):
        pipeline.run().wait_until_finish()
