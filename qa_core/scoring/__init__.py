"""Scorecard and answers → points, in exact fractions (docs/contract.md, section 6)."""

from qa_core.scoring.arithmetic import (
    NOT_APPLICABLE,
    Answer,
    Result,
    check_answers,
    score,
    score_given,
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
