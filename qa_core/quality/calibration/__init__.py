"""Calibration: several evaluators score the same contacts, blind until the round is closed, and then see how far apart they are."""

from qa_core.quality.calibration.contact_choice import Candidate, Evaluator, draw_candidates, find_candidates, find_evaluators, find_typed
from qa_core.quality.calibration.results import CriterionResult, EvaluatorResult, Results, get_results
from qa_core.quality.calibration.sessions import Round, RoundContact, agree, close_round, find_rounds, open_round, set_reference
from qa_core.quality.calibration.worklist import Task, find_worklist, start

__all__ = [
    "Candidate",
    "CriterionResult",
    "Evaluator",
    "EvaluatorResult",
    "Results",
    "Round",
    "RoundContact",
    "Task",
    "agree",
    "close_round",
    "draw_candidates",
    "find_candidates",
    "find_evaluators",
    "find_rounds",
    "find_typed",
    "find_worklist",
    "get_results",
    "open_round",
    "set_reference",
    "start",
]
