"""Seeded bugs, most of them historic ones of other libraries, and what must notice each.

A mutant is one replacement in one file. `old` must be in the file exactly once: when the code moves
on, the mutant moves with it. `tests` are the fewest and fastest tests that must fail.
"""

from __future__ import annotations

from accounting_mutants import ACCOUNTING
from block_mutants import BLOCKS_ON_DISK
from bounding_mutants import BOUNDING, DIRT
from config_mutants import CONFIG, KEYS_AND_LEVELS, LISTED_KEYS
from engine_mutants import ENGINE
from gate_mutants import GATES
from gcs_mutants import ON_GCS
from guard_mutants import GUARDED
from ledger_mutants import LEDGER
from manifest_mutants import MANIFESTS
from once_mutants import ONCE_ONLY
from plan_file_mutants import PLAN_FILES
from plan_mutants import DRAWING, PLANNING
from postprocess_mutants import POST_PROCESSING
from prepare_mutants import PREPARING
from publish_mutants import PUBLISHING
from report_mutants import REPORT
from selection_mutants import NOISY_COUNTS
from source_mutants import SOURCES
from told_mutants import TOLD
from tuning_mutants import TUNING

MUTANTS = [
    *BOUNDING,
    *ENGINE,
    *BLOCKS_ON_DISK,
    *DIRT,
    *PREPARING,
    *PLANNING,
    *DRAWING,
    *NOISY_COUNTS,
    *PUBLISHING,
    *POST_PROCESSING,
    *CONFIG,
    *SOURCES,
    *ACCOUNTING,
    *KEYS_AND_LEVELS,
    *LISTED_KEYS,
    *PLAN_FILES,
    *LEDGER,
    *ONCE_ONLY,
    *GUARDED,
    *TUNING,
    *MANIFESTS,
    *REPORT,
    *GATES,
    *ON_GCS,
    *TOLD,
]
