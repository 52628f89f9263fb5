"""Deletion by age of evaluations, calibrations, plans and draws (docs/compliance.md, R6)."""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from qa_core.compliance.retention import RowKeeper, find_moments, find_oldest_day
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.imports import BeforeImage
from qa_core.storage.records.listening import Calibration, Draw, ListeningPlan
from qa_core.storage.records.store import Session


@dataclass(frozen=True)
class EvaluationKeeper(RowKeeper):
    """Evaluations, drafts included, with all that belongs to them."""

    def delete_related(self, session: Session, is_due: sa.ColumnElement[bool]) -> None:
        # What an import would put back says the same as the evaluation itself.
        keys = sa.select(Evaluation.external_key).where(
            is_due, Evaluation.external_key.is_not(None)
        )
        images = BeforeImage.object == "evaluation", BeforeImage.key.in_(keys)
        session.execute(sa.delete(BeforeImage).where(*images))


@dataclass(frozen=True)
class CalibrationKeeper(RowKeeper):
    """Calibration sessions, with the evaluations made in them."""

    def delete_related(self, session: Session, is_due: sa.ColumnElement[bool]) -> None:
        made = Evaluation.calibration_id.in_(sa.select(Calibration.id).where(is_due))
        session.execute(sa.delete(Evaluation).where(made))


@dataclass(frozen=True)
class DrawKeeper(RowKeeper):
    """Draws with their contacts; a plan goes with the last of its draws once it is over."""

    def delete_due(self, as_of: date) -> None:
        with store.writing() as session:
            session.execute(sa.delete(Draw).where(self.is_due(session, Draw.drawn_at, as_of)))
            is_empty = ListeningPlan.id.not_in(sa.select(Draw.plan_id))
            is_over = ListeningPlan.ends_on < find_oldest_day(session, self.kind, as_of)
            session.execute(sa.delete(ListeningPlan).where(is_empty, is_over))


KEEPERS = tuple(
    keeper(kind, find_moments(kind))
    for keeper, kind in (
        (CalibrationKeeper, "calibrations"),
        (EvaluationKeeper, "evaluations"),
        (DrawKeeper, "draws"),
    )
)
"""Data that this room deletes in its own way."""
