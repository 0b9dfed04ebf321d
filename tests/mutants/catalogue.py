"""Seeded bugs, most of them historic ones of other libraries, and what must notice each.

A mutant is one replacement in one file. `old` must be in the file exactly once: when the code moves
on, the mutant moves with it. `tests` are the fewest and fastest tests that must fail.
"""

from __future__ import annotations

from accounting_mutants import ACCOUNTING
from engine_mutants import ENGINE
from mutant import Mutant

BEAM = "tests/engine/test_beam.py"
COLUMNS = "tests/engine/test_columns.py"
CROWDED = "tests/engine/test_more.py"
LINES = "tests/pipelines/test_lines.py"
FOLDERS = "tests/pipelines/test_partition_folders.py"
DRIFT = "tests/pipelines/test_schema_drift.py"
AVRO = "tests/pipelines/test_avro.py"
MEMBERS = "tests/pipelines/test_json_members.py"
BIGQUERY = "tests/pipelines/test_bigquery.py"
RUN = "tests/pipelines/test_run.py"
GAPS = "tests/mutants/test_gaps.py"
NOISE = "tests/transforms/test_noise.py"
PARSE = "tests/prepare/test_expression_parse.py"
PREPARATION = "tests/prepare/test_preparation.py"
PLAN = "tests/transforms/test_budget_and_plan.py"
RENDER = "tests/transforms/test_render.py"
VALUES = "tests/prepare/test_values.py"
RATIOS = "tests/postprocess/test_ratios.py"
STEPS = "tests/postprocess/test_steps.py"
PUBLISH = "tests/postprocess/test_publish.py"
CONSISTENCY = "tests/postprocess/test_consistency.py"
SPEC = "tests/spec/test_release_spec.py"
ROWS = "tests/engine/test_rows_without_units.py"
OTHERS = "tests/engine/test_other.py"
KEY_LISTS = "tests/engine/test_key_lists.py"
LEVELS = "tests/spec/test_level_specs.py"
BAD_CONFIGS = "tests/spec/test_bad_configs.py"

BY_ORACLE = f"{CROWDED}::test_crowded_data_gives_what_the_oracle_gives[bundles-batches-8-0]"
BY_ENUMERATION = f"{CROWDED}::test_neighbours_in_crowded_data_are_as_near_as_the_plan_says"
SENSITIVITIES = f"{PLAN}::test_sensitivities"
WHOLE_BUDGET = f"{PLAN}::test_plans_list_every_mechanism_and_use_the_budget_up"


