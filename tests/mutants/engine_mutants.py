"""Seeded bugs of what the engine keeps of a unit, of sensitivities, and of metrics of their own."""

from __future__ import annotations

from mutant import Mutant
from places import (
    ALLOTMENT,
    BY_ENUMERATION,
    BY_ORACLE,
    DISTINCT,
    FORMULAS,
    MOMENTS,
    ONE_WEIGHT,
    TREE,
    WEIGHTS,
    WORST,
)

KEEPING = [
    Mutant(
        "what_is_thinned_out_is_always_the_same",
        "transforms/allotment.py",
        "(starts % np.maximum(totals, 1))[group]",
        "(starts * 0)[group]",
        (f"{ALLOTMENT}::test_what_is_kept_depends_on_the_start",),
    ),
    Mutant(
        "shares_are_rounded_down",
        "transforms/allotment.py",
        "kept[thinned] = (target * end + start) // total"
        " - (target * (end - counts) + start) // total",
        "kept[thinned] = target * counts // total",
        (
            f"{ALLOTMENT}::test_each_count_keeps_its_share_rounded_down_or_up_and_all_keep_the_target",
        ),
    ),
    Mutant(
        "shares_are_rounded_up",
        "transforms/allotment.py",
        "kept[thinned] = (target * end + start) // total"
        " - (target * (end - counts) + start) // total",
        "kept[thinned] = -(-target * counts // total)",
        (BY_ENUMERATION,),
    ),
    Mutant(
        "running_totals_go_on_over_units",
        "transforms/allotment.py",
        "end = running - before_group",
        "end = running",
        (f"{ALLOTMENT}::test_groups_do_not_touch_each_other",),
    ),
    Mutant(
        "l1_is_a_bound_of_each_partition",
        "transforms/bounding.py",
        "if plan.bounds.max_contributions is None:",
        "if True:",
        (BY_ENUMERATION,),
    ),
    Mutant(
        "l1_does_not_bound_partitions",
        "transforms/bounds.py",
        "return self.max_contributions or self.max_partitions_contributed",
        "return 2**20 if self.max_contributions else self.max_partitions_contributed",
        (BY_ORACLE,),
    ),
    Mutant(
        "partitions_that_keep_no_row_keep_their_unit",
        "transforms/bounding.py",
        "if not counted.all():",
        "if False:",
        (BY_ORACLE,),
    ),
    Mutant(
        "values_of_quantiles_are_not_thinned_out",
        "transforms/items.py",
        "kept = allot(counts.count, counts.contribution, counted, starts)",
        "kept = counts.count",
        (BY_ENUMERATION,),
    ),
    Mutant(
        "distinct_values_of_a_unit_are_not_bounded",
        "transforms/items.py",
        "position_in_run(in_order) < counted[in_order]",
        "position_in_run(in_order) < 2**20",
        (BY_ENUMERATION,),
    ),
    Mutant(
        "all_units_keep_the_same_values",
        "transforms/items.py",
        "rank = mix(counts.item ^ identities[counts.contribution])",
        "rank = mix(counts.item.copy())",
        (BY_ORACLE,),
    ),
    Mutant(
        "a_bundle_keeps_one_value_of_each_unit",
        "transforms/items.py",
        "limits = np.full(len(identities), max_items, np.int64)",
        "limits = np.full(len(identities), 1, np.int64)",
        (BY_ORACLE,),
    ),
    Mutant(
        "distinct_values_are_counted_once_per_unit",
        "transforms/metrics/counts.py",
        '.unique(["partition", "item"])',
        "",
        (f"{DISTINCT}::test_a_value_of_many_units_counts_once",),
    ),
    Mutant(
        "columns_of_sums_are_in_the_order_of_what_is_shared",
        "transforms/bounding.py",
        "keys.hstack(summed.select(*summed_columns(plan), *item_columns(plan)))",
        'keys.hstack(summed.drop("partition:"))',
        (f"{DISTINCT}::test_metrics_that_share_values_are_in_the_order_of_the_table",),
    ),
    Mutant(
        "vectors_are_rounded_beyond_their_norm",
        "transforms/vectors.py",
        "return np.where(fits[:, None], rounded, shortened)",
        "return rounded",
        (f"{FORMULAS}::test_vectors_are_within_their_norm_exactly",),
    ),
    Mutant(
        "coordinates_are_clipped_one_by_one",
        "transforms/vectors.py",
        "self.limit / np.maximum(length, 1), 1)[:, None]",
        "1, 1)[:, None]",
        (f"{FORMULAS}::test_vectors_are_within_their_norm_exactly",),
    ),
    Mutant(
        "sums_of_vectors_are_rounded_up",
        "transforms/metrics/base.py",
        "quotient * kept + remainder * kept // divisor",
        "quotient * kept - (-remainder * kept // divisor)",
        (BY_ORACLE,),
    ),
    Mutant(
        "squares_are_of_values_and_not_centred",
        "transforms/accumulators.py",
        "squares = distance * distance / self.grid.largest - self.grid.largest / 2",
        "squares = distance * distance / self.grid.largest",
        (BY_ORACLE,),
    ),
    Mutant(
        "the_mean_forgets_the_middle",
        "transforms/grid.py",
        "shifted = value if self.centre == 0 else value - float(self.centre)",
        "shifted = value",
        (f"{MOMENTS}::test_the_parts_of_a_mean_are_of_the_middle_of_the_clip",),
    ),
]

