"""Grid and answers → points: the arithmetic of one evaluation, pure and exact. CONTRACT.md section 6 is the rule."""

from qa_core.scoring.arithmetic import NOT_APPLICABLE, Answer, Failure, Result, SectionScore, check, score
from qa_core.scoring.scorecard import Criterion, CriticalClass, Fails, Grid, Method, Section, Text, parse_grid

__all__ = [
    "NOT_APPLICABLE",
    "Answer",
    "Criterion",
    "CriticalClass",
    "Fails",
    "Failure",
    "Grid",
    "Method",
    "Result",
    "Section",
    "SectionScore",
    "Text",
    "check",
    "parse_grid",
    "score",
]
