"""Evaluations: taken in from files, made by evaluators, answered by advisors. The only
writer of them, in one transaction with the journal.
"""

from qa_core.quality.evaluations.imports import (
    ImportedAnswer,
    ImportedEvaluation,
    Intake,
    find_later_batch,
    restore,
)

__all__ = ["ImportedAnswer", "ImportedEvaluation", "Intake", "find_later_batch", "restore"]
