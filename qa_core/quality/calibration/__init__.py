"""Calibration: several evaluators score the same contacts, blind until the session is
closed, then compare their marks.
"""

from qa_core.quality.calibration.contact_choice import (
    ContactChoice,
    Evaluator,
    draw_candidates,
    find_candidates,
    find_evaluators,
    find_typed,
)
from qa_core.quality.calibration.results import (
    CriterionResult,
    EvaluatorResult,
    Results,
    get_results,
)
from qa_core.quality.calibration.sessions import (
    CalibrationSession,
    SessionContact,
    agree,
    close_session,
    find_sessions,
    open_session,
    set_reference,
)
from qa_core.quality.calibration.worklist import Task, find_worklist, start

__all__ = [
    "CalibrationSession",
    "ContactChoice",
    "CriterionResult",
    "Evaluator",
    "EvaluatorResult",
    "Results",
    "SessionContact",
    "Task",
    "agree",
    "close_session",
    "draw_candidates",
    "find_candidates",
    "find_evaluators",
    "find_sessions",
    "find_typed",
    "find_worklist",
    "get_results",
    "open_session",
    "set_reference",
    "start",
]
