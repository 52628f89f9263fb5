"""Tables of listening: legal gates, recordings, draws, disputes, calibration, coaching."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Base, Numbered, now, of_advisor, parts, reference

Audio = data.declare(str, data.AUDIO, data.CUSTOMER, data.ADVISOR, on_erasure=data.BLANK)
Waveform = data.declare(list[Any], data.AUDIO, data.CUSTOMER, data.ADVISOR, on_erasure=data.BLANK)
ByAdvisor = data.declare(data.Json, data.IDENTIFIER, data.ADVISOR, on_erasure=data.CUT)
RecordingClassName = data.declare(str, data.FACT, kind="sealed_recordings")
UNTIL_CLOSED = "proof of who could listen; anonymous once the account is erased"
OPEN = ("waiting", "started")
"""States of a drawn contact that is not evaluated yet."""
WHO_LISTENS = data.Stored((data.ACCOUNT,), because=UNTIL_CLOSED, needs_reason=False)


class GateValue(Numbered, holds=data.NOBODY):
    """Value entered for a legal gate (docs/compliance.md, R1–R4); the newest of a name holds."""

    name: Mapped[data.Code] = mapped_column(index=True)
    value: Mapped[data.Wording]
    set_by: Mapped[data.Username]
    set_at: Mapped[datetime] = mapped_column(default=now)


class ConfirmedEvaluator(Base, holds=WHO_LISTENS):
    """Person without an account whose evaluations may be imported: `name` as it is compared,
    `title` as it was written.
    """

    name: Mapped[data.OwnUsername] = mapped_column(primary_key=True)
    title: Mapped[data.Code]
    reason: Mapped[data.FreeText]
    confirmed_by: Mapped[data.Username]
    confirmed_at: Mapped[datetime] = mapped_column(default=now)


class Accreditation(Numbered, holds=WHO_LISTENS):
    """Accreditation to listen for these purposes, through `ends_on`; ended early, not deleted."""

    username: Mapped[data.Username | None] = reference("account.username", "CASCADE", index=True)
    evaluator: Mapped[data.OwnUsername | None] = reference(
        "confirmed_evaluator.name", "CASCADE", index=True
    )
    """One of both: an account, or a person who was confirmed."""
    purposes: Mapped[data.Codes]
    """Subset of training · evaluation · quality"""
    reason: Mapped[data.FreeText | None]
    """Why it begins before it was given; null: it does not."""
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    given_by: Mapped[data.Username]
    given_at: Mapped[datetime] = mapped_column(default=now)
    ended_by: Mapped[data.Username | None]
    ended_at: Mapped[datetime | None]


class AdvisorNotice(Numbered, holds=data.Stored((data.ADVISOR,), "leavers", part_of="advisor_id")):
    """Notice of recording and listening given to an advisor, and its day."""

    advisor_id: Mapped[data.OwnAdvisorId] = of_advisor()
    informed_on: Mapped[date]
    entered_by: Mapped[data.Username]
    entered_at: Mapped[datetime] = mapped_column(default=now)


class Recording(
    Numbered, holds=data.Stored((data.CUSTOMER, data.ADVISOR), "deleted_recordings", "deleted_at")
):
    """Audio of one contact, encrypted in its own file. A deleted one keeps its row as proof."""

    __table_args__ = (sa.Index("ix_recording_contact", "source_system", "contact_id"),)

    source_system: Mapped[data.Code]
    contact_id: Mapped[data.ContactId]
    advisor_id: Mapped[data.AdvisorId | None] = of_advisor("SET NULL")
    team: Mapped[data.Code | None]
    local_day: Mapped[date] = mapped_column(index=True)
    """Day of the contact; with `team` and `advisor_id`, decides the scope of a reader."""
    purpose: Mapped[data.Code]
    """One or more of training · evaluation · quality, separated by commas; or `kept_as`"""
    kept_as: Mapped[RecordingClassName | None]
    """Class of a longer obligation (docs/compliance.md, R23): sealed; null: kept for quality."""
    file_name: Mapped[Audio | None] = mapped_column(unique=True)
    """Under QA_HOME/recordings; null once deleted."""
    digest: Mapped[data.Seal]
    """HMAC of the clear audio: recognises the same file without revealing it."""
    media_type: Mapped[data.Code]
    clear_bytes: Mapped[int]
    seconds: Mapped[float]
    peaks: Mapped[Waveform | None] = mapped_column(sa.JSON(none_as_null=True))
    """Waveform, 0–100 per slice; null once deleted."""
    recorded_at: Mapped[datetime]
    delete_after: Mapped[datetime]
    """End of the day, in the centre's time, by which it is deleted."""
    batch_id: Mapped[data.Seal | None] = mapped_column(index=True)
    stored_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None]
    deleted_because: Mapped[data.Code | None]
    """undone · expired · objected · no_notice · stopped_by_advisor · private_line ·
    excluded · erased · by_hand
    """