BOUNDING = [
    Mutant(
        "l0_is_not_enforced_after_merging",
        "transforms/stages.py",
        "pruned = prune(merge(contributions), plan)",
        "pruned = merge(contributions)",
        (BY_ENUMERATION,),
    ),
    Mutant(
        "l0_lets_one_partition_too_many_through",
        "transforms/pruning.py",
        "(unit[order]) < max_partitions]]] = True",
        "(unit[order]) <= max_partitions]]] = True",
        (f"{COLUMNS}::test_pruning_keeps_at_most_l0_and_all_of_small_units",),
    ),
    Mutant(
        "all_units_keep_the_same_partitions",
        "transforms/hashing.py",
        "return mix(units ^ mix(partitions * _MULTIPLIER))",
        "return mix(mix(partitions * _MULTIPLIER))",
        (f"{COLUMNS}::test_kept_partitions_look_random_over_units",),
    ),
    Mutant(
        "rank_of_a_unit_does_not_tell_partitions_apart",
        "transforms/hashing.py",
        "return mix(units ^ mix(partitions * _MULTIPLIER))",
        "return mix(units | (partitions & np.uint64(0)))",
        (f"{COLUMNS}::test_kept_partitions_look_random_over_units",),
    ),
    Mutant(
        "kept_partitions_do_not_depend_on_the_secret",
        "transforms/partitions.py",
        'return hash_rows(keys, key, "partition")',
        'return hash_rows(keys, HashKey(bytes(16)), "partition")',
        (BY_ORACLE,),
    ),
    Mutant(
        "hashes_do_not_depend_on_the_secret",
        "transforms/hashing.py",
        "key=self.secret[:64], ",
        "",
        (f"{COLUMNS}::test_hashes_depend_on_key_purpose_column_order_and_every_value",),
    ),
    Mutant(
        "units_are_told_apart_by_half_of_their_hash",
        "transforms/encode.py",
        "np.not_equal(high[1:], high[:-1], out=new[1:])",
        "new[1:] = False",
        (f"{COLUMNS}::test_codes_tell_128_bit_identities_apart",),
    ),
    Mutant(
        "partitions_of_equal_rank_are_cut_off_in_order_of_arrival",
        "transforms/pruning.py",
        "return np.lexsort((tie_breaker, rank, unit))",
        "return np.lexsort((rank, unit))",
        (f"{COLUMNS}::test_pruning_is_exact_when_ranks_tie",),
    ),
    Mutant(
        "a_bundle_keeps_fewer_partitions_than_the_whole",
        "transforms/stages.py",
        "pruned = prune(contributions, self.plans[table])",
        'one = __import__("dataclasses").replace(\n'
        "                self.plans[table], bounds=type(self.plans[table].bounds)()\n"
        "            )\n"
        "            pruned = prune(contributions, one)",
        (BY_ORACLE,),
    ),
    Mutant(
        "a_bundle_keeps_the_partitions_that_come_first",
        "transforms/contributions.py",
        "contributions if keep.all() else contributions.where(keep)",
        "contributions.where(\n"
        "            np.arange(len(contributions)) < plan.max_partitions\n"
        "        )",
        (BY_ORACLE,),
    ),
    Mutant(
        "a_crowded_shard_is_pruned_too_far",
        "transforms/batches.py",
        "            rows.partitions.identities,\n            max_partitions,\n",
        "            rows.partitions.identities,\n            1,\n",
        (BY_ORACLE,),
    ),
    Mutant(
        "merging_counts_parts_instead_of_rows",
        "transforms/contributions.py",
        "        np.concatenate([part.rows for part in parts]),\n",
        "",
        (BY_ORACLE,),
    ),
    Mutant(
        "merging_keeps_the_sums_of_one_part",
        "transforms/contributions.py",
        "pl.col(name).cast(pl.Int64).sum() for name in added",
        "pl.col(name).cast(pl.Int64).first() for name in added",
        (BY_ORACLE,),
    ),
    Mutant(
        "linf_is_not_enforced_on_counts",
        "transforms/bounding.py",
        "return np.minimum(rows, plan.max_rows)",
        "return rows",
        (BY_ENUMERATION,),
    ),
    Mutant(
        "linf_is_not_enforced_on_sums",
        "transforms/metrics/base.py",
        "quotient * kept + (2 * remainder * kept + divisor) // (2 * divisor)",
        "total[over]",
        (BY_ENUMERATION,),
    ),
    Mutant(
        "rescaling_rounds_beyond_the_bound",
        "transforms/metrics/base.py",
        "(2 * remainder * kept + divisor) // (2 * divisor)",
        "(remainder * kept) // divisor + 1",
        (BY_ENUMERATION,),
    ),
    Mutant(
        "rescaling_overflows",
        "transforms/metrics/base.py",
        "quotient * kept + (2 * remainder * kept + divisor) // (2 * divisor)",
        "(2 * total[over] * kept + divisor) // (2 * divisor)",
        (f"{COLUMNS}::test_rescaling_is_exact_at_every_size",),
    ),
    Mutant(
        "sums_wrap_in_32_bits",
        "transforms/contributions.py",
        "pl.col(name).cast(pl.Int64).sum() for name in added",
        "pl.col(name).sum().cast(pl.Int32, wrap_numerical=True) for name in added",
        (f"{PLAN}::test_the_largest_values_add_up_exactly",),
    ),
    Mutant(
        "values_are_not_clipped",
        "transforms/grid.py",
        'scaled.clip(low, high).round(mode="half_to_even").cast(pl.Int32)',
        'scaled.round(mode="half_to_even").cast(pl.Int32, strict=False)',
        (BY_ENUMERATION,),
    ),
    Mutant(
        "totals_are_not_clipped",
        "transforms/metrics/sums.py",
        "clipped = np.clip(total, *self.grid.granules)",
        "clipped = total",
        (BY_ENUMERATION,),
    ),
]

