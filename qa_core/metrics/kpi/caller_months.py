"""Distinct callers over whole months. A caller of several months counts once: a month's
sums keep its callers by the last month before it in which they counted too.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from qa_core.metrics.kpi import dimension_sql, month_sums, statements
from qa_core.metrics.kpi.statements import MetricQuery, has_few_days
from qa_core.metrics.kpis import CALLERS, COUNTED_DIRECTION, FactTable, Kpi
from qa_core.metrics.kpis.dimensions import Period
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS

BEFORE = "before__"
"""Beginning of the name of the column with the last month before, of each KPI."""


def find_records(question: MetricQuery, kpis: Sequence[Kpi]) -> list[dict[str, Any]] | None:
    """Find what the statement on callers finds; None where months do not answer it.

    A short period is counted as fast from its contacts.
    """
    period = question.where.period
    if has_few_days(period) or question.cuts or month_sums.FROM_DAYS.keys() & {*question.by}:
        return None
    months = month_sums.list_whole_months(period)
    if not months:
        return None

    build = functools.partial(_count_by_month, kpis=kpis)

    def run(part: MetricQuery) -> pd.DataFrame:
        months = statements.months_of(part, FactTable.CUSTOMERS)
        return engine.current().run(build(part), **months)

    def count_once(table: pa.Table) -> pa.Table:
        """Count whom no month of the period has counted yet."""
        for kpi in kpis:
            before = table.column(BEFORE + kpi.key).cast(pa.string())
            has_changed = pc.fill_null(pc.less(before, f"{months[0]:%Y-%m}"), True)
            for name in (f"{kpi.key}__n", f"{kpi.key}__hits"):
                counted = pc.if_else(has_changed, table.column(name), 0)
                table = month_sums.set_column(table, name, counted)
        return table.drop_columns([BEFORE + kpi.key for kpi in kpis])

    return month_sums.collect_months(question, build, months, run, count_once)


def _count_by_month(question: MetricQuery, kpis: Sequence[Kpi]) -> Scoped:
    """Count the callers of each month of the period by the last month before in which they
    counted, in the groups of the question.
    """
    question = replace(question, by=tuple(name for name in question.by if name != "month"))
    period = question.where.period
    own = [COUNTED_DIRECTION, *question.filters(CONTACTS.c)]
    conditions = [*own, *dimension_sql.within(Period(last_day=period.last_day), CONTACTS.c)]
    customers = None
    if has_few_days(period):
        # After an import: of all months before, only the contacts of its callers are needed.
        inside = dimension_sql.within(period, CONTACTS.c)
        asked = sa.select(CONTACTS.c.customer_number).where(*own, *inside).cte("asked")
        customers = sa.select(asked.c.customer_number)
        is_asked = CONTACTS.c.customer_number.in_(customers)
        conditions.append(sa.or_(sa.and_(*inside), is_asked))
    groups = question.groups(CALLERS.c)
    parts = {kpi.key: statements.parts_of(question, kpi, CALLERS.c) for kpi in kpis}
    counts = [
        (f"{kpi.key}__{name}", count)
        for kpi in kpis
        for name, count in statements.aggregates_of(kpi, parts[kpi.key])
        if name not in ("n", "hits")
    ]
    month = CALLERS.c.month.label("by_month")
    callers = (
        sa.select(
            *(*groups, month, CALLERS.c.customer_number, sa.func.count().label("present")),
            *(count.label(name) for name, count in counts),
            *(sa.func.bool_or(part.hits).label(key) for key, part in parts.items()),
        )
        .group_by(*groups, month, CALLERS.c.customer_number)
        .cte("in_months")
        .c
    )
    keys = [callers[group.name] for group in groups]
    same = {"partition_by": (*keys, callers.customer_number), "order_by": callers.by_month}
    before = [
        sa.func.max(sa.case((callers[key], callers.by_month)))
        .over(**same, rows=(None, -1))
        .label(BEFORE + key)
        for key in parts
    ]
    each = sa.select(*callers, *before).cte("beside_before").c
    sums = [sa.func.sum(each[name]).label(name) for name in ("present", *dict(counts))]
    for key in parts:
        n = sa.func.count().filter(each[key])
        sums += [n.label(f"{key}__n"), n.label(f"{key}__hits")]
    places = [each[column.name] for column in (*keys, callers.by_month, *before)]
    statement = statements.select_groups(places, sums)
    if period.first_day:
        statement = statement.where(each.by_month >= sa.literal(f"{period.first_day:%Y-%m}"))
    found = statements.callers_of(question, conditions, customers)
    return statements.with_callers(question, statement, found)
