"""Seeded bugs of post-processing: ratios, rounding, suppression, consistency."""

from __future__ import annotations

from mutant import Mutant
from places import BAD_CONFIGS, CONSISTENCY, PUBLISH, RATIOS, STEPS

POST_PROCESSING = [
    Mutant(
        "a_ratio_forgets_the_noise_of_its_denominator",
        "transforms/quotient.py",
        "inside = numerator_std**2 * bounded + (value * denominator_std) ** 2",
        "inside = numerator_std**2 * bounded**0",
        (f"{RATIOS}::test_a_ratio_by_hand",),
    ),
    Mutant(
        "a_ratio_to_something_like_zero_is_released",
        "transforms/quotient.py",
        "has_end = bounded > 0",
        "has_end = bounded != 0",
        (f"{RATIOS}::test_a_ratio_that_says_nothing_is_null",),
    ),
    Mutant(
        "the_std_of_a_ratio_forgets_the_denominator",
        "transforms/quotient.py",
        "both = numerator_std**2 + (value * denominator_std) ** 2",
        "both = numerator_std**2",
        (f"{RATIOS}::test_the_stated_std_is_that_of_the_ratio",),
    ),
    Mutant(
        "a_baseline_below_zero_gives_a_percent_change",
        "transforms/postprocess/ratios.py",
        "above_zero = np.where(divisor > 0, divisor, math.nan)",
        "above_zero = divisor",
        (f"{RATIOS}::test_percent_change_needs_a_baseline_that_is_clearly_above_zero",),
    ),
    Mutant(
        "laplace_intervals_have_the_width_of_gaussian_ones",
        "transforms/intervals.py",
        '"laplace": math.log(20) / math.sqrt(2)',
        '"laplace": Z95',
        (f"{RATIOS}::test_one_draw_is_within_the_quantile_with_probability_95_percent",),
    ),
    Mutant(
        "halves_are_rounded_up",
        "transforms/postprocess/rounding.py",
        "((rest * 2 == m) & (steps % 2 != 0))",
        "(rest * 2 == m)",
        (f"{STEPS}::test_halves_go_to_the_even_multiple",),
    ),
    Mutant(
        "rounded_intervals_lose_what_they_held",
        "transforms/postprocess/rounding.py",
        "-(-pl.col(high) // m) * m",
        "pl.col(high) // m * m",
        (f"{STEPS}::test_whole_numbers_are_rounded_exactly",),
    ),
    Mutant(
        "rounding_adds_no_error",
        "transforms/postprocess/rounding.py",
        "(pl.col(std) ** 2 + variance).sqrt()",
        "pl.col(std)",
        (f"{STEPS}::test_the_variance_of_rounding_whole_numbers_is_exact",),
    ),
    Mutant(
        "clamping_leaves_the_interval_below_zero",
        "transforms/postprocess/clamping.py",
        "pl.col(value, low, high).clip",
        "pl.col(value).clip",
        (f"{STEPS}::test_values_and_ends_of_intervals_are_clamped_and_std_stays",),
    ),
    Mutant(
        "the_stated_bias_of_clamping_is_that_of_gaussian_noise",
        "transforms/postprocess/clamping.py",
        'if noise == "laplace":',
        "if False:",
        (f"{STEPS}::test_the_bias_at_zero_is_what_the_docstring_says",),
    ),
    Mutant(
        "equals_at_the_top_depend_on_the_order_of_rows",
        "transforms/postprocess/selecting.py",
        "    by = [metric, *keys]\n",
        "    by = [metric]\n",
        (f"{STEPS}::test_equal_values_are_kept_by_key_whatever_the_order_of_the_rows",),
    ),
    Mutant(
        "a_suppressed_value_shows_in_its_interval",
        "transforms/postprocess/selecting.py",
        "alias(column) for column in released_columns(metric)",
        "alias(column) for column in released_columns(metric)[:2]",
        (f"{STEPS}::test_suppression_nulls_all_four_columns_and_keeps_the_row",),
    ),
    Mutant(
        "parents_and_children_count_the_same",
        "transforms/postprocess/consistency.py",
        "weight = theirs / (own + theirs)",
        "weight = 0.5 + 0 * theirs",
        (f"{CONSISTENCY}::test_values_and_errors_are_those_of_dense_least_squares",),
    ),
    Mutant(
        "the_error_of_the_parent_is_forgotten",
        "transforms/postprocess/consistency.py",
        "(own - part * own + part**2 * pl.col(_PARENT_VARIANCE))",
        "(own - part * own)",
        (f"{CONSISTENCY}::test_values_and_errors_are_those_of_dense_least_squares",),
    ),
    Mutant(
        "privately_selected_levels_are_made_consistent",
        "transforms/postprocess/consistency.py",
        "if not isinstance(table.partitions, PublicKeys):",
        "if False:",
        (f"{CONSISTENCY}::test_what_cannot_be_made_consistent_is_refused_with_the_reason",),
    ),
    Mutant(
        "unit_counts_are_made_consistent",
        "transforms/postprocess/consistency.py",
        "if not isinstance(table.metrics[metric], Count | Sum):",
        "if False:",
        (f"{CONSISTENCY}::test_what_cannot_be_made_consistent_is_refused_with_the_reason",),
    ),
    Mutant(
        "rows_are_dropped_before_numbers_are_suppressed",
        "pipelines/spec/publish_steps.py",
        """    if publish.suppress:
        yield Suppress(publish.suppress)
    if publish.minimum:
        yield Minimum(publish.minimum)
""",
        """    if publish.minimum:
        yield Minimum(publish.minimum)
    if publish.suppress:
        yield Suppress(publish.suppress)
""",
        (f"{PUBLISH}::test_steps_come_in_one_order_whatever_the_order_of_the_config",),
    ),
    Mutant(
        "steps_are_planned_and_not_applied",
        "pipelines/run/output.py",
        "post_process(rendered[table.name], table.keys, plan.steps.get(table.name, ()))",
        "post_process(rendered[table.name], table.keys, ())",
        (f"{PUBLISH}::test_what_is_published_is_a_function_of_what_is_rendered",),
    ),
    Mutant(
        "a_sum_that_may_be_negative_is_clamped",
        "pipelines/spec/table_spec.py",
        "if spec.metric().interval[0] < 0}",
        "if False}",
        (BAD_CONFIGS,),
    ),
    Mutant(
        "keys_of_a_baseline_are_fitted_after_the_draw",
        "pipelines/run/drawing.py",
        "        steps=fit_baselines(release, plan.steps, prepared),\n",
        "",
        (f"{PUBLISH}::test_a_baseline_that_does_not_fit_the_input_is_refused_before_the_draw",),
    ),
]
