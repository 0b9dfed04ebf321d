"""Seeded bugs of bounding: what one unit may do, and rows that are no rows."""

from __future__ import annotations

from mutant import Mutant
from places import BY_ENUMERATION, BY_ORACLE, COLUMNS, CROWDED, LINES, PLAN

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
        "pipelines/sources/lines.py",
        "        fields = _split(lines, len(header))\n",
        '        parsed = __import__("csv").reader(f"{line}\\n" for line in lines[_LINE])\n'
        "        kept = [row for row in parsed if len(row) == len(header)]\n"
        '        fields = pl.DataFrame({"fields": kept}, schema={"fields": pl.List(pl.String)})\n',
        (f"{LINES}::test_a_line_with_a_stray_quote_is_dropped_and_the_next_one_is_not",),
    ),
    Mutant(
        "a_line_with_a_stray_quote_is_read_in_part",
        "pipelines/sources/lines.py",
        '        .filter(pl.col("fields").list.join("") == pl.col(_LINE))\n',
        "",
        (f"{LINES}::test_a_line_with_a_stray_quote_is_dropped_and_the_next_one_is_not",),
    ),
]
