"""Tables of imports: batches, pending rows, before-images, and due work on the lake."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Base, Numbered, now, reference

ImportedRow = data.declare(data.Json, data.RECORD, data.CUSTOMER, data.ADVISOR, if_named=data.ROW)
"""Row of a file, or of a table before an import."""
ImportedKey = data.declare(str, data.RECORD, data.ADVISOR, if_named=data.ROW)


class ImportBatch(Base, holds=data.NOBODY):
    """Imported file: `started` before the lake, `done` after; a start alone is resumed."""

    id: Mapped[data.Code] = mapped_column(primary_key=True)
    kind: Mapped[data.Code]
    file_name: Mapped[data.FreeText]
    digest: Mapped[data.Code] = mapped_column(index=True)
    system: Mapped[data.Code]
    profile: Mapped[data.Code]
    options: Mapped[data.WordingJson]
    """Options that change the reading; same digest and options are the same import."""
    state: Mapped[data.Code] = mapped_column(default="started", index=True)
    """started · done · failed · undone"""
    counts: Mapped[data.Facts] = mapped_column(default=dict)
    mapping: Mapped[data.WordingJson] = mapped_column(default=dict)
    decisions: Mapped[data.RecordList] = mapped_column(default=list)
    quarantine: Mapped[data.Code | None]
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]
    actor: Mapped[data.Username]
    started_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]


class WaitingRow(Numbered, holds=data.Stored(data.PERSONS, "waiting_rows")):
    """Survey, tracking or evaluation row whose contact has not come, or a leg of a
    contact that may have others in other files. `joined_by`: the batch that joined it.
    """

    batch_id: Mapped[data.Seal] = reference("import_batch.id", "CASCADE", index=True)
    kind: Mapped[data.Code]
    row_key: Mapped[ImportedKey] = mapped_column(unique=True)
    contact_id: Mapped[data.ContactId | None] = mapped_column(index=True)
    tracking_number: Mapped[data.Code | None] = mapped_column(index=True)
    happened_at: Mapped[datetime | None]
    content: Mapped[ImportedRow]
    joined_by: Mapped[data.Code | None] = mapped_column(index=True)


class BeforeImage(Numbered, holds=data.Stored(data.PERSONS, "before_images")):
    """State of a record before a batch changed it (null: it did not exist)."""

    __table_args__ = (sa.UniqueConstraint("batch_id", "object", "key"),)

    batch_id: Mapped[data.Seal] = reference("import_batch.id", "CASCADE", index=True)
    object: Mapped[data.Code]
    """evaluation · advisor · team · site · grid"""
    key: Mapped[ImportedKey]
    content: Mapped[ImportedRow | None] = mapped_column(sa.JSON(none_as_null=True))


class SavedMapping(Base, holds=data.NOBODY):
    """Mapping of columns saved under a name, with its options."""

    name: Mapped[data.Wording] = mapped_column(primary_key=True)
    kind: Mapped[data.Code]
    content: Mapped[data.WordingJson]
    saved_by: Mapped[data.Username]
    saved_at: Mapped[datetime] = mapped_column(default=now)


class ConfirmedReading(Base, holds=data.NOBODY):
    """Reading of files of one layout, confirmed by a person or still to be confirmed."""

    layout: Mapped[data.Code] = mapped_column(primary_key=True)
    kind: Mapped[data.Code]
    system: Mapped[data.Code]
    mapping: Mapped[data.WordingJson]
    """Field → header that it is read from; a later file must have all of these headers."""
    headers: Mapped[data.WordingList]
    options: Mapped[data.WordingJson]
    """Answers of the person, and what was inferred of dates, units and scales."""
    words: Mapped[data.WordingJson]
    """Words of outcome, direction, yes or no that the confirmation covers, by header."""
    facts: Mapped[data.WordingJson]
    """Counts by fact; no rows, no samples."""
    printed: Mapped[data.Codes]
    """Headline counts that were printed while the reading waits."""
    waiting: Mapped[data.Wording | None]
    """Watched file that waits for the confirmation."""
    batch_id: Mapped[data.Code | None] = mapped_column(index=True)
    """The import that was confirmed; null where the layout was known before."""
    confirmed_by: Mapped[data.Username | None]
    confirmed_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(default=now)


CENTRE_RULES = "conventions"
"""Due work: applying the centre's rules to everything stored."""

PUBLICATIONS = "publications"
"""Due work: publishing postponed evaluations."""

ACCREDITED = "accredited evaluations"
"""Due work: writing imported evaluations that waited for an accreditation."""

ALERTS = "alerts"
"""Due work: evaluating the alert rules."""

PURGE = "purge"
"""Due work: deleting what is past its retention."""

AFTER_IMPORT = (PUBLICATIONS, ALERTS, PURGE)
"""Due work that follows every import and undo, in order (`upkeep.after_import`)."""


class DueWork(Base, holds=data.NOBODY):
    """Due work of a decision or failure, noted in its transaction: a kill forgets nothing."""

    name: Mapped[data.Code] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime] = mapped_column(default=now)
