"""Evaluations: imported from files, made by evaluators, answered by advisors. Their
only writer, in one transaction with the audit log.
"""

from qa_core.quality.evaluations.imports import (
    OF_CONTACT,
    EvaluationImporter,
    ImportedAnswer,
    ImportedEvaluation,
    find_later_batch,
    restore,
)
