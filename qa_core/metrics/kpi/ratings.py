"""Answers of customers, mark by mark and month by month."""

import pandas as pd
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.metrics.kpi import dimension_sql, month_sums, publication
from qa_core.metrics.kpi.metric_query import build_query
from qa_core.metrics.kpi.statements import MetricQuery, conditions_on, parts_of, select_groups
from qa_core.metrics.kpis import COUNTED_DIRECTION, get_kpi
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.metrics.kpis.rows import number, word
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS

MARKS = {"csat": ("1", "2", "3", "4", "5"), "nps": ("detractor", "passive", "promoter")}
"""The answers that are distinguished, the least pleased first."""


def find_ratings(viewer: Viewer, kpi: str, where: Filters = Filters()) -> pd.DataFrame:
    """Count the answers to `csat` (each brought to 1–5 and rounded) or `nps` by month:
    `month` (YYYY-MM), `mark`, `n`; sorted, no empty cells.

    An executive sees them of the months whose total is published, and none under a
    filter. Raises AccessDenied where the viewer may not see satisfaction or use a
    filter; Refusal for what is not published.
    """
    viewer.require(Permission.SEE_SATISFACTION)
    dimension_sql.require_filters(viewer, where)
    if viewer.needs_suppression:
        return publication.find_marks(kpi, where)
    question = build_query(viewer, ("month",), where)

    def build(part: MetricQuery) -> Scoped:
        parts = parts_of(part, get_kpi(kpi), CONTACTS.c)
        groups = [*part.groups(CONTACTS.c), _mark(part, kpi).label("by_mark")]
        statement = select_groups(groups, [sa.func.count().label("n")]).where(
            COUNTED_DIRECTION, *conditions_on(part), parts.denominator
        )
        return Scoped(statement, part.viewer)

    columns = {"by_month": "month", "by_mark": "mark", "n": "n"}
    records = month_sums.collect(question, build, is_of_teams=True)
    frame = pd.DataFrame(records, columns=list(columns))
    return frame.rename(columns=columns).sort_values(["month", "mark"], ignore_index=True)


def _mark(question: MetricQuery, kpi: str) -> sa.ColumnElement[str]:
    if kpi == "nps":
        answer = CONTACTS.c.nps
        return sa.case(
            (answer >= number("9.0"), word("promoter")),
            (answer <= number("6.0"), word("detractor")),
            else_=word("passive"),
        )
    rating = parts_of(question, get_kpi("csat_mean"), CONTACTS.c).amount
    return sa.cast(sa.cast(sa.func.floor(rating + number("0.5")), sa.Integer), sa.Text)
