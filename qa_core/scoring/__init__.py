"""Grid and answers → points: the arithmetic of one evaluation, pure and exact.
docs/contract.md, section 6 is the rule.
"""

from qa_core.scoring.arithmetic import (
    NOT_APPLICABLE,
    Answer,
    Failure,
    Result,
    SectionScore,
    check,
    score,
)
from qa_core.scoring.scorecard import (
    Criterion,
    CriticalClass,
    Fails,
    Method,
    Scorecard,
    Section,
    Text,
    parse_scorecard,
)

__all__ = [
    "NOT_APPLICABLE",
    "Answer",
    "Criterion",
    "CriticalClass",
    "Fails",
    "Failure",
    "Method",
    "Result",
    "Scorecard",
    "Section",
    "SectionScore",
    "Text",
    "check",
    "parse_scorecard",
    "score",
]
