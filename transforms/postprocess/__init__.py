"""What may be done with a released table after noise, without cost.

Every function here is a function of released tables, of the parameters of a release, and of public
files: nothing else is in its reach, and no randomness. What is computed from the output of a
differentially private mechanism, and from nothing else that is private, has the guarantee of that
output (post-processing: C. Dwork and A. Roth, "The Algorithmic Foundations of Differential
Privacy", 2014, proposition 2.1). A test of the architecture holds these modules to a list of
imports.

The steps of a table are applied in one order, whatever the order in which they were asked for:

| step | what it does | what it does to errors |
|---|---|---|
| `Ratio` | adds the ratio of two metrics | has its own; null if the denominator may be 0 |
| `PercentChange` | adds the change since a baseline | has its own; null if that may be 0 or less |
| `Suppress` | nulls numbers that are mostly noise | selects: what stays is too large on average |
| `Minimum` | drops rows with a small noisy value | selects: what stays is too large on average |
| `Top` | keeps rows with the largest noisy values | selects: what stays is too large on average |
| `ClampAtZero` | moves values below 0 to 0 | intervals stay valid; biased upwards near 0 |
| `Round` | rounds to multiples | intervals grow outwards and stay valid; `_std` grows |

"Too large on average" means that the intervals of the rows that are left are no longer 95 %
intervals: a row is more likely to be kept when its noise was high.
"""

from transforms.intervals import quantile_95
from transforms.postprocess.clamping import clamp_at_zero, clamp_bias
from transforms.postprocess.consistency import check_consistency, make_consistent
from transforms.postprocess.ratios import percent_change, ratio
from transforms.postprocess.rounding import round_to
from transforms.postprocess.selecting import minimum, suppress, top_k
from transforms.postprocess.steps import (
    ClampAtZero,
    Minimum,
    PercentChange,
    Ratio,
    Round,
    Step,
    Suppress,
    Top,
    post_process,
)

__all__ = [
    "ClampAtZero",
    "Minimum",
    "PercentChange",
    "Ratio",
    "Round",
    "Step",
    "Suppress",
    "Top",
    "check_consistency",
    "clamp_at_zero",
    "clamp_bias",
    "make_consistent",
    "minimum",
    "percent_change",
    "post_process",
    "quantile_95",
    "ratio",
    "round_to",
    "suppress",
    "top_k",
]