SENSITIVITIES = [
    Mutant(
        "levels_of_a_tree_are_not_counted",
        "transforms/metrics/quantiles.py",
        "repeats=self.shape.height, scattered=True",
        "scattered=True",
        (f"{WORST}::test_units_move_tables_as_far_as_the_plan_says[quantiles-3x4-add_remove]",),
    ),
    Mutant(
        "a_tree_of_one_level_is_a_single_number",
        "transforms/sensitivity.py",
        "one_entry = entries.repeats == 1 and not entries.scattered",
        "one_entry = entries.repeats == 1",
        (f"{FORMULAS}::test_a_tree_of_one_level_is_no_single_number", BY_ENUMERATION),
    ),
    Mutant(
        "replacing_costs_no_more_than_removing",
        "transforms/sensitivity.py",
        'if guarantee.adjacency == "replace":',
        "if False:",
        (f"{FORMULAS}::test_another_unit_in_its_place",),
    ),
    Mutant(
        "replacing_moves_one_number_by_its_magnitude",
        "transforms/sensitivity.py",
        "return max(self.high, 0) - min(self.low, 0)",
        "return self.magnitude",
        (f"{WORST}::test_rows_move_tables_as_far_as_the_plan_says",),
    ),
    Mutant(
        "contributions_are_never_missing",
        "transforms/sensitivity.py",
        "return max(self.high, 0) - min(self.low, 0)",
        "return self.high - self.low",
        (f"{FORMULAS}::test_a_contribution_may_also_be_missing",),
    ),
    Mutant(
        "rows_of_other_keys_do_not_count_instead",
        "transforms/sensitivity.py",
        "moved = Sensitivity(1, spread) if one_entry else _twice(moved, spread)",
        "moved = moved",
        (f"{FORMULAS}::test_the_rows_of_a_unit_in_a_partition",),
    ),
    Mutant(
        "rows_of_two_units_move_a_number_once",
        "transforms/sensitivity.py",
        "moved = _twice(moved, 2 * spread)",
        "moved = _twice(moved, spread)",
        (f"{FORMULAS}::test_the_rows_of_a_unit_in_a_partition",),
    ),
    Mutant(
        "l1_is_split_over_partitions",
        "transforms/sensitivity.py",
        "partitions = rows = together = bounds.max_contributions",
        "partitions = together = bounds.max_contributions\n            rows = 1",
        (f"{FORMULAS}::test_a_unit_with_l1",),
    ),
    Mutant(
        "an_l2_norm_bounds_the_l1_norm",
        "transforms/sensitivity.py",
        '"l2": _ceil_sqrt(reach**2 * entries.repeats),',
        '"l2": reach,',
        (f"{FORMULAS}::test_a_unit_with_l0_and_linf",),
    ),
    Mutant(
        "other_partitions_count_as_one",
        "transforms/sensitivity.py",
        "partitions, most = 1, all_together",
        "partitions, all_together = 1, most",
        (f"{FORMULAS}::test_all_partitions_of_a_unit_in_one_row",),
    ),
]

