"""An evaluator's own work: their evaluations without the advisor and the customer."""

import pandas as pd
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.kpi import dimension_sql, evaluation_table
from qa_core.metrics.kpi.measure import build_query
from qa_core.metrics.kpi.statements import EVALUATION_DIMENSIONS
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import ANSWERS, EVERY_CONTACT
from qa_core.storage.records import store


def find_evaluations_given(
    viewer: Viewer, where: Filters = Filters(), limit: int = 50
) -> pd.DataFrame:
    """Find the published evaluations that the viewer gave, newest contact first:
    `evaluation_id`, `day` of the contact, `grid`, `queue` where the contact is known,
    `score` and `outcome`. Filters may only use what an evaluation knows by itself.
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
    every = EVERY_CONTACT.c
    same = sa.and_(
        ANSWERS.c.source_system == every.source_system, ANSWERS.c.contact_id == every.contact_id
    )
    statement = (
        sa.select(
            ANSWERS.c.evaluation_id,
            ANSWERS.c.local_start.label("day"),
            ANSWERS.c.grid,
            every.queue,
            ANSWERS.c.score,
            ANSWERS.c.outcome,
        )
        .select_from(ANSWERS.outerjoin(EVERY_CONTACT, same))
        # Named besides the scope, which lets the system see all: these are the
        # evaluations of one person.
        .where(ANSWERS.c.evaluator == viewer.username, ANSWERS.c.is_first)
        .where(*dimension_sql.within(where.period, ANSWERS.c), *question.filters(ANSWERS.c))
        .order_by(ANSWERS.c.local_start.desc(), ANSWERS.c.evaluation_id.desc())
        .limit(limit)
    )
    with store.reading() as session:
        beside = {"answers": evaluation_table.load(session)}
    query = Scoped(
        statement,
        viewer,
        beyond="An evaluator has no contacts in scope. Only the queue of contacts that they "
        "evaluated is shown.",
    )
    return engine.current().run(query, beside, **dimension_sql.months(where.period))
