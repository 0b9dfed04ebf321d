"""Seeded bugs of selection by the released number of privacy units, and of its price."""

from __future__ import annotations

from mutant import Mutant
from places import NOISY_COUNT, REFERENCE

NOISY_COUNTS = [
    Mutant(
        "counts_that_were_compared_are_released_without_noise",
        "transforms/draw.py",
        "pl.Series(plan.noisy_count, noisy[kept])",
        "pl.Series(plan.noisy_count, partials[UNITS].to_numpy()[kept])",
        (f"{NOISY_COUNT}::test_released_counts_are_the_numbers_that_were_compared",),
    ),
    Mutant(
        "counts_are_drawn_again_after_the_selection",
        "transforms/noise.py",
        "return kept, noisy_units(noisy, mechanism)",
        "return kept, noisy_units(_above_threshold(units, mechanism)[1], mechanism)",
        (f"{NOISY_COUNT}::test_released_counts_are_the_numbers_that_were_compared",),
    ),
    Mutant(
        "counts_of_a_selection_without_their_noise_are_not_priced",
        "transforms/table.py",
        "if self.partitions.strategy != self.noise:",
        "if self.partitions.strategy == self.noise:",
        (f"{NOISY_COUNT}::test_other_noise_or_no_count_is_a_mechanism_of_its_own",),
    ),
    Mutant(
        "a_second_count_is_taken_for_the_selections",
        "transforms/plan.py",
        "if plan.name != self.noisy_count:",
        "if self.noisy_count is None:",
        (f"{NOISY_COUNT}::test_only_the_first_of_several_counts_is_that_of_the_selection",),
    ),
    Mutant(
        "many_responses_are_priced_as_one",
        "transforms/accounting/reference.py",
        "_randomized_responses(epsilon, times, step, cut)",
        "_randomized_responses(epsilon, 1, step, cut)",
        (f"{REFERENCE}::test_a_response_many_times",),
    ),
    Mutant(
        "responses_tell_as_much_truth_in_the_neighbour",
        "transforms/accounting/reference.py",
        "np.log(more_than(beyond, false))",
        "np.log(more_than(beyond, true))",
        (f"{REFERENCE}::test_a_response_many_times",),
    ),
    Mutant(
        "rounding_of_geometric_selection_is_not_counted",
        "transforms/noise.py",
        "mechanism.drawn_delta,",
        "mechanism.delta,",
        ("tests/transforms/test_noise.py::test_the_rounding_of_probabilities_is_within_delta",),
    ),
    Mutant(
        "geometric_selection_is_used_whatever_its_rounding",
        "transforms/mechanisms.py",
        "if self.epsilon > largest:",
        "if False:",
        ("tests/transforms/test_noise.py::test_selection_whose_rounding_shows_is_refused",),
    ),
]
