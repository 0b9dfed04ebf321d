"""What a worker raises does not quote values, and says what it was and where."""

import logging
import traceback
from pathlib import Path

import apache_beam as beam
import polars as pl
import pyarrow as pa
import pytest

import transforms as dp
from transforms.stages import Engine
from transforms.worker_errors import NoValuesError, WorkerError, shown_texts, without_texts

SECRET = "ada@example.org"


def quote_it(*arguments):
    raise ValueError(f"cannot read {SECRET}")


def fail_in_polars(*arguments):
    pl.Series("user", [SECRET]).cast(pl.Int64)


def fail_while_handling(*arguments):
    try:
        quote_it()
    except ValueError as error:
        raise KeyError(SECRET) from error


@without_texts
class Yielding:
    def __init__(self, fail):
        self.fail = fail

    def process(self, element):
        yield element
        self.fail()


@without_texts
class Returning:
    def __init__(self, fail):
        self.fail = fail

    def process(self, element):
        return [element, self.fail()]


def raised(do_fn, fail):
    with pytest.raises(WorkerError) as info:
        list(do_fn(fail).process(1))
    return info.value


@pytest.mark.parametrize("do_fn", [Yielding, Returning])
@pytest.mark.parametrize("fail", [quote_it, fail_in_polars, fail_while_handling])
def test_no_text_and_no_cause_is_left(do_fn, fail):
    error = raised(do_fn, fail)
    assert SECRET not in "".join(traceback.format_exception(error, chain=True))
    assert error.__cause__ is None
    assert error.__context__ is None


def test_kind_and_place_are_said():
    text = str(raised(Yielding, quote_it))
    assert text.startswith("ValueError in quote_it (test_worker_errors.py:")
    assert "called by process (test_worker_errors.py:" in text
    assert "InvalidOperationError in " in str(raised(Yielding, fail_in_polars))


def test_the_reason_of_an_operating_system_is_said():
    def fail():
        Path("/nowhere", SECRET).read_bytes()

    text = str(raised(Yielding, fail))
    assert "FileNotFoundError (No such file or directory) in " in text
    assert SECRET not in text


@pytest.mark.parametrize("number", [SECRET, 10**30, -1, None, 1.5])
def test_a_number_that_is_none_of_a_system_is_left_out(number):
    def fail():
        error = OSError(2, SECRET)
        error.errno = number
        raise error

    error = raised(Returning, fail)
    assert str(error).startswith("FileNotFoundError in fail")
    assert SECRET not in "".join(traceback.format_exception(error, chain=True))


def test_what_was_handled_before_an_error_without_values_is_not_told():
    def fail():
        try:
            quote_it()
        except ValueError:
            raise NoValuesError("the file is damaged")  # noqa: B904

    with pytest.raises(NoValuesError) as info:
        list(Yielding(fail).process(1))
    assert SECRET not in "".join(traceback.format_exception(info.value, chain=True))


def test_a_panic_of_polars_is_told_without_its_text():
    def fail():
        raise pl.exceptions.PanicException(SECRET)

    assert "PanicException" in str(raised(Yielding, fail))
    assert SECRET not in str(raised(Yielding, fail))


def test_errors_that_quote_nothing_stay_as_they_are():
    def fail():
        raise NoValuesError("the file in.parquet is damaged")

    with pytest.raises(NoValuesError, match=r"in\.parquet is damaged"):
        list(Yielding(fail).process(1))


def test_results_and_interrupts_pass():
    def interrupt():
        raise KeyboardInterrupt

    assert list(Yielding(lambda: None).process(7)) == [7]
    assert list(Returning(lambda: 8).process(7)) == [7, 8]
    with pytest.raises(KeyboardInterrupt):
        list(Yielding(interrupt).process(1))


def test_who_keeps_texts_for_himself_sees_them():
    with shown_texts(), pytest.raises(ValueError, match=SECRET):
        list(Yielding(quote_it).process(1))
    raised(Yielding, quote_it)


def test_neither_errors_nor_logs_of_a_pipeline_quote_rows(monkeypatch, caplog, capfd):
    def batch(self, tables):
        raise ValueError(str(tables[0].to_pylist()))

    monkeypatch.setattr(Engine, "batch", batch)
    budget, table = dp.Budget(1.0, 1e-6), dp.Table(["k"], {"n": dp.Count()})
    plans = tuple(dp.plan_tables({"t": table}, budget))
    rows = pa.table({"user": [SECRET], "k": ["a"]})
    caplog.set_level(logging.DEBUG)
    pipeline = beam.Pipeline("FnApiRunner")
    _ = pipeline | beam.Create([rows]) | dp.DrawTables(["user"], plans)
    with pytest.raises(Exception, match="ValueError in batch") as info:
        pipeline.run().wait_until_finish()
    told = (
        "".join(traceback.format_exception(info.value)) + caplog.text + "".join(capfd.readouterr())
    )
    assert SECRET not in told
