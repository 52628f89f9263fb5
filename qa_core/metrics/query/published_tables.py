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

from qa_core.access.roles import MINIMUM_ADVISORS, MINIMUM_CONTACTS
from qa_core.metrics.kpis import Kpi, get_kpi
from qa_core.metrics.kpis.declaration import Predicate
from qa_core.metrics.query import dimension_sql, evaluation_table, interval_totals, statements
from qa_core.metrics.query.published_families import (
    COST_DIMENSIONS,
    COSTS,
    DECIDED_BY,
    DIMENSIONS,
    FAMILIES,
    SINGLES,
    WITH_SOURCE,
    Family,
    Population,
    find_populations,
)
from qa_core.metrics.query.statements import MetricQuery
from qa_core.stats.linear_audit import find_shown
from qa_core.storage import engine
from qa_core.storage.records import store
from qa_core.storage.schema import CONTACTS

Cell = tuple[str, str | None]
"""A dimension and a value of it (None: missing); `TOTAL` for the month as a whole."""
TOTAL: Cell = ("", None)
Table = dict[Cell, bool]
"""The cells of one family and month that have any contacts, and whether each is shown."""
WITH_COSTS = frozenset(DECIDED_BY[cost] for cost in COSTS)


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
    """The tables of these months (`YYYY-MM`): month → family → cells. `question` has no
    cut, no filter and no period.
    """
    populations = {family.key: find_populations(question, family) for family in FAMILIES[kind]}
    every = [one for found in populations.values() for one in found]
    whole = replace(question, by=("month", *DIMENSIONS[kind]))
    counts = _count(whole, kind, every, months)
    places = {key: [every.index(one) for one in found] for key, found in populations.items()}
    return {month: _audit(whole, kind, counts, month, places) for month in months}


def _count(
    question: MetricQuery, kind: str, every: Sequence[Population], months: Sequence[str]
) -> _Counts:
    """Count rows and advisors, in two statements."""
    if kind == "contacts":
        arrow = {}
        joined = CONTACTS.outerjoin(
            SINGLES,
            sa.and_(
                SINGLES.c.single_month == CONTACTS.c.month,
                SINGLES.c.single_key == CONTACTS.c.customer_key,
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

    def select(dimension: str, prefix: str = "") -> sa.Select:
        value = rows.c[dimension] if dimension else sa.cast(sa.null(), sa.Text)
        label = sa.literal_column(f"'{prefix}{dimension}'", sa.Text)
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

    return sa.union_all(
        *(select(name) for name in ("", *question.by[1:])),
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
    question: MetricQuery,
    kind: str,
    counts: _Counts,
    month: str,
    places: Mapping[str, Sequence[int]],
) -> dict[str, Table]:
    """The tables of one month. Families that count the same rows share one audit."""
    atoms = counts.atoms[counts.atoms["month"] == month]
    cells, inside = _find_cells(question, atoms)
    width = 1 + max(place for found in places.values() for place in found)
    rows = atoms[[f"n{place}" for place in range(width)]].to_numpy(np.int64)
    contacts = inside @ rows
    advisors = _count_advisors(counts.advisors, month, cells, width)
    small = (contacts > 0) & ((contacts < MINIMUM_CONTACTS) | (advisors < MINIMUM_ADVISORS))
    widest = contacts.max(axis=1, initial=0)
    order = sorted(range(len(cells)), key=lambda cell: (-widest[cell], str(cells[cell])))
    groups: dict[bytes, list[Family]] = {}
    for family in FAMILIES[kind]:
        groups.setdefault(rows[:, places[family.key][0]].tobytes(), []).append(family)
    hidden = {family.key: np.zeros(len(cells), bool) for family in FAMILIES[kind]}
    waiting = list(groups.values())
    while waiting:
        for families in waiting:
            start = hidden[families[0].key].copy()
            for family in families:
                own, *parts = places[family.key]
                start |= small[:, own]
                for narrower in family.within:
                    start |= hidden[narrower]
                for part in parts[: len(family.limits) and 1]:
                    start |= small[:, part] & [
                        dimension in family.limits for dimension, _value in cells
                    ]
            found = list(dict.fromkeys(place for one in families for place in places[one.key]))
            belongs = np.array([any(_belongs(one, cell) for one in families) for cell in cells])
            chosen = _choose(inside, rows[:, found], start, belongs, order)
            hidden |= {family.key: chosen for family in families}
        # A family that others have to agree with may itself have been hidden more since.
        waiting = [
            families
            for families in waiting
            if any(
                (hidden[narrower] & ~hidden[one.key]).any()
                for one in families
                for narrower in one.within
            )
        ]
    return {
        family.key: {
            cells[cell]: not hidden[family.key][cell]
            for cell in np.flatnonzero(contacts[:, places[family.key][0]])
            if _belongs(family, cells[cell])
        }
        for family in FAMILIES[kind]
    }


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
    with_source = atoms["source"].notna().to_numpy(bool)
    cells.append((WITH_SOURCE, None))
    inside.append(with_source)
    for name in filter(None, COST_DIMENSIONS):
        add(WITH_SOURCE, name, with_source)
    return cells, np.array(inside)


def _count_advisors(
    advisors: pd.DataFrame, month: str, cells: list[Cell], width: int
) -> np.ndarray:
    """How many advisors stand behind each cell of each population."""
    place_of = {cell: place for place, cell in enumerate(cells)}
    found = np.zeros((len(cells), width), np.int64)
    of_month = advisors[advisors["month"] == month]
    for dimension, value, behind in zip(
        of_month["dimension"], of_month["value"], of_month["behind"], strict=True
    ):
        cell = dimension, None if value is None or value != value else value
        if cell in place_of:
            found[place_of[cell]] += behind >> np.arange(width) & 1
    return found


def _belongs(family: Family, cell: Cell) -> bool:
    """Whether a cell is one of the tables of that family."""
    dimension = cell[0]
    if dimension.startswith(WITH_SOURCE):
        return family.key in WITH_COSTS
    return not dimension or dimension in get_kpi(family.kpi).dimensions


def _choose(
    inside: np.ndarray,
    rows: np.ndarray,
    start: np.ndarray,
    belongs: np.ndarray,
    order: Sequence[int],
) -> np.ndarray:
    """The cells to hide: those of `start`, and more by the audit of each population in
    turn, whose hidden cells the next one hides too.
    """
    hidden = start.copy()
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
    return hidden
