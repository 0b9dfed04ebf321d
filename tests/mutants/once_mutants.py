"""Seeded bugs of exactly once: second draws, lost charges, rows of other days, wrong units."""

from __future__ import annotations

from mutant import Mutant
from places import DURABLE, KILLS, LAUNCHED, ONCE, ONE_AT_A_TIME, PERIODS, REQUESTS, WEEKLY

WITH_LEDGER = "tests/once/test_verify_with_the_ledger.py"
_KILLED = f"{KILLS}::test_after_a_kill_anywhere_a_rerun_shows_one_draw_for_one_charge"

ONCE_ONLY = [
    Mutant(
        "a_frozen_draw_is_drawn_again",
        "pipelines/run/steps.py",
        "if (frozen := staging.drawn_digest(dead)) is not None:",
        "if False and (frozen := staging.drawn_digest(dead)) is not None:",
        (f"{_KILLED}[after ReleaseStaging.freeze]",),
    ),
    Mutant(
        "a_second_draw_of_the_runner_ends_the_run",
        "pipelines/run/steps.py",
        "for _ in range(DRAWS - 1):",
        "for _ in range(0):",
        (f"{ONCE}::test_values_that_a_runner_drew_twice_are_deleted_and_drawn_again",),
    ),
    Mutant(
        "files_that_only_workers_see_are_an_empty_table",
        "pipelines/run/staged_list.py",
        "if not lists or listed - there.keys():",
        "if False:",
        (
            f"{ONCE}::test_files_that_only_workers_see_are_missed",
            f"{LAUNCHED}::test_a_run_that_waits_does_not_take_a_job_that_nobody_waited_for",
        ),
    ),
    Mutant(
        "half_of_what_a_job_draws_is_taken_for_all",
        "pipelines/run/steps.py",
        "if not is_listed(shards):",
        "if False:",
        (f"{LAUNCHED}::test_half_of_what_a_job_stages_is_not_taken_for_all",),
    ),
    Mutant(
        "a_job_under_way_is_taken_for_dead",
        "pipelines/run/steps.py",
        "                if self._may_replace(attempt, replaces):\n",
        "                if True:\n",
        (f"{LAUNCHED}::test_nobody_goes_on_before_the_job_is_done",),
    ),
    Mutant(
        "what_a_job_drew_twice_is_waited_for_forever",
        "pipelines/run/steps.py",
        "            except DrawnTwiceError:\n                staging.end(attempt)\n",
        "            except DrawnTwiceError:\n",
        (f"{LAUNCHED}::test_what_a_job_drew_twice_is_launched_again",),
    ),
    Mutant(
        "a_launcher_has_to_write_to_the_public",
        "pipelines/run/steps.py",
        "writes=not self.detach",
        "writes=True",
        (f"{LAUNCHED}::test_a_launcher_need_not_write_to_the_public",),
    ),
    Mutant(
        "an_attempt_of_another_machine_is_taken_for_dead",
        "pipelines/run/steps.py",
        "if dead and not staging.is_over(dead) and not self._may_replace(dead, replaces):",
        "if False:",
        (f"{ONCE}::test_an_attempt_that_was_not_made_here_is_left_alone",),
    ),
    Mutant(
        "a_lost_race_to_draw_leaves_an_attempt_that_looks_dead",
        "pipelines/run/steps.py",
        "        except LedgerError:\n            staging.forget(attempt)\n            raise",
        "        except LedgerError:\n            raise",
        (f"{ONCE}::test_of_two_machines_with_one_ledger_one_draws",),
    ),
    Mutant(
        "noise_is_drawn_before_the_ledger_is_told",
        "pipelines/run/steps.py",
        """        staging.begin(attempt)
        try:
            ledger.draw(found, replaces=dead)
""",
        """        staging.begin(attempt)
        draw(self._checked, secret, staging.shards(attempt), options)
        staging.begin(attempt)
        try:
            ledger.draw(found, replaces=dead)
""",
        (f"{_KILLED}[before transforms.stages.draw]",),
    ),
    Mutant(
        "a_release_is_drawn_before_it_is_charged",
        "pipelines/run/exactly_once.py",
        "        steps.reserve()\n        steps.draw(options, replace_attempt)\n",
        "        steps.draw(options, replace_attempt)\n        steps.reserve()\n",
        (f"{ONCE}::test_a_rerun_of_a_published_release_reads_no_input",),
    ),
    Mutant(
        "changed_values_are_published",
        "pipelines/storage/local.py",
        "if folder_digest(folder) != digest:",
        "if False:",
        (f"{ONCE}::test_drawn_values_that_were_changed_are_not_published",),
    ),
    Mutant(
        "readers_see_what_the_ledger_does_not_know",
        "pipelines/run/publishing.py",
        "            found = self._decided(found.key, digest)\n",
        "            from dataclasses import replace\n"
        "            self._put(replace(found, publication=digest))\n"
        "            found = self._decided(found.key, digest)\n",
        (f"{_KILLED}[before Ledger.publish]",),
    ),
    Mutant(
        "a_publication_that_was_cut_off_stays_so",
        "pipelines/run/publishing.py",
        "        if (there := self.outlet.digest()) != found.publication:\n",
        "        if (there := self.outlet.digest()) is None and not self.outlet.holds_release():\n",
        (f"{ONCE}::test_a_rerun_puts_the_published_bytes_back",),
    ),
    Mutant(
        "what_is_beside_the_files_of_a_release_is_deleted",
        "pipelines/publication/place.py",
        '    return sorted(n for n in names - {SUMS_FILE, *listed} if not n.startswith("."))\n',
        "    return []\n",
        (
            "tests/pipelines/test_run.py::"
            "test_a_file_beside_those_of_a_release_is_refused_and_kept[again]",
        ),
    ),
    Mutant(
        "a_folder_is_frozen_before_it_is_on_the_disk",
        "pipelines/storage/durable.py",
        "    yield partial\n    sync(partial)\n    partial.rename(folder)\n",
        "    partial.rename(folder)\n    yield folder\n    sync(folder)\n",
        (f"{_KILLED}[before pipelines.storage.durable.sync]",),
    ),
    Mutant(
        "a_file_has_its_name_before_it_is_on_the_disk",
        "pipelines/storage/durable.py",
        "            os.fsync(descriptor)\n        partial.replace(file)\n",
        "            partial.replace(file)\n            os.fsync(descriptor)\n",
        (f"{DURABLE}::test_content_is_on_the_disk_before_it_has_its_name",),
    ),
    Mutant(
        "every_attempt_has_its_own_secret",
        "pipelines/storage/local.py",
        "if not file.exists():",
        "if True:",
        (f"{ONCE}::test_a_failed_draw_is_drawn_again_with_the_same_secret",),
    ),
    Mutant(
        "the_secret_outlives_its_reservation",
        "pipelines/run/staging.py",
        'name = f"{self.release}/hash-key-{reservation}"',
        'name = "hash-key"',
        (f"{ONCE}::test_a_release_that_was_voided_gets_another_secret",),
    ),
    Mutant(
        "a_release_is_published_with_another_plan",
        "pipelines/run/versions.py",
        "if found.plan == plan:",
        "if found.plan:",
        (f"{ONCE}::test_another_plan_is_refused_with_what_is_allowed_in_its_state",),
    ),
    Mutant(
        "a_correction_is_drawn_again_with_each_run",
        "pipelines/run/versions.py",
        "is_same = latest.key.version > 1 and latest.reason == reason",
        "is_same = False",
        (f"{ONCE}::test_a_correction_is_a_new_version_with_its_own_charge",),
    ),
    Mutant(
        "a_corrected_release_is_not_withdrawn",
        "pipelines/run/publishing.py",
        "        for key in earlier:\n",
        "        for key in ():\n",
        (f"{ONCE}::test_a_correction_is_a_new_version_with_its_own_charge",),
    ),
    Mutant(
        "publish_takes_a_draw_that_is_not_frozen",
        "pipelines/run/exactly_once.py",
        'steps.found.state not in ("drawn", "published")',
        'steps.found.state not in ("drawing", "drawn", "published")',
        (f"{ONCE}::test_publish_draws_nothing",),
    ),
    Mutant(
        "a_refusal_leaves_with_1",
        "pipelines/commands/shared.py",
        "raise typer.Exit(REFUSED) from None",
        "raise typer.Exit(1) from None",
        (f"{ONCE}::test_a_release_that_does_not_fit_leaves_with_2_and_an_explanation",),
    ),
    Mutant(
        "two_runs_at_once",
        "pipelines/storage/local.py",
        "fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)",
        (f"{ONE_AT_A_TIME}::test_a_second_run_at_once_is_refused_and_the_first_goes_on",),
    ),
    Mutant(
        "the_ledger_is_not_looked_at_again_under_the_lock",
        "pipelines/run/exactly_once.py",
        "_failures(steps):\n        steps.look(correct)\n",
        "_failures(steps):\n",
        (
            f"{ONE_AT_A_TIME}::"
            "test_a_release_that_was_published_while_a_run_waited_is_not_drawn_again",
        ),
    ),
    Mutant(
        "rows_of_the_day_after_are_read",
        "pipelines/run/window.py",
        "AND DATE '{days.last}'\"",
        "AND DATE '{period.following().days.first}'\"",
        (f"{WEEKLY}::test_the_window_keeps_what_a_slow_look_at_each_row_keeps",),
    ),
    Mutant(
        "the_window_is_not_applied",
        "pipelines/run/drawing.py",
        "if window is not None and not window.after:",
        "if False:",
        (f"{WEEKLY}::test_a_period_has_the_rows_of_its_days",),
    ),
    Mutant(
        "weeks_are_those_of_another_calendar",
        "pipelines/run/periods.py",
        "year, week, _ = day.isocalendar()",
        "year, week = day.year, day.isocalendar()[1]",
        (f"{PERIODS}::test_periods_have_the_days_of_the_calendar",),
    ),
    Mutant(
        "a_release_of_all_rows_misses_days_that_have_periods",
        "pipelines/run/periods.py",
        "if not EVERY_DAY.contains(found.days):",
        "if False:",
        (f"{PERIODS}::test_periods_are_in_the_years_that_a_release_of_all_rows_is_charged_for",),
    ),
    Mutant(
        "any_part_of_a_unit_is_a_day",
        "pipelines/run/ledger_unit.py",
        "if name == spec.input.time:",
        "if name:",
        (f"{REQUESTS}::test_everything_else_is_a_column_for_which_nothing_is_assumed",),
    ),
    Mutant(
        "a_derived_unit_goes_by_its_name",
        "pipelines/run/ledger_unit.py",
        "    if column not in spec.derived_columns:\n        return column\n",
        "    if column not in spec.derived_columns or column in spec.input.columns:\n"
        "        return column\n",
        (f"{REQUESTS}::test_a_named_derived_column_is_what_it_is_made_of",),
    ),
    Mutant(
        "days_of_any_column_are_days_of_the_policy",
        "pipelines/run/ledger.py",
        "if wanted is not None and time != wanted:",
        "if False:",
        (
            f"{REQUESTS}::"
            "test_days_of_another_column_than_that_of_the_policy_are_charged_as_all_days",
        ),
    ),
    Mutant(
        "mechanisms_of_one_table_are_charged",
        "pipelines/run/ledger.py",
        "mechanism.losses for table in plan.tables for mechanism in table.mechanisms.values()",
        "mechanism.losses for table in plan.tables for mechanism in "
        "list(table.mechanisms.values())[:1]",
        (f"{REQUESTS}::test_a_request_has_every_mechanism_and_every_column_that_is_read",),
    ),
    Mutant(
        "files_are_not_held_against_the_ledger",
        "pipelines/publication/verify_ledger.py",
        "if release_digest(folder) != release.publication:",
        "if release_digest(folder) is None:",
        (f"{WITH_LEDGER}::test_a_value_that_was_moved_with_its_interval_and_all_hashes_is_found",),
    ),
    Mutant(
        "a_withdrawn_release_verifies",
        "pipelines/publication/verify_ledger.py",
        'if release.state == "withdrawn":',
        'if release.state == "nothing":',
        (f"{WITH_LEDGER}::test_a_withdrawn_release_is_found",),
    ),
]
