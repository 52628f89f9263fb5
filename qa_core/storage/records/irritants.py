"""Tables of the action list of irritants."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Base, Numbered, now, parts, reference


class Irritant(Numbered, holds=data.Stored((), "notes", "opened_at")):
    """Irritant on the action list: what it was seen from, who handles it, and its progress."""

    kind: Mapped[data.Code]
    """repeats · low_ratings · customer_words · evaluator_words · tags"""
    dimension: Mapped[data.Code | None]
    """reason · queue · wait; null for words"""
    dimension_value: Mapped[data.Wording | None]
    terms: Mapped[data.WordingList] = mapped_column(default=list)
    """One or two terms, as language and stem, or the tag; never a sentence"""
    shown: Mapped[data.Wording] = mapped_column(default="")
    """Most frequent spelling of the words"""
    filters: Mapped[data.RecordList] = mapped_column(default=list)
    """Filters of the page: [dimension, values]"""
    concerns_unassigned: Mapped[bool] = mapped_column(default=False)
    """True where it also concerns what belongs to no team."""
    state: Mapped[data.Code] = mapped_column(default="new")
    """new · looked_at · in_hand · solved · set_aside"""
    owner: Mapped[data.Username | None] = reference("account.username", "SET NULL", index=True)
    due_on: Mapped[date | None]
    note: Mapped[data.FreeText] = mapped_column(default="")
    version: Mapped[int] = mapped_column(default=1)
    """Raised at each change; a change to an older version is refused."""
    opened_by: Mapped[data.Username]
    opened_at: Mapped[datetime] = mapped_column(default=now)

    teams: Mapped[list[IrritantTeam]] = parts("irritant", passive_deletes=True)
    steps: Mapped[list[IrritantStep]] = parts(
        "irritant", passive_deletes=True, order_by="IrritantStep.id"
    )


class IrritantTeam(Base, holds=data.Stored((), "notes", part_of="irritant_id")):
    """Team whose contacts show an irritant: its leads and managers see the entry."""

    irritant_id: Mapped[int] = reference("irritant.id", "CASCADE", primary_key=True)
    team_name: Mapped[data.Code] = reference(
        "team.name", "CASCADE", onupdate="CASCADE", primary_key=True, index=True
    )

    irritant: Mapped[Irritant] = relationship(back_populates="teams")


class IrritantStep(Numbered, holds=data.Stored((), "notes", part_of="irritant_id")):
    """State that an irritant reached, when, and by whom."""

    irritant_id: Mapped[int] = reference("irritant.id", "CASCADE", index=True)
    state: Mapped[data.Code]
    taken_by: Mapped[data.Username]
    taken_at: Mapped[datetime] = mapped_column(default=now)

    irritant: Mapped[Irritant] = relationship(back_populates="steps")
