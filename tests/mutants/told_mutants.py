"""Seeded bugs of what is told outside: errors of workers, and logs."""

from __future__ import annotations

from mutant import Mutant
from places import LOGS, WORKER_ERRORS

TOLD = [
    Mutant(
        "errors_of_workers_keep_the_one_that_was_handled",
        "transforms/worker_errors.py",
        "                told = _told(error)\n            raise told\n",
        "                raise _told(error) from None\n",
        (f"{WORKER_ERRORS}::test_no_text_and_no_cause_is_left[quote_it-Yielding]",),
    ),
    Mutant(
        "texts_are_shown_unless_somebody_objects",
        "transforms/worker_errors.py",
        "_shown = False\n",
        "_shown = True\n",
        (f"{WORKER_ERRORS}::test_neither_errors_nor_logs_of_a_pipeline_quote_rows",),
    ),
    Mutant(
        "panics_keep_their_texts",
        "transforms/worker_errors.py",
        "_ERRORS = (Exception, pl.exceptions.PanicException)",
        "_ERRORS = (Exception,)",
        (f"{WORKER_ERRORS}::test_a_panic_of_polars_is_told_without_its_text",),
    ),
    Mutant(
        "a_crash_is_logged_with_its_text",
        "pipelines/log.py",
        'message = f"{kind.__name__}{place}"',
        'message = f"{kind.__name__}{place}: {error}"',
        (f"{LOGS}::test_a_crash_is_logged_by_its_kind_and_place",),
    ),
    Mutant(
        "progress_is_logged_in_bytes",
        "pipelines/run/progress.py",
        "percent=100 * read // max(1, total)",
        "percent=read",
        (f"{LOGS}::test_progress_is_in_percent",),
    ),
]
