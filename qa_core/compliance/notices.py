"""Notices to advisors: when each was informed of recording and listening
(docs/compliance.md, R4).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.base.i18n import N_
from qa_core.centre import advisors, members
from qa_core.storage import audit_log, name_merges
from qa_core.storage.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.listening import AdvisorNotice
from qa_core.storage.records.store import Session


@dataclass(frozen=True)
class Notice:
    """An advisor and the day they were first informed; None: not yet."""

    advisor_id: str
    name: str
    informed_on: date | None


def inform(viewer: Viewer, given: list[str], on: date) -> int:
    """Enter that these advisors (by id, name or alias) were informed on that day, all
    or none. Returns how many.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    if on > environment.today():
        raise Misuse(
            "bad_date",
            N_("{day} lies in the future: enter it once it has happened."),
            day=on.isoformat(),
        )
    with store.writing() as session:
        directory = advisors.Directory.load(session)
        found = list(dict.fromkeys(_find(directory, name) for name in given))
        session.add_all(
            AdvisorNotice(advisor_id=advisor_id, informed_on=on, entered_by=viewer.username)
            for advisor_id in found
        )
        for advisor_id in found:
            audit_log.record(
                session, viewer.username, "advisor_informed", advisor_id, reason=on.isoformat()
            )
    return len(found)


def find_all(viewer: Viewer) -> list[Notice]:
    """List every advisor once with the day they were informed, those not informed first."""
    viewer.require(Permission.SEE_COMPLIANCE)
    with store.reading() as session:
        known, kept = informed(session), name_merges.find_kept(session)["advisor"]
        names = members.find_names(session)
    made = [
        Notice(advisor_id, name, known.get(advisor_id))
        for advisor_id, name in names.items()
        if advisor_id not in kept
    ]
    return sorted(made, key=lambda notice: (notice.informed_on is not None, notice.name))


def informed(session: Session) -> dict[str, date]:
    """Map each advisor id to the day they were first informed, under any of their
    merged ids.
    """
    kept = name_merges.find_kept(session)["advisor"]
    first: dict[str, date] = {}
    every_notice = Unscoped(
        sa.select(AdvisorNotice.advisor_id, AdvisorNotice.informed_on),
        "Whether an advisor was informed decides who may be listened to at all: the day of the "
        "notice is read.",
    )
    for advisor_id, day in session.execute(every_notice):
        advisor_id = kept.get(advisor_id, advisor_id)
        first[advisor_id] = min(day, first.get(advisor_id, day))
    return first


def _find(directory: advisors.Directory, name: str) -> str:
    found = directory.find(name)
    if found is not None:
        return found
    sharing = directory.by_name.get(advisors.normalise_name(name), [])
    if sharing:
        raise Refusal(
            "several_advisors",
            N_("Several advisors are called {name}: {ids}. Give the id."),
            name=name,
            ids=", ".join(sharing),
        )
    raise AccessDenied(N_("There is no advisor {name}."), name=name)
