"""Seeded bugs of what is told outside: errors of workers, and logs."""

from __future__ import annotations

from mutant import Mutant
from places import CODE, DATAFLOW, LOGS, WITHDRAWN, WORKER_ERRORS

TOLD = [
    Mutant(
        "errors_of_workers_keep_the_one_that_was_handled",
        "transforms/worker_errors.py",
        "                raised = error\n            raise _told(raised)\n",
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
        "readers_are_not_told_of_withdrawn_releases",
        "pipelines/run/endings.py",
        "                untold = outlet.list_releases(of_release.withdrawn)\n",
        "                untold = None\n",
        (f"{WITHDRAWN}::test_a_withdrawn_release_stays_as_it_is_and_the_index_says_why",),
    ),
    Mutant(
        "an_index_forgets_what_was_withdrawn_before",
        "pipelines/publication/series_index.py",
        "all_withdrawn(told, withdrawn)",
        "all_withdrawn([], withdrawn)",
        (f"{WITHDRAWN}::test_releases_of_another_series_do_not_make_it_forgotten",),
    ),
    Mutant(
        "a_correction_is_listed_before_the_version_before_it_is_withdrawn",
        "pipelines/run/publishing.py",
        "self.outlet.list_releases(self.ledger.withdrawn)",
        "self.outlet.list_releases()",
        (f"{WITHDRAWN}::test_readers_of_an_old_copy_learn_that_it_was_corrected",),
    ),
    Mutant(
        "whoever_withdraws_is_not_told_that_readers_are_not",
        "pipelines/run/endings.py",
        "return Ended(ended, untold, without_page)",
        "return Ended(ended, None, without_page)",
        (f"{WITHDRAWN}::test_whoever_withdraws_learns_that_readers_are_not_told",),
    ),
    Mutant(
        "paths_show_whose_rows_a_file_has",
        "pipelines/sources/files.py",
        'return _FOLDER_VALUE.sub(r"\\1=*", path)',
        "return path",
        ("tests/pipelines/test_shown_paths.py::test_no_message_of_a_run_names_whose_folder_it_is",),
    ),
    Mutant(
        "workers_with_other_code_draw",
        "transforms/same_code.py",
        "        check_code_version(self._code, self.packages)\n",
        "        pass\n",
        (f"{CODE}::test_a_pipeline_of_other_code_fails",),
    ),
    Mutant(
        "a_step_forgets_to_look_at_the_code",
        "transforms/dofns.py",
        "        super().setup()\n        self._background:",
        "        self._background:",
        (f"{CODE}::test_no_step_of_another_code_works[Draw/Sum/Merge and bound]",),
    ),
    Mutant(
        "the_code_is_known_by_the_names_of_its_files",
        "transforms/code_version.py",
        "            digest.update(content)\n",
        "",
        (f"{CODE}::test_any_change_of_the_code_changes_the_version[metrics/counts.py]",),
    ),
    Mutant(
        "the_noise_of_another_library_is_the_same_code",
        "transforms/code_version.py",
        'LIBRARIES = ("numpy", "polars", "polars-hash", "pyarrow", "python-dp")',
        'LIBRARIES = ("numpy", "polars", "polars-hash", "pyarrow")',
        (f"{CODE}::test_another_version_of_a_library_changes_it",),
    ),
    Mutant(
        "code_that_is_nowhere_is_the_same_everywhere",
        "transforms/code_version.py",
        "        if not files:\n",
        "        if False:\n",
        (f"{CODE}::test_code_that_cannot_be_told_is_refused",),
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
    Mutant(
        "dataflow_samples_rows_of_failing_steps",
        "pipelines/run/options.py",
        "    debug.add_experiment(NO_SAMPLES)\n",
        "",
        (f"{DATAFLOW}::test_workers_keep_no_samples_of_rows_whatever_the_service_adds[a name]",),
    ),
    Mutant(
        "all_rows_may_be_sampled",
        "pipelines/run/options.py",
        'SAMPLES = ("enable_always_on_exception_sampling", "enable_data_sampling")',
        'SAMPLES = ("enable_always_on_exception_sampling",)',
        (f"{DATAFLOW}::test_samples_of_rows_are_refused",),
    ),
    Mutant(
        "a_template_samples_rows",
        "pipelines/run/dataflow.py",
        '    "--experiments=disable_always_on_exception_sampling",\n',
        "",
        (f"{DATAFLOW}::test_a_template_keeps_no_samples_before_its_options_are_read",),
    ),
]
