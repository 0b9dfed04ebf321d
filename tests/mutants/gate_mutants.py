"""Seeded bugs of gates: what is missing is not seen, is decided too late, or shows too much."""

from __future__ import annotations

from mutant import Mutant
from places import GATES_OF_INPUT, GATES_OF_PARTITIONS, GATES_OF_PERIODS, WINDOW_FILES

GATES = [
    Mutant(
        "the_last_day_is_over_while_it_lasts",
        "pipelines/gates/period_gates.py",
        "if today > period.days.last:",
        "if today >= period.days.last:",
        (f"{GATES_OF_PERIODS}::test_a_period_that_is_not_over_stops_and_charges_nothing",),
    ),
    Mutant(
        "old_input_is_read",
        "pipelines/gates/period_gates.py",
        "if period.days.first >= oldest:",
        "if period.days.last >= oldest:",
        (f"{GATES_OF_PERIODS}::test_days_older_than_retention_stop_before_they_are_read",),
    ),
    Mutant(
        "old_files_are_read",
        "pipelines/gates/input_gates.py",
        "if oldest is not None and found and min(found) < oldest:",
        "if oldest is not None and found and max(found) < oldest:",
        (f"{GATES_OF_PERIODS}::test_files_older_than_retention_stop_before_they_are_opened",),
    ),
    Mutant(
        "a_period_that_is_charged_counts_as_published",
        "pipelines/gates/period_gates.py",
        'and found.state == "published"',
        "",
        (f"{GATES_OF_PERIODS}::test_a_period_that_is_only_drawn_is_missing",),
    ),
    Mutant(
        "the_end_of_a_period_is_something_missing",
        "pipelines/gates/verdict.py",
        'key = "unfinished" if missing.kind == "period" else "on_missing"',
        'key = "on_missing"',
        (f"{GATES_OF_PERIODS}::test_on_missing_is_not_about_the_end_of_the_period",),
    ),
    Mutant(
        "gates_ask_after_the_charge",
        "pipelines/run/drawing.py",
        "NOT_LOOKED_AT if gates is None else gates.of_files(files)",
        "NOT_LOOKED_AT",
        (f"{GATES_OF_INPUT}::test_a_missing_day_stops_before_anything_is_charged",),
    ),
    Mutant(
        "files_are_opened_before_gates",
        "pipelines/run/drawing.py",
        "    if isinstance(source, Input):\n        files = files_in_window(",
        "    check_input(release, source, matched)\n"
        "    if isinstance(source, Input):\n        files = files_in_window(",
        (f"{GATES_OF_INPUT}::test_a_missing_day_stops_before_a_file_is_opened",),
    ),
    Mutant(
        "a_day_without_a_file_is_not_missing",
        "pipelines/gates/input_gates.py",
        "missing = [str(day) for day in days if day not in there]",
        "missing = [str(day) for day in days if day not in there and day > min(there)]",
        (f"{GATES_OF_INPUT}::test_a_gate_that_stops_a_resumed_run_charges_nothing_more",),
    ),
    Mutant(
        "a_message_has_the_size_of_the_input",
        "pipelines/gates/input_gates.py",
        'f"the input has {what} {key} than expected;',
        'f"the input has {what} {key} than expected, {size};',
        (f"{GATES_OF_INPUT}::test_too_little_and_too_much_input_stops_without_its_size",),
    ),
    Mutant(
        "the_most_is_no_limit",
        "pipelines/gates/input_gates.py",
        "if expected is None or expected[0] <= size <= expected[1]:",
        "if expected is None or expected[0] <= size:",
        (f"{GATES_OF_INPUT}::test_too_little_and_too_much_input_stops_without_its_size",),
    ),
    Mutant(
        "a_status_is_that_of_the_publication_not_of_the_draw",
        "pipelines/run/publishing.py",
        "passed += self.gates.before_publication(rendered)",
        "passed = self.gates.before_publication(rendered)",
        (f"{GATES_OF_INPUT}::test_the_status_is_that_of_the_draw_also_when_it_is_published_later",),
    ),
    Mutant(
        "frozen_values_wait_for_their_input",
        "pipelines/run/steps.py",
        "if self._is_drawn or self._is_frozen or self._checked is not None:",
        "if self._is_drawn or self._checked is not None:",
        (f"{GATES_OF_INPUT}::test_values_that_are_frozen_are_published_without_their_input",),
    ),
    Mutant(
        "a_derived_time_leaves_files_out",
        "pipelines/run/window_files.py",
        "if window is None or window.after or",
        "if window is None or",
        (f"{WINDOW_FILES}::test_nothing_is_left_out_where_the_folder_does_not_say_it",),
    ),
    Mutant(
        "files_without_the_folder_are_left_out",
        "pipelines/run/window_files.py",
        "if column not in dict(file.folders) or dict(file.folders)[column] in kept",
        "if dict(file.folders).get(column) in kept",
        (f"{WINDOW_FILES}::test_a_file_whose_glob_does_not_give_the_column_is_read",),
    ),
    Mutant(
        "columns_of_files_that_are_left_out_are_not_checked",
        "pipelines/run/drawing.py",
        "_, read = check_input(release, source, matched)",
        "_, read = check_input(release, source, files)",
        (f"{WINDOW_FILES}::test_columns_of_other_days_are_checked_all_the_same",),
    ),
    Mutant(
        "a_share_is_one_partition_less",
        "pipelines/gates/partition_gates.py",
        "if there >= expected.share * expected.frame.height - _ROUNDING:",
        "if there > expected.share * expected.frame.height - 1:",
        (f"{GATES_OF_PARTITIONS}::test_the_share_is_that_of_exact_arithmetic",),
    ),
    Mutant(
        "the_row_of_others_is_a_partition",
        "pipelines/gates/partition_gates.py",
        "table = tables[name].select(keys).drop_nulls()",
        "table = tables[name].select(keys)",
        (f"{GATES_OF_PARTITIONS}::test_the_row_of_others_and_dropped_rows_are_no_partitions",),
    ),
    Mutant(
        "an_incomplete_release_is_published_as_complete",
        "pipelines/run/publishing.py",
        "facts = release_facts(self.ledger, self.gates.period, found, passed)",
        "facts = release_facts(self.ledger, self.gates.period, found, Completeness(passed.gates))",
        (f"{GATES_OF_PARTITIONS}::test_it_is_published_with_a_status_where_that_is_said",),
    ),
]