SELECTING = [
    Mutant(
        "weights_are_one_over_the_number_of_partitions",
        "transforms/bounding.py",
        "granules = np.sqrt(WEIGHT_GRANULES**2 // np.maximum(partitions, 1)).astype(np.int64)",
        "granules = WEIGHT_GRANULES // np.maximum(partitions, 1)",
        (ONE_WEIGHT,),
    ),
    Mutant(
        "weights_do_not_know_how_many_partitions_there_are",
        "transforms/bounding.py",
        "granules = np.sqrt(WEIGHT_GRANULES**2 // np.maximum(partitions, 1)).astype(np.int64)",
        "granules = np.full(len(partitions), WEIGHT_GRANULES, np.int64)",
        (ONE_WEIGHT,),
    ),
    Mutant(
        "weights_are_rounded_up",
        "transforms/bounding.py",
        "np.sqrt(WEIGHT_GRANULES**2 // np.maximum(partitions, 1)).astype",
        "np.ceil(np.sqrt(WEIGHT_GRANULES**2 / np.maximum(partitions, 1))).astype",
        (ONE_WEIGHT,),
    ),
    Mutant(
        "weights_get_noise_for_all_partitions",
        "transforms/threshold_selection.py",
        "Sensitivity(changed, WEIGHT_GRANULES)",
        "Sensitivity(l0 * changed, WEIGHT_GRANULES)",
        (f"{WEIGHTS}::test_the_loss_is_that_of_the_noise_on_what_units_change",),
    ),
    Mutant(
        "counts_get_noise_for_one_of_two_units",
        "transforms/threshold_selection.py",
        "Sensitivity(l0 * changed, COUNT_GRANULES)",
        "Sensitivity(l0, COUNT_GRANULES)",
        (f"{WEIGHTS}::test_the_loss_is_that_of_the_noise_on_what_units_change",),
    ),
    Mutant(
        "the_threshold_of_counts_is_for_one_partition",
        "transforms/threshold_selection.py",
        "lonely = [(1.0, selection.l0)]",
        "lonely = [(1.0, 1)]",
        (f"{WEIGHTS}::test_a_lone_count_shows_with_delta_at_most",),
    ),
    Mutant(
        "the_threshold_does_not_know_the_lone_unit",
        "transforms/threshold_selection.py",
        "lonely = [(1.0, selection.l0)]",
        "lonely = [(0.0, selection.l0)]",
        (f"{WEIGHTS}::test_a_lone_count_shows_with_delta_at_most",),
    ),
    Mutant(
        "the_pre_threshold_is_one_too_low",
        "transforms/threshold_selection.py",
        "selection.pre_threshold - 1",
        "selection.pre_threshold - 2",
        (f"{WEIGHTS}::test_partitions_without_units_never_show",),
    ),
    Mutant(
        "partitions_without_units_may_show",
        "transforms/noise.py",
        "return (numbers > 0) & (noisy",
        "return (numbers >= 0) & (noisy",
        (f"{WEIGHTS}::test_partitions_without_units_never_show",),
    ),
    Mutant(
        "the_threshold_is_for_units_with_one_partition",
        "transforms/threshold_selection.py",
        "for first, last in _ranges(selection.l0)",
        "for first, last in _ranges(1)",
        (f"{WEIGHTS}::test_a_lone_unit_shows_with_half_of_delta_at_most",),
    ),
    Mutant(
        "the_threshold_is_for_units_with_all_partitions",
        "transforms/threshold_selection.py",
        "for first, last in _ranges(selection.l0)",
        "for first, last in [(selection.l0, selection.l0)]",
        (f"{WEIGHTS}::test_a_lone_unit_shows_with_half_of_delta_at_most",),
    ),
]

RELEASING = [
    Mutant(
        "means_and_variances_are_not_clamped",
        "transforms/metrics/means.py",
        "pl.Series(np.clip(value, *possible))",
        "pl.Series(value)",
        (f"{MOMENTS}::test_partitions_of_few_rows_stay_within_the_possible",),
    ),
    Mutant(
        "the_variance_forgets_half_of_the_largest_square",
        "transforms/metrics/means.py",
        "variance = middle + squares / rows - mean**2",
        "variance = squares / rows - mean**2",
        (f"{MOMENTS}::test_without_noise_they_are_those_of_clipped_values",),
    ),
    Mutant(
        "the_error_of_a_variance_is_that_of_its_squares",
        "transforms/metrics/means.py",
        "+ (2 * mean * total_std) ** 2\n",
        "",
        (f"{MOMENTS}::test_on_many_rows_they_are_unbiased_and_as_exact_as_stated",),
    ),
    Mutant(
        "all_quantiles_are_the_first",
        "transforms/metrics/quantiles.py",
        "            self.ranks,\n            self.shape,",
        "            self.ranks[:1] * len(self.ranks),\n            self.shape,",
        (f"{TREE}::test_intervals_hold_the_exact_quantile_in_90_percent_of_releases",),
    ),
    Mutant(
        "noise_of_a_tree_is_drawn_again_for_each_search",
        "transforms/quantile_tree.py",
        "np.stack([partition[open_], node[open_]]), axis=1, return_inverse=True\n        )\n",
        "np.stack([partition[open_], node[open_]]), axis=1, return_inverse=True\n        )\n"
        "        parents, parent = parents[:, parent], np.arange(len(parent))\n",
        (f"{TREE}::test_all_searches_of_a_partition_see_the_same_noise",),
    ),
    Mutant(
        "the_upper_end_of_a_quantile_is_found_too_early",
        "transforms/quantile_tree.py",
        "upper = np.flatnonzero(going % 3 == 2)",
        "upper = np.flatnonzero(going % 3 == 3)",
        (f"{TREE}::test_the_upper_end_is_where_the_share_is_reached_last",),
    ),
]

ENGINE = [*KEEPING, *SENSITIVITIES, *SELECTING, *RELEASING]
