"""Seeded bugs of the config: what it says and is not done, lists of keys, levels."""

from __future__ import annotations

from mutant import Mutant
from places import (
    BAD_CONFIGS,
    CHECK,
    DATE_RANGES,
    KEY_LISTS,
    LEVELS,
    OTHERS,
    PUBLIC_KEYS,
    PUBLISH,
    ROWS,
    SPEC,
)

CONFIG = [
    Mutant(
        "the_plan_is_made_for_another_guarantee",
        "pipelines/spec/tables.py",
        "privacy.budget(), privacy.guarantee()",
        "privacy.budget(), type(privacy.guarantee())()",
        (f"{SPEC}::test_the_guarantee_of_the_config_is_that_of_the_plan",),
    ),
    Mutant(
        "max_contributions_is_read_and_not_used",
        "pipelines/spec/partition_specs.py",
        "            self.max_contributions,\n",
        "",
        (f"{SPEC}::test_engine_metrics_of_every_kind",),
    ),
    Mutant(
        "a_unit_is_named_and_not_protected",
        "pipelines/spec/privacy_spec.py",
        'if bounding == "row":\n            refuse',
        "if False:\n            refuse",
        (BAD_CONFIGS,),
    ),
    Mutant(
        "bounds_are_stated_and_not_enforced",
        "pipelines/spec/release_spec.py",
        "if bound in table.spec.bounds.model_fields_set:",
        "if False:",
        (BAD_CONFIGS,),
    ),
    Mutant(
        "units_are_protected_without_any",
        "transforms/stages.py",
        'if not unit and all(plan.guarantee.bounding == "row" for plan in plans):',
        'if not unit and any(plan.guarantee.bounding == "row" for plan in plans):',
        (f"{ROWS}::test_one_table_of_units_is_enough_to_need_them",),
    ),
]

KEYS_AND_LEVELS = [
    Mutant(
        "the_other_row_is_priced_like_a_partition",
        "transforms/planning.py",
        "guarantee, merged=True)\n                drawn",
        "guarantee)\n                drawn",
        (f"{OTHERS}::test_a_unit_with_nothing_selected_reaches_the_bound",),
    ),
    Mutant(
        "the_other_row_is_there_only_if_something_is_left_out",
        "transforms/stages.py",
        "for table in self.tables_with_other\n        ]",
        "for table in ()\n        ]",
        (f"{OTHERS}::test_an_empty_input_has_an_other_row",),
    ),
    Mutant(
        "the_other_row_holds_what_was_selected_too",
        "transforms/draw.py",
        "partials.filter(~selected)",
        "partials",
        (f"{OTHERS}::test_selected_rows_and_the_other_row_are_all_that_was_bounded",),
    ),
    Mutant(
        "public_keys_are_told_apart_by_half_of_their_hash",
        "transforms/key_set.py",
        " & (self.hashes.high[at] == high[there])",
        "",
        (f"{KEY_LISTS}::test_sets_of_identities_compare_both_halves",),
    ),
    Mutant(
        "only_the_first_key_of_equal_lower_halves_is_public",
        "transforms/key_set.py",
        "return cls(ordered, largest)",
        "return cls(ordered, 1)",
        (f"{KEY_LISTS}::test_sets_of_identities_compare_both_halves",),
    ),
    Mutant(
        "one_list_of_a_product_decides_what_is_public",
        "transforms/key_list.py",
        "listed &= part.loaded",
        "listed = part.loaded",
        (f"{KEY_LISTS}::test_membership_is_that_of_a_join",),
    ),
    Mutant(
        "the_last_slice_of_public_keys_is_left_out",
        "transforms/key_list.py",
        "range(0, self.height, SLICE)",
        "range(0, self.height - SLICE, SLICE)",
        (f"{KEY_LISTS}::test_slices_cover_the_list_once",),
    ),
    Mutant(
        "a_changed_file_of_public_keys_is_used",
        "transforms/key_list.py",
        "if hashlib.sha256(content).hexdigest() != self.digest:",
        "if not content:",
        (f"{KEY_LISTS}::test_a_file_that_has_changed_is_refused",),
    ),
    Mutant(
        "each_level_gets_the_whole_share_of_its_table",
        "pipelines/spec/placed_tables.py",
        "table.share * level.share / together",
        "table.share * level.share",
        (f"{LEVELS}::test_the_share_of_a_table_is_divided_among_its_levels",),
    ),
    Mutant(
        "a_level_does_not_say_its_own_bounds",
        "pipelines/spec/placed_tables.py",
        "own = level.model_fields_set - {",
        'own = level.model_fields_set - {"bounds", ',
        (f"{LEVELS}::test_a_level_takes_what_it_does_not_say_from_the_table",),
    ),
    Mutant(
        "levels_with_other_lists_are_made_consistent",
        "pipelines/consistency.py",
        "if lacking.height:",
        "if False:",
        (f"{BAD_CONFIGS}::test_a_bad_config_raises_exactly_the_problems_it_expects",),
    ),
]

LISTED_KEYS = [
    Mutant(
        "a_range_of_dates_ends_a_day_early",
        "pipelines/spec/date_ranges.py",
        "            eager=True,\n",
        '            eager=True,\n            closed="left",\n',
        (f"{DATE_RANGES}::test_a_range_has_every_day_from_the_first_to_the_last",),
    ),
    Mutant(
        "a_date_in_a_time_zone_begins_at_midnight_of_utc",
        "pipelines/spec/listed_keys.py",
        'return midnight.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")',
        'return midnight.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)',
        (f"{DATE_RANGES}::test_dates_in_the_type_of_a_parquet_column",),
    ),
    Mutant(
        "listed_decimals_are_rounded",
        "pipelines/spec/listed_keys.py",
        "return pl.when(exact).then(trimmed.cast(wanted, strict=False))",
        "return trimmed.cast(wanted, strict=False)",
        (f"{CHECK}::test_a_value_in_a_csv_file_that_does_not_fit_the_column_is_refused",),
    ),
    Mutant(
        "a_key_file_has_the_first_columns_under_the_names_of_the_keys",
        "pipelines/spec/key_files.py",
        "frame = rows.select(columns).head(MAX_PARTITIONS + 1).collect()",
        "frame = rows.select(pl.nth(range(len(columns)))).head(MAX_PARTITIONS + 1).collect()\n"
        "        frame.columns = list(columns)",
        (f"{PUBLIC_KEYS}::test_a_file_lists_all_keys_in_any_order_and_may_have_more_columns",),
    ),
    Mutant(
        "baselines_with_two_rows_for_a_key_are_taken",
        "pipelines/run/baselines.py",
        "if repeated.height:",
        "if False:",
        (f"{PUBLISH}::test_a_baseline_that_does_not_fit_the_input_is_refused_before_the_draw",),
    ),
]
