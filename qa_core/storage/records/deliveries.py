"""Tables of what is sent: each person's choices, the ledger of deliveries, the webhook."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Base, Numbered, now, reference


class MailChoice(Base, holds=data.Stored((data.ACCOUNT,), "closed_accounts", part_of="username")):
    """Subjects and address of the mails to one person. Without a row: no address."""

    username: Mapped[data.OwnUsername] = reference("account.username", "CASCADE", primary_key=True)
    address: Mapped[data.Code | None]
    provider_address: Mapped[data.Code | None]
    """Address that the identity provider named last."""
    confirmed_at: Mapped[datetime | None]
    nonce: Mapped[data.Seal | None]
    """Random part of the link that confirms the address; null: there is no such link."""
    asked_at: Mapped[datetime | None]
    """Moment of the last change of the address: its link is sent once for each."""
    digest: Mapped[bool | None]
    """Null: as usual for the role."""
    notices: Mapped[bool] = mapped_column(default=False)
    alerts: Mapped[bool] = mapped_column(default=False)
    weekday: Mapped[int] = mapped_column(default=0)
    """Day of the weekly digest, 0 for Monday."""
    language: Mapped[data.Code | None]
    """Null: the language of the account."""
    paused_until: Mapped[date | None]


class Delivery(Numbered, holds=data.Stored((data.ACCOUNT,), "deliveries", "due_at")):
    """One mail or webhook message to one person for one period, sent once."""

    __table_args__ = (sa.UniqueConstraint("username", "kind", "period"),)

    username: Mapped[data.OwnUsername] = reference("account.username", "CASCADE")
    kind: Mapped[data.Code]
    period: Mapped[data.Code]
    """Week, month or day, or the number of an alert."""
    state: Mapped[data.Code] = mapped_column(default="due", index=True)
    """due · sending · sent · dropped · failed"""
    cause: Mapped[data.Code | None]
    """Code: why it was dropped, or how the last attempt failed."""
    attempts: Mapped[int] = mapped_column(default=0)
    message_id: Mapped[data.Seal]
    due_at: Mapped[datetime] = mapped_column(default=now)
    blocked_until: Mapped[datetime] = mapped_column(default=now)
    """Moment from which the next attempt may be made; while sending, by another process."""
    sent_at: Mapped[datetime | None]


class Webhook(Base, holds=data.NOBODY):
    """Address outside that receives alerts, in the scope of one account."""

    name: Mapped[data.Code] = mapped_column(primary_key=True)
    address: Mapped[data.Seal]
    """Sealed: addresses of chat tools are secrets."""
    host: Mapped[data.Code]
    format: Mapped[data.Code]
    username: Mapped[data.Username]
    secret: Mapped[data.Seal]
    created_by: Mapped[data.Username]
    created_at: Mapped[datetime] = mapped_column(default=now)
