"""Table of the call-backs: what was done about missed callers."""

import hashlib
from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Base, now


class CallBack(Base, holds=data.Stored((data.CUSTOMER, data.ADVISOR), "call_backs", "changed_at")):
    """Call-back to a missed contact that somebody took, tried or did."""

    key: Mapped[data.Seal] = mapped_column(primary_key=True)
    """Digest of the missed contact's own key, which who calls back does not see."""
    state: Mapped[data.Code]
    """taken · tried · done"""
    taken_by: Mapped[data.Username]
    changed_at: Mapped[datetime] = mapped_column(default=now)


def build_key(source_system: str, contact_id: str) -> str:
    """Build the key of the call-back to a missed contact."""
    return hashlib.sha256(f"{source_system}\n{contact_id}".encode()).hexdigest()[:24]
