"""Freshness of each source in the viewer's scope: last import, and newest contact."""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import N_
from qa_core.metrics.kpi import month_sums
from qa_core.metrics.kpi.metric_query import build_query
from qa_core.metrics.kpi.statements import MetricQuery, conditions_on, select_groups
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.storage import lake
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.facts.schema import CONTACTS
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.imports import ImportBatch

NEEDS: dict[str, Permission] = {
    "contacts": Permission.SEE_CALL_STATISTICS,
    "intervals": Permission.SEE_CALL_STATISTICS,
    "tracking": Permission.SEE_TRACKING,
    "spend": Permission.SEE_TRACKING,
    "surveys": Permission.SEE_SATISFACTION,
    "evaluations": Permission.SEE_SCORES,
    "advisors": Permission.MANAGE_IMPORTS,
}
"""Permission to see a kind of source; administrators see all."""

SOURCE_TITLES = {
    "contacts": N_("Contacts"),
    "intervals": N_("Totals"),
    "tracking": N_("Call tracking"),
    "surveys": N_("Surveys"),
    "spend": N_("Spend"),
    "evaluations": N_("Evaluations"),
    "advisors": N_("Advisors"),
    "recordings": N_("Recordings"),
}
"""What a source brings, by its kind."""

KEEPERS = (Permission.MANAGE_IMPORTS, Permission.SEE_HEALTH)

_c = CONTACTS.c
_JOIN_CONDITIONS = {
    "surveys": sa.func.coalesce(_c.csat, _c.nps, _c.ces).is_not(None),
    "tracking": sa.func.coalesce(_c.source, _c.medium, _c.campaign).is_not(None),
}
"""Sources whose rows are part of contacts of other systems."""


@dataclass(frozen=True)
class Freshness:
    """One source: a system and what came from it.

    `imported_at` by the centre's clock. `newest`: the start of its newest contact by
    the same clock, the last day where no more is known or may be seen, None when there
    is none.
    """

    system: str
    kind: str
    imported_at: datetime
    newest: datetime | date | None


def find_freshness(viewer: Viewer) -> tuple[Freshness, ...]:
    """Find every source the viewer may know of, with rows in scope; longest without news first."""
    sees_all = viewer.is_system or any(viewer.can(permission) for permission in KEEPERS)
    kinds = [kind for kind, needs in NEEDS.items() if sees_all or viewer.can(needs)]
    if not kinds:
        return ()
    with store.reading() as session:
        last = sa.select(
            ImportBatch.system,
            ImportBatch.kind,
            sa.func.max(ImportBatch.finished_at),
            sa.func.max(ImportBatch.last_day),
        )
        imports = session.execute(
            last.where(ImportBatch.state == "done", ImportBatch.kind.in_(kinds)).group_by(
                ImportBatch.system, ImportBatch.kind
            )
        ).all()
        newest_day = sa.select(sa.func.max(Evaluation.local_day))
        newest_evaluation = Scoped(newest_day, viewer)
        if sees_all:
            newest_evaluation = Unscoped(
                newest_day,
                "Administrators see the freshness of every source. Only the day of the newest "
                "evaluation is read.",
            )
        evaluation_day = session.scalar(newest_evaluation)
    # Executives see what is published, not what came in since.
    newest = {} if viewer.needs_suppression else _find_newest(viewer, sees_all)
    entries = []
    for system, kind, finished_at, last_day in imports:
        newest_of_system = {
            "contacts": newest.get(("contacts", system)),
            "evaluations": evaluation_day,
        }.get(kind, newest.get((kind, None), last_day))
        if viewer.needs_suppression:
            newest_of_system = None
        elif newest_of_system is None and not sees_all:
            continue
        entries.append(Freshness(system, kind, environment.to_local(finished_at), newest_of_system))
    return tuple(
        sorted(entries, key=lambda source: (source.imported_at, source.system, source.kind))
    )


def _find_newest(viewer: Viewer, sees_all: bool) -> dict[tuple[str, str | None], datetime | None]:
    """Find the start of the newest contact (local time), per system and kind of joined rows."""
    if lake.version("contacts") < 0:
        return {}
    columns = [sa.func.max(_c.local_start).label("newest_contacts")]
    columns += [
        sa.func.max(sa.case((condition, _c.local_start))).label(f"newest_{kind}")
        for kind, condition in _JOIN_CONDITIONS.items()
    ]

    def build(part: MetricQuery) -> Scoped | Unscoped:
        groups = [_c.source_system.label("by_system"), *part.groups(_c)]
        statement = select_groups(groups, columns).where(*conditions_on(part))
        if not sees_all:
            return Scoped(statement, part.viewer)
        return Unscoped(
            statement,
            "Administrators see the freshness of every source. Only times by system are read.",
        )

    rows = month_sums.collect(build_query(viewer, (), Filters()), build, is_of_teams=not sees_all)
    newest: dict[tuple[str, str | None], datetime | None] = {
        ("contacts", row["by_system"]): _moment(row["newest_contacts"]) for row in rows
    }
    for kind in _JOIN_CONDITIONS:
        newest[kind, None] = max(
            (moment for row in rows if (moment := _moment(row[f"newest_{kind}"]))), default=None
        )
    return newest


def _moment(value: datetime | None) -> datetime | None:
    """Return a moment of the centre's clock with its time zone."""
    is_missing = value is None or value != value
    return None if is_missing else value.replace(tzinfo=environment.current().zone)
