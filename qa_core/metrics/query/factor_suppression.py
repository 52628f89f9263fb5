"""Which levels of a factor are large enough for those who see large cells alone: the
rule of `suppression`, for what is no dimension.

The levels make up the same contacts as the dimensions do: where some levels cover
exactly some values of a dimension, or of another factor, their sum is known, and they
hide each other; where that would give back a hidden value of the dimension, nothing of
the factor is shown.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import sqlalchemy as sa

from qa_core.metrics.dimensions import Filters
from qa_core.metrics.kpis import COUNTED_DIRECTION, FactTable, Kpi
from qa_core.metrics.query import dimension_sql, linked_dimensions, suppression
from qa_core.metrics.query.dimension_sql import Names
from qa_core.metrics.query.driver_factors import Factor
from qa_core.metrics.query.statements import MetricQuery, parts_of
from qa_core.metrics.query.suppression import Cell, Published, Weight
from qa_core.storage import engine
from qa_core.storage.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.schema import CONTACTS


def find_shown(
    question: MetricQuery, kpi: Kpi, factors: Sequence[Factor]
) -> dict[str, frozenset[Hashable]]:
    """The levels of each factor that may be shown for the period asked, a missing one
    as None.
    """
    given, span = question.give(question.pieces[-1][1]), dimension_sql.months(question.where.period)
    expressions = {factor.key: factor.expression(given) for factor in factors}
    together = _occur_together(question, kpi, expressions)
    shown = {}
    for key, expression in expressions.items():
        values = [None if pd.isna(value) else value for value in together[key]]
        groups = {
            other: linked_dimensions.connected(
                values, together[other].where(together[other].notna(), None)
            )
            for other in together
            if other != key
        }
        of_part = [
            dimension for dimension in linked_dimensions.DIMENSIONS if len(groups[dimension]) > 1
        ]
        if not all(
            suppression.weigh(question, FactTable.CONTACTS, [kpi], {}, dimension)[0][
                kpi.key
            ].hides_nothing
            for dimension in of_part
        ):
            continue
        published = Published(
            weigh(question, kpi, expression),
            tuple(set().union(*groups.values()) - {frozenset(values)}),
        )
        shown[key] = frozenset(level for level in set(values) if published.shows(level, **span))
    return shown


def weigh(question: MetricQuery, kpi: Kpi, level: sa.ColumnElement[Any]) -> dict[Cell, Weight]:
    """What stands behind each level and month over the whole lake, of the rows that the
    KPI counts.
    """
    groups = [
        level.label("level"),
        CONTACTS.c.month.label("month"),
        CONTACTS.c.advisor_id.label("advisor"),
    ]
    statement = (
        sa.select(*groups, sa.func.count().label("n"))
        .where(*_counted(question, kpi))
        .group_by(*groups)
    )
    cells: dict[Cell, Weight] = {}
    bits: dict[Any, int] = {}
    frame = engine.current().run(Scoped(statement, question.viewer))
    for found, month, advisor, n in frame.itertuples(index=False):
        bit = 0 if pd.isna(advisor) else 1 << bits.setdefault(advisor, len(bits))
        cell = (None if pd.isna(found) else found, month)
        cells[cell] = cells.get(cell, Weight()) + Weight(int(n), bit)
    return cells


def _occur_together(
    question: MetricQuery, kpi: Kpi, expressions: dict[str, sa.ColumnElement[Any]]
) -> pd.DataFrame:
    """Every combination of levels, and of the values of the dimensions, that some row
    has which the KPI counts.
    """
    with store.reading() as session:
        names = Names.load(session, frozenset({"site"}))
    dimensions = {
        name: dimension_sql.expression(name, CONTACTS.c, names)
        for name in linked_dimensions.DIMENSIONS
    }
    columns = [expression.label(name) for name, expression in (dimensions | expressions).items()]
    statement = sa.select(*columns).where(*_counted(question, kpi)).distinct()
    return engine.current().run(Scoped(statement, question.viewer))


def _counted(question: MetricQuery, kpi: Kpi) -> list[sa.ColumnElement[bool]]:
    whole = replace(question, where=Filters())
    return [
        COUNTED_DIRECTION,
        parts_of(whole, kpi, CONTACTS.c).counted,
    ]
