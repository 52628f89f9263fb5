"""Pure statistics: confidence intervals, shrinkage, comparisons of advisors, control
charts.

`agreement`, `severity` and `adjusted_differences` need numpy or pandas. Import them
from their own files, so that other callers do not load those libraries.
"""

from qa_core.stats.comparison import (
    Comparison,
    benjamini_hochberg,
    compare_means,
    compare_rates,
    detectable_difference,
    extra_values_needed,
    fisher_exact,
    holm,
    means_p_value,
    rates_p_value,
)
from qa_core.stats.control_charts import OUTER_CONFIDENCE, Funnel, build_funnel
from qa_core.stats.intervals import (
    CONFIDENCE,
    NORMAL,
    Z95,
    chance_range,
    difference_interval,
    mean_interval,
    nps_interval,
    p_value_of,
    percentiles,
    t_quantile,
    wilson,
)
from qa_core.stats.shrinkage import pooled_variance, shrink_means, shrink_rates
from qa_core.stats.standardisation import CellSums, StandardisedValue, standardise
