"""The benchmark release written with PipelineDP on Beam's FnApiRunner.

    python tests/bench/pipeline_dp_release.py 'FOLDER/*.parquet' OUT_PREFIX [WORKERS]

Without WORKERS it runs in one process, as our release does; with 2 or more in that many worker
processes. Rows are read as Arrow tables and become tuples: as fast as `ReadFromParquet` with its
dict per row in one process, and a quarter faster with two workers.
"""

import sys
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pipeline_dp
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.options.pipeline_options import PipelineOptions

COLUMNS = ["user_id", "country", "emoji", "dwell_s"]

Row = tuple[str, tuple[str, str], float]


def clean_rows(table: pa.Table) -> Iterator[Row]:
    """Drops rows without a user or key; a dwell that is NaN counts as 0, as in our release."""
    table = table.drop_null()
    dwell = pc.if_else(pc.is_nan(table["dwell_s"]), 0.0, table["dwell_s"])
    users, countries, emoji = (table[name].to_pylist() for name in ("user_id", "country", "emoji"))
    return zip(users, zip(countries, emoji, strict=True), dwell.to_pylist(), strict=True)


def aggregate(rows: beam.PCollection) -> beam.PCollection:
    budget = pipeline_dp.NaiveBudgetAccountant(total_epsilon=1.0, total_delta=1e-8)
    engine = pipeline_dp.DPEngine(budget, pipeline_dp.BeamBackend())
    parameters = pipeline_dp.AggregateParams(
        metrics=[
            pipeline_dp.Metrics.COUNT,
            pipeline_dp.Metrics.PRIVACY_ID_COUNT,
            pipeline_dp.Metrics.SUM,
        ],
        noise_kind=pipeline_dp.NoiseKind.GAUSSIAN,
        max_partitions_contributed=8,
        max_contributions_per_partition=5,
        min_value=0.0,
        max_value=60.0,
    )
    extractors = pipeline_dp.DataExtractors(
        privacy_id_extractor=lambda row: row[0],
        partition_extractor=lambda row: row[1],
        value_extractor=lambda row: row[2],
    )
    released = engine.aggregate(rows, parameters, extractors)
    budget.compute_budgets()
    return released


def to_csv(released: tuple[tuple[str, str], Any]) -> str:
    keys, metrics = released
    return ",".join(map(str, [*keys, metrics.count, metrics.privacy_id_count, metrics.sum]))


def main(files: str, out: str, workers: str = "1") -> None:
    options = ["--runner=FnApiRunner"]
    if int(workers) > 1:
        options += ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    with beam.Pipeline(options=PipelineOptions(options)) as pipeline:
        rows = (
            pipeline
            | "Read" >> beam.io.ReadFromParquetBatched(files, columns=COLUMNS)
            | "To clean rows" >> beam.FlatMap(clean_rows)
        )
        _ = (
            aggregate(rows)
            | "To CSV" >> beam.Map(to_csv)
            | "Write" >> beam.io.WriteToText(out, ".csv", header="country,emoji,uses,users,seconds")
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