QUALITY = Recording.kept_as.is_(None)
"""Predicate of the recordings that are kept for quality, and not sealed (R23)."""


class SealedOpening(
    Numbered,
    holds=data.Stored((data.CUSTOMER, data.ADVISOR), "deleted_recordings", part_of="recording_id"),
):
    """Opening of a sealed recording: the data protection officer asks, a manager confirms."""

    recording_id: Mapped[int] = reference("recording.id", "CASCADE", index=True)
    reason: Mapped[data.ContactText]
    asked_by: Mapped[data.Username]
    asked_at: Mapped[datetime] = mapped_column(default=now)
    confirmed_by: Mapped[data.Username | None]
    confirmed_at: Mapped[datetime | None]


class Playback(Numbered, holds=data.Stored((data.ADVISOR, data.ACCOUNT), "playbacks", "played_at")):
    """Playback: who listened to what, and why; advisors see it, and rates count it."""

    recording_id: Mapped[int] = reference("recording.id", "CASCADE", index=True)
    source_system: Mapped[data.Code]
    contact_id: Mapped[data.ContactId]
    advisor_id: Mapped[data.OwnAdvisorId | None] = of_advisor("SET NULL")
    username: Mapped[data.Username] = mapped_column(index=True)
    purpose: Mapped[data.Code]
    """training · evaluation · quality · targeted · calibration · own (an advisor's own call)"""
    reason: Mapped[data.ContactText]
    played_at: Mapped[datetime] = mapped_column(default=now)
    ticket: Mapped[data.Seal | None] = mapped_column(unique=True)
    """The link that was used: one link is one listening, also across servers."""


class ListeningPlan(Numbered, holds=data.Stored((), "draws")):
    """Listening plan: evaluators, amounts, advisors, purpose (docs/contract.md, section 7)."""

    name: Mapped[data.Wording] = mapped_column(unique=True)
    purpose: Mapped[data.Code]
    """training · evaluation · quality; targeted: picked by hand, no score counts it."""
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    grid_key: Mapped[data.Code]
    per_advisor: Mapped[int]
    maximum_per_advisor: Mapped[int]
    """Most playbacks in the months that the period touches, all plans together."""
    strata: Mapped[data.Codes] = mapped_column(default=list)
    """Subset of channel · queue · duration · hour · weekday"""
    filters: Mapped[data.RecordJson] = mapped_column(default=dict)
    """Dimension → values: team, queue, channel, reason; minimum_seconds, maximum_seconds"""
    evaluators: Mapped[data.Usernames] = mapped_column(default=list)
    most_per_evaluator: Mapped[int | None]
    due_on: Mapped[date | None]
    publish_after_days: Mapped[int] = mapped_column(default=0)
    dispute_days: Mapped[int] = mapped_column(default=14)
    """Days after publication in which an advisor may dispute."""
    created_by: Mapped[data.Username]
    created_at: Mapped[datetime] = mapped_column(default=now)
    closed_by: Mapped[data.Username | None]
    closed_at: Mapped[datetime | None]

    draws: Mapped[list[Draw]] = parts("plan", passive_deletes=True)


