"""Workers with other code than the launcher do not draw."""

import shutil
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest

import transforms as dp
from transforms import code_version
from transforms.code_version import OtherCodeError, check_code_version
from transforms.stages import Engine

PLANS = tuple(
    dp.plan_tables({"t": dp.Table(["k"], {"n": dp.Count()}, other=True)}, dp.Budget(1.0, 1e-6))
)


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The package looks at a copy of its source, which may be changed."""
    folder = tmp_path / "transforms"
    shutil.copytree(Path(code_version.__file__).parent, folder)
    monkeypatch.setattr(code_version, "__file__", str(folder / "code_version.py"))
    code_version.code_version.cache_clear()
    yield folder
    code_version.code_version.cache_clear()


def version():
    code_version.code_version.cache_clear()
    return code_version.code_version()


def test_the_same_code_in_another_place_has_the_same_version(copied):
    of_copy = version()
    assert len(of_copy) == 16
    (copied / "metrics" / "compiled.pyc").write_bytes(b"compiled")
    assert version() == of_copy


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


def test_an_engine_knows_the_code_of_who_made_it():
    engine = Engine(("user",), PLANS, dp.HashKey.draw(), 4, 2)
    engine.check_code()
    with pytest.raises(OtherCodeError, match=r"on this worker; allowed: 0123456789abcdef"):
        check_code_version("0123456789abcdef")


@pytest.mark.parametrize(
    "step",
    [
        "Sum/Pre-aggregate and prune",
        "Sum/Merge and bound",
        "Sum/List public partitions",
        "Select and draw noise",
        "Draw other partitions/List other partitions",
        "Draw other partitions/Draw noise of other partitions",
    ],
)
def test_no_step_of_another_code_works(step, monkeypatch):
    """Each step by itself, as runners may start them on different workers."""
    from transforms import dofns

    rows = pa.table({"user": ["a", "b"], "k": ["x", "y"]})
    pipeline = beam.Pipeline("FnApiRunner")
    drawn = pipeline | beam.Create([rows]) | "Draw" >> dp.DrawTables(["user"], PLANS)
    assert drawn.keys() == {"t"}
    found = []

    class Visitor(beam.pipeline.PipelineVisitor):
        def visit_transform(self, applied):
            fn = getattr(applied.transform, "fn", None)
            if applied.full_label == f"Draw/{step}":
                found.append(fn)

    pipeline.visit(Visitor())
    (fn,) = found
    assert isinstance(fn, dofns.beam.DoFn)
    monkeypatch.setattr(code_version, "code_version", lambda: "0123456789abcdef")
    with pytest.raises(OtherCodeError):
        fn.setup()


def test_a_pipeline_of_other_code_fails(monkeypatch):
    rows = pa.table({"user": ["a", "b"], "k": ["x", "y"]})
    pipeline = beam.Pipeline("FnApiRunner")
    _ = pipeline | beam.Create([rows]) | dp.DrawTables(["user"], PLANS)
    monkeypatch.setattr(code_version, "code_version", lambda: "0123456789abcdef")
    with pytest.raises(Exception, match="give workers the same image or environment"):
        pipeline.run().wait_until_finish()
