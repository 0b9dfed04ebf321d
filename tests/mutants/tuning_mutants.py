"""Seeded bugs of tuning: too little noise, looks that nobody declares or pays, wrong errors."""

from __future__ import annotations

from mutant import Mutant
from places import HISTOGRAMS, LOOKS, LOSSES, TUNE, TUNING_ERRORS

_NEIGHBOURS = f"{HISTOGRAMS}::test_no_histogram_moves_further_than_its_sensitivity"
_FLAGS = f"{TUNE}::test_exactly_one_declaration_of_the_data_is_asked_for"
_KILLED = f"{LOOKS}::test_a_killed_look_is_charged_once_and_the_next_one_again"
_ENUMERATED = f"{LOSSES}::test_partitions_and_rows_are_exactly_as_enumerated"

TUNING = [
    Mutant(
        "partition_sizes_have_the_noise_of_one_bin",
        "transforms/tuning/histograms.py",
        "moved = things * (2 if histogram == SIZES else 1)",
        "moved = things",
        (f"{_NEIGHBOURS}[unit-add_remove]",),
    ),
    Mutant(
        "replacing_a_unit_moves_histograms_like_removing_it",
        "transforms/tuning/histograms.py",
        'things = guarantee.changed * (1 if guarantee.bounding == "unit" else 2)',
        'things = 1 if guarantee.bounding == "unit" else 2',
        (f"{_NEIGHBOURS}[unit-replace]",),
    ),
    Mutant(
        "rows_of_a_unit_in_one_partition_move_histograms_like_units",
        "transforms/tuning/histograms.py",
        'things = guarantee.changed * (1 if guarantee.bounding == "unit" else 2)',
        "things = guarantee.changed",
        (f"{_NEIGHBOURS}[unit_partition-add_remove]", f"{HISTOGRAMS}::test_sensitivities"),
    ),
    Mutant(
        "a_unit_is_looked_at_in_two_partitions",
        "transforms/tuning/stages.py",
        "        contributions.partitions.identities,\n        1,\n",
        "        contributions.partitions.identities,\n        2,\n",
        (f"{_NEIGHBOURS}[unit-add_remove]",),
    ),
    Mutant(
        "empty_bins_have_no_noise",
        "transforms/tuning/histograms.py",
        "noisy = add_noise(counts, mechanisms[name])",
        "noisy = np.where(counts > 0, add_noise(counts, mechanisms[name]), 0)",
        (f"{HISTOGRAMS}::test_all_bins_get_noise",),
    ),
    Mutant(
        "single_rows_are_tuned_as_if_they_had_units",
        "transforms/tuning/histograms.py",
        'if guarantee.bounding == "row":',
        "if False:",
        (f"{HISTOGRAMS}::test_single_rows_have_no_contributions",),
    ),
    Mutant(
        "each_histogram_costs_the_whole_budget",
        "transforms/tuning/histograms.py",
        'calibrate([Demand(name, "laplace") for name in histograms], budget)',
        'calibrate([Demand(name, "laplace") for name in histograms], '
        "Budget(budget.epsilon * len(histograms), budget.delta))",
        (f"{HISTOGRAMS}::test_the_charge_is_the_budget",),
    ),
    Mutant(
        "nobody_has_to_say_which_data",
        "pipelines/tune/options.py",
        ".count(True) != 1:",
        ".count(True) > 1:",
        (_FLAGS,),
    ),
    Mutant(
        "two_declarations_are_taken",
        "pipelines/tune/options.py",
        ".count(True) != 1:",
        ".count(True) < 1:",
        (_FLAGS,),
    ),
    Mutant(
        "private_data_are_looked_at_without_a_note",
        "pipelines/tune/charging.py",
        'if plan.mode.declaration == "public":',
        "if plan.charge is None:",
        (f"{LOOKS}::test_a_look_without_accounting_is_noted_with_what_when_and_which_config",),
    ),
    Mutant(
        "rows_are_read_before_they_are_paid_for",
        "pipelines/tune/tuning.py",
        """            entry = enter(plan, period, clock.now())
            spent = "" if plan.charge is None else ", and its charge is spent"
            with failures(LocalStorage(folder), "tuning", f"nothing was written{spent}"):
                measured = measure(plan, checked, folder, runner)
""",
        """            spent = "" if plan.charge is None else ", and its charge is spent"
            with failures(LocalStorage(folder), "tuning", f"nothing was written{spent}"):
                measured = measure(plan, checked, folder, runner)
            entry = enter(plan, period, clock.now())
""",
        (f"{_KILLED}[after transforms.tuning.histograms.add_noise-1]",),
    ),
    Mutant(
        "one_histogram_is_paid_for",
        "pipelines/tune/charging.py",
        "for mechanism in charge.mechanisms.values())",
        "for mechanism in list(charge.mechanisms.values())[:1])",
        (f"{LOOKS}::test_the_charge_is_the_noise_of_all_histograms[budget0]",),
    ),
    Mutant(
        "a_second_look_is_taken_for_the_first",
        "pipelines/tune/charging.py",
        'name = f"tuning-{when:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:12]}"',
        'name = f"tuning-{period.name}"',
        (f"{LOOKS}::test_every_look_is_charged_again",),
    ),
    Mutant(
        "a_look_is_held_to_no_policy",
        "pipelines/tune/charging.py",
        "own.ledger.tune(request, own.policy_for(request))",
        "own.ledger.tune(request, type(own)(own.release, own.ledger, None).policy_for(request))",
        (f"{LOOKS}::test_a_look_that_does_not_fit_leaves_with_2_and_says_what_would_fit",),
    ),
    Mutant(
        "rows_of_other_days_are_looked_at",
        "pipelines/tune/tuning.py",
        "checked = check_release_input(release, plan.plan, period)",
        "checked = check_release_input(release, plan.plan, replace(period, every=None))",
        (f"{LOOKS}::test_only_rows_of_the_period_are_looked_at",),
    ),
    Mutant(
        "a_look_is_charged_while_another_run_has_the_lock",
        "pipelines/tune/tuning.py",
        """        with scratch_folder(release) as folder:
            entry = enter(plan, period, clock.now())
""",
        """        entry = enter(plan, period, clock.now())
        with scratch_folder(release) as folder:
""",
        (f"{LOOKS}::test_while_another_run_is_under_way_nothing_is_charged",),
    ),
    Mutant(
        "manifests_keep_still_about_looks_without_accounting",
        "pipelines/run/ledger.py",
        "for look in (*notes, *tunings) if",
        "for look in tunings if",
        (f"{LOOKS}::test_manifests_of_later_releases_tell_of_looks",),
    ),
    Mutant(
        "looks_at_other_data_are_told",
        "pipelines/run/ledger.py",
        "for note in book.notes if note.dataset == dataset]",
        "for note in book.notes]",
        (f"{LOOKS}::test_manifests_of_later_releases_tell_of_looks",),
    ),
    Mutant(
        "accounted_tuning_shows_exact_errors",
        "pipelines/tune/measure.py",
        "None if plan.charge is None else histogram_noise(plan, table.name),",
        "None,",
        (f"{TUNE}::test_of_private_data_nothing_shows_but_the_histograms",),
    ),
    Mutant(
        "what_l0_keeps_does_not_vary",
        "transforms/tuning/loss.py",
        "variance = np.where(over_l0, np.maximum(variance, 0.0), 0.0)\n        return Kept(column",
        "variance = np.zeros(len(over_l0))\n        return Kept(column",
        (_ENUMERATED,),
    ),
    Mutant(
        "partitions_that_are_not_released_have_no_error",
        "transforms/tuning/errors.py",
        "released * squares + hidden * truth**2",
        "released * squares",
        (f"{TUNING_ERRORS}::test_what_is_not_released_counts_whole",),
    ),
    Mutant(
        "empty_public_partitions_have_no_noise",
        "transforms/tuning/errors.py",
        "missing = max(0.0, public - seen)",
        "missing = 0.0",
        (f"{TUNING_ERRORS}::test_one_partition_by_hand",),
    ),
]
