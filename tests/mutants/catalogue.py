"""Seeded bugs, most of them historic ones of other libraries, and what must notice each.

A mutant is one replacement in one file. `old` must be in the file exactly once: when the code moves
on, the mutant moves with it. `tests` are the fewest and fastest tests that must fail.
"""

from __future__ import annotations

from dataclasses import dataclass

BEAM = "tests/engine/test_beam.py"
COLUMNS = "tests/engine/test_columns.py"
CROWDED = "tests/engine/test_more.py"
LINES = "tests/pipelines/test_lines.py"
RUN = "tests/pipelines/test_run.py"
GAPS = "tests/mutants/test_gaps.py"
NOISE = "tests/transforms/test_noise.py"
PARSE = "tests/prepare/test_expression_parse.py"
PREPARATION = "tests/prepare/test_preparation.py"
PLAN = "tests/transforms/test_budget_and_plan.py"
RENDER = "tests/transforms/test_render.py"
VALUES = "tests/prepare/test_values.py"

BY_ORACLE = f"{CROWDED}::test_crowded_data_gives_what_the_oracle_gives"
BY_ENUMERATION = f"{CROWDED}::test_no_unit_of_crowded_data_moves_more_than_the_plan_says"
SENSITIVITIES = f"{PLAN}::test_sensitivities"
WHOLE_BUDGET = f"{PLAN}::test_plans_list_every_mechanism_and_use_the_budget_up"


