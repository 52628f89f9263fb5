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
    groups_p_value,
    holm,
    means_p_value,
    rates_p_value,
)
from qa_core.stats.fisher import benjamini_hochberg, fisher_exact
from qa_core.stats.funnel import OUTER_CONFIDENCE, Funnel, build_funnel
from qa_core.stats.intervals import (
    CONFIDENCE,
    NORMAL,
    Z95,
    change_interval,
    difference_interval,
    mean_interval,
    nps_interval,
    poststratify_rate,
    t_quantile,
    wilson,
)
from qa_core.stats.sample_size import POWER, detectable_difference, extra_values_needed
from qa_core.stats.shrinkage import ShrunkEstimates, pooled_variance, shrink_means, shrink_rates
from qa_core.stats.standardisation import (
    MIN_MEMBER_VALUES,
    CellSums,
    StandardisedValue,
    standardise,
)

__all__ = [
    "CONFIDENCE",
    "MIN_MEMBER_VALUES",
    "NORMAL",
    "OUTER_CONFIDENCE",
    "PERMUTATIONS",
    "POWER",
    "Z95",
    "CellSums",
    "Comparison",
    "Funnel",
    "Member",
    "ShrunkEstimates",
    "StandardisedValue",
    "benjamini_hochberg",
    "build_funnel",
    "change_interval",
    "compare_means",
    "compare_rates",
    "detectable_difference",
    "difference_interval",
    "extra_values_needed",
    "fisher_exact",
    "groups_p_value",
    "holm",
    "mean_interval",
    "means_p_value",
    "nps_interval",
    "pooled_variance",
    "poststratify_rate",
    "rates_p_value",
    "shrink_means",
    "shrink_rates",
    "standardise",
    "t_quantile",
    "wilson",
]
