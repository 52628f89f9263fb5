"""Tables of the centre's rules: merged names, opening hours, numbers of campaigns."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Base, Numbered, now, reference

DecidedName = data.declare(str, data.IDENTIFIER, data.ADVISOR, only=("kind", ("advisor",)))


class NameDecision(Numbered, holds=data.NOBODY):
    """Decision that two names mean the same (`spelling` counts as `kept`) or, `is_same`
    false, that they differ. For advisors the names are their ids. Undone, every fact
    reads as its source said.
    """

    __table_args__ = (sa.Index("ix_name_decision_spelling", "kind", "spelling"),)

    kind: Mapped[data.Code]
    """advisor · queue · reason · campaign"""
    spelling: Mapped[DecidedName]
    kept: Mapped[DecidedName]
    is_same: Mapped[bool] = mapped_column(default=True)
    decided_by: Mapped[data.Username]
    decided_at: Mapped[datetime] = mapped_column(default=now)
    undone_by: Mapped[data.Username | None]
    undone_at: Mapped[datetime | None]


class OpeningHours(Numbered, holds=data.NOBODY):
    """Opening span on a weekday (1: Monday), site's clock; rows of the latest `starts_on` hold."""

    site_name: Mapped[data.Code] = reference("site.name", "CASCADE", onupdate="CASCADE", index=True)
    starts_on: Mapped[date | None]
    weekday: Mapped[int]
    opens_at: Mapped[data.Code]
    """HH:MM"""
    closes_at: Mapped[data.Code]
    """HH:MM, exclusive; 24:00 is midnight"""


class SiteCalendar(Base, holds=data.NOBODY):
    """Public holidays of a site: country and region, as the library `holidays` names them."""

    site_name: Mapped[data.Code] = reference(
        "site.name", "CASCADE", onupdate="CASCADE", primary_key=True
    )
    country: Mapped[data.Code]
    region: Mapped[data.Code | None]


class ClosedDay(Base, holds=data.NOBODY):
    """Day on which a site is closed although its hours say otherwise."""

    site_name: Mapped[data.Code] = reference(
        "site.name", "CASCADE", onupdate="CASCADE", primary_key=True
    )
    day: Mapped[date] = mapped_column(primary_key=True)


class TrackingAssignment(Numbered, holds=data.NOBODY):
    """Campaign of a tracking number from `starts_on` (null: always) to before `ends_on`."""

    batch_id: Mapped[data.Code] = reference("import_batch.id", "CASCADE", index=True)
    tracking_number: Mapped[data.Code]
    source: Mapped[data.Code | None]
    medium: Mapped[data.Code | None]
    campaign: Mapped[data.Code | None]
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
