"""Notices: what waits for a person, declared once for the pages and for mails."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import NN_, ngettext
from qa_core.compliance import requests
from qa_core.compliance.conditions import accreditations
from qa_core.ingest.load import layouts
from qa_core.quality.calibration import worklist as calibration_worklist
from qa_core.quality.evaluations.advisor_response import NEWS_DAYS, find_news
from qa_core.quality.sampling import worklist
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import (
    Accreditation,
    CoachingPlan,
    Dispute,
    Draw,
    DrawnContact,
)
from qa_core.upkeep import purge

Moments = Iterable[datetime]
P = Permission
CALIBRATION_DAYS, ACCREDITATION_DAYS = 2, 14
"""Days before the end from which a notice is shown."""


@dataclass(frozen=True)
class NoticeKind:
    """Kind of notice: who has it, the page it leads to, its text by number, and the moments
    from which each of its things waits.
    """

    name: str
    permission: Permission
    page: str
    forms: tuple[str, str]
    find: Callable[[Viewer], Moments]


@dataclass(frozen=True)
class WaitingNotice:
    """Things of one kind that wait for a viewer, in the language spoken."""

    kind: str
    text: str
    page: str


def find_notices(
    viewer: Viewer, after: datetime | None = None, until: datetime | None = None
) -> list[WaitingNotice]:
    """Find what waits for the viewer; with `after` and `until`, what began to wait then."""
    notices = []
    for kind in KINDS:
        if not viewer.can(kind.permission):
            continue
        moments = [
            moment
            for moment in kind.find(viewer)
            if (after is None or moment > after) and (until is None or moment <= until)
        ]
        if moments:
            text = ngettext(*kind.forms, len(moments))
            notices.append(WaitingNotice(kind.name, text, kind.page))
    return notices


def _find_unread(viewer: Viewer) -> Moments:
    shown_at = sa.func.coalesce(Evaluation.published_at, Evaluation.evaluated_at)
    return _read(viewer, sa.select(shown_at).where(Evaluation.id.in_(_find_news(viewer)[0])))


def _find_decided(viewer: Viewer) -> Moments:
    ids = _find_news(viewer)[1]
    since = now() - timedelta(days=NEWS_DAYS)
    newest = sa.select(sa.func.max(Dispute.decided_at)).where(
        Dispute.evaluation_id.in_(ids), Dispute.decided_at >= since
    )
    return _read(viewer, newest.group_by(Dispute.evaluation_id))


def _find_news(viewer: Viewer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if viewer.advisor_id is None:
        return (), ()
    news = find_news(viewer)
    return news.unread, news.decided


def _find_drawn(viewer: Viewer) -> Moments:
    waiting = [item.drawn_id for item in worklist.find_worklist(viewer) if item.state == "waiting"]
    drawn = sa.select(Draw.drawn_at).join(DrawnContact, DrawnContact.draw_id == Draw.id)
    return _read(viewer, drawn.where(DrawnContact.id.in_(waiting)))


def _find_calibrations(viewer: Viewer) -> Moments:
    if not viewer.can(Permission.FILL_SCORECARDS):
        return ()
    tasks = calibration_worklist.find_worklist(viewer)
    due = {task.calibration_id: task.due_on for task in tasks if task.state != "done"}
    return _begin([day for day in due.values() if day], CALIBRATION_DAYS)


def _find_coaching(viewer: Viewer) -> Moments:
    since = now() - timedelta(days=NEWS_DAYS)
    opened = sa.select(CoachingPlan.opened_at).where(
        CoachingPlan.state == "open", CoachingPlan.opened_at >= since
    )
    return _read(viewer, opened)


def _find_ending(viewer: Viewer) -> Moments:
    ends = sa.select(sa.func.max(Accreditation.ends_on)).where(
        Accreditation.username == viewer.username, Accreditation.ended_at.is_(None)
    )
    with store.reading() as session:
        last_day = session.scalar(ends)
    return _begin_open([last_day] if last_day else [])


def _find_all_ending(viewer: Viewer) -> Moments:
    found = accreditations.find_all(viewer)
    return _begin_open([item.ends_on for item in found if item.holds])


def _find_requests(viewer: Viewer) -> Moments:
    due = [item.due_on for item in requests.find_all(viewer) if item.is_open]
    return _begin(due, requests.REMIND_DAYS)


def _find_overdue(viewer: Viewer) -> Moments:
    late = [item.since for item in purge.find_overdue(viewer) if item.is_late]
    return _begin(late, -1)


def _find_imports(viewer: Viewer) -> Moments:
    return [row.updated_at for row in layouts.find_waiting(viewer)]


EVALUATIONS = NN_("{n} evaluation to read", "{n} evaluations to read")
DECISIONS = NN_("{n} decision on your disputes", "{n} decisions on your disputes")
PLANS = NN_("{n} new coaching plan", "{n} new coaching plans")
DRAWN = NN_("{n} contact drawn for you to evaluate", "{n} contacts drawn for you to evaluate")
CALIBRATIONS = NN_("{n} calibration session due soon", "{n} calibration sessions due soon")
ENDING = NN_("{n} accreditation ends soon", "{n} accreditations end soon")
REQUESTS = NN_("{n} request of a person to answer", "{n} requests of persons to answer")
OVERDUE = NN_("{n} kind of data kept too long", "{n} kinds of data kept too long")
IMPORTS = NN_("{n} file waits for an answer", "{n} files wait for an answer")
COMPLIANCE = "listening_rules"
KINDS = (
    NoticeKind("evaluation_published", P.SEE_OWN_QUALITY, "my_quality", EVALUATIONS, _find_unread),
    NoticeKind("dispute_decided", P.SEE_OWN_QUALITY, "my_quality", DECISIONS, _find_decided),
    NoticeKind("coaching_agreed", P.SEE_OWN_QUALITY, "coaching", PLANS, _find_coaching),
    NoticeKind("draw_assigned", P.SEE_OWN_EVALUATIONS, "evaluate", DRAWN, _find_drawn),
    NoticeKind(
        "calibration_due", P.SEE_CALIBRATIONS, "calibration", CALIBRATIONS, _find_calibrations
    ),
    NoticeKind("accreditation_ends", P.LISTEN, "my_account", ENDING, _find_ending),
    NoticeKind("accreditations_end", P.MANAGE_COMPLIANCE, COMPLIANCE, ENDING, _find_all_ending),
    NoticeKind("request_due", P.MANAGE_COMPLIANCE, COMPLIANCE, REQUESTS, _find_requests),
    NoticeKind("deletion_overdue", P.MANAGE_COMPLIANCE, COMPLIANCE, OVERDUE, _find_overdue),
    NoticeKind("import_waiting", P.MANAGE_IMPORTS, "imports", IMPORTS, _find_imports),
)
"""Every kind of notice, in the order in which they are shown."""


def _begin(days: Iterable[date], before: int) -> list[datetime]:
    """Return the moments that many days before each day, where they have come."""
    zone = environment.current().zone
    begun = (datetime.combine(day - timedelta(days=before), time(), zone) for day in days)
    return [moment for moment in begun if moment <= now()]


def _begin_open(days: Iterable[date]) -> list[datetime]:
    today = environment.today()
    return _begin([day for day in days if day >= today], ACCREDITATION_DAYS)


def _read(viewer: Viewer, statement: sa.Select) -> list[datetime]:
    with store.reading() as session:
        return list(session.scalars(Scoped(statement, viewer)))
