"""Sampling: listening plans, seeded draws from a documented frame, evaluators' work."""

from qa_core.quality.sampling.draw_status import (
    DrawnAssignment,
    StoredDraw,
    find_assignments,
    find_draws,
    find_load,
    find_obstacle,
)
from qa_core.quality.sampling.draws import DrawResult, DrawVerification, draw, verify
from qa_core.quality.sampling.manual_pick import pick
from qa_core.quality.sampling.plans import PlanState, add_plan, close, find_choices, find_plans
from qa_core.quality.sampling.replacement import replace
from qa_core.quality.sampling.worklist import Assignment, find_worklist
