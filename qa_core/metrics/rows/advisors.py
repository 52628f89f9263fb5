"""One advisor as those who lead them may see them: name, teams, evaluated contacts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import sqlalchemy as sa

from qa_core.access import people
from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.kpi import dimension_sql, evaluation_table
from qa_core.metrics.kpi.dimension_sql import Names
from qa_core.metrics.kpi.measure import build_query
from qa_core.metrics.kpi.statements import EVALUATION_DIMENSIONS
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import audit_log, engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import ANSWERS, CONTACTS, EVERY_CONTACT
from qa_core.storage.records import store


@dataclass(frozen=True)
class AdvisorProfile:
    """Advisor: the name as in every figure, and the teams where the viewer may see them."""

    advisor_id: str
    name: str
    teams: tuple[str | None, ...]


def find_advisors(
    viewer: Viewer, period: Period = Period(), teams: Sequence[str | None] | None = None
) -> tuple[AdvisorProfile, ...]:
    """Find the advisors with a contact or an evaluation in the viewer's scope in the
    period, by name; `teams` limits them to some teams.
    """
    viewer.require(Permission.SEE_ADVISORS)
    return _find(viewer, period, teams, None)


def get_advisor(viewer: Viewer, advisor_id: str, period: Period = Period()) -> AdvisorProfile:
    """Return one advisor with the teams of the period, or with all teams where they have
    no contact in it.

    Raises AccessDenied for an advisor out of scope, and the same for an unknown one.
    """
    viewer.require(Permission.SEE_ADVISORS)
    profiles = _find(viewer, period, None, advisor_id) or _find(viewer, Period(), None, advisor_id)
    if len(profiles) != 1:
        raise AccessDenied()
    return profiles[0]


def read_advisor(viewer: Viewer, advisor_id: str, period: Period = Period()) -> AdvisorProfile:
    """Open one advisor for a reader: `get_advisor`, noted in the audit log."""
    advisor = get_advisor(viewer, advisor_id, period)
    who = audit_log.name_advisor(advisor.advisor_id)
    audit_log.note_reading(viewer.username, "advisor_read", who)
    return advisor


def find_evaluations_of(
    viewer: Viewer, advisor_id: str, where: Filters, criterion: str | None = None, limit: int = 50
) -> pd.DataFrame:
    """Find the published evaluations of one advisor in the viewer's scope, newest
    contact first: `evaluation_id`, `source_system`, `contact_id`, `day`, `grid`,
    `score`, `outcome`, with `evaluator` for who may know; with a criterion only those
    where it was answered, with `earned` and `possible`.
    """
    viewer.require(Permission.SEE_ADVISORS)
    viewer.require(Permission.SEE_SCORES)
    is_of_evaluation = EVALUATION_DIMENSIONS.__contains__
    question = build_query(viewer, (), where)
    columns = [
        ANSWERS.c.evaluation_id,
        ANSWERS.c.source_system,
        ANSWERS.c.contact_id,
        ANSWERS.c.local_start.label("day"),
        ANSWERS.c.grid,
        ANSWERS.c.score,
        ANSWERS.c.outcome,
    ]
    if viewer.can(Permission.SEE_EVALUATORS):
        columns.append(ANSWERS.c.evaluator)
    part = ANSWERS.c.is_first
    if criterion is not None:
        columns += [ANSWERS.c.earned, ANSWERS.c.possible]
        part = sa.and_(ANSWERS.c.criterion == criterion, ANSWERS.c.earned.is_not(None))
    every = EVERY_CONTACT.c
    same = sa.and_(
        ANSWERS.c.source_system == every.source_system, ANSWERS.c.contact_id == every.contact_id
    )
    statement = (
        sa.select(*columns)
        .select_from(ANSWERS.outerjoin(EVERY_CONTACT, same))
        .where(
            ANSWERS.c.advisor_id == advisor_id, part, *dimension_sql.within(where.period, ANSWERS.c)
        )
        .where(
            *question.filters(ANSWERS.c, is_of_evaluation),
            *question.filters(every, lambda dimension: not is_of_evaluation(dimension)),
        )
        .order_by(ANSWERS.c.local_start.desc(), ANSWERS.c.evaluation_id.desc())
        .limit(limit)
    )
    evaluations = Scoped(
        statement,
        viewer,
        beyond="The filter of an evaluation in scope needs fields of its contact, such as the "
        "queue.",
    )
    months = dimension_sql.months(where.period)
    frame = engine.current().run(evaluations, evaluation_table.beside(**months), **months)
    if "evaluator" in frame:
        with store.reading() as session:
            names = people.find_names(session)
        frame["evaluator"] = [names.get(username, username) for username in frame["evaluator"]]
    return frame


def _find(
    viewer: Viewer, period: Period, teams: Sequence[str | None] | None, advisor_id: str | None
) -> tuple[AdvisorProfile, ...]:
    pairs: set[tuple[str, str | None]] = set()
    months = dimension_sql.months(period)
    for table, beside in ((CONTACTS, {}), (ANSWERS, evaluation_table.beside(**months))):
        conditions: list[Any] = [*dimension_sql.within(period, table.c)]
        conditions.append(
            table.c.advisor_id.is_not(None)
            if advisor_id is None
            else table.c.advisor_id == advisor_id
        )
        frame = engine.current().run(
            Scoped(
                sa.select(table.c.advisor_id, table.c.team).where(*conditions).distinct(), viewer
            ),
            beside,
            **months,
        )
        pairs |= {
            (key, team if isinstance(team, str) else None)
            for key, team in zip(frame["advisor_id"], frame["team"], strict=True)
        }
    with store.reading() as session:
        names = Names.load(session, frozenset({"advisor"}))
    by_id: dict[str, set[str | None]] = {}
    for key, team in pairs:
        if teams is None or team in teams:
            by_id.setdefault(key, set()).add(team)
    profiles = [
        AdvisorProfile(
            key,
            names.advisor_label(key) or key,
            tuple(sorted(of, key=lambda team: (team is None, team or ""))),
        )
        for key, of in by_id.items()
    ]
    return tuple(
        sorted(profiles, key=lambda advisor: (advisor.name.casefold(), advisor.advisor_id))
    )
