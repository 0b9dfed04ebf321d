"""What can be measured per partition, one module per family."""

from transforms.metrics.base import Metric as Metric
from transforms.metrics.counts import Count as Count
from transforms.metrics.counts import DistinctCount as DistinctCount
from transforms.metrics.counts import PrivacyUnitCount as PrivacyUnitCount
from transforms.metrics.means import Mean as Mean
from transforms.metrics.means import Variance as Variance
from transforms.metrics.quantiles import Quantiles as Quantiles
from transforms.metrics.sums import Sum as Sum
from transforms.metrics.sums import VectorSum as VectorSum
