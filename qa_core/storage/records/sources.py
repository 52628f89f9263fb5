"""Tables of the sources that are pulled: each source, and a window for each of its days."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Base, Numbered, now, reference


class PulledSource(Base, holds=data.NOBODY):
    """Tool that is pulled. Its secret is a file of the secrets, `source-NAME`."""

    name: Mapped[data.Code] = mapped_column(primary_key=True)
    platform: Mapped[data.Code]
    kind: Mapped[data.Code]
    address: Mapped[data.Code]
    """Address without a password: of an API, a database or a folder."""
    statement: Mapped[data.Wording | None]
    """SELECT of a database, with `:since` and `:until`."""
    options: Mapped[data.WordingJson] = mapped_column(default=dict)
    """Options of the import: system, profile, timezone."""
    since: Mapped[date]
    created_by: Mapped[data.Username]
    created_at: Mapped[datetime] = mapped_column(default=now)


class SourceWindow(Numbered, holds=data.NOBODY):
    """A day of a source, by the clock of the centre: what the platform has, and what came."""

    __table_args__ = (sa.UniqueConstraint("source", "day"),)

    source: Mapped[data.Code] = reference("pulled_source.name", "CASCADE")
    day: Mapped[date]
    state: Mapped[data.Code] = mapped_column(default="due")
    """due · reading · open · complete · read · gap · failed · waiting · undone"""
    cause: Mapped[data.Code | None]
    attempts: Mapped[int] = mapped_column(default=0)
    fetched: Mapped[int | None]
    expected: Mapped[int | None]
    """Number that the platform states; null where it states none, or was not reached."""
    counts: Mapped[data.Facts] = mapped_column(default=dict)
    """Counts of the import (new, updated, unchanged, rejected, gone), why it refused a file."""
    read_at: Mapped[datetime | None]
    """Start of the last reading that reached its end."""
    next_at: Mapped[datetime | None] = mapped_column(default=now, index=True)
    """Moment of the next reading; null: the day is settled, or undone."""
