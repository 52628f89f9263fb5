"""Tables of the centre's rules: merged names, opening hours, numbers of campaigns."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from qa_core.storage.records.base import Base, now, reference


class NameDecision(Base):
    """Decision that two names mean the same (`spelling` counts as `kept`) or, `is_same`
    false, that they differ. For advisors the names are their ids. Undone, every fact
    reads as its source said.
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
    """Opening span on a weekday (1: Monday), site's clock; rows of the latest `starts_on` hold."""

    __tablename__ = "opening_hours"

    id: Mapped[int] = mapped_column(primary_key=True)
    site_name: Mapped[str] = reference("site.name", "CASCADE", onupdate="CASCADE", index=True)
    starts_on: Mapped[date | None]
    weekday: Mapped[int]
    opens_at: Mapped[str]
    """HH:MM"""
    closes_at: Mapped[str]
    """HH:MM, exclusive; 24:00 is midnight"""


class SiteCalendar(Base):
    """Public holidays of a site: country and region, as the library `holidays` names them."""

    __tablename__ = "site_calendar"

    site_name: Mapped[str] = reference("site.name", "CASCADE", onupdate="CASCADE", primary_key=True)
    country: Mapped[str]
    region: Mapped[str | None]


class ClosedDay(Base):
    """Day on which a site is closed although its hours say otherwise."""

    __tablename__ = "closed_day"

    site_name: Mapped[str] = reference("site.name", "CASCADE", onupdate="CASCADE", primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)


class TrackingAssignment(Base):
    """Campaign of a tracking number from `starts_on` (null: always) to before `ends_on`."""

    __tablename__ = "tracking_assignment"

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[str] = reference("import_batch.id", "CASCADE", index=True)
    tracking_number: Mapped[str]
    source: Mapped[str | None]
    medium: Mapped[str | None]
    campaign: Mapped[str | None]
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
