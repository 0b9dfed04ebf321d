"""Seeded bugs of what a plan says and holds a run to: curves, errors, hashes and plan files."""

from __future__ import annotations

from mutant import Mutant
from places import EXPECTED_ERROR, PLAN_CHANGES, PLAN_FILE, PLAN_HASH, PLAN_PRICE, RELEASE_CURVE

_HASHED = f"{PLAN_HASH}::test_whatever_changes_the_release_changes_the_hash"

PLAN_FILES = [
    Mutant(
        "units_are_those_just_not_enough",
        "transforms/release_curve.py",
        "            high = middle\n    return high\n",
        "            high = middle\n    return max(1, low)\n",
        (f"{RELEASE_CURVE}::test_units_are_the_first_of_a_scan",),
    ),
    Mutant(
        "expected_errors_are_standard_deviations_of_rounded_noise",
        "transforms/expected_error.py",
        "return 1 / (2 * math.sinh(1 / (2 * scale))) if scale > 1e-3 else 0.0",
        "return scale * math.sqrt(2)",
        (f"{EXPECTED_ERROR}::test_the_mean_absolute_noise_is_that_of_rounded_noise",),
    ),
    Mutant(
        "means_are_stated_where_their_error_is_least",
        "transforms/expected_error.py",
        "SUM: rows * metric.grid.largest}",
        "SUM: 0.0}",
        (f"{EXPECTED_ERROR}::test_means_are_stated_where_their_error_is_largest",),
    ),
    Mutant(
        "the_hash_depends_on_the_order_of_keys",
        "pipelines/plan/hash.py",
        "sort_keys=True",
        "sort_keys=False",
        (f"{PLAN_HASH}::test_the_order_of_keys_does_not_matter",),
    ),
    Mutant(
        "the_hash_has_three_digits_of_a_number",
        "pipelines/plan/hash.py",
        "DIGITS = 6\n",
        "DIGITS = 3\n",
        (f"{PLAN_HASH}::test_every_number_matters_and_its_last_digits_do_not",),
    ),
    Mutant(
        "the_hash_is_without_the_public_keys",
        "transforms/key_digest.py",
        "digest.update(rows.write_csv(include_header=start == 0).encode())",
        "digest.update(str(rows.height).encode())",
        (_HASHED,),
    ),
    Mutant(
        "the_hash_is_without_the_settings_of_metrics",
        "pipelines/plan/json_values.py",
        "if value is not None}",
        "if value is not None and not name}",
        (_HASHED,),
    ),
    Mutant(
        "the_hash_is_without_lookups_and_baselines",
        "pipelines/plan/json_values.py",
        '        "files": dict(plan.files),\n',
        "",
        (_HASHED,),
    ),
    Mutant(
        "the_hash_is_without_the_restriction_of_rows",
        "pipelines/plan/json_values.py",
        "spec.input.bigquery.row_restriction if spec.input.bigquery else None",
        "None",
        (f"{PLAN_HASH}::test_a_restriction_of_the_rows_of_a_table_is_another_release",),
    ),
    Mutant(
        "an_edited_plan_file_is_taken",
        "pipelines/plan/file.py",
        '    if actual != found["plan_hash"]:\n',
        "    if not actual:\n",
        (f"{PLAN_FILE}::test_an_edited_plan_is_refused",),
    ),
    Mutant(
        "a_run_goes_on_with_another_config",
        "pipelines/plan/file.py",
        '    parts = ["config_sha256", "files"]\n',
        '    parts = ["files"]\n',
        (f"{PLAN_FILE}::test_a_run_refuses_when_anything_has_changed",),
    ),
    Mutant(
        "a_run_reads_its_plan_file_and_goes_on",
        "pipelines/commands/starting.py",
        "check_plan_file(plan, read_plan_file(plan), plan_file(release, planned))",
        "read_plan_file(plan)",
        (f"{PLAN_FILE}::test_a_run_refuses_when_anything_has_changed",),
    ),
    Mutant(
        "a_change_without_a_word_is_no_change",
        "pipelines/plan/changes.py",
        '            changed = [str(one) for one in differences(before[name], table, "plan")]\n',
        "            changed = []\n",
        (f"{PLAN_CHANGES}::test_a_change_of_the_release_hides_none_of_a_table",),
    ),
    Mutant(
        "rho_is_told_at_deltas_above_1",
        "transforms/planning.py",
        "least = min(2 * failed, (1 + failed) / 2)",
        "least = 2 * failed",
        (f"{PLAN_PRICE}::test_a_budget_of_rho_may_have_a_large_delta",),
    ),
    Mutant(
        "rho_of_several_units_adds_up_once",
        "pipelines/plan/guarantee.py",
        'times = "k" if self.privacy.rho is None else "k^2"',
        'times = "k"',
        (f"{PLAN_PRICE}::test_a_guarantee_of_rho_names_a_factor_that_it_implies",),
    ),
]