DIRT = [
    Mutant(
        "nan_is_summed",
        "transforms/rows.py",
        "return pl.col(name).cast(pl.Float64).fill_nan(None)",
        "return pl.col(name).cast(pl.Float64).fill_nan(1e300)",
        (BY_ORACLE,),
    ),
    Mutant(
        "nan_is_a_key",
        "transforms/rows.py",
        ".otherwise(column.fill_nan(None))",
        ".otherwise(column)",
        (BY_ORACLE,),
    ),
    Mutant(
        "negative_zero_is_a_key_of_its_own",
        "transforms/rows.py",
        "return pl.when(column == 0).then(0.0).otherwise(column.fill_nan(None)).alias(name)",
        "return column.fill_nan(None)",
        (f"{CROWDED}::test_a_key_of_zero_has_no_sign",),
    ),
    Mutant(
        "rows_without_a_unit_are_somebody_s",
        "transforms/stages.py",
        "return without_nulls(frame, self.unit)",
        'filled = frame.with_columns(pl.col(self.unit).fill_null(strategy="min"))\n'
        "        return without_nulls(filled, self.unit)",
        (BY_ORACLE,),
    ),
    Mutant(
        "rows_without_a_key_count_in_some_partition",
        "transforms/batches.py",
        "partition = np.full(keys.height, DROPPED)",
        "partition = np.full(keys.height, np.uint32(0) if len(partitions) else DROPPED)",
        (BY_ORACLE,),
    ),
    Mutant(
        "rows_outside_the_public_list_are_kept",
        "transforms/batches.py",
        "np.where(public, np.arange(len(public), dtype=np.uint32), DROPPED)[partition]",
        "np.arange(len(public), dtype=np.uint32)[partition]",
        (BY_ORACLE,),
    ),
    Mutant(
        "an_id_that_became_a_float_is_another_unit",
        "transforms/hashing.py",
        "return integers.zip_with(whole, column.cast(pl.String))",
        "return column.cast(pl.String)",
        (f"{CROWDED}::test_an_id_is_one_unit_as_an_integer_and_as_a_float",),
    ),
    Mutant(
        "a_quote_swallows_the_lines_that_follow",
        "pipelines/lines.py",
        "        fields = _split(lines, len(header))\n",
        '        parsed = __import__("csv").reader(f"{line}\\n" for line in lines[_LINE])\n'
        "        kept = [row for row in parsed if len(row) == len(header)]\n"
        '        fields = pl.DataFrame({"fields": kept}, schema={"fields": pl.List(pl.String)})\n',
        (f"{LINES}::test_a_line_with_a_stray_quote_is_dropped_and_the_next_one_is_not",),
    ),
    Mutant(
        "a_line_with_a_stray_quote_is_read_in_part",
        "pipelines/lines.py",
        '        .filter(pl.col("fields").list.join("") == pl.col(_LINE))\n',
        "",
        (f"{LINES}::test_a_line_with_a_stray_quote_is_dropped_and_the_next_one_is_not",),
    ),
]

