"""Tables of editions: what executives see of each month, as it was published."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Base, Numbered, now, reference


class Edition(Numbered, holds=data.NOBODY):
    """A month as it was published; the highest number is the one that is read."""

    __table_args__ = (sa.UniqueConstraint("month", "number"),)

    month: Mapped[data.Code]
    number: Mapped[int]
    published_by: Mapped[data.Username]
    published_at: Mapped[datetime] = mapped_column(default=now)
    state: Mapped[data.Code]
    """Digest of the month's files and evaluations: of the state that was published, or of a
    later one that was compared with it.
    """
    salt: Mapped[data.Seal]
    evidence: Mapped[data.WordingList] = mapped_column(deferred=True)
    """[table, dimension, value, [rows, rows of each group of advisors]] of what is shown: what
    a correction is compared with. Empty once the people behind the month are deleted.
    """


class EditionTable(Base, holds=data.NOBODY):
    """One table of an edition: its cells by one dimension ("": the month as a whole)."""

    edition_id: Mapped[int] = reference("edition.id", "CASCADE", primary_key=True)
    dimension: Mapped[data.Code] = mapped_column(primary_key=True)
    entries: Mapped[data.WordingList]
    """[value, KPI, sums]; without sums, the cell is hidden, and nothing is kept of it."""
