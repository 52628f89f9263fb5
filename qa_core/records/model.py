"""The tables of the records. Times are UTC; names of teams and sites are their keys, as in the lake."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class UtcDateTime(sa.types.TypeDecorator):
    """A moment: aware UTC in Python, on every database."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return value.astimezone(UTC).replace(tzinfo=None) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime(), dict[str, Any]: sa.JSON(), list[Any]: sa.JSON(), str: sa.Text()}


class Site(Base):
    __tablename__ = "site"

    name: Mapped[str] = mapped_column(primary_key=True)


class Team(Base):
    """A team; without a site it belongs to the part of the centre that no site claims."""

    __tablename__ = "team"

    name: Mapped[str] = mapped_column(primary_key=True)
    site_name: Mapped[str | None] = mapped_column(sa.ForeignKey("site.name", onupdate="CASCADE"), index=True)


class Advisor(Base):
    """A person who answers contacts. `advisor_id` is what contacts carry; it may be the name where a file knows no other."""

    __tablename__ = "advisor"

    advisor_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by_batch: Mapped[str | None]

    aliases: Mapped[list[AdvisorAlias]] = relationship(back_populates="advisor", cascade="all, delete-orphan")
    memberships: Mapped[list[Membership]] = relationship(back_populates="advisor", cascade="all, delete-orphan")


class AdvisorAlias(Base):
    """Another spelling, extension or id under which a tool knows the advisor; `key` is its folded form, unique."""

    __tablename__ = "advisor_alias"

    key: Mapped[str] = mapped_column(primary_key=True)
    alias: Mapped[str]
    advisor_id: Mapped[str] = mapped_column(sa.ForeignKey("advisor.advisor_id", ondelete="CASCADE", onupdate="CASCADE"), index=True)

    advisor: Mapped[Advisor] = relationship(back_populates="aliases")


class Membership(Base):
    """An advisor's time in a team: from `starts_on` (null: always) until the day before `ends_on` (null: still)."""

    __tablename__ = "membership"

    id: Mapped[int] = mapped_column(primary_key=True)
    advisor_id: Mapped[str] = mapped_column(sa.ForeignKey("advisor.advisor_id", ondelete="CASCADE", onupdate="CASCADE"), index=True)
    team_name: Mapped[str] = mapped_column(sa.ForeignKey("team.name", onupdate="CASCADE"), index=True)
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]

    advisor: Mapped[Advisor] = relationship(back_populates="memberships")


class Account(Base):
    """A person who may sign in: one role, and what that role is bound to (teams led, sites managed, the advisor they are)."""

    __tablename__ = "account"

    username: Mapped[str] = mapped_column(primary_key=True)
    display_name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str]
    must_change_password: Mapped[bool] = mapped_column(default=False)
    one_time_since: Mapped[datetime | None]
    """When the one-time password was made; null: the person's own."""
    active: Mapped[bool] = mapped_column(default=True)
    demo: Mapped[bool] = mapped_column(default=False)
    token_version: Mapped[int] = mapped_column(default=1)
    language: Mapped[str | None]
    advisor_id: Mapped[str | None] = mapped_column(sa.ForeignKey("advisor.advisor_id", onupdate="CASCADE"))
    sees_unassigned: Mapped[bool] = mapped_column(default=False)
    """For a manager: also what belongs to no site (contacts without a team, teams without a site)."""
    created_at: Mapped[datetime] = mapped_column(default=now)

    led_teams: Mapped[list[TeamLead]] = relationship(back_populates="account", cascade="all, delete-orphan")
    sites: Mapped[list[ManagedSite]] = relationship(back_populates="account", cascade="all, delete-orphan")


class TeamLead(Base):
    """A team that an account leads, from `starts_on` (null: the beginning) until the day before `ends_on`."""

    __tablename__ = "team_lead"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(sa.ForeignKey("account.username", ondelete="CASCADE"), index=True)
    team_name: Mapped[str] = mapped_column(sa.ForeignKey("team.name", onupdate="CASCADE"))
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]

    account: Mapped[Account] = relationship(back_populates="led_teams")