PLANNING = [
    Mutant(
        "sensitivity_without_linf",
        "transforms/sensitivity.py",
        "            partitions, rows = bounds.l0_linf\n",
        "            partitions, rows = bounds.l0_linf[0], 1\n",
        (SENSITIVITIES,),
    ),
    Mutant(
        "totals_are_multiplied_by_linf",
        "transforms/metrics/sums.py",
        "per_row=self.clip is not None",
        "per_row=True",
        (SENSITIVITIES,),
    ),
    Mutant(
        "sum_sensitivity_of_the_upper_end_only",
        "transforms/sensitivity.py",
        "return max(abs(self.low), abs(self.high))",
        "return abs(self.high)",
        (SENSITIVITIES,),
    ),
    Mutant(
        "sum_sensitivity_is_the_width_of_the_clip",
        "transforms/sensitivity.py",
        "return max(abs(self.low), abs(self.high))",
        "return self.high - self.low",
        (SENSITIVITIES,),
    ),
    Mutant(
        "sensitivity_without_l0",
        "transforms/sensitivity.py",
        "            partitions, rows = bounds.l0_linf\n",
        "            partitions, rows = 1, bounds.l0_linf[1]\n",
        (SENSITIVITIES,),
    ),
    Mutant(
        "l2_sensitivity_is_l1",
        "transforms/sensitivity.py",
        "return at_least(min(known if self.squares is None else [*known, self.squares]), power=2)",
        "return at_least(self.together, power=1)",
        (SENSITIVITIES,),
    ),
    Mutant(
        "laplace_noise_for_the_l2_sensitivity",
        "transforms/noise.py",
        "LaplaceMechanism(mechanism.epsilon, mechanism.l1)",
        "LaplaceMechanism(mechanism.epsilon, mechanism.l2)",
        (f"{NOISE}::test_laplace_std_is_the_closed_form",),
    ),
    Mutant(
        "every_mechanism_gets_all_of_epsilon",
        "transforms/planning.py",
        "epsilons = split(budget.epsilon, shares)",
        "epsilons = dict.fromkeys(shares, budget.epsilon)",
        (WHOLE_BUDGET,),
    ),
    Mutant(
        "every_mechanism_gets_all_of_delta",
        "transforms/planning.py",
        "deltas = split(budget.delta, needs_delta)",
        "deltas = dict.fromkeys(needs_delta, budget.delta)",
        (WHOLE_BUDGET,),
    ),
    Mutant(
        "selection_is_not_paid_for",
        "transforms/planning.py",
        "    epsilons = split(budget.epsilon, shares)\n",
        "    paid = {name: part for name, part in shares.items() if name[1] != SELECTION}\n"
        "    epsilons = dict.fromkeys(shares, budget.epsilon) | split(budget.epsilon, paid)\n",
        (WHOLE_BUDGET,),
    ),
    Mutant(
        "parts_of_the_budget_are_rounded_to_nearest",
        "transforms/budget.py",
        "return nearest if Fraction(nearest) <= value else math.nextafter(nearest, 0.0)",
        "return nearest",
        (f"{PLAN}::test_parts_never_add_up_to_more_than_the_total",),
    ),
    Mutant(
        "selection_is_planned_for_one_partition_per_unit",
        "transforms/planning.py",
        "l0=guarantee.max_partitions(table.bounds) or 1,",
        "l0=1,",
        (SENSITIVITIES,),
    ),
    Mutant(
        "sums_that_could_overflow_are_planned",
        "transforms/planning.py",
        "if linf > limit:",
        "if False:",
        (f"{PLAN}::test_a_sensitivity_that_could_overflow_is_refused",),
    ),
]

DRAWING = [
    Mutant(
        "selection_is_skipped",
        "transforms/draw.py",
        "partials = partials.filter(selected)",
        "selected.all()",
        (f"{RUN}::test_a_table_without_partitions_is_published_empty",),
    ),
    Mutant(
        "the_pre_threshold_is_ignored",
        "transforms/noise.py",
        "optional = [] if mechanism.pre_threshold is None else [mechanism.pre_threshold]",
        "optional = []",
        (f"{NOISE}::test_fewer_units_than_the_pre_threshold_are_never_released",),
    ),
    Mutant(
        "public_partitions_without_rows_are_missing",
        "transforms/stages.py",
        "            if plan.public_keys is not None\n            for start, stop",
        "            if False\n            for start, stop",
        (BY_ORACLE,),
    ),
    Mutant(
        "laplace_noise_is_half_as_wide",
        "transforms/noise.py",
        "LaplaceMechanism(mechanism.epsilon, mechanism.l1)",
        "LaplaceMechanism(mechanism.epsilon, mechanism.l1 / 2)",
        (f"{NOISE}::test_laplace_std_is_the_closed_form",),
    ),
    Mutant(
        "gaussian_noise_is_half_as_wide",
        "transforms/noise.py",
        "GaussianMechanism(mechanism.epsilon, mechanism.delta, mechanism.l2)",
        "GaussianMechanism(mechanism.epsilon, mechanism.delta, mechanism.l2 / 2)",
        (f"{NOISE}::test_gaussian_std_satisfies_epsilon_delta_and_no_more",),
    ),
    Mutant(
        "noise_is_half_as_wide_as_stated",
        "transforms/noise.py",
        "draw(value) for value in values.tolist()",
        "value + (draw(0)) // 2 for value in values.tolist()",
        (f"{NOISE}::test_noise_has_the_rounded_distribution",),
    ),
    Mutant(
        "noise_is_a_float_cut_off",
        "transforms/noise.py",
        "draw(value) for value in values.tolist()",
        "int(draw(float(value))) for value in values.tolist()",
        (f"{NOISE}::test_noise_has_the_rounded_distribution",),
    ),
    Mutant(
        "all_partitions_get_the_same_noise",
        "transforms/noise.py",
        "return np.fromiter((draw(value) for value in values.tolist()), np.int64, len(values))",
        "return values + draw(0)",
        (f"{NOISE}::test_variance",),
    ),
    Mutant(
        "noise_is_drawn_for_each_reader",
        "transforms/ptransforms.py",
        '            | "Commit the draw" >> beam.Reshuffle()\n',
        "",
        (f"{BEAM}::test_noise_is_drawn_once_for_all_sinks_and_repeats",),
    ),
    Mutant(
        "forked_processes_repeat_noise",
        "transforms/noise.py",
        "    if _forked:\n",
        "    if False:\n",
        (f"{NOISE}::test_a_forked_process_draws_nothing",),
    ),
]

