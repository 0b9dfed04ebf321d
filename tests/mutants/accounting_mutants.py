"""Seeded bugs of the accountant: prices that are too low, and budgets that are overspent."""

from __future__ import annotations

from mutant import Mutant
from places import CALIBRATION, PRICES, REFERENCE

ACCOUNTING = [
    Mutant(
        "selection_is_left_out_of_the_composition",
        "transforms/accounting/reference.py",
        "                response[loss.epsilon] += loss.times\n",
        "                pass\n",
        (f"{REFERENCE}::test_a_response_many_times",),
    ),
    Mutant(
        "selection_is_priced_for_one_partition",
        "transforms/accounting/reference.py",
        "response[loss.epsilon] += loss.times",
        "response[loss.epsilon] += 1",
        (f"{REFERENCE}::test_a_response_many_times",),
    ),
    Mutant(
        "selection_has_the_whole_delta_for_each_partition",
        "transforms/accounting/losses.py",
        "-math.expm1(math.log1p(-delta) / l0)",
        "delta",
        (f"{PRICES}::test_selection_is_split_over_partitions_as_pydp_splits_it",),
    ),
    Mutant(
        "failures_take_no_delta_from_the_noise",
        "transforms/accounting/losses.py",
        "return (delta - failed) / (1 - failed)",
        "return delta",
        (f"{REFERENCE}::test_failures_leave_the_noise_the_room_that_they_do_not_take",),
    ),
    Mutant(
        "losses_are_rounded_down_to_the_grid",
        "transforms/accounting/reference.py",
        "losses = points * step\n",
        "losses = (points + 1) * step\n",
        (f"{REFERENCE}::test_different_responses_by_enumeration",),
    ),
    Mutant(
        "only_the_largest_gaussian_noise_is_priced",
        "transforms/accounting/reference.py",
        "math.sqrt(math.fsum(squares))",
        "math.sqrt(max(squares, default=0.0))",
        (f"{REFERENCE}::test_gaussian_noise_adds_up_in_squares_and_so_does_its_distribution",),
    ),
    Mutant(
        "sums_are_rounded_to_nearest",
        "transforms/accounting/losses.py",
        "return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)",
        "return nearest",
        (f"{PRICES}::test_sums_are_exact_and_rounded_up",),
    ),
    Mutant(
        "a_price_below_what_is_lost_is_taken",
        "transforms/accounting/accountant.py",
        "if not epsilon >= lower - ROUNDING * (lower + scale) - NEGLIGIBLE:",
        "if False:",
        (f"{PRICES}::test_a_wrong_reference_is_noticed",),
    ),
    Mutant(
        "a_price_above_what_is_enough_is_taken",
        "transforms/accounting/accountant.py",
        "if not epsilon <= upper + TOLERANCE * (upper + scale) + NEGLIGIBLE:",
        "if False:",
        (f"{PRICES}::test_a_wrong_reference_is_noticed",),
    ),
    Mutant(
        "the_conversion_of_renyi_divergence_is_too_small",
        "transforms/accounting/conversions.py",
        "+ math.log(excess / order)",
        "+ 2 * math.log(excess / order)",
        (f"{PRICES}::test_the_best_order_is_found",),
    ),
    Mutant(
        "rho_of_laplace_noise_is_too_small",
        "transforms/accounting/closed_form.py",
        "return loss.epsilon + math.expm1(-loss.epsilon)",
        "return loss.epsilon**2 / 4",
        (f"{PRICES}::test_rho_is_the_most_that_any_order_needs",),
    ),
    Mutant(
        "the_search_stops_above_the_budget",
        "transforms/accounting/calibration.py",
        "        if tried.used <= 1:\n",
        "        if tried.used <= 1.01:\n",
        (f"{CALIBRATION}::test_a_search_that_comes_to_lie_above_the_budget_goes_back",),
    ),
    Mutant(
        "noise_is_calibrated_at_the_whole_delta",
        "transforms/accounting/calibration.py",
        "    room = room_for_noise(budget.delta, failed)\n",
        "    room = budget.delta\n",
        (f"{CALIBRATION}::test_thresholds_beside_gaussian_noise",),
    ),
    Mutant(
        "gaussian_noise_is_divided_like_epsilon",
        "transforms/accounting/calibration.py",
        "mu * math.sqrt(demand.share / together)",
        "mu * demand.share / together",
        (f"{CALIBRATION}::test_gaussian_noise_alone_is_exact",),
    ),
    Mutant(
        "failures_get_all_of_delta",
        "transforms/accounting/calibration.py",
        "split(part * budget.delta, failing)",
        "split(budget.delta, failing)",
        (f"{CALIBRATION}::test_delta_is_divided_as_documented",),
    ),
]
