"""Seeded bugs of preparation: expressions that look at other rows, or give wrong values."""

from __future__ import annotations

from mutant import Mutant
from places import BINS_AND_CELLS, PARSE, PREPARATION, VALUES, WORDS

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
        "transforms/prepare/row_sql.py",
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
        (f"{BINS_AND_CELLS}::test_a_lookup_table_has_each_key_once",),
    ),
    Mutant(
        "a_value_on_an_edge_is_in_the_bin_below",
        "transforms/prepare/bins.py",
        "pl.when(value.expr >= edge)",
        "pl.when(value.expr > edge)",
        (f"{BINS_AND_CELLS}::test_bins_of_numbers",),
    ),
    Mutant(
        "what_is_not_on_earth_is_off_the_coast_of_africa",
        "transforms/prepare/cells.py",
        "return pl.when(on_earth).then(cell)",
        "return cell",
        (f"{BINS_AND_CELLS}::test_what_is_not_on_earth_has_no_cell",),
    ),
    Mutant(
        "runs_of_words_go_on_in_the_text_of_the_next_row",
        "transforms/prepare/words.py",
        "np.cumsum(counts) - counts - offsets[:-1]",
        "np.cumsum(runs) - runs - offsets[:-1]",
        (f"{WORDS}::test_ngrams_are_the_runs_of_words_of_each_text",),
    ),
    Mutant(
        "expressions_see_columns_as_they_came",
        "transforms/prepare/compile.py",
        "return Compiled(typed.dtype, typed.expr)",
        "return Compiled(typed.dtype, pl.col(node.name))",
        (f"{VALUES}::test_numbers",),
    ),
]