PUBLISHING = [
    Mutant(
        "stated_std_is_in_granules",
        "transforms/metrics/base.py",
        "return noise_std(self.mechanism) * float(self.component.granularity)",
        "return noise_std(self.mechanism)",
        (f"{RENDER}::test_std_and_interval_are_in_the_unit_of_the_column",),
    ),
    Mutant(
        "values_are_in_granules",
        "transforms/metrics/base.py",
        "products = granules.to_numpy().astype(np.float64) * numerator",
        "products = granules.to_numpy().astype(np.float64) * denominator",
        (f"{RENDER}::test_decimal_granularities_give_the_nearest_float",),
    ),
    Mutant(
        "intervals_are_half_as_wide",
        "transforms/metrics/base.py",
        "half_width = half_width_95(noise.mechanism)",
        "half_width = half_width_95(noise.mechanism) // 2",
        (f"{RENDER}::test_95_percent_of_intervals_hold_the_exact_value",),
    ),
    Mutant(
        "an_error_message_has_data",
        "pipelines/run.py",
        'f"the run failed with {type(error).__name__}; nothing was published; "',
        'f"the run failed with {error!r}; nothing was published; "',
        (f"{GAPS}::test_a_failed_run_hides_what_failed",),
    ),
    Mutant(
        "an_error_carries_its_cause",
        "pipelines/run.py",
        'f"details, which may hold private values: {details}"\n            ) from None',
        'f"details, which may hold private values: {details}"\n            ) from error',
        (f"{GAPS}::test_a_failed_run_hides_what_failed",),
    ),
    Mutant(
        "a_release_is_drawn_again_unasked",
        "pipelines/folders.py",
        "if is_published(folder) and not replace:",
        "if False:",
        (f"{GAPS}::test_a_second_run_is_refused_without_replace",),
    ),
    Mutant(
        "a_second_draw_is_published",
        "pipelines/staging.py",
        "if len(set(shards)) < len(shards) or drawn.select(keys.keys()).is_duplicated().any():",
        "if False:",
        (f"{GAPS}::test_a_release_that_was_drawn_twice_is_not_published",),
    ),
]

