"""Seeded bugs of what is published: values, their errors, messages and second draws."""

from __future__ import annotations

from mutant import Mutant
from places import GAPS, RENDER

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
        "pipelines/run/failures.py",
        "failed with {kind_of(error)}; {outcome}",
        "failed with {error!r}; {outcome}",
        (f"{GAPS}::test_a_failed_run_hides_what_failed",),
    ),
    Mutant(
        "an_error_carries_its_cause",
        "pipelines/run/failures.py",
        "what, outcome)) from None",
        "what, outcome)) from error",
        (f"{GAPS}::test_a_failed_run_hides_what_failed",),
    ),
    Mutant(
        "a_release_without_a_ledger_is_drawn_again",
        "pipelines/run/folders.py",
        "is_unknown = not known and outlet.holds_release()",
        "is_unknown = False",
        (f"{GAPS}::test_a_release_that_the_ledger_does_not_know_is_not_drawn_again",),
    ),
    Mutant(
        "a_second_draw_is_published",
        "pipelines/run/shards.py",
        "if len(set(shards)) < len(shards) or drawn.select(keys.keys()).is_duplicated().any():",
        "if False:",
        (f"{GAPS}::test_a_release_that_was_drawn_twice_is_not_published",),
    ),
]
