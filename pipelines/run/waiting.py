"""Runs a pipeline to its end, or cancels it: a job that nobody waits for could go on writing."""

from __future__ import annotations

import threading

import apache_beam as beam
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.runners.runner import PipelineResult, PipelineState
from apache_beam.utils.subprocess_server import SubprocessServer

from pipelines.run.failures import RunError

CANCEL_SECONDS = 30
"""How long a runner may take to answer that it cancels a job."""


class TimeLimitError(RunError):
    """A pipeline was not done in time, and was cancelled."""


def run_pipeline(pipeline: beam.Pipeline, seconds: int | None) -> PipelineResult | None:
    """Runs a pipeline and waits for its end, if its options do not say otherwise.

    Args:
        pipeline: The pipeline. The local runner runs it in this thread, without a limit.
        seconds: How long to wait for another runner; None for as long as it takes.

    Returns:
        Its result; None where nobody waits for it.

    Raises:
        TimeLimitError: It took longer.
    """
    with SubprocessServer.cache_subprocesses():
        result = pipeline.run()
        if pipeline.options.view_as(StandardOptions).no_wait_until_finish:
            return None
        try:
            state = result.wait_until_finish(duration=None if seconds is None else seconds * 1000)
        except BaseException:
            _cancel(result)
            raise
        if not PipelineState.is_terminal(state):
            _cancel(result)
            raise TimeLimitError(
                f"the pipeline is {state} after {seconds} s, the time limit, and was cancelled; a "
                "runner waits without a word for free slots, and for workers that do not start: "
                "dp-release doctor looks for both; allowed: a longer --time-limit. The next run "
                "goes on from here"
            )
        return result


def _cancel(result: PipelineResult) -> None:
    """Asks a runner to cancel a job; a runner that does not answer is not waited for."""
    asking = threading.Thread(target=_ask_to_cancel, args=(result,), daemon=True)
    asking.start()
    asking.join(CANCEL_SECONDS)


def _ask_to_cancel(result: PipelineResult) -> None:
    try:
        if not PipelineState.is_terminal(result.state):
            result.cancel()
    except Exception:  # What ended the wait is said already; that the runner is gone adds nothing.
        return