@dataclass(frozen=True)
class Mutant:
    """One seeded bug.

    Attributes:
        name: What is wrong with it.
        file: The file, from the root of the repository.
        old: Text of the file to replace, there exactly once.
        new: What takes its place.
        tests: Node ids of tests of which one must fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def module(self) -> str:
        """The import name of the file."""
        return self.file.removesuffix(".py").replace("/", ".")

    def apply(self, source: str) -> str:
        """Returns the text of the file with the bug."""
        found = source.count(self.old)
        if found != 1:
            raise ValueError(
                f"mutant {self.name}: its text is {found} times in {self.file}, not once; "
                f"the code has moved on, and the mutant should follow:\n{self.old}"
            )
        return source.replace(self.old, self.new)


BOUNDING = [
    Mutant(
        "l0_is_not_enforced_after_merging",
        "transforms/stages.py",
        "pruned = prune(merge(contributions), plan.bounds.max_partitions_contributed)",
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
        "pruned = prune(contributions, self.plans[table].bounds.max_partitions_contributed)",
        "pruned = prune(contributions, 1)",
        (BY_ORACLE,),
    ),
    Mutant(
        "a_bundle_keeps_the_partitions_that_come_first",
        "transforms/stages.py",
        "pruned = prune(contributions, self.plans[table].bounds.max_partitions_contributed)",
        "pruned = contributions.take(\n"
        "                np.flatnonzero(np.arange(len(contributions)) "
        "< self.plans[table].bounds.max_partitions_contributed)\n"
        "            )",
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
        "bounded[planned.name] = np.minimum(rows, linf)",
        "bounded[planned.name] = rows",
        (BY_ENUMERATION,),
    ),
    Mutant(
        "linf_is_not_enforced_on_sums",
        "transforms/bounding.py",
        "quotient * max_rows + (2 * remainder * max_rows + divisor) // (2 * divisor)",
        "total[over]",
        (BY_ENUMERATION,),
    ),
    Mutant(
        "rescaling_rounds_beyond_the_bound",
        "transforms/bounding.py",
        "(2 * remainder * max_rows + divisor) // (2 * divisor)",
        "(remainder * max_rows) // divisor + 1",
        (BY_ENUMERATION,),
    ),
    Mutant(
        "rescaling_overflows",
        "transforms/bounding.py",
        "quotient * max_rows + (2 * remainder * max_rows + divisor) // (2 * divisor)",
        "(2 * total[over] * max_rows + divisor) // (2 * divisor)",
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
        "transforms/rows.py",
        'scaled.clip(low, high).round(mode="half_to_even").cast(pl.Int32)',
        'scaled.round(mode="half_to_even").cast(pl.Int32, strict=False)',
        (BY_ENUMERATION,),
    ),
    Mutant(
        "totals_are_not_clipped",
        "transforms/bounding.py",
        "else np.clip(total, *planned.metric.interval_granules)",
        "else total",
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
        "count_sensitivity_without_linf",
        "transforms/metrics.py",
        "return bounds.max_contributions_per_partition",
        "return 1",
        (SENSITIVITIES,),
    ),
    Mutant(
        "sum_sensitivity_without_linf",
        "transforms/metrics.py",
        "return largest * (1 if self.clip is None else bounds.max_contributions_per_partition)",
        "return largest",
        (SENSITIVITIES,),
    ),
    Mutant(
        "sum_sensitivity_of_the_upper_end_only",
        "transforms/metrics.py",
        "largest = max(abs(bound) for bound in self.interval_granules)\n        return",
        "largest = abs(self.interval_granules[1])\n        return",
        (SENSITIVITIES,),
    ),
    Mutant(
        "sum_sensitivity_is_the_width_of_the_clip",
        "transforms/metrics.py",
        "largest = max(abs(bound) for bound in self.interval_granules)\n        return",
        "largest = self.interval_granules[1] - self.interval_granules[0]\n        return",
        (SENSITIVITIES,),
    ),
    Mutant(
        "sensitivity_without_l0",
        "transforms/plan.py",
        "            l0=l0,\n            linf=linf,\n",
        "            l0=1,\n            linf=linf,\n",
        (SENSITIVITIES,),
    ),
    Mutant(
        "l2_sensitivity_is_l1",
        "transforms/mechanisms.py",
        "return _at_least(self.l0 * self.linf**2, power=2)",
        "return _at_least(self.l0 * self.linf, power=1)",
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
        "transforms/plan.py",
        "epsilons = split(budget.epsilon, shares)",
        "epsilons = dict.fromkeys(shares, budget.epsilon)",
        (WHOLE_BUDGET,),
    ),
    Mutant(
        "every_mechanism_gets_all_of_delta",
        "transforms/plan.py",
        "deltas = split(budget.delta, needs_delta)",
        "deltas = dict.fromkeys(needs_delta, budget.delta)",
        (WHOLE_BUDGET,),
    ),
    Mutant(
        "selection_is_not_paid_for",
        "transforms/plan.py",
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
        "transforms/plan.py",
        "            l0=l0,\n            pre_threshold",
        "            l0=1,\n            pre_threshold",
        (SENSITIVITIES,),
    ),
    Mutant(
        "sums_that_could_overflow_are_planned",
        "transforms/plan.py",
        "if linf > MAX_SENSITIVITY:",
        "if False:",
        (f"{PLAN}::test_a_sensitivity_that_could_overflow_is_refused",),
    ),
]

DRAWING = [
    Mutant(
        "selection_is_skipped",
        "transforms/draw.py",
        "partials = partials.filter(select(partials[UNITS].to_numpy(), plan.selection))",
        "select(partials[UNITS].to_numpy(), plan.selection)",
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
        "            if plan.public_keys is not None\n",
        "            if False\n",
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
        "transforms/plan.py",
        "return noise_std(self.mechanism) * float(self.granularity)",
        "return noise_std(self.mechanism)",
        (f"{RENDER}::test_std_and_interval_are_in_the_unit_of_the_column",),
    ),
    Mutant(
        "values_are_in_granules",
        "transforms/render.py",
        "return granules / int(per_unit)",
        "return granules",
        (f"{RENDER}::test_decimal_granularities_give_the_nearest_float",),
    ),
    Mutant(
        "intervals_are_half_as_wide",
        "transforms/render.py",
        "half_width = half_width_95(metric.mechanism)",
        "half_width = half_width_95(metric.mechanism) // 2",
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

MUTANTS = [*BOUNDING, *DIRT, *PREPARING, *PLANNING, *DRAWING, *PUBLISHING]
