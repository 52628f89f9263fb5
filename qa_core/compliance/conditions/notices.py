"""Notices to advisors of recording and listening, and their days (docs/compliance.md, R4)."""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.arguments import require_between
from qa_core.base.errors import build_namesakes, build_unknown
from qa_core.base.i18n import N_
from qa_core.centre import advisors, members
from qa_core.storage import audit_log, name_merges
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.listening import AdvisorNotice
from qa_core.storage.records.store import Session


@dataclass(frozen=True)
class Notice:
    """An advisor and the day they were informed; None: not yet."""

    advisor_id: str
    name: str
    informed_on: date | None


def inform(viewer: Viewer, names: list[str], on: date) -> int:
    """Enter the day these advisors (id, name, alias) were informed, all or none; return count."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    require_between(on, last=environment.today())
    with store.writing() as session:
        directory = advisors.Directory.load(session)
        advisor_ids = list(dict.fromkeys(get_advisor(directory, name) for name in names))
        session.add_all(
            AdvisorNotice(advisor_id=advisor_id, informed_on=on, entered_by=viewer.username)
            for advisor_id in advisor_ids
        )
        for advisor_id in advisor_ids:
            who = audit_log.name_advisor(advisor_id)
            audit_log.record(session, viewer.username, "advisor_informed", who, on.isoformat())
    return len(advisor_ids)


def find_all(viewer: Viewer) -> list[Notice]:
    """List every advisor once with the day they were informed, those not informed first."""
    viewer.require(Permission.SEE_COMPLIANCE)
    with store.reading() as session:
        information_days = find_information_days(session)
        kept_ids = name_merges.find_kept_names(session)["advisor"]
        names = members.find_names(session)
    notices = [
        Notice(advisor_id, name, information_days.get(advisor_id))
        for advisor_id, name in names.items()
        if advisor_id not in kept_ids
    ]
    return sorted(notices, key=lambda notice: (notice.informed_on is not None, notice.name))


def find_information_days(session: Session, until: datetime | None = None) -> dict[str, date]:
    """Map each advisor id to the day they were informed: the last entry of an id corrects its
    earlier ones, and merged ids take their first day; `until`: by the notices entered until
    then.
    """
    kept_ids = name_merges.find_kept_names(session)["advisor"]
    first: dict[str, date] = {}
    entered = [AdvisorNotice.entered_at <= until] if until else []
    every_notice = Unscoped(
        sa.select(AdvisorNotice.advisor_id, AdvisorNotice.informed_on)
        .where(*entered)
        .order_by(AdvisorNotice.id),
        "Only informed advisors may be listened to. Only the day of the notice is read.",
    )
    for stored_id, day in dict(map(tuple, session.execute(every_notice))).items():
        advisor_id = kept_ids.get(stored_id, stored_id)
        first[advisor_id] = min(day, first.get(advisor_id, day))
    return first


def get_advisor(directory: advisors.Directory, name: str) -> str:
    """Return the id of an advisor by id, name or alias. Raises Refusal for an unknown
    name and for a shared one.
    """
    advisor_id = directory.find(name)
    if advisor_id is not None:
        return advisor_id
    namesakes = directory.by_name.get(advisors.normalise_name(name), [])
    if namesakes:
        raise build_namesakes(name, namesakes)
    raise build_unknown("unknown_advisor", N_("Advisor"), name)
