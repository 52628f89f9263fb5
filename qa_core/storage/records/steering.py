"""Tables of settings, targets, notes, alerts and irritants."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa_core.storage.records.base import Base, now


class SettingValue(Base):
    """Value of a setting and the day from which it holds (null: always). The newest
    entry for a day wins.
    """

    __tablename__ = "setting_value"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    value: Mapped[str]
    valid_from: Mapped[date | None]
    set_by: Mapped[str]
    set_at: Mapped[datetime] = mapped_column(default=now)


class Target(Base):
    """Target of a KPI, for the whole centre or one value of one dimension, in a period."""

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
    """Note on what happened at the centre, or in one site, team or queue, on a day or a
    span of days (inclusive).
    """

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
    """Alert rule of a KPI: for the whole centre, one value of a dimension, or
    (`dimension_value` null) each of its values. Ended, not deleted.
    """

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
    """Alert of one rule on one slice: from the first period that fired to the last
    before enough clear periods.
    """

    __tablename__ = "alert_event"
    __table_args__ = (sa.Index("ix_alert_event_state", "state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    rule_id: Mapped[int] = mapped_column(
        sa.ForeignKey("alert_rule.id", ondelete="CASCADE"), index=True
    )
    dimension_value: Mapped[str | None]
    first_day: Mapped[date]
    """First day of the first period that fired."""
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    """End of the last period that fired; the numbers are of that one."""
    fired: Mapped[str]
    """threshold · beyond_limit · two_of_three · run · target"""
    side: Mapped[int]
    value: Mapped[float]
    low: Mapped[float | None]
    high: Mapped[float | None]
    n: Mapped[float | None]
    reference: Mapped[float | None]
    """Threshold, limit, usual level or target that the value is compared with."""
    first_seen: Mapped[datetime] = mapped_column(default=now)
    last_seen: Mapped[datetime] = mapped_column(default=now)
    state: Mapped[str] = mapped_column(default="open")
    """open · acknowledged · closed"""
    acknowledged_by: Mapped[str | None]
    acknowledged_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]


class Irritant(Base):
    """Irritant on the action list: what it was seen from, who handles it, and its progress."""

    __tablename__ = "irritant"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """repeats · low_ratings · customer_words · evaluator_words · tags"""
    dimension: Mapped[str | None]
    """reason · queue · wait; null for words"""
    dimension_value: Mapped[str | None]
    terms: Mapped[list[Any]] = mapped_column(default=list)
    """One or two terms, as language and stem, or the tag; never a sentence"""
    shown: Mapped[str] = mapped_column(default="")
    """Most frequent spelling of the words"""
    filters: Mapped[list[Any]] = mapped_column(default=list)
    """Filters of the page: [dimension, values]"""
    concerns_unassigned: Mapped[bool] = mapped_column(default=False)
    """Whether it also concerns what belongs to no team"""
    state: Mapped[str] = mapped_column(default="new")
    """new · looked_at · in_hand · solved · set_aside"""
    owner: Mapped[str | None] = mapped_column(
        sa.ForeignKey("account.username", ondelete="SET NULL"), index=True
    )
    due_on: Mapped[date | None]
    note: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column(default=1)
    """Raised at each change: who saved an older one is told"""
    opened_by: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(default=now)

    teams: Mapped[list[IrritantTeam]] = relationship(
        back_populates="irritant", cascade="all, delete-orphan", passive_deletes=True
    )
    steps: Mapped[list[IrritantStep]] = relationship(
        back_populates="irritant",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="IrritantStep.id",
    )


class IrritantTeam(Base):
    """Team whose contacts show an irritant: its leads and managers see the entry."""

    __tablename__ = "irritant_team"

    irritant_id: Mapped[int] = mapped_column(
        sa.ForeignKey("irritant.id", ondelete="CASCADE"), primary_key=True
    )
    team_name: Mapped[str] = mapped_column(
        sa.ForeignKey("team.name", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
        index=True,
    )

    irritant: Mapped[Irritant] = relationship(back_populates="teams")


class IrritantStep(Base):
    """State that an irritant reached, when, and by whom."""

    __tablename__ = "irritant_step"

    id: Mapped[int] = mapped_column(primary_key=True)
    irritant_id: Mapped[int] = mapped_column(
        sa.ForeignKey("irritant.id", ondelete="CASCADE"), index=True
    )
    state: Mapped[str]
    taken_by: Mapped[str]
    taken_at: Mapped[datetime] = mapped_column(default=now)

    irritant: Mapped[Irritant] = relationship(back_populates="steps")
