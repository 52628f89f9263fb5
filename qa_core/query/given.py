"""What evaluators see of their own work: the evaluations that they gave, without the advisor and without the customer."""

from __future__ import annotations

import pandas as pd
import sqlalchemy as sa

from qa_core import engines
from qa_core.access import Permission, Viewer
from qa_core.errors import AccessDenied
from qa_core.facts import ANSWERS, CONTACTS
from qa_core.query import answers, cuts
from qa_core.query.measuring import make_question
from qa_core.query.statements import EVALUATION_DIMENSIONS
from qa_core.records import store
from qa_core.slices import Filters


def find_given_evaluations(viewer: Viewer, where: Filters = Filters(), limit: int = 50) -> pd.DataFrame:
    """The published evaluations that the viewer gave, newest contact first: `evaluation_id`, `day` of the contact, `grid`, `queue` where the contact is known,
    `score` and `outcome`. Filters may only use what an evaluation knows by itself."""
    viewer.require(Permission.SEE_OWN_EVALUATIONS)
    dimensions = cuts.dimensions_of((), where)
    if not all(viewer.can_cut_by(dimension) and dimension in EVALUATION_DIMENSIONS - {"criterion", "section"} for dimension in dimensions):
        raise AccessDenied()
    question = make_question(viewer, (), where)
    same = sa.and_(ANSWERS.c.source_system == CONTACTS.c.source_system, ANSWERS.c.contact_id == CONTACTS.c.contact_id)
    statement = (
        sa.select(ANSWERS.c.evaluation_id, ANSWERS.c.local_start.label("day"), ANSWERS.c.grid, CONTACTS.c.queue, ANSWERS.c.score, ANSWERS.c.outcome)
        .select_from(ANSWERS.outerjoin(CONTACTS, same))
        # Named besides the scope, which lets the system see all: these are the evaluations of one person.
        .where(viewer.scope(ANSWERS), ANSWERS.c.evaluator == viewer.username, ANSWERS.c.is_first)
        .where(*cuts.within(where.period, ANSWERS.c), *question.filters(ANSWERS.c))
        .order_by(ANSWERS.c.local_start.desc(), ANSWERS.c.evaluation_id.desc())
        .limit(limit)
    )
    with store.reading() as session:
        beside = {"answers": answers.load(session)}
    return engines.current().run(statement, beside, **cuts.months(where.period))
