"""A pipeline is waited for as long as it may take, and cancelled when it takes longer."""

from __future__ import annotations

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState

from pipelines.run.waiting import TimeLimitError, run_pipeline


class Job:
    """A job of a runner, in a state that it keeps until it is cancelled."""

    def __init__(self, state, error=None):
        self.state = state
        self.error = error
        self.waited = "not at all"
        self.cancelled = 0
        self.options = PipelineOptions([])

    def run(self):
        return self

    def wait_until_finish(self, duration=None):
        self.waited = duration
        if self.error is not None:
            raise self.error
        return self.state

    def cancel(self):
        self.cancelled += 1
        self.state = PipelineState.CANCELLED


def test_a_job_that_is_done_is_not_cancelled():
    job = Job(PipelineState.DONE)
    run_pipeline(job, None)
    assert (job.waited, job.cancelled) == (None, 0)


def test_a_job_that_nobody_is_to_wait_for_goes_on():
    job = Job(PipelineState.RUNNING)
    job.options = PipelineOptions(["--no_wait_until_finish"])
    run_pipeline(job, 7)
    assert (job.waited, job.cancelled) == ("not at all", 0)


def test_a_job_that_takes_longer_is_cancelled_and_says_what_it_may_wait_for():
    job = Job(PipelineState.RUNNING)
    with pytest.raises(TimeLimitError, match=r"RUNNING after 7 s.* free slots, and for workers"):
        run_pipeline(job, 7)
    assert (job.waited, job.cancelled) == (7_000, 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("lost")])
def test_a_job_that_nobody_waits_for_any_more_is_cancelled(error):
    job = Job(PipelineState.RUNNING, error)
    with pytest.raises(type(error)):
        run_pipeline(job, 7)
    assert job.cancelled == 1


def test_a_job_that_failed_is_not_cancelled():
    job = Job(PipelineState.FAILED, RuntimeError("failed"))
    with pytest.raises(RuntimeError, match="failed"):
        run_pipeline(job, None)
    assert job.cancelled == 0


def test_a_runner_that_is_gone_hides_no_error():
    class Gone(Job):
        def cancel(self):
            raise OSError("nobody is there")

    with pytest.raises(RuntimeError, match="lost"):
        run_pipeline(Gone(PipelineState.RUNNING, RuntimeError("lost")), 7)
