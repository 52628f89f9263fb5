"""A person's own work: an advisor's evaluations beside the medians of the team, and the
evaluations that an evaluator gave, without the advisor and the customer.
"""

import statistics
from collections.abc import Sequence
from typing import Any

import pandas as pd
import sqlalchemy as sa

from qa_core.access import people
from qa_core.access.roles import MINIMUM_ADVISORS, MINIMUM_CONTACTS, Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.kpi import dimension_sql, evaluation_table
from qa_core.metrics.kpi.measure import build_query, measure
from qa_core.metrics.kpi.statements import EVALUATION_DIMENSIONS
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.rows.contacts import find_contacts
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import ANSWERS
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import PUBLISHED, Evaluation, ScorecardVersion


def find_own_evaluations(viewer: Viewer, period: Period, limit: int = 50) -> list[dict[str, Any]]:
    """Find the viewer's own published evaluations, newest first, with who listened."""
    viewer.require(Permission.SEE_OWN_QUALITY)
    if not viewer.advisor_id:
        raise AccessDenied()
    days = [] if period.first_day is None else [Evaluation.local_day >= period.first_day]
    days += [] if period.last_day is None else [Evaluation.local_day <= period.last_day]
    statement = (
        sa.select(
            Evaluation.id,
            Evaluation.acknowledged_at,
            Evaluation.source_system,
            Evaluation.contact_id,
            Evaluation.local_day,
            Evaluation.evaluated_at,
            Evaluation.purpose,
            Evaluation.evaluator,
            sa.func.coalesce(ScorecardVersion.title, Evaluation.grid_name).label("grid"),
            Evaluation.score,
            Evaluation.outcome,
        )
        .outerjoin(ScorecardVersion, ScorecardVersion.id == Evaluation.grid_id)
        .where(*PUBLISHED, *days)
        .order_by(Evaluation.evaluated_at.desc(), Evaluation.id.desc())
        .limit(limit)
    )
    with store.reading() as session:
        names = people.find_names(session)
        return [
            {**row, "evaluator": names.get(row["evaluator"], row["evaluator"])}
            for row in session.execute(Scoped(statement, viewer)).mappings()
        ]


def team_medians(
    viewer: Viewer, kpis: Sequence[str], period: Period
) -> dict[str, tuple[float, int]]:
    """Compute for each KPI the median over the advisors of the viewer's team, and their
    number; left out below five advisors or ten rows.

    The team is the one of the viewer's last contact in the period. There is no other
    filter: differences between filtered medians could reveal single advisors.
    """
    viewer.require(Permission.SEE_OWN_QUALITY)
    if not viewer.advisor_id:
        raise AccessDenied()
    for kpi in kpis:
        measure(
            viewer, (kpi,), (), Filters(period)
        )  # whatever the viewer may not see of themselves, they do not see of the team
    latest = find_contacts(viewer, Filters(period), columns=("team",), limit=1)
    team = None if latest.empty else latest["team"].iloc[0]
    if not isinstance(team, str):
        return {}
    # As the system: a colleague's value goes into the median and nowhere else.
    frame = measure(Viewer.SYSTEM, kpis, ("advisor",), Filters.of(period, {"team": (team,)}))
    medians = {}
    for kpi in kpis:
        rows = frame[(frame["kpi"] == kpi) & frame["value"].notna() & frame["advisor"].notna()]
        if len(rows) >= MINIMUM_ADVISORS and rows["n"].sum() >= MINIMUM_CONTACTS:
            medians[kpi] = (statistics.median(rows["value"]), len(rows))
    return medians


def find_evaluations_given(
    viewer: Viewer, where: Filters = Filters(), limit: int = 50
) -> pd.DataFrame:
    """Find the published evaluations that the viewer gave, newest contact first:
    `evaluation_id`, `day` of the contact, `grid`, `score` and `outcome`. Filters may only use
    what an evaluation knows by itself.
    """
    viewer.require(Permission.SEE_OWN_EVALUATIONS)
    dimensions = dimension_sql.dimensions_of((), where)
    if not all(
        viewer.can_cut_by(dimension)
        and dimension in EVALUATION_DIMENSIONS - {"criterion", "section"}
        for dimension in dimensions
    ):
        raise AccessDenied()
    question = build_query(viewer, (), where)
    statement = (
        sa.select(
            ANSWERS.c.evaluation_id,
            ANSWERS.c.local_start.label("day"),
            ANSWERS.c.grid,
            ANSWERS.c.score,
            ANSWERS.c.outcome,
        )
        # Named besides the scope, which lets the system see all: these are the
        # evaluations of one person.
        .where(ANSWERS.c.evaluator == viewer.username, ANSWERS.c.is_first)
        .where(*dimension_sql.within(where.period, ANSWERS.c), *question.filters(ANSWERS.c))
        .order_by(ANSWERS.c.local_start.desc(), ANSWERS.c.evaluation_id.desc())
        .limit(limit)
    )
    months = dimension_sql.months(where.period)
    query = Scoped(statement, viewer)
    return engine.current().run(query, evaluation_table.beside(**months), **months)
