"""The contribution bounding of the benchmark release in DuckDB SQL, without any privacy.

    python tests/bench/duckdb_release.py 'FOLDER/*.parquet' OUT.parquet [FORMULATION]

All formulations give the same table. Seconds with 2 cores on the generated events:

| formulation | 10 million rows | 100 million rows |
|---|---|---|
| `heavy`: a window over the heavy users only | 3.4 | 72 |
| `window`: one window over everybody | 3.6 | 60 |
| `min_by(..., 8)` per user | 3.5 | 66 |
| a sorted list per user | 5.4 | |
"""

import os
import sys

import duckdb

PER_UNIT = """
    SELECT
        user_id, country, emoji,
        count(*) AS uses,
        sum(CASE WHEN isnan(dwell_s) THEN 0 ELSE least(greatest(dwell_s, 0), 60) END) AS seconds
    FROM read_parquet('{files}')
    WHERE user_id IS NOT NULL AND country IS NOT NULL AND emoji IS NOT NULL
    GROUP BY ALL
"""

AT_MOST_8 = """
    QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY hash(user_id, country, emoji)) <= 8
"""

BOUNDED = {
    "window": f"""
        per_unit AS ({PER_UNIT}),
        bounded AS (SELECT country, emoji, uses, seconds FROM per_unit {AT_MOST_8})
    """,
    "heavy": f"""
        per_unit AS MATERIALIZED ({PER_UNIT}),
        heavy AS MATERIALIZED (
            SELECT user_id FROM per_unit GROUP BY user_id HAVING count(*) > 8
        ),
        bounded AS (
            SELECT country, emoji, uses, seconds
            FROM per_unit ANTI JOIN heavy USING (user_id)
            UNION ALL (
                SELECT country, emoji, uses, seconds
                FROM per_unit SEMI JOIN heavy USING (user_id)
                {AT_MOST_8}
            )
        )
    """,
}

RELEASE = """
COPY (
    WITH {bounded}
    SELECT
        country, emoji,
        sum(least(uses, 5)) AS uses,
        count(*) AS users,
        sum(seconds * least(1, 5 / uses)) AS seconds
    FROM bounded
    GROUP BY ALL
    HAVING count(*) >= 20
) TO '{out}'
"""


def main(files: str, out: str, formulation: str = "window") -> None:
    threads = len(os.sched_getaffinity(0))
    connection = duckdb.connect(config={"threads": threads, "preserve_insertion_order": False})
    bounded = BOUNDED[formulation].format(files=files)
    connection.execute(RELEASE.format(bounded=bounded, out=out))


if __name__ == "__main__":
    main(*sys.argv[1:])
