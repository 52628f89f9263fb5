"""Factors that satisfaction is associated with, from grouped counts within the viewer's
scope: the levels of each factor against the rest. Association, never cause.
"""

from dataclasses import dataclass

import pandas as pd
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.metrics.kpi import dimension_sql, evaluation_table
from qa_core.metrics.kpi.measure import build_query, measure
from qa_core.metrics.kpi.statements import MetricQuery, conditions_on, parts_of
from qa_core.metrics.kpis import COUNTED_DIRECTION, Kpi, get_kpi
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.metrics.rows.driver_factors import CRITERION, FACTORS, Factor
from qa_core.stats import adjusted_differences
from qa_core.stats.adjusted_differences import Driver
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import ANSWERS, CONTACTS


@dataclass(frozen=True)
class Drivers:
    """`drivers`: compared levels, the largest difference first. `is_adjusted`: whether
    the differences are adjusted for the other factors; `is_narrowed`: filters leave
    nothing that may be shown. `evaluated_contacts`: the rated contacts with an
    evaluation, where it is asked.
    """

    drivers: tuple[Driver, ...] = ()
    is_adjusted: bool = False
    is_narrowed: bool = False
    evaluated_contacts: int | None = None


def find_drivers(viewer: Viewer, where: Filters = Filters()) -> Drivers:
    """Find what goes with a satisfied rating, among reason, queue, channel, campaign,
    wait, talk, transfers, resolution and evaluation criteria.

    Compares every level of at least 30 ratings with all others, adjusted for the other
    factors. An executive sees the published values of the dimensions against the rest
    of the published total, unadjusted, and none under a filter. Raises AccessDenied
    where the viewer may not see satisfaction or use a filter.
    """
    viewer.require(Permission.SEE_SATISFACTION)
    dimension_sql.require_filters(viewer, where)
    factors = [
        factor for factor in FACTORS if not factor.is_dimension or viewer.can_cut_by(factor.key)
    ]
    if viewer.needs_suppression:
        return _find_published(viewer, where, factors)
    dimensions = tuple(factor.key for factor in factors if factor.is_dimension)
    question, kpi = build_query(viewer, dimensions, where), get_kpi("csat")
    cells = _count(question, kpi, factors)
    compared_levels = {factor.key: factor.compared_levels for factor in factors}
    drivers = adjusted_differences.find_drivers(cells, compared_levels)
    criteria, evaluated_contacts = (
        _compare_criteria(question, kpi) if viewer.can(Permission.SEE_SCORES) else ([], None)
    )
    return Drivers(
        adjusted_differences.mark_significant([*drivers, *criteria]),
        any(driver.adjusted is not None for driver in drivers),
        evaluated_contacts=evaluated_contacts,
    )


def _find_published(viewer: Viewer, where: Filters, factors: list[Factor]) -> Drivers:
    if where.values:
        return Drivers(is_narrowed=True)
    total = measure(viewer, ("csat",), (), where).iloc[0]
    if total["status"] in ("suppressed", "no_data"):
        return Drivers()
    drivers = []
    for factor in factors:
        if not factor.is_dimension:
            continue
        frame = measure(viewer, ("csat",), (factor.key,), where)
        for level, hits, n in zip(frame[factor.key], frame["numerator"], frame["n"], strict=True):
            if hits == hits and not pd.isna(level):
                counts = (int(hits), int(n), int(total["numerator"]), int(total["n"]))
                driver = adjusted_differences.compare_with_rest(factor.key, level, *counts)
                drivers += [driver] if driver else []
    return Drivers(adjusted_differences.mark_significant(drivers))


def _count(question: MetricQuery, kpi: Kpi, factors: list[Factor]) -> pd.DataFrame:
    """Count ratings (`n`) and satisfied ones (`hits`) by every combination of levels."""
    inputs = question.current_inputs(question.pieces[-1][1])
    dimensions = dict(zip(question.by, question.groups(CONTACTS.c), strict=True))
    groups = [
        (dimensions[factor.key] if factor.is_dimension else factor.expression(inputs)).label(
            factor.key
        )
        for factor in factors
    ]
    parts = parts_of(question, kpi, CONTACTS.c)
    counts = [sa.func.count().label("n"), sa.func.count().filter(parts.hits).label("hits")]
    conditions = [COUNTED_DIRECTION, *conditions_on(question), parts.denominator]
    statement = sa.select(*groups, *counts).where(*conditions)
    return engine.current().run(
        Scoped(statement.group_by(*groups), question.viewer),
        **dimension_sql.months(question.where.period),
    )


def _compare_criteria(question: MetricQuery, kpi: Kpi) -> tuple[list[Driver], int]:
    """Among rated contacts that were evaluated: each criterion with all its points
    against those with fewer; and how many such contacts.
    """
    parts = parts_of(question, kpi, CONTACTS.c)
    is_met = (ANSWERS.c.earned >= ANSWERS.c.possible).label("is_met")
    source = ANSWERS.join(
        CONTACTS,
        sa.and_(
            ANSWERS.c.source_system == CONTACTS.c.source_system,
            ANSWERS.c.contact_id == CONTACTS.c.contact_id,
        ),
    )
    conditions = [
        COUNTED_DIRECTION,
        *conditions_on(question),
        parts.denominator,
        ANSWERS.c.earned.is_not(None),
        ANSWERS.c.possible > 0,
    ]
    contacts = sa.func.count(sa.distinct(ANSWERS.c.evaluation_id)).label("contacts")
    counts = [
        sa.func.count().label("n"),
        sa.func.count().filter(parts.hits).label("hits"),
        contacts,
    ]
    statement = (
        sa.select(ANSWERS.c.criterion, is_met, *counts)
        .select_from(source)
        .where(*conditions)
        .group_by(ANSWERS.c.criterion, is_met)
    )
    months = dimension_sql.months(question.where.period)
    frame = engine.current().run(
        Scoped(statement, question.viewer), evaluation_table.beside(**months), **months
    )
    drivers = []
    for criterion, rows in frame.groupby("criterion"):
        met = rows[rows["is_met"].astype(bool)]
        driver = adjusted_differences.compare_with_rest(
            CRITERION,
            criterion,
            int(met["hits"].sum()),
            int(met["n"].sum()),
            int(rows["hits"].sum()),
            int(rows["n"].sum()),
        )
        drivers += [driver] if driver else []
    total = int(frame.groupby("criterion")["contacts"].sum().max()) if len(frame) else 0
    return drivers, total
