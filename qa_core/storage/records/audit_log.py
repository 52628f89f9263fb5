"""Table of the audit log."""

from sqlalchemy.orm import Mapped, mapped_column

from qa_core.storage.records.base import Base


class JournalRow(Base):
    """Act. Written by `audit_log.record` only, never changed: `mac` seals it and the row before."""

    __tablename__ = "journal"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str]
    actor: Mapped[str] = mapped_column(index=True)
    action: Mapped[str] = mapped_column(index=True)
    object: Mapped[str]
    reason: Mapped[str]
    mac: Mapped[str]
