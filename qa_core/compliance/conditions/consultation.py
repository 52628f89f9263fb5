"""Consultation of the works council: what it was consulted on, and what changed since."""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.centre import settings
from qa_core.compliance.conditions import gates
from qa_core.metrics.kpis import formatting
from qa_core.storage.records.listening import Accreditation, GateValue
from qa_core.storage.records.settings import SettingValue

GATES = ("purposes", "recording_retention_months", "analysis_retention_months")
MAXIMUM = "listening_ceiling"


def describe_changes(session: Session) -> str:
    """Describe what differs from the consultation: purposes, periods, the maximum, and the
    number of listeners who came since. Empty where nothing does, or nobody was consulted.

    Entries are never changed, so those before the entry of the day are what was presented;
    what had no value then is compared with its first one.
    """
    entries = session.scalars(sa.select(GateValue).order_by(GateValue.id)).all()
    consulted = [entry for entry in entries if entry.name == gates.CONSULTATION]
    return formatting.listing(_find_changes(session, entries, consulted[-1])) if consulted else ""


def _find_changes(
    session: Session, entries: list[GateValue], consulted: GateValue
) -> Iterator[str]:
    for name in GATES:
        values = [entry for entry in entries if entry.name == name]
        earlier = [entry for entry in values if entry.id < consulted.id] or values[:1]
        if earlier and earlier[-1].value != values[-1].value:
            yield _describe(gates.BY_NAME[name].title, earlier[-1].value, values[-1].value)
    maxima = session.scalars(
        sa.select(SettingValue)
        .where(SettingValue.name == MAXIMUM, SettingValue.set_at <= consulted.set_at)
        .order_by(SettingValue.id)
    ).all()
    setting = settings.BY_NAME[MAXIMUM]
    before = setting.parse(maxima[-1].value) if maxima else setting.default
    now = getattr(settings.current(session), MAXIMUM)
    if before != now:
        yield _describe(setting.title, before, now)
    if count := _count_new_listeners(session, consulted):
        yield _("{what}: {count} more", what=_(gates.LISTENERS_GATE.title), count=count)


def _describe(title: str, before: object, now: object) -> str:
    return _("{what}: {before} → {after}", what=_(title), before=before, after=now)


def _count_new_listeners(session: Session, consulted: GateValue) -> int:
    given = session.scalars(sa.select(Accreditation).order_by(Accreditation.given_at)).all()
    if not given:
        return 0
    first_day = environment.to_local(given[0].given_at).date()
    known = {_name(item) for item in given if item.given_at <= consulted.set_at} or {
        _name(item) for item in given if environment.to_local(item.given_at).date() == first_day
    }
    today = environment.today()
    return len(
        {_name(item) for item in given if item.ended_at is None and item.ends_on >= today} - known
    )


def _name(item: Accreditation) -> str | None:
    return item.username or item.evaluator