class ManagedSite(Base):
    __tablename__ = "managed_site"

    username: Mapped[str] = mapped_column(sa.ForeignKey("account.username", ondelete="CASCADE"), primary_key=True)
    site_name: Mapped[str] = mapped_column(sa.ForeignKey("site.name", onupdate="CASCADE"), primary_key=True)

    account: Mapped[Account] = relationship(back_populates="sites")


class LoginSession(Base):
    """A sign-in on one browser. Only hashes are kept: of the 256-bit id in the cookie, and of the browser's own token."""

    __tablename__ = "login_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    username: Mapped[str] = mapped_column(sa.ForeignKey("account.username", ondelete="CASCADE"), index=True)
    token_version: Mapped[int]
    browser_hash: Mapped[str]
    browser_name: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_seen_at: Mapped[datetime] = mapped_column(default=now)
    revoked_at: Mapped[datetime | None]


class SignInThrottle(Base):
    """Failures counted per account (`account:…`) and per address (`address:…`), and until when the next try must wait."""

    __tablename__ = "sign_in_throttle"

    key: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    last_failure_at: Mapped[datetime] = mapped_column(default=now)
    blocked_until: Mapped[datetime | None]


class Grid(Base):
    """One version of an evaluation grid. A published version is never changed; evaluations are pinned to theirs."""

    __tablename__ = "grid"
    __table_args__ = (sa.UniqueConstraint("key", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    title: Mapped[str]
    content: Mapped[dict[str, Any]]
    """The grid file of CONTRACT.md section 6, as read."""
    published_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str | None]
    published_by: Mapped[str | None]
    edition: Mapped[int] = mapped_column(default=1, server_default="1")
    """Raised each time a draft is saved: who saved an older one is told."""


class Evaluation(Base):
    """What one evaluator found in one contact, on one version of a grid.

    Scores are 0–100. `team` and `local_day` are those of the contact (of the evaluation, when no contact is named),
    so that the scope of a reader can be decided here without the lake.
    """

    __tablename__ = "evaluation"
    __table_args__ = (sa.Index("ix_evaluation_contact", "source_system", "contact_id"), sa.Index("ix_evaluation_counted", "state", "kind", "changed_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    external_key: Mapped[str | None] = mapped_column(unique=True)
    """Identity of an imported evaluation, so that the same file again changes nothing."""
    source_system: Mapped[str | None]
    contact_id: Mapped[str | None]
    advisor_id: Mapped[str | None] = mapped_column(sa.ForeignKey("advisor.advisor_id", onupdate="CASCADE"), index=True)
    team: Mapped[str | None]
    local_day: Mapped[date] = mapped_column(index=True)
    evaluator: Mapped[str | None]
    """The username where the evaluator has an account, else the name in the file."""
    evaluated_at: Mapped[datetime]
    grid_id: Mapped[int | None] = mapped_column(sa.ForeignKey("grid.id"))
    grid_name: Mapped[str | None]
    score: Mapped[float | None]
    calculated_score: Mapped[float | None]
    outcome: Mapped[str | None]
    comment: Mapped[str | None]
    """What the evaluator wrote, contact details masked."""
    tags: Mapped[list[Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    state: Mapped[str] = mapped_column(default="published")
    """draft · submitted · published"""
    kind: Mapped[str] = mapped_column(default="scored", server_default="scored")
    """scored (the only one that numbers are made of) · targeted · calibration · self"""
    purpose: Mapped[str] = mapped_column(default="evaluation")
    drawn_id: Mapped[int | None] = mapped_column(sa.ForeignKey("drawn_contact.id", ondelete="SET NULL"), index=True)
    calibration_id: Mapped[int | None] = mapped_column(sa.ForeignKey("calibration.id", ondelete="SET NULL"), index=True)
    answered_evaluation_id: Mapped[int | None] = mapped_column(sa.ForeignKey("evaluation.id", ondelete="CASCADE"), index=True)
    """Of a self-evaluation: the evaluation beside which it stands."""
    draft: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """While it is a draft: {answers: {key: points or "na"}, comments: {key: text}}, complete or not."""
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    """Raised by each change: who saved an older one is told."""
    started_at: Mapped[datetime | None]
    seconds_spent: Mapped[float | None]
    submitted_at: Mapped[datetime | None]
    publish_on: Mapped[date | None]
    """The day from which the advisor sees it, where the plan delays it."""
    published_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    advisor_comment: Mapped[str | None]
    batch_id: Mapped[str | None] = mapped_column(index=True)
    changed_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    given_advisor_id: Mapped[str | None]
    """The advisor that the source names, where that one was merged into another; null: as it stands."""
    given_team: Mapped[str | None]
    """Empty where the source gave no team and the merged advisor's was filled in; null: as it stands."""

    answers: Mapped[list[EvaluationAnswer]] = relationship(back_populates="evaluation", cascade="all, delete-orphan", passive_deletes=True)


class EvaluationAnswer(Base):
    """One criterion of one evaluation, with the weight that was really applied (shares that add up to 1)."""

    __tablename__ = "evaluation_answer"

    evaluation_id: Mapped[int] = mapped_column(sa.ForeignKey("evaluation.id", ondelete="CASCADE"), primary_key=True)
    criterion: Mapped[str] = mapped_column(primary_key=True)
    section: Mapped[str | None]
    earned: Mapped[float | None]
    possible: Mapped[float]
    applied_weight: Mapped[float]
    applicable: Mapped[bool] = mapped_column(default=True)
    comment: Mapped[str | None]

    evaluation: Mapped[Evaluation] = relationship(back_populates="answers")


class ImportBatch(Base):
    """One imported file. It is `started` before the lake is touched and `done` after; a start without an end is resumed."""

    __tablename__ = "import_batch"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    file_name: Mapped[str]
    digest: Mapped[str] = mapped_column(index=True)
    system: Mapped[str]
    profile: Mapped[str]
    options: Mapped[dict[str, Any]]
    """The options that change the reading of the file; the same digest with the same options is the same import."""
    state: Mapped[str] = mapped_column(default="started", index=True)
    """started · done · failed · undone"""
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    mapping: Mapped[dict[str, Any]] = mapped_column(default=dict)
    decisions: Mapped[list[Any]] = mapped_column(default=list)
    quarantine: Mapped[str | None]
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]
    actor: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]


class WaitingRow(Base):
    """A survey, tracking or evaluation row whose contact had not come; `joined_by` is the batch that brought it since. Or a leg of a contact
    that may have others in other files."""

    __tablename__ = "waiting_row"

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[str] = mapped_column(sa.ForeignKey("import_batch.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    row_key: Mapped[str] = mapped_column(unique=True)
    contact_id: Mapped[str | None] = mapped_column(index=True)
    tracking_number: Mapped[str | None] = mapped_column(index=True)
    happened_at: Mapped[datetime | None]
    content: Mapped[dict[str, Any]]
    joined_by: Mapped[str | None] = mapped_column(index=True)


class BeforeImage(Base):
    """What a record was before a batch changed it (null: it did not exist), so that the batch can be undone exactly."""

    __tablename__ = "before_image"
    __table_args__ = (sa.UniqueConstraint("batch_id", "object", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[str] = mapped_column(sa.ForeignKey("import_batch.id", ondelete="CASCADE"), index=True)
    object: Mapped[str]
    """evaluation · advisor · team · site · grid"""
    key: Mapped[str]
    content: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))


class SavedMapping(Base):
    """A mapping of columns that a person saved under a name, with the options that go with it."""

    __tablename__ = "saved_mapping"

    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    content: Mapped[dict[str, Any]]
    saved_by: Mapped[str]
    saved_at: Mapped[datetime] = mapped_column(default=now)


class SettingValue(Base):
    """A value of a setting and the day from which it holds (null: always). The newest entry for a day wins."""

    __tablename__ = "setting_value"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    value: Mapped[str]
    valid_from: Mapped[date | None]
    set_by: Mapped[str]
    set_at: Mapped[datetime] = mapped_column(default=now)


class Target(Base):
    """What a KPI should reach, for the whole centre or one value of one dimension, in a period."""

    __tablename__ = "target"

    id: Mapped[int] = mapped_column(primary_key=True)
    kpi: Mapped[str] = mapped_column(index=True)
    dimension: Mapped[str | None]
    dimension_value: Mapped[str | None]
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
    value: Mapped[float]
    set_by: Mapped[str]
    set_at: Mapped[datetime] = mapped_column(default=now)


class Annotation(Base):
    """What was going on at the centre, or in one site, team or queue, on a day or from one to another (both inclusive), in somebody's words."""

    __tablename__ = "annotation"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    dimension: Mapped[str | None]
    dimension_value: Mapped[str | None]
    starts_on: Mapped[date] = mapped_column(index=True)
    ends_on: Mapped[date]
    author: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class AlertRule(Base):
    """When a KPI needs a look: for the whole centre, one value of a dimension, or (`dimension_value` null) each of its values. Ended, not deleted."""

    __tablename__ = "alert_rule"

    id: Mapped[int] = mapped_column(primary_key=True)
    kpi: Mapped[str]
    kind: Mapped[str]
    """threshold · control · target"""
    grain: Mapped[str]
    """day · week · month"""
    dimension: Mapped[str | None]
    dimension_value: Mapped[str | None]
    side: Mapped[str | None]
    """above · below, of a threshold"""
    threshold: Mapped[float | None]
    periods: Mapped[int] = mapped_column(default=1)
    clear_after: Mapped[int] = mapped_column(default=2)
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    ended_by: Mapped[str | None]
    ended_at: Mapped[datetime | None]


class AlertEvent(Base):
    """A rule that fired for one slice: from the first period to the last that it did, until so many periods were clear."""

    __tablename__ = "alert_event"
    __table_args__ = (sa.Index("ix_alert_event_state", "state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    rule_id: Mapped[int] = mapped_column(sa.ForeignKey("alert_rule.id", ondelete="CASCADE"), index=True)
    dimension_value: Mapped[str | None]
    first_day: Mapped[date]
    """Of the first period in which it fired."""
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    """The last period in which it fired; the numbers are of that one."""
    fired: Mapped[str]
    """threshold · beyond_limit · two_of_three · run · target"""
    side: Mapped[int]
    value: Mapped[float]
    low: Mapped[float | None]
    high: Mapped[float | None]
    n: Mapped[float | None]
    reference: Mapped[float | None]
    """The threshold, limit, usual level or target that the value is held against."""
    first_seen: Mapped[datetime] = mapped_column(default=now)
    last_seen: Mapped[datetime] = mapped_column(default=now)
    state: Mapped[str] = mapped_column(default="open")
    """open · acknowledged · closed"""
    acknowledged_by: Mapped[str | None]
    acknowledged_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]


class Irritant(Base):
    """What annoys customers again and again, put on the action list: what it was seen from, who sees to it, and how far they are."""

    __tablename__ = "irritant"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """repeats · low_ratings · customer_words · evaluator_words · tags"""
    dimension: Mapped[str | None]
    """reason · queue · wait; null for words"""
    dimension_value: Mapped[str | None]
    terms: Mapped[list[Any]] = mapped_column(default=list)
    """The one or two terms, as language and stem, or the tag; never a sentence"""
    shown: Mapped[str] = mapped_column(default="")
    """The words as they are mostly written"""
    filters: Mapped[list[Any]] = mapped_column(default=list)
    """What the page was narrowed to: [dimension, values]"""
    concerns_unassigned: Mapped[bool] = mapped_column(default=False)
    """Also what belongs to no team"""
    state: Mapped[str] = mapped_column(default="new")
    """new · looked_at · in_hand · solved · set_aside"""
    owner: Mapped[str | None] = mapped_column(sa.ForeignKey("account.username", ondelete="SET NULL"), index=True)
    due_on: Mapped[date | None]
    note: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column(default=1)
    """Raised by each change: who saved an older one is told"""
    opened_by: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(default=now)

    teams: Mapped[list[IrritantTeam]] = relationship(back_populates="irritant", cascade="all, delete-orphan", passive_deletes=True)
    steps: Mapped[list[IrritantStep]] = relationship(back_populates="irritant", cascade="all, delete-orphan", passive_deletes=True, order_by="IrritantStep.id")


class IrritantTeam(Base):
    """A team whose contacts an irritant was seen in: who leads or manages it sees the entry."""

    __tablename__ = "irritant_team"

    irritant_id: Mapped[int] = mapped_column(sa.ForeignKey("irritant.id", ondelete="CASCADE"), primary_key=True)
    team_name: Mapped[str] = mapped_column(sa.ForeignKey("team.name", ondelete="CASCADE", onupdate="CASCADE"), primary_key=True, index=True)

    irritant: Mapped[Irritant] = relationship(back_populates="teams")


class IrritantStep(Base):
    """A state that an irritant came into, when, and by whom."""

    __tablename__ = "irritant_step"

    id: Mapped[int] = mapped_column(primary_key=True)
    irritant_id: Mapped[int] = mapped_column(sa.ForeignKey("irritant.id", ondelete="CASCADE"), index=True)
    state: Mapped[str]
    taken_by: Mapped[str]
    taken_at: Mapped[datetime] = mapped_column(default=now)

    irritant: Mapped[Irritant] = relationship(back_populates="steps")


class JournalRow(Base):
    """One act. Written only by `journal.record`, never changed: each row's `mac` seals it and the one before."""

    __tablename__ = "journal"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str]
    actor: Mapped[str] = mapped_column(index=True)
    action: Mapped[str] = mapped_column(index=True)
    object: Mapped[str]
    reason: Mapped[str]
    mac: Mapped[str]


class AccountRequest(Base):
    """What one administrator asked for an account that decides over others, and a second one has to confirm."""

    __tablename__ = "account_request"

    id: Mapped[int] = mapped_column(primary_key=True)
    act: Mapped[str]
    username: Mapped[str] = mapped_column(index=True)
    content: Mapped[dict[str, Any]]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(default=now)
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    confirmed: Mapped[bool | None]


class NameDecision(Base):
    """That two names mean the same (`spelling` is shown as `kept`) or, `is_same` false, that they do not, whatever they look like.

    For advisors the names are their ids. Nothing else is lost: undone, every fact reads as its source said.
    """

    __tablename__ = "name_decision"
    __table_args__ = (sa.Index("ix_name_decision_spelling", "kind", "spelling"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """advisor · queue · reason · campaign"""
    spelling: Mapped[str]
    kept: Mapped[str]
    is_same: Mapped[bool] = mapped_column(default=True)
    decided_by: Mapped[str]
    decided_at: Mapped[datetime] = mapped_column(default=now)
    undone_by: Mapped[str | None]
    undone_at: Mapped[datetime | None]


class OpeningHours(Base):
    """A site is open on that weekday (1: Monday) between two times of its clock; the rows of the latest `starts_on` (null: always) hold together."""

    __tablename__ = "opening_hours"

    id: Mapped[int] = mapped_column(primary_key=True)
    site_name: Mapped[str] = mapped_column(sa.ForeignKey("site.name", ondelete="CASCADE", onupdate="CASCADE"), index=True)
    starts_on: Mapped[date | None]
    weekday: Mapped[int]
    opens_at: Mapped[str]
    """HH:MM"""
    closes_at: Mapped[str]
    """HH:MM, exclusive; 24:00 is midnight"""


class SiteCalendar(Base):
    """Whose public holidays a site keeps: a country and, where they differ inside it, a region, as the library `holidays` names them."""

    __tablename__ = "site_calendar"

    site_name: Mapped[str] = mapped_column(sa.ForeignKey("site.name", ondelete="CASCADE", onupdate="CASCADE"), primary_key=True)
    country: Mapped[str]
    region: Mapped[str | None]


class ClosedDay(Base):
    """A day on which a site is closed although its hours say otherwise."""

    __tablename__ = "closed_day"

    site_name: Mapped[str] = mapped_column(sa.ForeignKey("site.name", ondelete="CASCADE", onupdate="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)


class TrackingAssignment(Base):
    """What a tracking number stood for: from `starts_on` (null: always) until the day before `ends_on` (null: still)."""

    __tablename__ = "tracking_assignment"

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[str] = mapped_column(sa.ForeignKey("import_batch.id", ondelete="CASCADE"), index=True)
    tracking_number: Mapped[str]
    source: Mapped[str | None]
    medium: Mapped[str | None]
    campaign: Mapped[str | None]
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]


CONVENTIONS = "conventions"
"""The due work of bringing all that is stored in line with the conventions of the centre."""
ALERTS = "alerts"
"""The due work of evaluating alert rules, noted where it failed after an import."""


class DueWork(Base):
    """Work that a decision in the records asks for, or that failed; noted in the decision's own transaction, so that nothing killed is forgotten."""

    __tablename__ = "due_work"

    name: Mapped[str] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime] = mapped_column(default=now)
