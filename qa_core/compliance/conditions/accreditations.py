"""Accreditations: who may listen, for what, and until when (docs/compliance.md, R7)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access import accounts, people
from qa_core.access.roles import Permission, Viewer, has_on_others
from qa_core.base import environment
from qa_core.base.arguments import require_between
from qa_core.base.errors import AccessDenied, Misuse, Refusal, build_unknown, require_known
from qa_core.base.i18n import N_, _
from qa_core.base.masking import clean_text
from qa_core.base.row_values import build_from_row
from qa_core.centre import settings
from qa_core.centre.advisors import normalise_name
from qa_core.compliance.conditions import gates
from qa_core.metrics.kpis.dimensions import add_months
from qa_core.storage import audit_log
from qa_core.storage.records import due_work, store
from qa_core.storage.records.base import now
from qa_core.storage.records.imports import ACCREDITED
from qa_core.storage.records.listening import Accreditation, ConfirmedEvaluator

MAX_REASON = 1_000
MAX_MONTHS = 12
"""Longest accreditation from the day that it is given, whatever the setting says."""


@dataclass(frozen=True)
class AccreditationEntry:
    """An accreditation; `holds` today."""

    id: int
    username: str
    display_name: str
    role: str | None
    purposes: tuple[str, ...]
    starts_on: date
    ends_on: date
    given_by: str
    is_ended: bool
    holds: bool


def accredit(
    viewer: Viewer,
    name: str,
    until: date,
    purposes: Sequence[str] = (),
    starts_on: date | None = None,
    reason: str = "",
) -> int:
    """Let a person listen from one day (default: today) to another, for these purposes
    (default: the centre's). `name`: an account, or an evaluator who was confirmed. An
    earlier first day needs a reason; imported evaluations from then on count.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    today = environment.today()
    starts_on = starts_on or today
    reason = clean_text(reason, MAX_REASON, "no_reason", is_needed=False)
    if starts_on < today and not reason:
        raise Refusal("no_reason", "An accreditation for past days needs a reason.")
    for purpose in purposes:
        require_known(purpose, gates.PURPOSES, "unknown_purpose")
    username = accounts.normalise_username(name)
    with store.writing() as session:
        require_between(until, min(starts_on, today), find_last_day(session))
        if until < starts_on:
            raise Misuse("from_after_to", "The first day comes after the last one.")
        account = people.find_people(session).get(username)
        confirmed = account is None and session.get(ConfirmedEvaluator, normalise_name(name))
        if account is None and not confirmed:
            raise build_unknown("unknown_person", N_("Person"), name)
        if account and not has_on_others(account.role, Permission.LISTEN):
            raise Refusal(
                "role_never_listens",
                "The role of {name} never listens. Only evaluators, team leads and managers "
                "can be accredited.",
                name=username,
            )
        centre_purposes = gates.find_purposes(session)
        own_purposes = (
            list(dict.fromkeys(purposes))
            or [purpose for purpose in gates.PURPOSES if purpose in centre_purposes]
            or list(gates.PURPOSES)
        )
        accreditation = Accreditation(
            username=account and username,
            evaluator=confirmed.name if confirmed else None,
            purposes=own_purposes,
            starts_on=starts_on,
            ends_on=until,
            reason=reason or None,
            given_by=viewer.username,
        )
        session.add(accreditation)
        session.flush()
        due_work.request(session, ACCREDITED)
        span = f"{starts_on} to" if starts_on != today else "until"
        what = f"{','.join(own_purposes)} {span} {until}"
        # A person without an account is not named in the audit log.
        audit_log.record(session, viewer.username, "accredited", username if account else "", what)
        return accreditation.id


def find_last_day(session: Session) -> date:
    """Return the last day that an accreditation given today may have."""
    return add_months(environment.today(), settings.current(session).accreditation_months)


def end(viewer: Viewer, accreditation_id: int) -> None:
    """End an accreditation at once."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    with store.writing() as session:
        accreditation = session.get(Accreditation, accreditation_id)
        if accreditation is None:
            raise AccessDenied()
        if accreditation.ended_at is None:
            accreditation.ended_at, accreditation.ended_by = now(), viewer.username
            audit_log.record(
                session, viewer.username, "accreditation_ended", accreditation.username or ""
            )


def find_all(viewer: Viewer) -> list[AccreditationEntry]:
    """List every accreditation ever given, those that hold first."""
    viewer.require(Permission.SEE_COMPLIANCE)
    today = environment.today()
    with store.reading() as session:
        rows = session.scalars(sa.select(Accreditation)).all()
        accounts_by_name = people.find_people(session)
        confirmed = find_confirmed(session)
    entries = [
        build_from_row(
            AccreditationEntry,
            row,
            username=row.username or confirmed[row.evaluator],
            display_name=accounts_by_name[row.username].name if row.username else "",
            role=accounts_by_name[row.username].role if row.username else None,
            purposes=tuple(row.purposes),
            is_ended=row.ended_at is not None,
            holds=holds_on(row, today),
        )
        for row in rows
    ]
    return sorted(entries, key=lambda item: (not item.holds, item.username, item.ends_on))


def find_confirmed(session: Session) -> dict[str, str]:
    """Find the confirmed evaluators: spelling → name, by name."""
    columns = (ConfirmedEvaluator.name, ConfirmedEvaluator.title)
    return dict(session.execute(sa.select(*columns).order_by(columns[1])).all())


def find_eligible(viewer: Viewer) -> dict[str, str]:
    """List who may be accredited: username → shown name, by name."""
    viewer.require(Permission.SEE_COMPLIANCE)
    with store.reading() as session:
        accounts_by_name = people.find_people(session).values()
        confirmed = find_confirmed(session)
    labels = {
        person.username: (
            f"{person.name} ({person.username})"
            if person.name != person.username
            else person.username
        )
        for person in accounts_by_name
        if person.is_active and has_on_others(person.role, Permission.LISTEN)
    }
    labels |= {name: f"{name} · {_('without an account')}" for name in confirmed.values()}
    return dict(sorted(labels.items(), key=lambda entry: entry[1].casefold()))


def is_accredited(session: Session, username: str, purpose: str | None = None) -> bool:
    """Return whether a person may listen today, for that purpose if one is named."""
    required_purpose = gates.COUNTS_AS.get(purpose, purpose)
    rows = session.scalars(
        sa.select(Accreditation).where(
            Accreditation.username == username, Accreditation.ended_at.is_(None)
        )
    )
    return any(
        holds_on(row, environment.today())
        and (required_purpose is None or required_purpose in row.purposes)
        for row in rows
    )


def is_listener(viewer: Viewer) -> bool:
    """Return whether the viewer may listen today, for any purpose."""
    with store.reading() as session:
        return is_accredited(session, viewer.username)


def require(session: Session, viewer: Viewer, purpose: str | None = None) -> None:
    """Refuse a person who is not accredited today; the system always is."""
    if not viewer.is_system and not is_accredited(session, viewer.username, purpose):
        message = N_(
            "You are not accredited to listen for this purpose today. Ask your data protection "
            "officer for an accreditation."
        )
        raise Refusal("not_accredited", message)


def build_unaccredited(code: str, names: Iterable[str]) -> Refusal:
    """Build the refusal of evaluators who may not listen today."""
    message = N_(
        "Not accredited for this purpose today: {names}. Ask your data protection officer, or "
        "choose other evaluators."
    )
    return Refusal(code, message, (gates.ACCREDIT,), names=", ".join(names))


def holds_on(row: Accreditation, day: date, moment: datetime | None = None) -> bool:
    """Return whether an accreditation holds on a day, or held then at that moment of the day.
    None does that somebody gave to themselves, past its longest period, or for past days
    without a reason.
    """
    given_on = environment.to_local(row.given_at).date()
    is_lawful = (
        row.given_by != row.username
        and row.ends_on <= add_months(given_on, MAX_MONTHS)
        and (row.starts_on >= given_on or bool(row.reason))
    )
    is_ended = row.ended_at is not None and (moment is None or row.ended_at <= moment)
    return is_lawful and not is_ended and row.starts_on <= day <= row.ends_on