PREPARING = [
    Mutant(
        "the_white_list_lets_an_aggregate_through",
        "transforms/prepare/functions.py",
        "return {**_ALL, **synonyms,",
        'return {"sum": _ALL["abs"], **_ALL, **synonyms,',
        (f"{PARSE}::test_what_is_not_of_one_row_is_refused_before_there_are_columns",),
    ),
    Mutant(
        "what_the_parser_found_besides_is_passed_over",
        "transforms/prepare/parse.py",
        "if name in allowed or name in _SETTINGS.get(type(node), ()) or not child:",
        "if True:",
        (f"{PARSE}::test_what_is_not_of_one_row_is_refused_before_there_are_columns",),
    ),
    Mutant(
        "a_function_looks_at_other_rows",
        "transforms/prepare/scalars.py",
        "_keep_whole(lambda x: x.floor())",
        "_keep_whole(lambda x: x.floor().max())",
        ("tests/prepare/test_row_wise.py::test_a_row_alone_becomes_what_it_becomes_among_others",),
    ),
    Mutant(
        "a_quotient_depends_on_the_number_of_rows",
        "transforms/prepare/floats.py",
        "return _elementwise(np.divide, above, _not_zero(below))",
        "return above / _not_zero(below)",
        (f"{VALUES}::test_a_quotient_is_that_of_its_row_to_the_last_bit",),
    ),
    Mutant(
        "a_cast_fails_on_what_does_not_fit",
        "transforms/prepare/operators.py",
        "return value.expr.cast(_CASTS[target][0], strict=False)",
        "return value.expr.cast(_CASTS[target][0])",
        (f"{VALUES}::test_numbers",),
    ),
    Mutant(
        "whole_numbers_wrap_around",
        "transforms/prepare/operators.py",
        "return narrow(apply(wide(left.expr), wide(right.expr)))",
        "return apply(left.expr, right.expr)",
        (f"{VALUES}::test_whole_numbers",),
    ),
    Mutant(
        "a_text_of_nulls_is_the_unit_of_many",
        "transforms/prepare/operators.py",
        "lambda *values: pl.concat_str(_texts(*values)),",
        "lambda *values: pl.concat_str(_texts(*values), ignore_nulls=True),",
        (f"{VALUES}::test_whole_numbers",),
    ),
    Mutant(
        "a_text_without_words_loses_its_row",
        "transforms/prepare/preparation.py",
        "empty_as_null=True",
        "empty_as_null=False",
        (f"{PREPARATION}::test_each_value_becomes_a_row_and_a_row_without_any_stays_with_a_null",),
    ),
    Mutant(
        "two_columns_explode",
        "transforms/prepare/preparation.py",
        "in in_columns[1:]:",
        "in in_columns[2:]:",
        (f"{PREPARATION}::test_what_can_be_refused_without_the_input_is",),
    ),
    Mutant(
        "a_filter_of_derived_columns_is_left_out",
        "transforms/prepare/preparation.py",
        "if condition is not None and not early:",
        "if False:",
        (f"{PREPARATION}::test_where_is_a_condition_on_the_rows_that_were_made",),
    ),
    Mutant(
        "a_unit_is_an_exploded_column",
        "pipelines/spec/release_spec.py",
        "if unit in exploded:",
        "if False:",
        (
            "tests/prepare/test_expression_config.py::test_validate_refuses_at_the_place_in_the_file",
        ),
    ),
    Mutant(
        "buckets_do_not_know_the_time_zone",
        "transforms/prepare/times.py",
        "in_calendar(instant(value).dt.convert_time_zone(zone).dt.replace_time_zone(None))",
        "in_calendar(instant(value).dt.replace_time_zone(None))",
        ("tests/prepare/test_times.py::test_the_hour_that_comes_twice_is_one_bucket",),
    ),
    Mutant(
        "short_emoji_are_found_in_long_ones",
        "transforms/prepare/emoji_text.py",
        "key=lambda form: -len(form[0])",
        "key=lambda form: len(form[0])",
        ("tests/prepare/test_emoji_text.py::test_emoji_of_a_text",),
    ),
    Mutant(
        "a_lookup_takes_one_of_several_values",
        "transforms/prepare/lookups.py",
        "if len(repeated):",
        "if False:",
        ("tests/prepare/test_bins_and_cells.py::test_a_lookup_table_has_each_key_once",),
    ),
]


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
        "pipelines/output.py",
        "steps = plan.steps.get(table.name, ())",
        "steps = ()",
        (f"{PUBLISH}::test_what_is_published_is_a_function_of_what_is_rendered",),
    ),
    Mutant(
        "a_sum_that_may_be_negative_is_clamped",
        "pipelines/spec/table_spec.py",
        "if spec.metric().interval[0] < 0}",
        "if False}",
        ("tests/spec/test_bad_configs.py",),
    ),
    Mutant(
        "keys_of_a_baseline_are_fitted_after_the_draw",
        "pipelines/run.py",
        "        steps=fit_baselines(release, plan.steps, schema),\n",
        "",
        (f"{PUBLISH}::test_a_baseline_that_does_not_fit_the_input_is_refused_before_the_draw",),
    ),
]

CONFIG = [
    Mutant(
        "the_plan_is_made_for_another_guarantee",
        "pipelines/spec/tables.py",
        "return plan_tables(tables, budget, guarantee)",
        "return plan_tables(tables, budget)",
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
        ("tests/spec/test_bad_configs.py",),
    ),
    Mutant(
        "bounds_are_stated_and_not_enforced",
        "pipelines/spec/release_spec.py",
        "if bound in table.spec.bounds.model_fields_set:",
        "if False:",
        ("tests/spec/test_bad_configs.py",),
    ),
    Mutant(
        "units_are_protected_without_any",
        "transforms/stages.py",
        'if not unit and all(plan.guarantee.bounding == "row" for plan in plans):',
        'if not unit and any(plan.guarantee.bounding == "row" for plan in plans):',
        (f"{ROWS}::test_one_table_of_units_is_enough_to_need_them",),
    ),
]

