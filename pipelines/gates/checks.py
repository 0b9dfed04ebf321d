"""Checks what gates expect before anything else is done; needs no input and no ledger."""

from __future__ import annotations

from pipelines.gates.partition_gates import expected_partitions
from pipelines.gates.period_gates import first_period
from pipelines.spec import LoadedRelease


def check_gates(release: LoadedRelease) -> None:
    """Checks that the first period is one of the series, and reads the lists of partitions.

    Raises:
        ConfigError: A period is none, or a list cannot be used.
    """
    first_period(release)
    expected_partitions(release)
