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
    DIMENSIONS,
    FAMILIES,
    SINGLES,
    WITH_SOURCE,
    Family,
    Population,
    find_population,
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
    families = FAMILIES[kind]
    populations = [find_population(question, family) for family in families]
    whole = replace(question, by=("month", *DIMENSIONS[kind]))
    counts = _count(whole, kind, populations, months)
    return {month: _audit(whole, families, counts, month) for month in months}


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
        *(
            select(name, WITH_SOURCE).where(rows.c.source.is_not(None))
            for name in ("", *question.by[1:])
        ),
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
    question: MetricQuery, families: Sequence[Family], counts: _Counts, month: str
) -> dict[str, Table]:
    """The tables of one month. Families that count the same rows share one audit."""
    atoms = counts.atoms[counts.atoms["month"] == month]
    cells, inside = _find_cells(question, atoms)
    rows = atoms[[f"n{place}" for place in range(len(families))]].to_numpy(np.int64)
    contacts = inside @ rows
    advisors = _count_advisors(counts.advisors, month, cells, len(families))
    small = (contacts > 0) & ((contacts < MINIMUM_CONTACTS) | (advisors < MINIMUM_ADVISORS))
    small &= np.array([_is_limited(cell) for cell in cells])[:, None]
    widest = contacts.max(axis=1, initial=0)
    order = sorted(
        range(len(cells)),
        key=lambda cell: (_has_prefix(cells[cell]), -widest[cell], str(cells[cell])),
    )

    def choose(places: Sequence[int], start: np.ndarray) -> np.ndarray:
        live = [
            cell
            for cell in order
            if contacts[cell, places[0]]
            and any(_belongs(families[place], cells[cell]) for place in places)
        ]
        return _hide(inside[:, rows[:, places[0]] > 0], start, live, cells)

    same = [rows[:, place].tobytes() for place in range(len(families))]
    hidden = np.zeros((len(cells), len(families)), bool)
    for one in dict.fromkeys(same):
        group = [place for place, other in enumerate(same) if other == one]
        hidden[:, group] = choose(group, small[:, group].any(axis=1))[:, None]
    place_of = {family.key: place for place, family in enumerate(families)}
    is_settled = False
    while not is_settled:
        is_settled = True
        for place, family in enumerate(families):
            start = hidden[:, [place, *(place_of[key] for key in family.within)]].any(axis=1)
            if (start & ~hidden[:, place]).any():
                hidden[:, place], is_settled = choose([place], start), False
    # That a figure counts nothing in a cell would tell what a wider one hides there.
    for place, family in enumerate(families):
        wider = [
            other
            for other, one in enumerate(families)
            if one.is_widest or one.key in family.within or family.key in one.within
        ]
        hidden[:, place] |= (contacts[:, place] == 0) & hidden[:, wider].any(axis=1)
    return {
        family.key: {
            cells[cell]: not hidden[cell, place]
            for cell in np.flatnonzero((contacts[:, place] > 0) | hidden[:, place])
            if _belongs(family, cells[cell])
        }
        for place, family in enumerate(families)
    }


def _hide(
    inside: np.ndarray, start: np.ndarray, live: Sequence[int], cells: Sequence[Cell]
) -> np.ndarray:
    """The cells to hide: those of `start`, and more by the audit of the `live` ones, in
    the order to be shown. Of a hidden cell, what has a source is hidden too.
    """
    hidden, half = start.copy(), len(cells) // 2
    for tried in ([cell for cell in live if cell < half], live):
        found = find_shown(
            inside[tried],
            [place for place, cell in enumerate(tried) if not hidden[cell]],
            hidden[tried],
        )
        hidden[np.array(tried, int)[~found]] = True
        hidden[half:] |= hidden[:half]
        if len(tried) == len(live):
            break
    return hidden


def _find_cells(question: MetricQuery, atoms: pd.DataFrame) -> tuple[list[Cell], np.ndarray]:
    """Every cell of the month, and then each again of rows with a source alone; and the
    atoms inside each (bool, cells × atoms).
    """
    cells, inside = [TOTAL], [np.ones(len(atoms), bool)]
    for name in question.by[1:]:
        codes, values = pd.factorize(atoms[name], use_na_sentinel=False)
        for code, value in enumerate(values):
            cells.append((name, dimension_sql.plain(name, value, question.names)))
            inside.append(codes == code)
    with_source = atoms["source"].notna().to_numpy(bool)
    cells += [(WITH_SOURCE + dimension, value) for dimension, value in cells]
    inside += [among & with_source for among in inside]
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


def _has_prefix(cell: Cell) -> bool:
    return cell[0].startswith(WITH_SOURCE)


def _is_limited(cell: Cell) -> bool:
    """Whether enough rows have to stand behind a cell: whatever a KPI is measured by."""
    return not _has_prefix(cell) or cell[0].removeprefix(WITH_SOURCE) in COST_DIMENSIONS


def _belongs(family: Family, cell: Cell) -> bool:
    """Whether a cell is one of the tables of that family."""
    if _has_prefix(cell):
        return cell[0].removeprefix(WITH_SOURCE) in family.with_source
    return not cell[0] or cell[0] in get_kpi(family.kpi).dimensions