class Draw(Numbered, holds=data.Stored((), "draws", "drawn_at")):
    """Seeded draw of a plan, with all that is needed to repeat it and to judge its fairness."""

    plan_id: Mapped[int] = reference("listening_plan.id", "CASCADE", index=True)
    seed: Mapped[int]
    lake_version: Mapped[data.Code]
    """Lake version of the contacts when drawn."""
    frame: Mapped[int]
    """Number of contacts that could have been drawn."""
    frame_digest: Mapped[data.Code]
    """SHA-256 over advisors, strata and sums over keys: identifies the sampling frame."""
    excluded: Mapped[data.Facts]
    """Reason → number of contacts outside the sampling frame"""
    short: Mapped[ByAdvisor]
    """Advisor → number of missing contacts"""
    frame_shares: Mapped[data.Facts]
    """Dimension → {values: [[value, contacts in the frame, expected in the sample,
    drawn, deviation]], p_value, is_simulated}
    """
    drawn_by: Mapped[data.Username]
    drawn_at: Mapped[datetime] = mapped_column(default=now)

    plan: Mapped[ListeningPlan] = relationship(back_populates="draws")
    contacts: Mapped[list[DrawnContact]] = parts("draw", passive_deletes=True)


class DrawnContact(Numbered, holds=data.Stored((data.ADVISOR,), "draws", part_of="draw_id")):
    """Contact drawn for an evaluator. A replaced one keeps the reason and names its replacement."""

    __table_args__ = (sa.Index("ix_drawn_contact_contact", "source_system", "contact_id"),)

    draw_id: Mapped[int] = reference("draw.id", "CASCADE", index=True)
    position: Mapped[int]
    """Place in the order drawn, from 1."""
    source_system: Mapped[data.Code]
    contact_id: Mapped[data.ContactId]
    advisor_id: Mapped[data.AdvisorId | None] = of_advisor("SET NULL")
    team: Mapped[data.Code | None]
    local_start: Mapped[datetime] = mapped_column(sa.DateTime())
    """Wall clock of the centre, as in the lake."""
    stratum: Mapped[data.RecordJson] = mapped_column(default=dict)
    evaluator: Mapped[data.Username | None] = mapped_column(index=True)
    """Account that listens; null for a calibration."""
    due_on: Mapped[date | None]
    state: Mapped[data.Code] = mapped_column(default="waiting")
    """waiting · started · done · replaced"""
    replaced_because: Mapped[data.Code | None]
    """no_audio · inaudible · not_a_conversation · private · knows_the_customer · other"""
    replaced_by: Mapped[int | None] = reference("drawn_contact.id", "SET NULL")

    draw: Mapped[Draw] = relationship(back_populates="contacts")


class TimedComment(
    Numbered, holds=data.Stored((data.ADVISOR,), "evaluations", part_of="evaluation_id")
):
    """Comment at a moment of a recording, on one evaluation."""

    evaluation_id: Mapped[int] = reference("evaluation.id", "CASCADE", index=True)
    seconds: Mapped[float]
    criterion: Mapped[data.Criterion | None]
    text: Mapped[data.ContactNote]
    author: Mapped[data.Username]
    written_at: Mapped[datetime] = mapped_column(default=now)


class EvaluationRevision(
    Numbered, holds=data.Stored((data.ADVISOR,), "evaluations", part_of="evaluation_id")
):
    """Evaluation before an amendment: the original is always kept."""

    __table_args__ = (sa.UniqueConstraint("evaluation_id", "version"),)

    evaluation_id: Mapped[int] = reference("evaluation.id", "CASCADE", index=True)
    version: Mapped[int]
    content: Mapped[data.ContactJson]
    """{score, calculated_score, outcome, comment, answers: [{criterion, section,
    earned, possible, applied_weight, applicable, comment}]}
    """
    reason: Mapped[data.ContactText]
    """amended · disputed, and the words of the author"""
    replaced_by: Mapped[data.Username]
    replaced_at: Mapped[datetime] = mapped_column(default=now)


