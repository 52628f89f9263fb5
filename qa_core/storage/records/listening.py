"""The tables of listening: what the law asks for first, the recordings, what is drawn,
and what is said about evaluations afterwards.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa_core.storage.records.base import Base, now

ADVISOR = "advisor.advisor_id"


class GateValue(Base):
    """What was entered for a legal gate (docs/compliance.md, R1–R4); the newest entry
    of a name holds.
    """

    __tablename__ = "gate_value"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    value: Mapped[str]
    set_by: Mapped[str]
    set_at: Mapped[datetime] = mapped_column(default=now)


class Accreditation(Base):
    """That an account may listen for these purposes, through `ends_on`; ended early,
    not deleted.
    """

    __tablename__ = "accreditation"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(
        sa.ForeignKey("account.username", ondelete="CASCADE"), index=True
    )
    purposes: Mapped[list[Any]]
    """Of training · evaluation · quality."""
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    given_by: Mapped[str]
    given_at: Mapped[datetime] = mapped_column(default=now)
    ended_by: Mapped[str | None]
    ended_at: Mapped[datetime | None]


class AdvisorNotice(Base):
    """That an advisor was informed of recording and listening, and on which day."""

    __tablename__ = "advisor_notice"

    id: Mapped[int] = mapped_column(primary_key=True)
    advisor_id: Mapped[str] = mapped_column(
        sa.ForeignKey(ADVISOR, ondelete="CASCADE", onupdate="CASCADE"), index=True
    )
    informed_on: Mapped[date]
    entered_by: Mapped[str]
    entered_at: Mapped[datetime] = mapped_column(default=now)


class Recording(Base):
    """The audio of one contact, encrypted in a file of its own; deleted, the row stays
    as proof without anything to play.
    """

    __tablename__ = "recording"
    __table_args__ = (sa.Index("ix_recording_contact", "source_system", "contact_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    source_system: Mapped[str]
    contact_id: Mapped[str]
    advisor_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey(ADVISOR, ondelete="SET NULL", onupdate="CASCADE"), index=True
    )
    team: Mapped[str | None]
    local_day: Mapped[date] = mapped_column(index=True)
    """Day of the contact; with `team` and `advisor_id`, what the scope of a reader is
    decided by.
    """
    purpose: Mapped[str]
    """training · evaluation · quality · proof"""
    file_name: Mapped[str | None] = mapped_column(unique=True)
    """Under QA_HOME/recordings; null once deleted."""
    digest: Mapped[str]
    """HMAC of the clear audio, so that the same file again is known without being
    readable.
    """
    media_type: Mapped[str]
    clear_bytes: Mapped[int]
    seconds: Mapped[float]
    peaks: Mapped[list[Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """The waveform, 0–100 per slice; null once deleted."""
    recorded_at: Mapped[datetime]
    delete_after: Mapped[datetime]
    """The end of the day, in the centre's time, on which it has to be gone."""
    batch_id: Mapped[str | None] = mapped_column(index=True)
    stored_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None]
    deleted_because: Mapped[str | None]
    """undone · expired · objected · no_notice · stopped_by_advisor · private_line ·
    erased
    """


class Playback(Base):
    """One listening, by whom, to which recording, and for what: what advisors see, and
    what rates are counted from.
    """

    __tablename__ = "playback"

    id: Mapped[int] = mapped_column(primary_key=True)
    recording_id: Mapped[int] = mapped_column(
        sa.ForeignKey("recording.id", ondelete="CASCADE"), index=True
    )
    source_system: Mapped[str]
    contact_id: Mapped[str]
    advisor_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey(ADVISOR, ondelete="SET NULL", onupdate="CASCADE"), index=True
    )
    username: Mapped[str] = mapped_column(index=True)
    purpose: Mapped[str]
    """training · evaluation · quality · targeted · calibration · own (an advisor who
    hears their own call)
    """
    reason: Mapped[str]
    played_at: Mapped[datetime] = mapped_column(default=now)


