"""Which contacts are listened to: plans, seeded draws from a documented frame, and what waits for each evaluator."""

from qa_core.sampling.draws import Picked, Result, Verification, draw, verify
from qa_core.sampling.picking import pick
from qa_core.sampling.plans import PlanState, add_plan, close, find_choices, find_plans
from qa_core.sampling.replacing import replace
from qa_core.sampling.standing import Given, Load, StoredDraw, find_draws, find_given, find_load, find_obstacle
from qa_core.sampling.worklist import Assignment, find_worklist

__all__ = [
    "Assignment",
    "Given",
    "Load",
    "Picked",
    "PlanState",
    "Result",
    "StoredDraw",
    "Verification",
    "add_plan",
    "close",
    "draw",
    "find_choices",
    "find_draws",
    "find_given",
    "find_load",
    "find_obstacle",
    "find_plans",
    "find_worklist",
    "pick",
    "replace",
    "verify",
]
