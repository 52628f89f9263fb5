"""Comments of simulated customers and evaluators, in two languages."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from qa_core.cli.demo.contacts import BILLING, Wave
from qa_core.cli.demo.plan import TEXTS

ENGLISH_SHARE = 0.13
LONG_WAIT, LAUNCH = 75, 0.3
"""Seconds of wait, and trouble of the launch, from which customers mention them."""
Told = Mapping[str, Sequence[str]]
CUSTOMERS: Mapping[str, Any] = TEXTS["customers"]
"""Remarks of customers by cause; `about`: by the number of the reason."""
LACKING, WELL_DONE, TAGS = (TEXTS["evaluators"][name] for name in ("lacking", "well_done", "tags"))
"""Remarks of evaluators, by the criterion that lost points and where none did; their tags."""


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
        known = [key for key in keys if key in LACKING][:2]
        told = [LACKING[key] for key in known] or [WELL_DONE]
        said = " ".join(_choose(chance, item[language]) for item in told)
        is_written = chance.random() < share
        comments.append(said if is_written else None)
        tags.append(
            ", ".join(TAGS[key] for key in known if key in TAGS) or None if is_written else None
        )
    return comments, tags


def _complaints(chance: np.random.Generator, wave: Wave, row: int, trouble: float) -> list[Told]:
    causes = [CUSTOMERS["unsettled"]] if not wave.resolved[row] else []
    causes += [CUSTOMERS["waited"]] if wave.wait[row] > LONG_WAIT else []
    causes += [CUSTOMERS["transferred"]] if wave.transfers[row] > 0 else []
    causes += [CUSTOMERS["came_back"]] if wave.depth[row] + wave.tries[row] > 0 else []
    is_new_bill = wave.reason[row] == BILLING and trouble > LAUNCH
    told = []
    if is_new_bill or chance.random() < 0.55:
        told = [CUSTOMERS["new_bill"] if is_new_bill else CUSTOMERS["about"][wave.reason[row]]]
    if causes and (not told or chance.random() < 0.5):
        told.append(causes[chance.integers(len(causes))])
    return told or [CUSTOMERS["unsettled"]]


def _choose(chance: np.random.Generator, texts: Sequence[str]) -> str:
    return texts[chance.integers(len(texts))]
