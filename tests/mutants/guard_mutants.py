"""Seeded bugs of what a config cannot get around: lost ledgers, mixed stagings, no policy."""

from __future__ import annotations

from mutant import Mutant
from places import BIGQUERY, CAPS, GUARDS, POLICY, UNITS

GUARDED = [
    Mutant(
        "publication_replaces_the_folder_of_the_ledger",
        "pipelines/run/folders.py",
        "if _is_inside(ledger, series):",
        "if False:",
        (f"{GUARDS}::test_a_ledger_in_the_published_folder_is_refused",),
    ),
    Mutant(
        "two_series_share_a_staging",
        "pipelines/storage/local.py",
        "elif owner != series:",
        "elif False:",
        (f"{GUARDS}::test_a_staging_has_one_series",),
    ),
    Mutant(
        "leaving_the_policy_out_lifts_it",
        "pipelines/ledger/decision.py",
        "if policy.digest == NO_POLICY and book.has_policy:",
        "if False:",
        (f"{GUARDS}::test_what_was_charged_under_a_policy_is_not_charged_without_one",),
    ),
    Mutant(
        "columns_of_a_row_restriction_are_not_told_to_the_policy",
        "pipelines/run/ledger.py",
        "columns |= set(spec.input.bigquery.restricting_columns)",
        "pass",
        (f"{BIGQUERY}::test_a_policy_sees_the_columns_of_the_restriction",),
    ),
    Mutant(
        "releases_with_other_keys_count_once_about_a_partition",
        "pipelines/ledger/units.py",
        "fewer = count if unit.keys != account.keys else 0",
        "fewer = 0",
        (f"{UNITS}::test_what_a_guarantee_says_about_another_unit",),
    ),
    Mutant(
        "an_account_of_partitions_has_no_keys",
        "pipelines/ledger/units.py",
        "return replace(account, keys=tuple(sorted(keys)))",
        "return account",
        (f"{CAPS}::test_releases_with_other_keys_count_twice_about_rows_that_share_all_keys",),
    ),
    Mutant(
        "staging_forgets_the_ledger",
        "pipelines/run/steps.py",
        "        self.ledger.remember(found)\n",
        "",
        (f"{GUARDS}::test_another_ledger_is_refused_for_the_same_staging",),
    ),
    Mutant(
        "a_publication_of_another_series_is_replaced",
        "pipelines/run/folders.py",
        "if there is not None and there.content.series != release.spec.release:",
        "if False:",
        (f"{GUARDS}::test_a_publication_of_another_series_is_not_replaced",),
    ),
    Mutant(
        "columns_of_chosen_folders_are_not_told_to_the_policy",
        "pipelines/run/ledger.py",
        "for name in chosen_columns(glob)}",
        "for name in ()}",
        (f"{GUARDS}::test_a_policy_sees_the_columns_of_chosen_folders",),
    ),
    Mutant(
        "the_secret_of_hashes_is_kept_for_ever",
        "pipelines/run/publishing.py",
        "        staging.forget_hash_key(found.entries[0])\n",
        "",
        (f"{GUARDS}::test_the_secret_of_hashes_is_gone_when_values_are_drawn",),
    ),
    Mutant(
        "caps_count_days_of_any_column",
        "pipelines/ledger/policy_spec.py",
        'if cap.every is not None or cap.per not in ("release", "lifetime"):',
        "if False:",
        (f"{POLICY}::test_caps_that_count_by_days_need_to_know_which_days",),
    ),
    Mutant(
        "others_may_read_the_errors_of_a_run",
        "pipelines/storage/local.py",
        "mode=0o600)",
        "mode=0o644)",
        (f"{GUARDS}::test_nobody_else_looks_into_ledger_staging_or_errors",),
    ),
]
