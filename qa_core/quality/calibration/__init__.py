"""Calibration: several evaluators score the same contacts blind, then compare their marks."""

from qa_core.quality.calibration.contact_choice import (
    draw_candidates,
    find_by_numbers,
    find_candidates,
    find_evaluators,
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
    close_session,
    find_sessions,
    open_session,
    record_consensus,
    set_reference,
)
from qa_core.quality.calibration.worklist import Task, find_worklist, start
