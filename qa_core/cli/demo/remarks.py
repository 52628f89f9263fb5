"""Comments of simulated customers and evaluators, in two languages."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from qa_core.cli.demo.contacts import BILLING, REASONS, Wave
from qa_core.cli.demo.story import STORY, Entry

ENGLISH_SHARE = 0.13
LONG_WAIT, LAUNCH = 75, 0.3
"""Seconds of wait, and trouble of the launch, from which customers mention them."""
CUSTOMERS, EVALUATORS = STORY.customers, STORY.evaluators
"""Remarks by cause: of customers, and of evaluators by the criterion that lost points."""


def write_customers(
    chance: np.random.Generator,
    wave: Wave,
    csat: np.ndarray,
    written: np.ndarray,
    in_english: np.ndarray,
    trouble: np.ndarray,
) -> pa.Array:
    """Write comments where `written`: praise from the pleased, faults from others."""
    texts: list[str | None] = [None] * len(wave)
    for row in np.nonzero(written)[0]:
        language = "en" if in_english[row] else "fr"
        complains = csat[row] <= 2 or (csat[row] == 3 and chance.random() < 0.6)
        told = _complaints(chance, wave, row, trouble[row]) if complains else [CUSTOMERS["pleased"]]
        texts[row] = " ".join(_choose(chance, item[language]) for item in told)
    return pa.array(texts, pa.string())


def write_evaluators(
    chance: np.random.Generator, lacking: Sequence[Sequence[str]], share: float
) -> tuple[list[str | None], list[str | None]]:
    """Write a comment and tags for that share of evaluations, worst first."""
    comments: list[str | None] = []
    tags: list[str | None] = []
    for keys in lacking:
        language = "en" if chance.random() < ENGLISH_SHARE else "fr"
        known = [key for key in keys if key in EVALUATORS.lacking][:2]
        told = [EVALUATORS.lacking[key] for key in known] or [EVALUATORS.well_done]
        comment = " ".join(_choose(chance, item[language]) for item in told)
        is_written = chance.random() < share
        tagged = ", ".join(EVALUATORS.tags[key] for key in known if key in EVALUATORS.tags)
        comments.append(comment if is_written else None)
        tags.append(tagged or None if is_written else None)
    return comments, tags


def _complaints(chance: np.random.Generator, wave: Wave, row: int, trouble: float) -> list[Entry]:
    causes = [
        CUSTOMERS[cause]
        for cause, holds in (
            ("unsettled", not wave.resolved[row]),
            ("waited", wave.wait[row] > LONG_WAIT),
            ("transferred", wave.transfers[row] > 0),
            ("came_back", wave.depth[row] + wave.tries[row] > 0),
        )
        if holds
    ]
    is_new_bill = wave.reason[row] == BILLING and trouble > LAUNCH
    told = []
    if is_new_bill or chance.random() < 0.55:
        told = [CUSTOMERS.new_bill if is_new_bill else REASONS[wave.reason[row]].complaints]
    if causes and (not told or chance.random() < 0.5):
        told.append(causes[chance.integers(len(causes))])
    return told or [CUSTOMERS.unsettled]


def _choose(chance: np.random.Generator, texts: Sequence[str]) -> str:
    return texts[chance.integers(len(texts))]
