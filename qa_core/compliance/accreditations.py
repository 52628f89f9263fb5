"""Accreditations: who may listen, for what, and until when (docs/compliance.md, R7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access import accounts, people
from qa_core.access.roles import GRANTS, Permission, Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Misuse, Refusal, require_known
from qa_core.base.i18n import N_
from qa_core.base.row_values import build_from_row
from qa_core.centre import settings
from qa_core.compliance import gates
from qa_core.metrics.dimensions import add_months
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.listening import Accreditation


@dataclass(frozen=True)
class Accredited:
    """An accreditation; `holds` today."""

    id: int
    username: str
    display_name: str
    role: str
    purposes: tuple[str, ...]
    starts_on: date
    ends_on: date
    given_by: str
    is_ended: bool
    holds: bool


def accredit(viewer: Viewer, username: str, until: date, purposes: Sequence[str] = ()) -> int:
    """Let a person listen from today to that day, for these purposes (default: the centre's)."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    today = environment.today()
    if until < today:
        raise Misuse(
            "bad_date",
            N_("{day} is over: an accreditation ends today or later."),
            day=until.isoformat(),
        )
    for purpose in purposes:
        message = N_("{name} is no purpose. Known: {known}.")
        require_known(purpose, gates.PURPOSES, "unknown_purpose", message)
    username = accounts.normalise_username(username)
    with store.writing() as session:
        last_day = find_last_day(session)
        if until > last_day:
            raise Misuse(
                "bad_date",
                N_("{day} is too far: an accreditation ends on {last} at the latest."),
                day=until.isoformat(),
                last=last_day.isoformat(),
            )
        account = people.find_people(session).get(username)
        if account is None:
            raise AccessDenied(N_("There is no account {name}."), name=username)
        if not _may_listen(account.role):
            raise Refusal(
                "role_never_listens",
                N_(
                    "{name} has a role that never listens; only evaluators, team leads and "
                    "managers are accredited."
                ),
                name=username,
            )
        entered = (gates.value_of(session, "purposes") or "").split(",")
        chosen = (
            list(dict.fromkeys(purposes))
            or [purpose for purpose in gates.PURPOSES if purpose in entered]
            or list(gates.PURPOSES)
        )
        made = Accreditation(
            username=username,
            purposes=chosen,
            starts_on=today,
            ends_on=until,
            given_by=viewer.username,
        )
        session.add(made)
        session.flush()
        audit_log.record(
            session,
            viewer.username,
            "accredited",
            username,
            reason=f"{','.join(chosen)} until {until}",
        )
        return made.id


def find_last_day(session: Session) -> date:
    """Return the last day that an accreditation given today may have."""
    return add_months(environment.today(), settings.current(session).accreditation_months)


def end(viewer: Viewer, accreditation_id: int) -> None:
    """End an accreditation at once."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    with store.writing() as session:
        found = session.get(Accreditation, accreditation_id)
        if found is None:
            raise AccessDenied()
        if found.ended_at is None:
            found.ended_at, found.ended_by = now(), viewer.username
            audit_log.record(session, viewer.username, "accreditation_ended", found.username)


def find_all(viewer: Viewer) -> list[Accredited]:
    """List every accreditation ever given, those that hold first."""
    viewer.require(Permission.SEE_COMPLIANCE)
    today = environment.today()
    with store.reading() as session:
        rows = session.scalars(sa.select(Accreditation)).all()
        known = people.find_people(session)
    made = [
        build_from_row(
            Accredited,
            row,
            display_name=known[row.username].name,
            role=known[row.username].role,
            purposes=tuple(row.purposes),
            is_ended=row.ended_at is not None,
            holds=_holds(row, today),
        )
        for row in rows
    ]
    return sorted(made, key=lambda item: (not item.holds, item.username, item.ends_on))


def find_eligible(viewer: Viewer) -> dict[str, str]:
    """List who may be accredited: username → shown name, by name."""
    viewer.require(Permission.SEE_COMPLIANCE)
    with store.reading() as session:
        known = people.find_people(session).values()
    shown = {
        person.username: (
            f"{person.name} ({person.username})"
            if person.name != person.username
            else person.username
        )
        for person in known
        if person.is_active and _may_listen(person.role)
    }
    return dict(sorted(shown.items(), key=lambda entry: entry[1].casefold()))


def is_accredited(session: Session, username: str, purpose: str | None = None) -> bool:
    """Tell whether a person may listen today, for that purpose if one is named."""
    wanted = gates.COUNTS_AS.get(purpose, purpose)
    rows = session.scalars(
        sa.select(Accreditation).where(
            Accreditation.username == username, Accreditation.ended_at.is_(None)
        )
    )
    return any(
        _holds(row, environment.today()) and (wanted is None or wanted in row.purposes)
        for row in rows
    )


def is_listener(viewer: Viewer) -> bool:
    """Tell whether the viewer may listen today, for any purpose."""
    with store.reading() as session:
        return is_accredited(session, viewer.username)


def require(session: Session, viewer: Viewer, purpose: str | None = None) -> None:
    """Refuse a person who is not accredited today; the system always is."""
    if not viewer.is_system and not is_accredited(session, viewer.username, purpose):
        message = N_(
            "You are not accredited to listen for this purpose today. Your data protection "
            "officer gives accreditations, for a time."
        )
        raise Refusal("not_accredited", message)


def _may_listen(role: str) -> bool:
    # Advisors hear their own calls without an accreditation.
    return (
        role in set(Role)
        and role != Role.ADVISOR
        and Permission.LISTEN in GRANTS.get(Role(role), frozenset())
    )


def _holds(row: Accreditation, day: date) -> bool:
    return row.ended_at is None and row.starts_on <= day <= row.ends_on
