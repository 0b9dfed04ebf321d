"""Runs column work on a few threads beside the thread that reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Background(Generic[Result]):
    """A pool that hands results back in the order of submission and bounds what is under way.

    Column kernels let go of the interpreter lock but do not all use every core; two of them side
    by side do.
    """

    def __init__(self, threads: int) -> None:
        """Starts with no work.

        Args:
            threads: Jobs that run, and hold memory, at once.
        """
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="dp-release")
        self._jobs: deque[Future[Result]] = deque()

    def submit(self, job: Callable[[], Result]) -> Iterator[Result]:
        """Starts a job once there is room for it.

        Args:
            job: What to run.

        Yields:
            Results of the earlier jobs that had to finish first. The job starts when the iterator
            is exhausted.
        """
        while len(self._jobs) >= self._threads:
            yield self._jobs.popleft().result()
        self._jobs.append(self._executor.submit(job))

    def drain(self) -> Iterator[Result]:
        """Waits for all jobs and yields their results."""
        while self._jobs:
            yield self._jobs.popleft().result()

    def discard(self) -> None:
        """Forgets all jobs: what a failed bundle left behind must not end up in the next."""
        for job in self._jobs:
            job.cancel()
        self._jobs.clear()

    def close(self) -> None:
        """Drops what has not started and stops the threads."""
        self.discard()
        self._executor.shutdown(cancel_futures=True)
