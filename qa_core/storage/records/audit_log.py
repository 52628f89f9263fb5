"""Table of the audit log."""

from sqlalchemy.orm import Mapped, mapped_column

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Base

LOG_STAYS = "the log cannot be changed; it goes at the end of its period (GDPR art. 17(3)(b))"
LoggedName = data.declare(
    str, data.IDENTIFIER, data.ACCOUNT, on_erasure=data.KEEP, because=LOG_STAYS
)
LoggedText = data.declare(str, data.TEXT, data.ACCOUNT, on_erasure=data.KEEP, because=LOG_STAYS)
LoggedObject = data.declare(str, data.RECORD, data.ACCOUNT, on_erasure=data.KEEP, because=LOG_STAYS)


class JournalRow(Base, holds=data.Stored((data.ACCOUNT,), "journal")):
    """Act. Written by `audit_log.record` only, never changed: `mac` seals it and the row before."""

    __tablename__ = "journal"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[data.Code]
    actor: Mapped[LoggedName] = mapped_column(index=True)
    action: Mapped[data.Code] = mapped_column(index=True)
    object: Mapped[LoggedObject]
    reason: Mapped[LoggedText]
    mac: Mapped[data.Seal]
