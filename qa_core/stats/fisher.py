"""Fisher's exact test, and the Benjamini–Hochberg correction.

`scipy.stats` has both, but importing it costs a server 60 MB.
"""

from collections.abc import Sequence
from typing import Any


def fisher_exact(hits: int, n: int, other_hits: int, other_n: int) -> float:
    """Return the one-sided p-value of `hits` or more of `n`, against `other_hits` of
    `other_n`, by Fisher's exact test.
    """
    import numpy as np
    from scipy.special import gammaln, logsumexp

    def log_choose(of: int, some: Any) -> Any:
        return gammaln(of + 1) - gammaln(some + 1) - gammaln(of - some + 1)

    all_hits = hits + other_hits
    possible = np.arange(max(hits, all_hits - other_n), min(n, all_hits) + 1)
    ways = (
        log_choose(n, possible)
        + log_choose(other_n, all_hits - possible)
        - log_choose(n + other_n, all_hits)
    )
    return float(min(1.0, np.exp(logsumexp(ways))))


def benjamini_hochberg(chances: Sequence[float]) -> list[float]:
    """Adjust p-values by false discovery rate (Benjamini and Hochberg 1995)."""
    import numpy as np

    array = np.asarray(chances, dtype=float)
    order = np.argsort(array)[::-1]
    ranks = np.arange(len(array), 0, -1)
    results = np.empty_like(array)
    results[order] = np.minimum(1.0, np.minimum.accumulate(array[order] * len(array) / ranks))
    return results.tolist()
