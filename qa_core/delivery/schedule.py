"""Schedule: moments of the centre's wall clock, the rows of the ledger due then, and who
receives what.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access import accounts, mail_choices
from qa_core.access.mail_choices import CONFIRM, MailChoices
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.row_values import build_from_row
from qa_core.centre.rules import opening_hours
from qa_core.compliance import audit_report
from qa_core.compliance.conditions import gates
from qa_core.delivery import ledger
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.alerts import AlertEvent
from qa_core.storage.records.deliveries import Delivery, Webhook
from qa_core.storage.records.editions import Edition
from qa_core.storage.records.people import Account

HOUR = time(7)
"""Time of day at which mails are due."""
DIGEST, NOTICES, ALERTS, WEBHOOK = "digest", "notices", "alerts", ledger.WEBHOOK
MAX_BACK = timedelta(days=7)
"""Age beyond which an alert or a notice is no news for a first mail."""
WEEKLY_ROLES = (Role.TEAM_LEAD, Role.MANAGER, Role.ADVISOR)


@dataclass(frozen=True)
class Recipient:
    """Person with an account: subjects of the mails that they get, state of their address
    (`confirmed`, `waiting`, `none`), and the last mail.
    """

    username: str
    role: str
    subjects: tuple[str, ...]
    address_state: str
    last: ledger.DeliveryEntry | None


def enter_due(moment: datetime, only_webhook: bool = False) -> None:
    """Enter in the ledger what is due at that moment for each open account. Nothing is while
    the gate is closed, and nothing that was due before it was opened, or before a restore.
    """
    with store.writing() as session:
        start = find_start(session)
        if start is None:
            return
        choices = mail_choices.find_all(session)
        month, newest = find_newest_month(session), find_newest_alert(session, start)
        people: Sequence[str] = ()
        if not only_webhook:
            open_accounts = sa.select(Account.username).where(Account.active)
            people = _read(session, open_accounts.order_by(Account.username)).all()
        for username in people:
            own = choices.get(username, MailChoices())
            viewer = accounts.get_viewer(session, username)
            for kind, period, due_at in find_periods(viewer, own, month, newest, moment):
                if start <= due_at <= moment:
                    ledger.enter(session, username, kind, period, due_at)
        opened = gates.find_delivery_start(session) or start
        for username, asked_at in mail_choices.find_asked(session):
            # An address that was entered before the gate was opened is confirmed then.
            due_at = max(asked_at, opened)
            if max(start, moment - MAX_BACK) <= due_at and not only_webhook:
                period = mail_choices.name_moment(asked_at)
                ledger.enter(session, username, CONFIRM, period, due_at)
        for row in session.scalars(sa.select(Webhook)):
            if newest is not None and newest[1] >= max(start, row.created_at):
                ledger.enter(session, row.username, WEBHOOK, str(newest[0]), newest[1])


def find_start(session: Session) -> datetime | None:
    """Find the moment from which deliveries are made: the entry of the gate or the last
    restore, whichever is later; None while the gate is closed.
    """
    start = gates.find_delivery_start(session)
    restored = find_last_restore()
    return start if start is None or restored is None else max(start, restored)


def find_last_restore() -> datetime | None:
    """Find when these records were last restored from a backup."""
    found = audit_report.find_entries(Viewer.SYSTEM, action="backup_restored", limit=1)
    return found[0].at if found else None


def find_weekly(weekday: int, moment: datetime) -> tuple[str, datetime]:
    """Find the last week whose mail is due on that day of it: its name and the moment. A
    public holiday postpones it to the next working day.
    """
    today = environment.to_local(moment).date()
    monday = today - timedelta(days=today.weekday())
    for start in (monday, monday - timedelta(weeks=1), monday - timedelta(weeks=2)):
        due_at = _at(_find_working_day(start + timedelta(days=weekday), 1))
        if due_at <= moment:
            break
    year, week, _day = start.isocalendar()
    return f"{year}-W{week:02d}", due_at


def find_daily(moment: datetime) -> tuple[str, datetime]:
    """Find the last working day whose mail is due: its name and the moment."""
    today = environment.to_local(moment).date()
    day = _find_working_day(today, -1)
    if _at(day) > moment:
        day = _find_working_day(day - timedelta(days=1), -1)
    return day.isoformat(), _at(day)


def find_periods(
    viewer: Viewer,
    own: MailChoices,
    month: tuple[str, datetime] | None,
    newest: tuple[int, datetime] | None,
    moment: datetime,
) -> Iterator[tuple[str, str, datetime]]:
    """Find what is due for that person at that moment: kind, period, since when. `month`: the
    newest one published; `newest`: the number of the newest alert; each with its moment.
    """
    if own.wants(DIGEST, viewer.role):
        if viewer.role in WEEKLY_ROLES:
            yield DIGEST, *find_weekly(own.weekday, moment)
        elif viewer.role == Role.EXECUTIVE and month is not None:
            local = environment.to_local(month[1])
            day = local.date() if local.time() <= HOUR else local.date() + timedelta(days=1)
            yield DIGEST, month[0], _at(_find_working_day(day, 1))
    if own.notices:
        yield NOTICES, *find_daily(moment)
    if own.alerts and newest is not None and viewer.can(Permission.SEE_ALERTS):
        yield ALERTS, str(newest[0]), newest[1]


def find_newest_month(session: Session) -> tuple[str, datetime] | None:
    """Find the newest month with an edition, and when its first one was published."""
    first = sa.select(Edition.month, sa.func.min(Edition.published_at)).group_by(Edition.month)
    row = session.execute(first.order_by(Edition.month.desc()).limit(1)).one_or_none()
    return row and (row[0], row[1])


def find_newest_alert(
    session: Session, start: datetime | None = None
) -> tuple[int, datetime] | None:
    """Find the number of the newest open alert, and since when it is."""
    newest = sa.select(AlertEvent.id, AlertEvent.first_seen).where(AlertEvent.state == "open")
    if start is not None:
        newest = newest.where(AlertEvent.first_seen >= start)
    row = session.execute(newest.order_by(AlertEvent.id.desc()).limit(1)).one_or_none()
    return row and (row.id, row.first_seen)


def find_recipients(viewer: Viewer) -> list[Recipient]:
    """List the open accounts that get mail, or got one. Needs SEE_HEALTH. Addresses are not
    shown: they may be private ones.
    """
    viewer.require(Permission.SEE_HEALTH)
    with store.reading() as session:
        choices = mail_choices.find_all(session)
        newest = (
            sa.select(sa.func.max(Delivery.id)).where(ledger.IS_MAIL).group_by(Delivery.username)
        )
        rows = _read(session, sa.select(Delivery).where(Delivery.id.in_(newest)))
        last = {row.username: build_from_row(ledger.DeliveryEntry, row) for row in rows}
        open_accounts = sa.select(Account).where(Account.active).order_by(Account.username)
        people = [(row.username, row.role) for row in _read(session, open_accounts)]
    found = []
    for username, role in people:
        own = choices.get(username, MailChoices())
        has_digest = role in (*WEEKLY_ROLES, Role.EXECUTIVE)
        subjects = tuple(
            subject
            for subject in mail_choices.SUBJECTS
            if own.wants(subject, role) and (subject != DIGEST or has_digest)
        )
        if subjects or username in last:
            state = "confirmed" if own.confirmed_at else "waiting" if own.address else "none"
            found.append(Recipient(username, role, subjects, state, last.get(username)))
    return found


def _read(session: Session, statement: sa.Select) -> sa.ScalarResult:
    return session.scalars(
        Unscoped(
            statement,
            "What is due, and who receives it, is found for every account. No content is read.",
        )
    )


def _find_working_day(day: date, step: int) -> date:
    """Find that day, or the next one in that direction that is a working day."""
    country = environment.current().country
    while True:
        holidays: dict[date, str] = {}
        with suppress(Refusal):
            holidays = opening_hours.find_holidays(country, None, day.year)
        if day.weekday() < 5 and day not in holidays:
            return day
        day += timedelta(days=step)


def _at(day: date) -> datetime:
    """Return the moment of a day at which mails are due, by the centre's wall clock."""
    return datetime.combine(day, HOUR, environment.current().zone)
