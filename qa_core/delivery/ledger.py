"""Ledger of deliveries: what is due, what was sent, what was dropped and why.

Nothing is sent without a row here. A row is claimed before it is sent, and settled after:
a process that dies in between leaves it to the next one, under the same message id.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.base.row_values import build_from_row, read_fields
from qa_core.metrics.kpis import formatting
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.deliveries import Delivery

DUE, SENDING, SENT, DROPPED, FAILED = "due", "sending", "sent", "dropped", "failed"
STATES = {
    DUE: N_("due"),
    SENDING: N_("being sent"),
    SENT: N_("sent"),
    DROPPED: N_("not sent"),
    FAILED: N_("failed"),
}
CAUSES = {
    "left": N_("the account is closed"),
    "no_permission": N_("the role or the teams no longer allow it"),
    "no_address": N_("no confirmed address"),
    "bad_domain": N_("the domain of the address is not allowed"),
    "declined": N_("the person does not want it"),
    "paused": N_("paused by the person"),
    "gate_closed": N_("the gate of mail and webhook is closed"),
    "nothing_new": N_("nothing to report"),
    "superseded": N_("replaced by a newer one"),
    "restored": N_("due before the centre was restored"),
    "refused": N_("the receiving server refused it"),
    "unreachable": N_("the receiving server did not answer"),
    "answered": N_("the receiving server answered with status {status}"),
    "not_allowed": N_("the address outside is not allowed"),
    "error": N_("Unexpected error. The server log has the cause."),
}
"""Causes of a dropped delivery, or of a failed attempt; `answered` is kept as `answered:500`."""
CLAIM_TIME = timedelta(minutes=10)
"""Time for one attempt, longer than any server may take to answer."""
WAITS = tuple(timedelta(minutes=minutes) for minutes in (5, 30, 120, 360, 720))
"""Waits before each further attempt; after the last one it has failed."""
MAX_LISTED = 500
WEBHOOK = "webhook"
IS_MAIL = Delivery.kind != WEBHOOK


@dataclass(frozen=True)
class DeliveryEntry:
    id: int
    username: str
    kind: str
    period: str
    state: str
    cause: str | None
    attempts: int
    message_id: str
    due_at: datetime
    blocked_until: datetime
    sent_at: datetime | None

    def as_json(self) -> dict[str, object]:
        names = ("id", "username", "kind", "period", "state", "cause", "attempts", "message_id")
        moments = ("due_at", "blocked_until", "sent_at")
        return read_fields(self, names) | {
            name: (at := getattr(self, name)) and at.isoformat() for name in moments
        }


def enter(session: Session, username: str, kind: str, period: str, due_at: datetime) -> None:
    """Enter a delivery unless it is known. An older one of that kind still open is dropped:
    after a stop only the newest goes out.
    """
    theirs = (Delivery.username == username, Delivery.kind == kind)
    known = sa.select(Delivery.id).where(*theirs, Delivery.period == period)
    if session.scalar(_read(known)) is not None:
        return
    is_open = Delivery.state == DUE
    session.execute(
        sa.update(Delivery).where(*theirs, is_open).values(state=DROPPED, cause="superseded")
    )
    session.add(
        Delivery(
            username=username,
            kind=kind,
            period=period,
            message_id=_build_id(username, kind, period),
            due_at=due_at,
            blocked_until=due_at,
        )
    )


def claim(only_kind: str | None = None) -> DeliveryEntry | None:
    """Claim the delivery that has been due for longest, of that kind if one is given; None
    where none is. Writers queue, so that no other process gets it too.
    """
    moment = now()
    due = sa.select(Delivery).where(_is_due(moment, only_kind))
    with store.writing() as session:
        row = session.scalar(_read(due.order_by(Delivery.due_at, Delivery.id).limit(1)))
        if row is None:
            return None
        row.state, row.blocked_until = SENDING, moment + CLAIM_TIME
        row.attempts += 1
        session.flush()
        return build_from_row(DeliveryEntry, row)


def count_due(only_kind: str | None = None) -> int:
    """Count what may be sent now, of that kind if one is given."""
    due = sa.select(sa.func.count()).where(_is_due(now(), only_kind))
    with store.reading() as session:
        return session.scalar(_read(due))


def count_states(viewer: Viewer) -> dict[str, int]:
    viewer.require(Permission.SEE_HEALTH)
    counts = sa.select(Delivery.state, sa.func.count()).group_by(Delivery.state)
    with store.reading() as session:
        return dict(session.execute(_read(counts)).all())


def settle(entry: DeliveryEntry, state: str, cause: str | None = None) -> None:
    """Note the end of an attempt."""
    values = {"state": state, "cause": cause}
    if state == SENT:
        values["sent_at"] = now()
    _update(entry, values)


def postpone(entry: DeliveryEntry, cause: str) -> None:
    """Note that an attempt failed: the next one waits longer, and after the last there is
    none.
    """
    if entry.attempts > len(WAITS):
        settle(entry, FAILED, cause)
        return
    _update(
        entry, {"state": DUE, "cause": cause, "blocked_until": now() + WAITS[entry.attempts - 1]}
    )


def drop_open(cause: str, before: datetime | None = None) -> int:
    """Drop what is due, before a moment if one is given; returns the number."""
    is_open = [Delivery.state.in_((DUE, SENDING))]
    if before is not None:
        is_open.append(Delivery.due_at < before)
    with store.writing() as session:
        drop = sa.update(Delivery).where(*is_open).values(state=DROPPED, cause=cause)
        return session.execute(drop).rowcount


def retry(viewer: Viewer, number: int) -> None:
    """Make a delivery that failed, or waits for its next attempt, due now. Needs
    MANAGE_SETTINGS. Raises Refusal for one that was sent or dropped.
    """
    viewer.require(Permission.MANAGE_SETTINGS)
    with store.writing() as session:
        is_open = Delivery.id == number, Delivery.state.in_((FAILED, DUE))
        again = sa.update(Delivery).where(*is_open)
        if not session.execute(again.values(state=DUE, attempts=0, blocked_until=now())).rowcount:
            raise Refusal("not_open", "Delivery {number} is not to be sent.", number=number)
        audit_log.record(session, viewer.username, "delivery_retried", str(number))


def find_all(viewer: Viewer, only_due: bool = False) -> list[DeliveryEntry]:
    """List the deliveries, the newest first. Needs SEE_HEALTH."""
    viewer.require(Permission.SEE_HEALTH)
    rows = sa.select(Delivery).order_by(Delivery.due_at.desc(), Delivery.id.desc())
    if only_due:
        rows = rows.where(Delivery.state.in_((DUE, SENDING)))
    with store.reading() as session:
        found = session.scalars(_read(rows.limit(MAX_LISTED))).all()
        return [build_from_row(DeliveryEntry, row) for row in found]


def describe(entry: DeliveryEntry) -> str:
    """Describe the state of a delivery with its reason and moment, in the language spoken."""
    parts = [_(STATES[entry.state])]
    if entry.cause is not None:
        parts.append(describe_cause(entry.cause))
    parts.append(formatting.local_moment(entry.sent_at or entry.due_at))
    return " · ".join(parts)


def describe_cause(cause: str) -> str:
    """Describe a cause in the language spoken."""
    code, _colon, status = cause.partition(":")
    return _(CAUSES[code], status=status)


def find_own_last(viewer: Viewer) -> DeliveryEntry | None:
    """Find the last mail to this person that is settled."""
    is_settled = Delivery.state.in_((SENT, DROPPED, FAILED))
    last = sa.select(Delivery).where(Delivery.username == viewer.username, is_settled, IS_MAIL)
    with store.reading() as session:
        row = session.scalar(_read(last.order_by(Delivery.id.desc()).limit(1)))
        return row and build_from_row(DeliveryEntry, row)


def find_last_sent(session: Session, username: str, kind: str) -> DeliveryEntry | None:
    """Find the last delivery of that kind that this person got."""
    sent = sa.select(Delivery).where(
        Delivery.username == username, Delivery.kind == kind, Delivery.state == SENT
    )
    row = session.scalar(_read(sent.order_by(Delivery.due_at.desc()).limit(1)))
    return row and build_from_row(DeliveryEntry, row)


def _is_due(moment: datetime, only_kind: str | None) -> sa.ColumnElement[bool]:
    is_open = Delivery.state.in_((DUE, SENDING))
    of_kind = sa.true() if only_kind is None else Delivery.kind == only_kind
    return sa.and_(is_open, Delivery.blocked_until <= moment, of_kind)


def _update(entry: DeliveryEntry, values: dict[str, object]) -> None:
    # Only while it is this attempt's: a slow one does not undo what another has settled. What
    # has left is sent, also where it was dropped meanwhile.
    states = (SENDING, DROPPED) if values["state"] == SENT else (SENDING,)
    own = (
        Delivery.id == entry.id,
        Delivery.state.in_(states),
        Delivery.attempts == entry.attempts,
    )
    with store.writing() as session:
        session.execute(sa.update(Delivery).where(*own).values(**values))


def _build_id(username: str, kind: str, period: str) -> str:
    """Build the id of a message: the same again for the same person, kind and period, also
    where the row was lost with an older copy of the records.
    """
    server = environment.find_mail_server()
    domain = server.sender.rpartition("@")[2].strip("> ") if server else "localhost"
    text = f"{username}\n{kind}\n{period}".encode()
    mac = hmac.new(environment.secret("cookie"), text, hashlib.sha256).hexdigest()
    return f"<{mac[:32]}@{domain}>"


def _read(statement: sa.Select) -> Unscoped:
    return Unscoped(
        statement, "The ledger is read by the server that sends, and for lists of those in charge."
    )