class ListeningPlan(Base):
    """Who listens to how much, of whom and why, in a period: what draws are made from
    (docs/contract.md, section 7).
    """

    __tablename__ = "listening_plan"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    purpose: Mapped[str]
    """training · evaluation · quality; targeted for contacts picked by hand, which no
    score is made of
    """
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    grid_key: Mapped[str]
    per_advisor: Mapped[int]
    maximum_per_advisor: Mapped[int]
    """Listened to in the months that the period touches, all plans together."""
    strata: Mapped[list[Any]] = mapped_column(default=list)
    """Of channel · queue · duration · hour · weekday"""
    filters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Dimension → values that contacts must have: team, queue, channel, reason;
    minimum_seconds, maximum_seconds
    """
    evaluators: Mapped[list[Any]] = mapped_column(default=list)
    most_per_evaluator: Mapped[int | None]
    due_on: Mapped[date | None]
    publish_after_days: Mapped[int] = mapped_column(default=0)
    dispute_days: Mapped[int] = mapped_column(default=14)
    """How long after publication an advisor may dispute."""
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    closed_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]

    draws: Mapped[list[Draw]] = relationship(
        back_populates="plan", cascade="all, delete-orphan", passive_deletes=True
    )


class Draw(Base):
    """One seeded draw of a plan, with all that is needed to make it again and to judge
    whether it was fair.
    """

    __tablename__ = "draw"

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(
        sa.ForeignKey("listening_plan.id", ondelete="CASCADE"), index=True
    )
    seed: Mapped[int]
    lake_version: Mapped[str]
    """Of the contacts when it was drawn."""
    frame: Mapped[int]
    """How many contacts could have been drawn."""
    frame_digest: Mapped[str]
    """SHA-256 over advisors, strata, and sums over the keys in each: the same again
    means the same frame.
    """
    excluded: Mapped[dict[str, Any]]
    """reason → number of contacts outside the frame"""
    short: Mapped[dict[str, Any]]
    """advisor → how many are missing"""
    frame_shares: Mapped[dict[str, Any]]
    """dimension → {values: [[value, contacts in the frame, expected in the sample,
    drawn, deviation]], p_value, is_simulated}: was it fair?
    """
    drawn_by: Mapped[str]
    drawn_at: Mapped[datetime] = mapped_column(default=now)

    plan: Mapped[ListeningPlan] = relationship(back_populates="draws")
    contacts: Mapped[list[DrawnContact]] = relationship(
        back_populates="draw", cascade="all, delete-orphan", passive_deletes=True
    )


class DrawnContact(Base):
    """A contact that an evaluator is to listen to. Replaced, it keeps the reason and
    names the one in its place.
    """

    __tablename__ = "drawn_contact"
    __table_args__ = (sa.Index("ix_drawn_contact_contact", "source_system", "contact_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    draw_id: Mapped[int] = mapped_column(sa.ForeignKey("draw.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    """The place in the order drawn, from 1."""
    source_system: Mapped[str]
    contact_id: Mapped[str]
    advisor_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey(ADVISOR, ondelete="SET NULL", onupdate="CASCADE"), index=True
    )
    team: Mapped[str | None]
    local_start: Mapped[datetime] = mapped_column(sa.DateTime())
    """The centre's wall clock, as in the lake."""
    stratum: Mapped[dict[str, Any]] = mapped_column(default=dict)
    evaluator: Mapped[str | None] = mapped_column(index=True)
    """The account that listens; null for a calibration."""
    due_on: Mapped[date | None]
    state: Mapped[str] = mapped_column(default="waiting")
    """waiting · started · done · replaced"""
    replaced_because: Mapped[str | None]
    """no_audio · inaudible · not_a_conversation · private · knows_the_customer · other"""
    replaced_by: Mapped[int | None] = mapped_column(
        sa.ForeignKey("drawn_contact.id", ondelete="SET NULL")
    )

    draw: Mapped[Draw] = relationship(back_populates="contacts")


