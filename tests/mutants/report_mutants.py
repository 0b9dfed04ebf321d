"""Seeded bugs of the report: errors of changes, rules of calls, and keys that are obeyed."""

from __future__ import annotations

from mutant import Mutant
from places import CHANGES, PLACES_AND_TIMES, REPORT_COMMAND, REPORT_PAGE, REPORT_WORDS

REPORT = [
    Mutant(
        "a_change_has_the_error_of_one_release",
        "transforms/published/changes.py",
        '(pl.col(std).cast(pl.Float64) ** 2 + pl.col(f"{std}\\0old").cast(pl.Float64) ** 2)',
        "(pl.col(std).cast(pl.Float64) ** 2)",
        (f"{CHANGES}::test_numbers_of_both_releases_are_compared_row_by_row",),
    ),
    Mutant(
        "changes_of_laplace_noise_are_judged_as_gaussian",
        "transforms/published/changes.py",
        'if noise == "gaussian":',
        "if True:",
        (f"{CHANGES}::test_p_values_with_laplace_noise_are_never_too_small_where_it_matters",),
    ),
    Mutant(
        "many_changes_are_judged_one_by_one",
        "transforms/published/changes.py",
        "limits = false_alarm / np.arange(len(p_value), 0, -1)",
        "limits = np.full(len(p_value), false_alarm)",
        (f"{CHANGES}::test_holms_rule_by_hand",),
    ),
    Mutant(
        "a_call_survives_a_smaller_one_that_failed",
        "transforms/published/changes.py",
        "passed = np.logical_and.accumulate(p_value[order] <= limits)",
        "passed = p_value[order] <= limits",
        (f"{CHANGES}::test_holms_rule_by_hand",),
    ),
    Mutant(
        "standard_deviations_of_a_sum_are_added",
        "transforms/published/totals.py",
        "variance.sqrt().alias(std)",
        "pl.col(std).sum()",
        (f"{CHANGES}::test_sums_over_keys_have_the_error_of_a_sum",),
    ),
    Mutant(
        "places_off_the_earth_are_places",
        "transforms/published/places.py",
        "lat.is_between(-90, 90)",
        "lat.is_between(-180, 180)",
        (f"{PLACES_AND_TIMES}::test_what_is_no_place_is_none",),
    ),
    Mutant(
        "direction_marks_of_keys_are_obeyed",
        "pipelines/report/words.py",
        'category in ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")',
        'category in ("Cc", "Cs", "Cn", "Zl", "Zp")',
        (f"{REPORT_WORDS}::test_no_character_that_does_something_is_left",),
    ),
    Mutant(
        "keys_are_markup",
        "pipelines/report/templating.py",
        "autoescape=True",
        "autoescape=False",
        (f"{REPORT_PAGE}::test_keys_are_shown_and_not_obeyed",),
    ),
    Mutant(
        "ids_of_charts_are_those_of_vega",
        "pipelines/report/svg.py",
        '    svg = re.sub(r\'(<[^>]* id=")([^"]+)(")\', renamed, svg)\n',
        "",
        (f"{REPORT_COMMAND}::test_the_ids_of_a_chart_are_the_same_each_time",),
    ),
    Mutant(
        "a_release_fails_for_its_report",
        "pipelines/report/files.py",
        "except (Exception, pl.exceptions.PanicException) as error:",
        "except ValueError as error:",
        (f"{REPORT_COMMAND}::test_a_release_does_not_fail_for_its_report",),
    ),
    Mutant(
        "a_release_gets_another_report_than_it_was_published_with",
        "pipelines/report/files.py",
        '  {REPORT_FILE}" not in listed:\n',
        '  {REPORT_FILE}" not in listed and False:\n',
        (f"{REPORT_COMMAND}::test_a_report_stays_as_published_when_the_release_before_it_appears",),
    ),
    Mutant(
        "changes_of_all_numbers_share_a_chart",
        "pipelines/report/against.py",
        '        rows = [row for row in top if row["column"] == number]\n',
        "        rows = top\n",
        (f"{REPORT_PAGE}::test_changes_of_each_number_have_an_axis_of_their_own",),
    ),
    Mutant(
        "numbers_of_a_page_have_hyphens_for_minus_signs",
        "pipelines/report/words.py",
        ':,.15g}".replace("-", MINUS)\n',
        ':,.15g}"\n',
        (f"{REPORT_WORDS}::test_numbers_without_errors_have_thousands_and_a_minus",),
    ),
    Mutant(
        "names_of_periods_wrap",
        "pipelines/report/templating.py",
        '    environment.tests["period"] = is_period\n',
        '    environment.tests["period"] = lambda name: False\n',
        (f"{REPORT_PAGE}::test_names_of_periods_are_never_cut_at_their_hyphens",),
    ),
    Mutant(
        "the_report_has_the_hash_of_what_has_its_hash",
        "pipelines/report/published.py",
        "own = (REPORT_FILE, SUMS_FILE)",
        "own = (REPORT_FILE,)",
        (f"{REPORT_PAGE}::test_the_same_folder_gives_the_same_bytes",),
    ),
    Mutant(
        "a_later_release_is_the_one_before",
        "pipelines/report/series.py",
        "        if name < own:",
        "        if name != own:",
        (f"{REPORT_PAGE}::test_other_periods_and_other_series_are_not_compared",),
    ),
]
