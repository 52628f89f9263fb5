"""Working out the published tables: how many contacts and advisors each cell of a month
has, and which cells pass the linear audit.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from qa_core.access.roles import EXECUTIVE_DIMENSIONS, MINIMUM_ADVISORS, MINIMUM_CONTACTS
from qa_core.metrics.kpis import (
    COUNTED_DIRECTION,
    EVALUATED,
    MISSED,
    RECEIVED,
    FactTable,
    Kpi,
    KpiKind,
    get_kpi,
)
from qa_core.metrics.kpis.declaration import Predicate
from qa_core.metrics.query import dimension_sql, evaluation_table, interval_totals, statements
from qa_core.metrics.query.statements import MetricQuery, parts_of
from qa_core.stats.linear_audit import find_shown
from qa_core.storage import engine
from qa_core.storage.records import store
from qa_core.storage.schema import CONTACTS

Cell = tuple[str | None, str | None]
"""A dimension and a value of it (None: missing); `TOTAL` for the month as a whole."""
TOTAL: Cell = (None, None)
Table = dict[Cell, bool]
"""The cells of one KPI and month that have any contacts, and whether each is shown."""

DIMENSIONS = tuple(sorted(EXECUTIVE_DIMENSIONS - {"month"}))
CONTACT_DIMENSIONS = tuple(name for name in DIMENSIONS if name != "grid")
WITH_SOURCE = "with_source:"
"""Before a dimension: its cells, of contacts with a known source alone."""
COST_DIMENSIONS = (None, "medium", "campaign")

DECIDED_BY: Mapping[str, str] = {
    "received": "answer_rate",
    "answered": "answer_rate",
    "missed": "answer_rate",
    "talk_time": "average_talk_time",
    "csat_mean": "csat",
    "csat_if_silent_happy": "csat_if_silent_unhappy",
    "ces_agree": "ces",
    "cost_of_repeats": "repeat_handle_time",
    "call_back_rate": "recovered_rate",
    "first_time_callers": "repeat_caller_rate",
    "returning_callers": "repeat_caller_rate",
    "cost_per_contact": "attribution_rate",
    "cost_per_answered": "answer_rate",
    "cost_per_resolved": "first_contact_resolution_declared",
}
"""KPIs that share rows or numerators with another one, by whose table they are shown."""
COSTS = frozenset({"cost_per_answered", "cost_per_resolved"})
"""Shown by the cells of contacts with a known source."""
WITHIN: Mapping[str, str] = {
    "csat_if_silent_unhappy": "csat",
    "service_level": "average_speed_of_answer",
    "repeat_handle_time": "cost_of_repeats",
}
"""KPIs whose figures, with those of a narrower one, would give the narrower away: they
are shown only where that one is.
"""
COUNTS_OTHERS = frozenset(
    {
        "answer_rate",
        "attribution_rate",
        "first_contact_resolution_declared",
        "recording_rate",
        "response_rate",
    }
)
"""Rates whose numerator is the number of contacts behind other KPIs: a cell needs
enough of those too.
"""
_OF_CONTACTS = (
    "answer_rate",
    "abandon_rate",
    "service_level",
    "average_speed_of_answer",
    "average_time_to_abandon",
    "average_handle_time",
    "average_talk_time",
    "transfer_rate",
    "recovered_rate",
    "repeat_caller_rate",
    "first_contact_resolution",
    "first_contact_resolution_declared",
    "first_contact_resolution_surveyed",
    "repeat_contacts",
    "repeat_handle_time",
    "csat",
    "csat_if_silent_unhappy",
    "unhappy_rate",
    "nps",
    "ces",
    "response_rate",
    "attribution_rate",
    "recording_rate",
    "listened_rate",
)
_OF_EVALUATIONS = (
    "evaluations",
    "evaluation_score",
    "evaluation_pass_rate",
    "critical_accuracy_customer",
    "critical_accuracy_business",
    "critical_accuracy_compliance",
)
TABLES: Mapping[str, tuple[str, ...]] = {"contacts": _OF_CONTACTS, "evaluations": _OF_EVALUATIONS}
"""The KPIs that have a table of their own, by what they count."""


@dataclass(frozen=True, eq=False)
class Population:
    """Rows that a figure counts, and those whose advisors stand behind it. `totals`:
    the KPI and the sum of it that intervals add to the rows, where some do.
    """

    rows: Predicate
    advisors: Predicate
    totals: tuple[Kpi, str] | None = None


@dataclass(frozen=True)
class _Counts:
    """What was counted: `atoms` has one row per month and combination of values, with
    the rows of each population; `advisors` one row per cell and advisor, with a bit per
    population that they stand behind.
    """

    atoms: pd.DataFrame
    advisors: pd.DataFrame


def work_out(
    question: MetricQuery, kind: str, months: Sequence[str]
) -> dict[str, dict[str, Table]]:
    """The tables of these months (`YYYY-MM`): month → KPI → cells. `question` has no
    cut, no filter and no period.
    """
    if kind == "contacts":
        dimensions, populations = CONTACT_DIMENSIONS, _find_populations(question)
    else:
        dimensions, populations = (
            DIMENSIONS,
            {key: (_of_evaluations(question, key),) for key in TABLES["evaluations"]},
        )
    every = list(dict.fromkeys(one for found in populations.values() for one in found))
    whole = replace(question, by=("month", *dimensions))
    counts = _count(whole, kind, every, months)
    places = {key: [every.index(one) for one in found] for key, found in populations.items()}
    return {month: _audit(whole, counts, month, places) for month in months}


def _find_populations(question: MetricQuery) -> dict[str, tuple[Population, ...]]:
    """The rows behind each KPI on contacts, the narrowest first."""
    own = {key: _of_contacts(question, get_kpi(key)) for key in TABLES["contacts"]}
    own |= {key: _of_contacts(question, get_kpi(key)) for key in WITHIN.values() if key not in own}
    found = {}
    for key in TABLES["contacts"]:
        narrower = [own[WITHIN[key]]] if key in WITHIN else []
        if key in COUNTS_OTHERS:
            hits = _counted(parts_of(question, get_kpi(key), CONTACTS.c).hits)
            kpi = get_kpi(key)
            narrower.append(Population(hits, hits, (kpi, "hits") if kpi.sums else None))
        found[key] = (*narrower, own[key])
    return found


def _of_contacts(question: MetricQuery, kpi: Kpi) -> Population:
    totals = (kpi, "n") if kpi.sums else None
    if kpi.subject == FactTable.HEARD:
        return Population(CONTACTS.c.recorded, CONTACTS.c.recorded)
    if kpi.subject == FactTable.MISSES:
        missed = sa.and_(MISSED, _IS_SINGLE)
        return Population(_counted(missed), _counted(RECEIVED))
    parts = parts_of(question, kpi, CONTACTS.c)
    advisors = parts.counted if parts.behind is None else parts.behind
    rows = advisors if kpi.kind == KpiKind.TOTAL else parts.counted
    if kpi.kind == KpiKind.DISTINCT:
        rows = sa.and_(rows, _IS_SINGLE)
    return Population(_counted(rows), _counted(advisors), totals)


def _of_evaluations(question: MetricQuery, key: str) -> Population:
    rows = parts_of(question, get_kpi(key), EVALUATED.c).counted
    return Population(rows, rows)


def _counted(rows: Predicate) -> Predicate:
    return sa.and_(COUNTED_DIRECTION, rows)


_SINGLES = (
    sa.select(CONTACTS.c.month.label("single_month"), CONTACTS.c.customer_key.label("single_key"))
    .where(COUNTED_DIRECTION, CONTACTS.c.customer_key.is_not(None))
    .group_by(CONTACTS.c.month, CONTACTS.c.customer_key)
    .having(sa.func.count() == sa.literal_column("1"))
    .cte("singles")
)
_IS_SINGLE = _SINGLES.c.single_key.is_not(None)
"""Contacts of customers with no other one in the month. What counts customers is
audited on these alone: only of them are customers and contacts the same.
"""


def _count(
    question: MetricQuery, kind: str, every: Sequence[Population], months: Sequence[str]
) -> _Counts:
    """Count rows and advisors, in two statements."""
    if kind == "contacts":
        arrow = {}
        joined = CONTACTS.outerjoin(
            _SINGLES,
            sa.and_(
                _SINGLES.c.single_month == CONTACTS.c.month,
                _SINGLES.c.single_key == CONTACTS.c.customer_key,
            ),
        )
        columns = CONTACTS.c
        select = sa.select(*_describe_rows(question, columns, every)).select_from(joined)
    else:
        with store.reading() as session:
            arrow = {"answers": evaluation_table.load(session)}
        source, columns, finish = statements.evaluations_of(question, with_errors=True)
        select = finish(sa.select(*_describe_rows(question, columns, every)).select_from(source))
    rows = select.cte("rows_counted")
    span = {"first_month": min(months), "last_month": max(months)}
    atoms = engine.current().run(_select_atoms(question, rows, len(every)), arrow, **span)
    advisors = engine.current().run(_select_advisors(question, rows), arrow, **span)
    if kind == "contacts":
        atoms = _add_totals(question, atoms, every)
    for frame in (atoms, advisors):
        frame["month"] = [
            dimension_sql.plain("month", month, question.names) for month in frame["month"]
        ]
    return _Counts(atoms, advisors)


def _describe_rows(
    question: MetricQuery, columns: Any, every: Sequence[Population]
) -> list[sa.ColumnElement[Any]]:
    """The month, the values of each dimension and the advisor of a row, and as bits the
    populations that count it and those it brings its advisor to.
    """

    def bits(tests: Iterable[Predicate]) -> sa.ColumnElement[int]:
        return functools.reduce(
            operator.add,
            (sa.case((test, _bit(place)), else_=_ZERO) for place, test in enumerate(tests)),
        )

    values = [
        dimension_sql.expression(name, columns, question.names).label(name) for name in question.by
    ]
    return [
        *values,
        columns.advisor_id.label("advisor"),
        bits(one.rows for one in every).label("counted"),
        bits(one.advisors for one in every).label("behind"),
    ]


_ZERO = sa.literal_column("0", sa.BigInteger)


def _bit(place: int) -> sa.ColumnElement[int]:
    return sa.literal_column(str(1 << place), sa.BigInteger)


def _select_atoms(question: MetricQuery, rows: sa.CTE, width: int) -> sa.Select:
    groups = [rows.c[name] for name in question.by]
    counts = [
        sa.func.count().filter(rows.c.counted.op("&")(_bit(place)) != _ZERO).label(f"n{place}")
        for place in range(width)
    ]
    return sa.select(*groups, *counts).where(rows.c.counted != _ZERO).group_by(*groups)


def _select_advisors(question: MetricQuery, rows: sa.CTE) -> sa.CompoundSelect:
    """The advisors of every cell, and of those of contacts with a source alone."""

    def select(dimension: str | None, prefix: str = "") -> sa.Select:
        value = rows.c[dimension] if dimension else sa.cast(sa.null(), sa.Text)
        label = sa.literal_column(f"'{prefix}{dimension or ''}'", sa.Text)
        groups = [rows.c.month, rows.c.advisor, *([value] if dimension else [])]
        return (
            sa.select(
                label.label("dimension"),
                value.label("value"),
                rows.c.month,
                sa.func.bit_or(rows.c.behind).label("behind"),
            )
            .where(rows.c.behind != _ZERO, rows.c.advisor.is_not(None))
            .group_by(*groups)
        )

    dimensions = (None, *question.by[1:])
    return sa.union_all(
        *(select(name) for name in dimensions),
        *(select(name, WITH_SOURCE).where(rows.c.source.is_not(None)) for name in COST_DIMENSIONS),
    )


def _add_totals(
    question: MetricQuery, atoms: pd.DataFrame, every: Sequence[Population]
) -> pd.DataFrame:
    """The atoms with those of intervals that no contact covers: contacts that nobody is
    known to stand behind.
    """
    kpis = list({one.totals[0].key: one.totals[0] for one in every if one.totals}.values())
    found = [
        {name: record[f"by_{name}"] for name in question.by}
        | {
            f"n{place}": 0 if one.totals is None else _weigh(*one.totals, record)
            for place, one in enumerate(every)
        }
        for record in interval_totals.find_totals(question, kpis)
    ]
    return pd.concat([atoms, pd.DataFrame(found, columns=atoms.columns)]) if found else atoms


def _weigh(kpi: Kpi, suffix: str, record: Mapping[str, Any]) -> int:
    if suffix == "n":
        return interval_totals.weight_of(kpi, record)
    amount = record[f"{kpi.key}__{suffix}"]
    return 0 if amount is None or amount != amount else int(amount)


def _audit(
    question: MetricQuery, counts: _Counts, month: str, places: Mapping[str, Sequence[int]]
) -> dict[str, Table]:
    """The tables of one month."""
    atoms = counts.atoms[counts.atoms["month"] == month]
    cells, inside = _find_cells(question, atoms)
    width = 1 + max(place for found in places.values() for place in found)
    rows = atoms[[f"n{place}" for place in range(width)]].to_numpy(np.int64)
    contacts = inside @ rows
    advisors = _count_advisors(question, counts.advisors, month, cells, width)
    small = (contacts > 0) & ((contacts < MINIMUM_CONTACTS) | (advisors < MINIMUM_ADVISORS))
    widest = contacts.max(axis=1, initial=0)
    order = sorted(range(len(cells)), key=lambda cell: (-widest[cell], str(cells[cell])))
    made: dict[bytes, np.ndarray] = {}
    tables = {}
    for key, found in places.items():
        belongs = np.array([_belongs(key, cell) for cell in cells], bool)
        same = b"".join(part.tobytes() for part in (rows[:, found], small[:, found], belongs))
        if same not in made:
            made[same] = _choose(inside, rows[:, found], small[:, found], belongs, order)
        counted = belongs & (contacts[:, found] > 0).any(axis=1)
        tables[key] = {cells[cell]: bool(made[same][cell]) for cell in np.flatnonzero(counted)}
    return tables


def _find_cells(question: MetricQuery, atoms: pd.DataFrame) -> tuple[list[Cell], np.ndarray]:
    """Every cell of the month, and the atoms inside each (bool, cells × atoms)."""
    cells, inside = [TOTAL], [np.ones(len(atoms), bool)]

    def add(prefix: str, name: str, among: np.ndarray) -> None:
        codes, values = pd.factorize(atoms[name], use_na_sentinel=False)
        for code, value in enumerate(values):
            cells.append((prefix + name, dimension_sql.plain(name, value, question.names)))
            inside.append(among & (codes == code))

    for name in question.by[1:]:
        add("", name, inside[0])
    if "source" in atoms:
        with_source = atoms["source"].notna().to_numpy(bool)
        cells.append((WITH_SOURCE, None))
        inside.append(with_source)
        for name in filter(None, COST_DIMENSIONS):
            add(WITH_SOURCE, name, with_source)
    return cells, np.array(inside)


def _count_advisors(
    question: MetricQuery, advisors: pd.DataFrame, month: str, cells: list[Cell], width: int
) -> np.ndarray:
    """How many advisors stand behind each cell of each population."""
    place_of = {cell: place for place, cell in enumerate(cells)}
    found = np.zeros((len(cells), width), np.int64)
    of_month = advisors[advisors["month"] == month]
    for dimension, value, behind in zip(
        of_month["dimension"], of_month["value"], of_month["behind"], strict=True
    ):
        cell = dimension or None, None if value is None or value != value else value
        if cell in place_of:
            found[place_of[cell]] += behind >> np.arange(width) & 1
    return found


def _belongs(key: str, cell: Cell) -> bool:
    dimension = cell[0] or ""
    if dimension.startswith(WITH_SOURCE):
        return any(DECIDED_BY[cost] == key for cost in COSTS)
    return not dimension or dimension in get_kpi(key).dimensions


def _choose(
    inside: np.ndarray,
    rows: np.ndarray,
    small: np.ndarray,
    belongs: np.ndarray,
    order: Sequence[int],
) -> np.ndarray:
    """The cells to show, by the audit of each population in turn: what one hides, the
    next hides too.
    """
    hidden = small.any(axis=1)
    for place in range(rows.shape[1]):
        occurs = rows[:, place] > 0
        live = np.flatnonzero(belongs & inside[:, occurs].any(axis=1))
        place_of = {cell: position for position, cell in enumerate(live.tolist())}
        shown = find_shown(
            inside[np.ix_(live, occurs)],
            [place_of[cell] for cell in order if cell in place_of and not hidden[cell]],
            hidden[live],
        )
        hidden[live] |= ~shown
    return ~hidden
