"""Which contacts are listened to: plans, seeded draws from a documented frame, and what waits for each evaluator."""

from qa_core.sampling.worklist import Assignment, find_worklist

__all__ = ["Assignment", "find_worklist"]
