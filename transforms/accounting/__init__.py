"""The accountant of a complete release: what it costs, and the noise that a budget buys.

Losses (`losses`) are priced by `reference` with `dp_accounting`, and checked by `closed_form`
without it; `accountant.price` does both and refuses a price that the two do not agree on.
`calibration` finds the losses that use a budget up.
"""

from transforms.accounting.accountant import AccountingError, Price, price
from transforms.accounting.calibration import Calibration, Demand, calibrate
from transforms.accounting.losses import (
    ApproximateLoss,
    FailureLoss,
    GaussianLoss,
    LaplaceLoss,
    Loss,
    truncated_geometric_loss,
)

__all__ = [
    "AccountingError",
    "ApproximateLoss",
    "Calibration",
    "Demand",
    "FailureLoss",
    "GaussianLoss",
    "LaplaceLoss",
    "Loss",
    "Price",
    "calibrate",
    "price",
    "truncated_geometric_loss",
]
