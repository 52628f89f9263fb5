"""Distinct customers, who count once however often they come: over whole months, and under
several cuts at once.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from qa_core.metrics.kpi import dimension_sql, month_sums, statements
from qa_core.metrics.kpi.statements import MetricQuery, has_few_days
from qa_core.metrics.kpis import CALLERS, COUNTED_DIRECTION, FactTable, Kpi
from qa_core.metrics.kpis.dimensions import Period
from qa_core.storage import engine, lake
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS

BEFORE = "before__"
"""Beginning of the name of the column with the last month before, of each KPI."""
CONTACTS_AT_ONCE = 100_000
"""Contacts whose customers are counted in one part: memory holds their rows or groups."""
CUSTOMER = "customer_number"


def find_month_records(question: MetricQuery, kpis: Sequence[Kpi]) -> list[dict[str, Any]] | None:
    """Find what the statement on callers finds; None where months do not answer it. The sums of
    a month keep its callers by the last month before in which they counted too.

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


def find_cut_records(
    question: MetricQuery, build: Callable[[MetricQuery], Scoped], **months: str | None
) -> list[dict[str, Any]]:
    """Find what the statement that `build` makes finds under the cuts of the question: its rows
    are read once and counted cut by cut, as an engine would keep each customer for every cut.
    All its columns but the groups are numbers of rows, and of customers.
    """
    parts = 1 + count_contacts(question) // CONTACTS_AT_ONCE
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for part in range(parts):
        of_part = replace(question, cuts=(), customers=(part, parts))
        rows = engine.current().run(build(of_part), as_arrow=True, **months)
        for key, counts in _count(engine.encode_texts(rows).to_pandas(), question):
            sums = found.setdefault(key, dict.fromkeys(counts, 0))
            for name, count in counts.items():
                sums[name] += count
    return [
        {f"by_{name}__out": int(name not in cut) for name in question.by}
        | {f"by_{name}": None for name in question.by}
        | {f"by_{name}": value for name, value in zip(cut, values, strict=True)}
        | counts
        for (cut, *values), counts in found.items()
    ]


def count_contacts(question: MetricQuery) -> int:
    """Count the contacts of the months that the period of the question lies in."""
    bounds = dimension_sql.months(question.where.period)
    first, last = bounds["first_month"] or "", bounds["last_month"] or "9999"
    parts = lake.snapshot(CONTACTS.name).parts
    return sum(part.rows for part in parts if first <= part.month <= last)


def _count(
    rows: pd.DataFrame, question: MetricQuery
) -> Iterator[tuple[tuple[Any, ...], dict[str, int]]]:
    """Count under each cut: the cut with the values of a group, and its numbers."""
    customer = pd.factorize(rows[CUSTOMER])[0]
    numbers = rows.drop(columns=[CUSTOMER, *(f"by_{name}" for name in question.by)])
    # Marks of customers are true, false or missing; counts of rows are numbers.
    marks = {
        name: column.eq(True).to_numpy()
        for name, column in numbers.items()
        if not is_numeric_dtype(column) or is_bool_dtype(column)
    }
    values = {name: pd.factorize(rows[f"by_{name}"], use_na_sentinel=False) for name in question.by}
    for cut in question.cuts:
        group = np.zeros(len(rows), np.int64)
        for name in cut:
            codes, found = values[name]
            group = group * len(found) + codes
        group, groups = pd.factorize(group)
        counts = {}
        for name, column in numbers.items():
            if name in marks:
                used = marks[name] & (customer >= 0)
                pairs = pd.unique(group[used] * len(rows) + customer[used])
                counts[name] = np.bincount(pairs // len(rows), minlength=len(groups))
            else:
                counts[name] = np.bincount(group, column, len(groups))
        for place, code in enumerate(groups):
            key = []
            for name in reversed(cut):
                code, at = divmod(code, len(values[name][1]))
                value = values[name][1][at]
                key.append(None if pd.isna(value) else value)  # each NaN is another key
            yield (
                (cut, *reversed(key)),
                {name: int(count[place]) for name, count in counts.items()},
            )
