"""Evaluations, imported or made here. Their only writer, together with the audit log."""

from qa_core.quality.evaluations.imports import (
    OF_CONTACT,
    EvaluationImporter,
    ImportedAnswer,
    ImportedEvaluation,
    find_later_batch,
    restore,
)