class Dispute(Numbered, holds=data.Stored((data.ADVISOR,), "evaluations", part_of="evaluation_id")):
    """Dispute of one criterion by the advisor, and its decision."""

    __table_args__ = (sa.UniqueConstraint("evaluation_id", "criterion"),)

    evaluation_id: Mapped[int] = reference("evaluation.id", "CASCADE", index=True)
    criterion: Mapped[data.Criterion]
    original: Mapped[float | None]
    """Points that were disputed; null: not applicable."""
    proposed: Mapped[float | None]
    """Points the advisor asks for; null: not applicable."""
    reason: Mapped[data.ContactText]
    raised_by: Mapped[data.Username]
    raised_at: Mapped[datetime] = mapped_column(default=now)
    decision: Mapped[data.Code | None]
    """keep · accept · third"""
    decided: Mapped[float | None]
    """Points after the decision; null: not applicable, or not decided."""
    decision_reason: Mapped[data.ContactText | None]
    decided_by: Mapped[data.Username | None]
    decided_at: Mapped[datetime | None]


class Calibration(Numbered, holds=data.Stored((), "calibrations", "opened_at")):
    """Calibration session: evaluators score the same contacts blind; KPIs never count it."""

    title: Mapped[data.FreeText]
    grid_id: Mapped[int] = reference("grid.id")
    evaluators: Mapped[data.Usernames]
    due_on: Mapped[date | None]
    opened_by: Mapped[data.Username]
    opened_at: Mapped[datetime] = mapped_column(default=now)
    closed_by: Mapped[data.Username | None]
    closed_at: Mapped[datetime | None]

    contacts: Mapped[list[CalibrationContact]] = parts("calibration", passive_deletes=True)


class CalibrationContact(
    Numbered, holds=data.Stored((data.ADVISOR,), "calibrations", part_of="calibration_id")
):
    """Contact of a calibration, its reference evaluation, and the answers agreed on afterwards."""

    __table_args__ = (sa.UniqueConstraint("calibration_id", "source_system", "contact_id"),)

    calibration_id: Mapped[int] = reference("calibration.id", "CASCADE", index=True)
    source_system: Mapped[data.Code]
    contact_id: Mapped[data.ContactId]
    advisor_id: Mapped[data.AdvisorId | None] = of_advisor("SET NULL")
    team: Mapped[data.Code | None]
    local_start: Mapped[datetime] = mapped_column(sa.DateTime())
    reference_evaluator: Mapped[data.Username | None]
    consensus: Mapped[data.ContactJson | None] = mapped_column(sa.JSON(none_as_null=True))
    """{answers: {key: points or "na"}, note, by, at}"""

    calibration: Mapped[Calibration] = relationship(back_populates="contacts")


class CoachingPlan(Numbered, holds=data.Stored((data.ADVISOR,), "coaching", "opened_at")):
    """Coaching plan of an advisor with their lead: goal on criteria, source, due date."""

    advisor_id: Mapped[data.OwnAdvisorId] = of_advisor()
    given_advisor_id: Mapped[data.AdvisorId | None]
    """Advisor it was opened for, where that one was merged into another; else null."""
    team: Mapped[data.Code | None]
    """Team of the advisor when it was opened."""
    local_day: Mapped[date]
    """Day it was opened; with `team`, decides the scope of a reader."""
    goal: Mapped[data.AdvisorText]
    criteria: Mapped[data.Criteria] = mapped_column(default=list)
    evaluations: Mapped[data.Codes] = mapped_column(default=list)
    """Ids of the evaluations that it came from."""
    starts_on: Mapped[date]
    due_on: Mapped[date | None]
    state: Mapped[data.Code] = mapped_column(default="open")
    """open · reached · stopped"""
    version: Mapped[int] = mapped_column(default=1)
    opened_by: Mapped[data.Username]
    opened_at: Mapped[datetime] = mapped_column(default=now)
    ended_on: Mapped[date | None]

    notes: Mapped[list[CoachingNote]] = parts(
        "plan", passive_deletes=True, order_by="CoachingNote.id"
    )


class CoachingNote(Numbered, holds=data.Stored((data.ADVISOR,), "coaching", part_of="plan_id")):
    """Session or remark on a coaching plan, by the lead or the advisor."""

    plan_id: Mapped[int] = reference("coaching_plan.id", "CASCADE", index=True)
    text: Mapped[data.AdvisorText]
    minutes: Mapped[int | None]
    """Length of a session; null: a remark."""
    author: Mapped[data.Username]
    written_at: Mapped[datetime] = mapped_column(default=now)

    plan: Mapped[CoachingPlan] = relationship(back_populates="notes")
