"""Choices of mail: subjects and address of each person, who alone changes them.

An address is used once its owner has opened the link that was sent to it.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Role, Viewer
from qa_core.base import signed_links
from qa_core.base.errors import AccessDenied, Refusal, build_malformed
from qa_core.base.i18n import N_
from qa_core.base.row_values import build_from_row
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.deliveries import Delivery, MailChoice
from qa_core.storage.records.people import Account

DIGEST_ROLES = frozenset({Role.TEAM_LEAD, Role.MANAGER, Role.EXECUTIVE})
"""Roles that get their digest unless they decline it; advisors get theirs by choice."""
SUBJECT_TITLES = {
    "digest": N_("Digest"),
    "notices": N_("What is new for me, once a day"),
    "alerts": N_("New alerts, at once"),
}
SUBJECTS = tuple(SUBJECT_TITLES)
CONFIRM = "confirm"
"""Kind of the delivery that holds the link to confirm an address."""
LINK_TIME = timedelta(hours=24)
MAX_ADDRESSES_A_DAY = 3
MAX_ADDRESS = 254
ADDRESS = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")
_USE = "mail"


@dataclass(frozen=True)
class MailChoices:
    """Choices of one person, as `MailChoice` keeps them."""

    address: str | None = None
    confirmed_at: datetime | None = None
    digest: bool | None = None
    notices: bool = False
    alerts: bool = False
    weekday: int = 0
    language: str | None = None
    paused_until: date | None = None

    def wants(self, subject: str, role: Role | None) -> bool:
        chosen = getattr(self, subject)
        return role in DIGEST_ROLES if chosen is None else chosen


def find_all(session: Session) -> dict[str, MailChoices]:
    """Find the choices of every account that made some, by username."""
    rows = session.scalars(sa.select(MailChoice))
    return {row.username: build_from_row(MailChoices, row) for row in rows}


def find(viewer: Viewer) -> MailChoices:
    with store.reading() as session:
        row = session.get(MailChoice, viewer.username)
        return build_from_row(MailChoices, row) if row else MailChoices()


def find_nonce(viewer: Viewer) -> tuple[str | None, str | None]:
    """Find the random part of the link that confirms one's address, and the name of the moment
    for which it was made; None where nothing is to be confirmed.
    """
    with store.reading() as session:
        row = session.get(MailChoice, viewer.username)
        return (row.nonce, name_moment(row.asked_at)) if row and row.nonce else (None, None)


def find_asked(session: Session) -> list[tuple[str, datetime]]:
    """Find whose addresses are to be confirmed, and since when."""
    asked = sa.select(MailChoice.username, MailChoice.asked_at).where(MailChoice.nonce.is_not(None))
    return [(row.username, row.asked_at) for row in session.execute(asked)]


def name_moment(moment: datetime) -> str:
    """Name the moment at which an address was entered, for the ledger."""
    return moment.isoformat()


def change(viewer: Viewer, **values: Any) -> None:
    """Change one's own choices; a new address has to be confirmed, and one whose link has
    ended gets another. Raises Refusal for a bad address, and for the fourth one within a day.
    """
    with store.writing() as session:
        account = session.get(Account, viewer.username)
        if account is None or not account.active:
            raise AccessDenied()
        row = _get_or_make(session, viewer.username)
        if "address" in values:
            address = values.pop("address").strip()
            has_ended = row.nonce is not None and row.asked_at < now() - LINK_TIME
            if address != (row.address or "") or has_ended:
                _require_few(session, viewer.username)
                _set_address(row, check_address(address) if address else None)
        for name, value in values.items():
            setattr(row, name, value)
        audit_log.record(session, viewer.username, "mail_choices_changed", viewer.username)


def note_provider_address(username: str, address: str) -> None:
    """Note the address that the identity provider names. A new one replaces the one that the
    provider named before, and has to be confirmed; one that the person entered stays.
    """
    if not ADDRESS.fullmatch(address) or len(address) > MAX_ADDRESS:
        return
    with store.writing() as session:
        row = _get_or_make(session, username)
        if row.provider_address != address:
            if row.address == row.provider_address:
                _set_address(row, address)
            row.provider_address = address


def build_ticket(username: str, act: str, until: datetime | None, **more: str) -> str:
    """Build the ticket of a link that does one act for one person without a sign-in: `act` is
    `confirm`, or a subject that it ends. `until` None: without a limit of time.
    """
    content = {"username": username, "act": act, "until": until and until.timestamp(), **more}
    return signed_links.seal(_USE, content)


def read_ticket(ticket: str) -> dict[str, Any]:
    """Read the ticket of a link. Raises AccessDenied unless it was made here and still holds."""
    content = signed_links.unseal(_USE, ticket)
    if content["until"] is not None and content["until"] < now().timestamp():
        raise AccessDenied()
    return content


def find_act(ticket: str) -> str:
    """Return the act of a link, and change nothing. Raises what `follow` raises."""
    content = read_ticket(ticket)
    with store.reading() as session:
        _find_choice(session, content)
    return content["act"]


def follow(ticket: str) -> str:
    """Do what a link is for, and return its act. Raises AccessDenied where it does not hold,
    or where its address was confirmed or changed since.
    """
    content = read_ticket(ticket)
    username, act = content["username"], content["act"]
    with store.writing() as session:
        row = _find_choice(session, content)
        if act == CONFIRM:
            row.confirmed_at, row.nonce = now(), None
            audit_log.record(session, username, "mail_address_confirmed", username)
        elif row is not None and getattr(row, act) is not False:
            setattr(row, act, False)
            audit_log.record(session, username, "mail_stopped", f"{username} {act}")
    return act


def _find_choice(session: Session, content: Mapping[str, Any]) -> MailChoice | None:
    """Return the choices that the ticket of a link is about; to confirm, only where it holds."""
    row = session.get(MailChoice, content["username"])
    if content["act"] == CONFIRM:
        nonce = row and row.nonce
        if not nonce or not secrets.compare_digest(nonce, content["nonce"]):
            raise AccessDenied()
    return row


def _get_or_make(session: Session, username: str) -> MailChoice:
    row = session.get(MailChoice, username)
    if row is None:
        row = MailChoice(username=username)
        session.add(row)
    return row


def _set_address(row: MailChoice, address: str | None) -> None:
    row.address, row.confirmed_at, row.asked_at = address, None, now()
    row.nonce = secrets.token_urlsafe(16) if address else None


def check_address(address: str) -> str:
    """Return an address that may be written to. Raises Refusal."""
    if len(address) > MAX_ADDRESS or not ADDRESS.fullmatch(address):
        raise build_malformed("bad_address", address, "name@example.org", kind=Refusal)
    return address


def _require_few(session: Session, username: str) -> None:
    lately = sa.select(sa.func.count()).where(
        Delivery.username == username,
        Delivery.kind == CONFIRM,
        Delivery.due_at > now() - LINK_TIME,
    )
    if session.scalar(lately) >= MAX_ADDRESSES_A_DAY:
        raise Refusal(
            "too_many_addresses",
            "{n} addresses were entered within a day. Try again tomorrow.",
            n=MAX_ADDRESSES_A_DAY,
        )
