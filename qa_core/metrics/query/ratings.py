"""What customers answered, mark by mark and month by month."""

from __future__ import annotations

import pandas as pd
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.dimensions import Filters
from qa_core.metrics.kpis import COUNTED_DIRECTION, get_kpi
from qa_core.metrics.kpis.rows import number, word
from qa_core.metrics.query import dimension_sql, factor_suppression, suppression
from qa_core.metrics.query.measure import build_query, measure
from qa_core.metrics.query.statements import MetricQuery, parts_of
from qa_core.storage import engine
from qa_core.storage.guard import Scoped
from qa_core.storage.schema import CONTACTS

MARKS = {"csat": ("1", "2", "3", "4", "5"), "nps": ("detractor", "passive", "promoter")}
"""The answers told apart, the least pleased first."""
COARSE = ("1-2", "3", "4", "5")
"""The ratings that those who see large cells alone are told apart: few customers give a
1.
"""


def find_ratings(viewer: Viewer, kpi: str, where: Filters = Filters()) -> pd.DataFrame:
    """Count the answers to `csat` (each brought to 1–5 and rounded) or `nps` by month:
    `month` (YYYY-MM), `mark`, `n`; sorted, no empty cells.

    Who sees large cells alone sees the two lowest ratings as one (`COARSE`), a month
    only where all its marks are large enough, and nothing under filters. Raises
    AccessDenied for whoever may not see satisfaction, and for a filter that the viewer
    may not use.
    """
    viewer.require(Permission.SEE_SATISFACTION)
    if not all(
        viewer.can_cut_by(dimension) for dimension in dimension_sql.dimensions_of((), where)
    ):
        raise AccessDenied()
    question = build_query(viewer, (), where)
    mark, counted = _mark(question, kpi), parts_of(question, get_kpi(kpi), CONTACTS.c).counted
    groups = [CONTACTS.c.month.label("month"), mark.label("mark")]
    conditions = [
        COUNTED_DIRECTION,
        *dimension_sql.within(where.period, CONTACTS.c),
        *question.filters(CONTACTS.c),
        counted,
    ]
    statement = (
        sa.select(*groups, sa.func.count().label("n"))
        .where(*conditions)
        .group_by(*groups)
        .order_by(*groups)
    )
    if viewer.needs_suppression:
        suppression.require_whole_months(where.period)
    frame = engine.current().run(Scoped(statement, viewer), **dimension_sql.months(where.period))
    if not viewer.needs_suppression:
        return frame
    return frame[frame["month"].isin(_find_shown(question, kpi, mark))].reset_index(drop=True)


def _find_shown(question: MetricQuery, kpi: str, mark: sa.ColumnElement[str]) -> set[str]:
    if question.where.values:
        return set()
    cells = factor_suppression.weigh(question, get_kpi(kpi), mark)
    small = {month for (_mark, month), weight in cells.items() if not weight.is_safe}
    frame = measure(question.viewer, (kpi,), ("month",), question.where)
    published = set(frame["month"][frame["status"] != "suppressed"])
    return published - small


def _mark(question: MetricQuery, kpi: str) -> sa.ColumnElement[str]:
    if kpi == "nps":
        answer = CONTACTS.c.nps
        return sa.case(
            (answer >= number("9.0"), word("promoter")),
            (answer <= number("6.0"), word("detractor")),
            else_=word("passive"),
        )
    scaled = parts_of(question, get_kpi("csat_mean"), CONTACTS.c).amount
    rounded = sa.cast(sa.cast(sa.func.floor(scaled + number("0.5")), sa.Integer), sa.Text)
    return (
        sa.case((rounded.in_([word("1"), word("2")]), word(COARSE[0])), else_=rounded)
        if question.viewer.needs_suppression
        else rounded
    )
