"""Seeded bugs of the plan and of the draw: sensitivities, budgets, noise and selection."""

from __future__ import annotations

from mutant import Mutant
from places import BEAM, BY_ORACLE, NOISE, PLAN, RUN, SENSITIVITIES, WEIGHTS, WHOLE_BUDGET

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
        "LaplaceMechanism(loss.epsilon, mechanism.l1)",
        "LaplaceMechanism(loss.epsilon, mechanism.l2)",
        (f"{NOISE}::test_pydp_draws_with_the_planned_scale_and_no_smaller_one",),
    ),
    Mutant(
        "noise_is_for_the_l2_sensitivity_whatever_it_is",
        "transforms/mechanisms.py",
        "norm = moved.l2 if gaussian else moved.l1",
        "norm = moved.l2",
        (f"{NOISE}::test_noise_loses_what_is_allowed_and_no_more",),
    ),
    Mutant(
        "noise_is_half_of_what_is_priced",
        "transforms/planning.py",
        "planned = AdditiveMechanism.of(loss, moved)",
        "planned = AdditiveMechanism.of(type(loss)(2 * sum(vars(loss).values())), moved)",
        (WHOLE_BUDGET,),
    ),
    Mutant(
        "thresholds_have_more_delta_than_is_priced",
        "transforms/planning.py",
        "            calibration.failures[threshold_name(name)],\n",
        "            4 * calibration.failures[threshold_name(name)],\n",
        (WHOLE_BUDGET,),
    ),
    Mutant(
        "geometric_selections_have_more_delta_than_is_priced",
        "transforms/planning.py",
        "        calibration.failures[full_name(name, SELECTION)],\n",
        "        4 * calibration.failures[full_name(name, SELECTION)],\n",
        (WHOLE_BUDGET,),
    ),
    Mutant(
        "noise_of_a_selection_is_not_priced",
        "transforms/mechanisms.py",
        "return (self.noise.loss, FailureLoss(self.delta))",
        "return (FailureLoss(self.delta),)",
        (f"{WEIGHTS}::test_the_loss_is_that_of_the_noise_on_what_units_change",),
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
        "transforms/demands.py",
        "return guarantee.max_partitions(table.bounds) or 1",
        "return 1",
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
        "LaplaceMechanism(loss.epsilon, mechanism.l1)",
        "LaplaceMechanism(loss.epsilon, mechanism.l1 / 2)",
        (f"{NOISE}::test_pydp_draws_with_the_planned_scale_and_no_smaller_one",),
    ),
    Mutant(
        "gaussian_noise_is_half_as_wide",
        "transforms/noise.py",
        "create_from_standard_deviation(mechanism.scale)",
        "create_from_standard_deviation(mechanism.scale / 2)",
        (f"{NOISE}::test_pydp_draws_with_the_planned_scale_and_no_smaller_one",),
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