SOURCES = [
    Mutant(
        "all_files_have_the_folders_of_the_first",
        "pipelines/sources.py",
        "beam.Create([(f.path, f.size, f.folders) for f in self.files])",
        "beam.Create([(f.path, f.size, self.files[0].folders) for f in self.files])",
        (f"{FOLDERS}::test_a_release_by_folder_counts_the_rows_of_each",),
    ),
    Mutant(
        "folder_names_are_not_decoded",
        "pipelines/spec/partition_folders.py",
        "return None if text in _NULLS else unquote(text)",
        "return None if text in _NULLS else text",
        (f"{FOLDERS}::test_a_path_gives_the_values",),
    ),
    Mutant(
        "the_default_partition_is_a_value",
        "pipelines/spec/partition_folders.py",
        '_NULLS = ("", "__HIVE_DEFAULT_PARTITION__")',
        '_NULLS = ("",)',
        (f"{FOLDERS}::test_a_path_gives_the_values",),
    ),
    Mutant(
        "the_column_of_the_file_hides_the_folder",
        "pipelines/sources.py",
        "given = {name: text for name, text in task.folders if name in source.folders}",
        "given = {name: text for name, text in task.folders if name in source.types}",
        (f"{FOLDERS}::test_the_folder_wins_over_a_column_of_the_same_name",),
    ),
    Mutant(
        "a_missing_column_is_silently_null",
        "pipelines/sources.py",
        "    if name in source.optional:\n",
        "    if True:\n",
        (f"{DRIFT}::test_a_parquet_file_that_changed_is_an_error_without_its_values",),
    ),
    Mutant(
        "every_column_may_be_missing",
        "pipelines/check.py",
        "            if column not in optional:\n",
        "            if False:\n",
        (f"{DRIFT}::test_without_that_word_it_is_refused",),
    ),
    Mutant(
        "columns_keep_the_type_of_their_file",
        "pipelines/one_schema.py",
        "    if found == dtype:\n",
        "    if True:\n",
        (f"{DRIFT}::test_columns_that_go_together_are_read_as_one_type",),
    ),
    Mutant(
        "a_parquet_file_that_shrank_is_read_in_part",
        "pipelines/sources.py",
        "    if table.num_rows != end - first:\n",
        "    if False:\n",
        (f"{DRIFT}::test_a_parquet_file_that_changed_is_an_error_without_its_values",),
    ),
    Mutant(
        "an_avro_file_that_is_cut_off_is_read_in_part",
        "pipelines/avro.py",
        'if file.read(_MARKER_BYTES) != header["sync"]:',
        'if len(file.read(_MARKER_BYTES)) != len(header["sync"]):',
        (f"{AVRO}::test_a_file_that_is_cut_off_is_refused_and_not_read_in_part",),
    ),
    Mutant(
        "rows_before_dirty_avro_text_are_read_twice",
        "pipelines/avro.py",
        "remaining = islice(rows, start, None)",
        "remaining = islice(rows, 0, None)",
        (f"{AVRO}::test_text_that_is_not_utf_8_is_replaced_and_no_row_is_lost_or_twice",),
    ),
    Mutant(
        "misspelt_members_are_null",
        "pipelines/always_null.py",
        "if in_a_file and column not in members.counts:",
        "if in_a_file and column in source.optional:",
        (f"{MEMBERS}::test_a_misspelt_member_is_refused_with_the_closest_one",),
    ),
    Mutant(
        "an_error_names_the_members_of_one_object",
        "pipelines/json_members.py",
        "if 2 * count > self.objects]",
        "if count]",
        (f"{MEMBERS}::test_members_of_few_objects_are_not_named",),
    ),
    Mutant(
        "bigquery_reads_all_rows",
        "pipelines/bigquery.py",
        "row_restriction=source.row_restriction,",
        "row_restriction=None,",
        (f"{BIGQUERY}::test_the_connector_is_asked_for_columns_and_rows",),
    ),
]

KEYS_AND_LEVELS = [
    Mutant(
        "the_other_row_is_priced_like_a_partition",
        "transforms/planning.py",
        "guarantee, merged=True)",
        "guarantee)",
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


MUTANTS = [
    *BOUNDING,
    *ENGINE,
    *DIRT,
    *PREPARING,
    *PLANNING,
    *DRAWING,
    *PUBLISHING,
    *POST_PROCESSING,
    *CONFIG,
    *SOURCES,
    *ACCOUNTING,
    *KEYS_AND_LEVELS,
]
