"""Pure statistics: confidence intervals, shrinkage, comparisons of advisors, control
charts.

`agreement`, `severity` and `adjusted_differences` need numpy or pandas. Import them
from their own files, so that other callers do not load those libraries.
"""

from qa_core.stats.comparison import (
    PERMUTATIONS,
    Comparison,
    Member,
    compare_means,
    compare_rates,
    groups_differ_by_chance,
    holm,
    means_differ_by_chance,
    rates_differ_by_chance,
)
from qa_core.stats.fisher import correct_for_all, exceeds_by_chance
from qa_core.stats.funnel import OUTER, Funnel, build_funnel
from qa_core.stats.intervals import (
    CONFIDENCE,
    NORMAL,
    Z95,
    change_interval,
    difference_interval,
    mean_interval,
    nps_interval,
    t_quantile,
    weigh_rate,
    wilson,
)
from qa_core.stats.sample_size import POWER, detectable, more_needed
from qa_core.stats.shrinkage import Shrunk, pooled_variance, shrink_means, shrink_rates
from qa_core.stats.standardisation import FEWEST, CellSums, Standard, standardise

__all__ = [
    "CONFIDENCE",
    "FEWEST",
    "NORMAL",
    "OUTER",
    "PERMUTATIONS",
    "POWER",
    "Z95",
    "CellSums",
    "Comparison",
    "Funnel",
    "Member",
    "Shrunk",
    "Standard",
    "build_funnel",
    "change_interval",
    "compare_means",
    "compare_rates",
    "correct_for_all",
    "detectable",
    "difference_interval",
    "exceeds_by_chance",
    "groups_differ_by_chance",
    "holm",
    "mean_interval",
    "means_differ_by_chance",
    "more_needed",
    "nps_interval",
    "pooled_variance",
    "rates_differ_by_chance",
    "shrink_means",
    "shrink_rates",
    "standardise",
    "t_quantile",
    "weigh_rate",
    "wilson",
]
