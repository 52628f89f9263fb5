"""How long it takes to say how far evaluators agree and how strict they are: 200
contacts × 5 evaluators × 20 criteria, and 100,000 evaluations.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from qa_core.stats.agreement import measure_agreement
from qa_core.stats.severity import fit_severity

CONTACTS, EVALUATORS, CRITERIA = 200, 5, 20
EVALUATIONS, ADVISORS, LISTENERS, GRIDS = 100_000, 1_000, 30, 4


def main() -> None:
    """Print what each takes; the goal is under two seconds."""
    chance = np.random.default_rng(7)
    for points in (4, 100):
        marks = chance.integers(0, points + 1, (CRITERIA, CONTACTS, EVALUATORS)).astype(float)
        _tell(
            f"α with its interval, marks from 0 to {points}",
            lambda marks=marks: [measure_agreement(of_criterion) for of_criterion in marks],
        )
    advisors, evaluators, grids = (
        chance.integers(0, size, EVALUATIONS) for size in (ADVISORS, LISTENERS, GRIDS)
    )
    scores = (
        80
        + chance.normal(0, 6, ADVISORS)[advisors]
        - chance.normal(0, 4, LISTENERS)[evaluators]
        + chance.normal(0, 8, EVALUATIONS)
    )
    _tell(
        "severity of 100,000 evaluations",
        lambda: fit_severity(scores, advisors.tolist(), evaluators.tolist(), grids.tolist()),
    )


def _tell(what: str, work: Callable[[], Any]) -> None:
    start = time.perf_counter()
    work()
    print(f"{what}: {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
