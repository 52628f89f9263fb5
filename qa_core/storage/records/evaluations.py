"""Tables of scorecards and evaluations."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Base, Numbered, now, of_advisor, parts, reference

SCORED, TARGETED, CALIBRATION, SELF = "scored", "targeted", "calibration", "self"
"""Kinds of evaluations. KPIs count those that are scored."""
EVALUATOR_KINDS = (SCORED, TARGETED)
"""Kinds that required listening, and that advisors and their leads read. Calibrations
are for their evaluators; a self-evaluation is shown with the evaluation it answers.
"""


class ScorecardVersion(Numbered, holds=data.NOBODY):
    """Version of a scorecard, unchanged once published; evaluations are pinned to theirs."""

    __tablename__ = "grid"
    __table_args__ = (sa.UniqueConstraint("key", "version"),)

    key: Mapped[data.Code]
    version: Mapped[int] = mapped_column(default=1)
    title: Mapped[data.Wording]
    content: Mapped[data.WordingJson]
    """Scorecard file of docs/contract.md, section 6, as read."""
    published_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[data.Username | None]
    published_by: Mapped[data.Username | None]
    edition: Mapped[int] = mapped_column(default=1, server_default="1")
    """Raised at each save of a draft; a save of an older edition is refused."""


def find_moment_of_change(connection: sa.Connection) -> datetime:
    """Return the present moment; after the newest change where the clock was set back, since
    what is kept of published evaluations is renewed by it.
    """
    newest = connection.scalar(
        sa.select(sa.func.max(Evaluation.changed_at)).where(
            Evaluation.state == "published", Evaluation.kind == SCORED
        )
    )
    return max(now(), newest + timedelta(microseconds=1)) if newest else now()


class Evaluation(Numbered, holds=data.Stored((data.ADVISOR,), "evaluations", "evaluated_at")):
    """Evaluation of one contact on one version of a scorecard. Scores are 0–100.

    `team` and `local_day` come from the contact (from the evaluation, when no contact is
    named): they decide the scope of a reader without the lake.
    """

    __table_args__ = (
        sa.Index("ix_evaluation_contact", "source_system", "contact_id"),
        sa.Index("ix_evaluation_counted", "state", "kind", "changed_at"),
    )

    external_key: Mapped[data.Seal | None] = mapped_column(unique=True)
    """Identity of an imported evaluation, so that the same file again changes nothing."""
    source_system: Mapped[data.Code | None]
    contact_id: Mapped[data.ContactId | None]
    advisor_id: Mapped[data.OwnAdvisorId | None] = of_advisor(None)
    team: Mapped[data.Code | None]
    local_day: Mapped[date] = mapped_column(index=True)
    evaluator: Mapped[data.Username | None]
    """Username where the evaluator has an account, else the name in the file."""
    evaluated_at: Mapped[datetime]
    grid_id: Mapped[int | None] = reference("grid.id")
    grid_name: Mapped[data.Criterion | None]
    score: Mapped[float | None]
    calculated_score: Mapped[float | None]
    outcome: Mapped[data.Code | None]
    comment: Mapped[data.ContactText | None]
    """Comment of the evaluator, contact details masked."""
    tags: Mapped[data.ContactTags | None] = mapped_column(sa.JSON(none_as_null=True))
    state: Mapped[data.Code] = mapped_column(default="published")
    """draft · submitted · published"""
    kind: Mapped[data.Code] = mapped_column(default=SCORED, server_default=SCORED)
    """`SCORED` · `TARGETED` · `CALIBRATION` · `SELF`"""
    purpose: Mapped[data.Code] = mapped_column(default="evaluation")
    drawn_id: Mapped[int | None] = reference("drawn_contact.id", "SET NULL", index=True)
    calibration_id: Mapped[int | None] = reference("calibration.id", "SET NULL", index=True)
    answered_evaluation_id: Mapped[int | None] = reference("evaluation.id", "CASCADE", index=True)
    """Of a self-evaluation: the evaluation beside which it is shown."""
    draft: Mapped[data.ContactJson | None] = mapped_column(sa.JSON(none_as_null=True))
    """Of a draft: {answers: {key: points or "na"}, comments: {key: text}}, complete or not."""
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    """Raised by each change; a change to an older version is refused."""
    started_at: Mapped[datetime | None]
    seconds_spent: Mapped[float | None]
    submitted_at: Mapped[datetime | None]
    publish_on: Mapped[date | None]
    """Day from which the advisor sees it, where the plan delays it."""
    published_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    advisor_comment: Mapped[data.ContactText | None]
    batch_id: Mapped[data.Seal | None] = mapped_column(index=True)
    changed_at: Mapped[datetime] = mapped_column(
        default=now, onupdate=lambda context: find_moment_of_change(context.root_connection)
    )
    given_advisor_id: Mapped[data.AdvisorId | None]
    """Advisor that the source names, where that one was merged into another; else null."""
    given_team: Mapped[data.Code | None]
    """Empty where the source gave no team and the merged advisor's was filled in; else null."""

    answers: Mapped[list[EvaluationAnswer]] = parts("evaluation", passive_deletes=True)


PUBLISHED = (Evaluation.state == "published", Evaluation.kind.in_(EVALUATOR_KINDS))
"""Conditions on the evaluations that advisors and their leads read."""


class EvaluationAnswer(
    Base, holds=data.Stored((data.ADVISOR,), "evaluations", part_of="evaluation_id")
):
    """Answer to one criterion of one evaluation, with the applied weight (shares that sum to 1)."""

    evaluation_id: Mapped[int] = reference("evaluation.id", "CASCADE", primary_key=True)
    criterion: Mapped[data.Criterion] = mapped_column(primary_key=True)
    section: Mapped[data.Criterion | None]
    earned: Mapped[float | None]
    possible: Mapped[float]
    applied_weight: Mapped[float]
    applicable: Mapped[bool] = mapped_column(default=True)
    comment: Mapped[data.ContactText | None]

    evaluation: Mapped[Evaluation] = relationship(back_populates="answers")
