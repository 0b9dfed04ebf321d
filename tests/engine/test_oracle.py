"""The engine gives what a row-by-row oracle gives, however the input is cut up."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import as_dict, oracle_partials
from strategies import ROWS, UNITS, arrow, cut, plans

from transforms.bounding import add_up
from transforms.hashing import HashKey
from transforms.stages import Engine
from transforms.wire import unpack_frame

KEY = HashKey(b"a key only for tests")


def run_stages(pieces, engine):
    """Runs the stages as Beam would: one bundle per piece, each of one or more tables.

    Args:
        pieces: Bundles, each a list of lists of rows.
        engine: The engine.

    Returns:
        Exact partial sums per table.
    """
    by_unit_shard, by_partition_shard = {}, {}
    for bundle in pieces:
        batches = [engine.batch([arrow(rows)]) for rows in bundle]
        for job in engine.shards(batches):
            for key, packed in job():
                by_unit_shard.setdefault(key, []).append(packed)
    for key, packed in by_unit_shard.items():
        table, partial = engine.bound_units(key, packed)
        for shard, frame in engine.shard_partials(table, [partial]):
            by_partition_shard.setdefault(shard, []).append(frame)
    for shard, frame in (packed for part in engine.zero_slices() for packed in engine.zeros(part)):
        by_partition_shard.setdefault(shard, []).append(frame)
    result = {table: {} for table in range(len(engine.plans))}
    for shard, packed in by_partition_shard.items():
        table = shard // engine.partition_shards
        plan = engine.plans[table]
        result[table] |= as_dict(add_up([unpack_frame(part) for part in packed], plan), plan)
    return result


@settings(max_examples=150, deadline=None)
@given(
    rows=ROWS,
    order=st.randoms(use_true_random=False),
    bundle_sizes=st.lists(st.integers(0, 30), max_size=3),
    batch_sizes=st.lists(st.integers(0, 15), max_size=3),
    unit_shards=st.integers(1, 5),
    partition_shards=st.integers(1, 3),
    unit=UNITS,
    planned=plans(),
)
def test_any_cut_and_order_gives_what_the_oracle_gives(
    rows, order, bundle_sizes, batch_sizes, unit_shards, partition_shards, unit, planned
):
    shuffled = list(rows)
    order.shuffle(shuffled)
    bundles = [cut(bundle, batch_sizes) for bundle in cut(shuffled, bundle_sizes)]
    engine = Engine(unit, planned, KEY, unit_shards, partition_shards)

    result = run_stages(bundles, engine)

    for table, plan in enumerate(planned):
        assert result[table] == oracle_partials(rows, unit, plan, KEY)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, unit=UNITS, planned=plans(most=1))
def test_one_piece_gives_what_the_oracle_gives(rows, unit, planned):
    engine = Engine(unit, planned, KEY, 1, 1)

    assert run_stages([[rows]], engine)[0] == oracle_partials(rows, unit, planned[0], KEY)