class TimedComment(Base):
    """What somebody remarked at a moment of a recording, on one evaluation."""

    __tablename__ = "timed_comment"

    id: Mapped[int] = mapped_column(primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(
        sa.ForeignKey("evaluation.id", ondelete="CASCADE"), index=True
    )
    seconds: Mapped[float]
    criterion: Mapped[str | None]
    text: Mapped[str]
    author: Mapped[str]
    written_at: Mapped[datetime] = mapped_column(default=now)


class EvaluationRevision(Base):
    """An evaluation as it stood before it was amended: the original is always kept."""

    __tablename__ = "evaluation_revision"
    __table_args__ = (sa.UniqueConstraint("evaluation_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(
        sa.ForeignKey("evaluation.id", ondelete="CASCADE"), index=True
    )
    version: Mapped[int]
    content: Mapped[dict[str, Any]]
    """{score, calculated_score, outcome, comment, answers: [{criterion, section,
    earned, possible, applied_weight, applicable, comment}]}
    """
    reason: Mapped[str]
    """amended · disputed, and the words of who did it"""
    replaced_by: Mapped[str]
    replaced_at: Mapped[datetime] = mapped_column(default=now)


class Dispute(Base):
    """An advisor's disagreement with one criterion, and what was decided on it."""

    __tablename__ = "dispute"
    __table_args__ = (sa.UniqueConstraint("evaluation_id", "criterion"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(
        sa.ForeignKey("evaluation.id", ondelete="CASCADE"), index=True
    )
    criterion: Mapped[str]
    original: Mapped[float | None]
    """The points that were disputed; null: not applicable."""
    proposed: Mapped[float | None]
    """What the advisor asks for; null: not applicable."""
    reason: Mapped[str]
    raised_by: Mapped[str]
    raised_at: Mapped[datetime] = mapped_column(default=now)
    decision: Mapped[str | None]
    """keep · accept · third"""
    decided: Mapped[float | None]
    """The points after the decision; null: not applicable, or not decided."""
    decision_reason: Mapped[str | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]


class Calibration(Base):
    """A round in which several evaluators score the same contacts blind; it never
    enters the KPIs.
    """

    __tablename__ = "calibration"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    grid_id: Mapped[int] = mapped_column(sa.ForeignKey("grid.id"))
    evaluators: Mapped[list[Any]]
    due_on: Mapped[date | None]
    opened_by: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(default=now)
    closed_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]

    contacts: Mapped[list[CalibrationContact]] = relationship(
        back_populates="calibration", cascade="all, delete-orphan", passive_deletes=True
    )


class CalibrationContact(Base):
    """One contact of a calibration, the evaluation that is the reference for it, and
    the answers that were agreed on afterwards.
    """

    __tablename__ = "calibration_contact"
    __table_args__ = (sa.UniqueConstraint("calibration_id", "source_system", "contact_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    calibration_id: Mapped[int] = mapped_column(
        sa.ForeignKey("calibration.id", ondelete="CASCADE"), index=True
    )
    source_system: Mapped[str]
    contact_id: Mapped[str]
    advisor_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey(ADVISOR, ondelete="SET NULL", onupdate="CASCADE"), index=True
    )
    team: Mapped[str | None]
    local_start: Mapped[datetime] = mapped_column(sa.DateTime())
    reference_evaluator: Mapped[str | None]
    consensus: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """{answers: {key: points or "na"}, note, by, at}"""

    calibration: Mapped[Calibration] = relationship(back_populates="contacts")


class CoachingPlan(Base):
    """What an advisor works on with their team lead: a goal on criteria, from what was
    heard, until when.
    """

    __tablename__ = "coaching_plan"

    id: Mapped[int] = mapped_column(primary_key=True)
    advisor_id: Mapped[str] = mapped_column(
        sa.ForeignKey(ADVISOR, ondelete="CASCADE", onupdate="CASCADE"), index=True
    )
    given_advisor_id: Mapped[str | None]
    """The advisor it was opened for, where that one was merged into another; null: as
    it stands.
    """
    team: Mapped[str | None]
    """The advisor's when it was opened."""
    local_day: Mapped[date]
    """The day it was opened; with `team`, what the scope of a reader is decided by."""
    goal: Mapped[str]
    criteria: Mapped[list[Any]] = mapped_column(default=list)
    evaluations: Mapped[list[Any]] = mapped_column(default=list)
    """Ids of the evaluations that it came from."""
    starts_on: Mapped[date]
    due_on: Mapped[date | None]
    state: Mapped[str] = mapped_column(default="open")
    """open · reached · stopped"""
    version: Mapped[int] = mapped_column(default=1)
    opened_by: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(default=now)
    ended_on: Mapped[date | None]

    notes: Mapped[list[CoachingNote]] = relationship(
        back_populates="plan",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="CoachingNote.id",
    )


class CoachingNote(Base):
    """A session or a remark on a coaching plan, by the lead or the advisor."""

    __tablename__ = "coaching_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(
        sa.ForeignKey("coaching_plan.id", ondelete="CASCADE"), index=True
    )
    text: Mapped[str]
    minutes: Mapped[int | None]
    """Of a session; null: a remark."""
    author: Mapped[str]
    written_at: Mapped[datetime] = mapped_column(default=now)

    plan: Mapped[CoachingPlan] = relationship(back_populates="notes")
