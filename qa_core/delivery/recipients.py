"""Recipients: subjects and last result of each, for administrators and the officer."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from qa_core.access import mail_choices
from qa_core.access.mail_choices import MailChoices
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base.row_values import build_from_row
from qa_core.delivery.ledger import DeliveryEntry
from qa_core.delivery.schedule import WEEKLY_ROLES
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.deliveries import Delivery
from qa_core.storage.records.people import Account


@dataclass(frozen=True)
class Recipient:
    """Person with an account: subjects of the mails that they get, state of their address
    (`confirmed`, `waiting`, `none`), and the last delivery.
    """

    username: str
    role: str
    subjects: tuple[str, ...]
    address_state: str
    last: DeliveryEntry | None


def find_recipients(viewer: Viewer) -> list[Recipient]:
    """List the open accounts that get mail, or got one. Needs SEE_HEALTH. Addresses are not
    shown: they may be private ones.
    """
    viewer.require(Permission.SEE_HEALTH)
    with store.reading() as session:
        choices = mail_choices.find_all(session)
        newest = sa.select(sa.func.max(Delivery.id)).group_by(Delivery.username)
        rows = _read(session, sa.select(Delivery).where(Delivery.id.in_(newest)))
        last = {row.username: build_from_row(DeliveryEntry, row) for row in rows}
        open_accounts = sa.select(Account).where(Account.active).order_by(Account.username)
        accounts = [(row.username, row.role) for row in _read(session, open_accounts)]
    found = []
    for username, role in accounts:
        own = choices.get(username, MailChoices())
        subjects = tuple(
            subject for subject in mail_choices.SUBJECTS if _may_get(own, subject, role)
        )
        if subjects or username in last:
            state = "confirmed" if own.confirmed_at else "waiting" if own.address else "none"
            found.append(Recipient(username, role, subjects, state, last.get(username)))
    return found


def _may_get(own: MailChoices, subject: str, role: str) -> bool:
    has_digest = role in (*WEEKLY_ROLES, Role.EXECUTIVE)
    return own.wants(subject, role) and (subject != "digest" or has_digest)


def _read(session: store.Session, statement: sa.Select) -> Any:
    return session.scalars(
        Unscoped(
            statement,
            "Administrators and the officer see who receives what. No content is read.",
        )
    )
