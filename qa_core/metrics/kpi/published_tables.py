"""Working out the published tables: how many contacts and advisors each cell of a month
has, and which cells pass the linear audit.
"""

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from qa_core.access.roles import MINIMUM_ADVISORS, MINIMUM_CONTACTS
from qa_core.metrics.kpi import dimension_sql, evaluation_table, interval_totals, statements
from qa_core.metrics.kpi.published_families import (
    COST_DIMENSIONS,
    CUSTOMERS,
    DIMENSIONS,
    FAMILIES,
    MISSED_CALLERS,
    WITH_SOURCE,
    Family,
    Population,
    dimensions_of,
    find_population,
)
from qa_core.metrics.kpi.statements import MetricQuery
from qa_core.metrics.kpis import COUNTED_DIRECTION, MISSES, Kpi, dimensions
from qa_core.metrics.kpis.declaration import Predicate
from qa_core.stats.linear_audit import find_shown
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS
from qa_core.storage.records import store

Cell = tuple[str, str | None]
"""A dimension and a value of it (None: missing); `TOTAL` for the month as a whole."""
TOTAL: Cell = ("", None)
Table = dict[Cell, bool]
"""The cells of one family and month that have any contacts, and whether each is shown."""


@dataclass(frozen=True)
class _Counts:
    """Counts to be published. `atoms`: per month and combination of values, the rows of
    each family (`n0`, `n1` …). `advisors`: per cell and advisor, a bit for each family
    that counts them. `customers`: the combinations of each known customer of a month.
    """

    atoms: pd.DataFrame
    advisors: pd.DataFrame
    customers: pd.DataFrame | None = None


def work_out(
    question: MetricQuery, kind: str, months: Sequence[str]
) -> dict[str, dict[str, Table]]:
    """Work out the tables of these months (`YYYY-MM`): month → family → cells.
    `question` has no cut, no filter and no period.
    """
    whole = replace(question, by=("month", *DIMENSIONS[kind]))
    span = {"first_month": min(months), "last_month": max(months)}
    if kind == "evaluations":
        counts = _count_evaluations(whole, span)
    else:
        counts = _count_contacts(whole, span)
    return {month: _audit(whole, FAMILIES[kind], counts, month) for month in months}


def _count_evaluations(question: MetricQuery, span: Mapping[str, str]) -> _Counts:
    with store.reading() as session:
        answers = evaluation_table.load(session)
    source, columns, finish = statements.evaluations_of(question, with_errors=True)
    populations = [find_population(question, family) for family in FAMILIES["evaluations"]]
    descriptions = sa.select(*_describe_rows(question, columns, populations)).select_from(source)
    query = finish(descriptions)
    rows = query.statement.cte("rows_counted")

    def run(statement: sa.SelectBase) -> pd.DataFrame:
        return _run(question, statement, span, {"answers": answers}, query.beyond)

    return _Counts(
        run(_select_atoms(question, rows, len(populations))), run(_select_advisors(question, rows))
    )


def _count_contacts(question: MetricQuery, span: Mapping[str, str]) -> _Counts:
    families = FAMILIES["contacts"]
    populations = [find_population(question, family) for family in families]
    rows = sa.select(*_describe_rows(question, CONTACTS.c, populations)).cte("rows_counted")
    atoms = _run(question, _select_atoms(question, rows, len(families)), span)
    # A caller's first miss may lie in the month before.
    before = dimensions.add_months(date.fromisoformat(f"{span['first_month']}-01"), -1)
    misses = _run(question, _select_misses(question), {**span, "first_month": f"{before:%Y-%m}"})
    place = [family.key for family in families].index(MISSED_CALLERS)
    misses = misses.rename(columns={"n": f"n{place}"})
    atoms = pd.concat([atoms, misses, *_count_totals(question, populations)])
    atoms = atoms.fillna({f"n{place}": 0 for place in range(len(families))})
    customers = (
        sa.select(*_values(question, CONTACTS.c), CONTACTS.c.customer_number.label("customer"))
        .where(COUNTED_DIRECTION, CONTACTS.c.has_customer)
        .distinct()
    )
    return _Counts(
        atoms,
        _run(question, _select_advisors(question, rows), span),
        _run(question, customers, span),
    )


def _run(
    question: MetricQuery,
    statement: sa.SelectBase,
    span: Mapping[str, str],
    arrow: Mapping[str, pa.Table] = {},
    beyond: str | None = None,
) -> pd.DataFrame:
    frame = engine.current().run(Scoped(statement, question.viewer, beyond), arrow, **span)
    frame["month"] = [
        dimension_sql.plain("month", month, question.names) for month in frame["month"]
    ]
    return frame


def _describe_rows(
    question: MetricQuery, columns: Any, every: Sequence[Population]
) -> list[sa.ColumnElement[Any]]:
    """Select the month, the values of each dimension and the advisor of a row, and as
    bits the populations that count it and those it brings its advisor to.
    """

    def bits(tests: Iterable[Predicate]) -> sa.ColumnElement[int]:
        return functools.reduce(
            operator.add,
            (sa.case((test, _bit(place)), else_=_ZERO) for place, test in enumerate(tests)),
        )

    return [
        *_values(question, columns),
        columns.advisor_id.label("advisor"),
        bits(one.rows for one in every).label("counted"),
        bits(one.advisors for one in every).label("contributing"),
    ]


def _values(question: MetricQuery, columns: Any) -> list[sa.ColumnElement[Any]]:
    """Select the month and the values of each dimension of a row."""
    return [
        dimension_sql.expression(name, columns, question.names).label(name) for name in question.by
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
    """Select the advisors of every cell, and of those of contacts with a source alone."""

    def select(dimension: str, prefix: str = "") -> sa.Select:
        value = rows.c[dimension] if dimension else sa.cast(sa.null(), sa.Text)
        label = sa.literal_column(f"'{prefix}{dimension}'", sa.Text)
        groups = [rows.c.month, rows.c.advisor, *([value] if dimension else [])]
        return (
            sa.select(
                label.label("dimension"),
                value.label("value"),
                rows.c.month,
                sa.func.bit_or(rows.c.contributing).label("contributing"),
            )
            .where(rows.c.contributing != _ZERO, rows.c.advisor.is_not(None))
            .group_by(*groups)
        )

    return sa.union_all(
        *(select(name) for name in ("", *question.by[1:])),
        *(
            select(name, WITH_SOURCE).where(rows.c.source.is_not(None))
            for name in ("", *question.by[1:])
        ),
    )


def _select_misses(question: MetricQuery) -> sa.Select:
    """Select the missed callers who are known, one per recovery window."""
    values = _values(question, MISSES.c)
    return (
        sa.select(*values, sa.func.count().label("n"))
        .where(MISSES.c.has_customer)
        .group_by(*values)
        .add_cte(statements.misses_of(question))
    )


def _count_totals(question: MetricQuery, populations: Sequence[Population]) -> list[pd.DataFrame]:
    """Count contacts known by interval totals alone, like atoms: nobody is known to take them."""
    kpis = list({one.totals[0].key: one.totals[0] for one in populations if one.totals}.values())
    records = [
        {name: record[f"by_{name}"] for name in question.by}
        | {
            f"n{place}": _weigh(*one.totals, record)
            for place, one in enumerate(populations)
            if one.totals
        }
        for record in interval_totals.find_totals(question, kpis)
    ]
    return [pd.DataFrame(records)] if records else []


def _weigh(kpi: Kpi, suffix: str, record: Mapping[str, Any]) -> int:
    if suffix == "n":
        return interval_totals.weight_of(kpi, record)
    amount = record[f"{kpi.key}__{suffix}"]
    return 0 if amount is None or amount != amount else int(amount)


def _audit(
    question: MetricQuery, families: Sequence[Family], counts: _Counts, month: str
) -> dict[str, Table]:
    """Work out the tables of one month. Families that count the same rows share one audit."""
    atoms = counts.atoms[counts.atoms["month"] == month]
    cells, inside = _find_cells(question, atoms)
    columns = {
        family.key: (inside, atoms[f"n{place}"].to_numpy(np.int64))
        for place, family in enumerate(families)
    }
    if counts.customers is not None:
        columns[CUSTOMERS] = _find_customers(question, counts.customers, month, cells)
    contacts = np.array([among @ n for among, n in columns.values()]).T
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
        among, n = columns[families[places[0]].key]
        return _hide(among[:, n > 0], start, live, cells)

    same = [n.tobytes() for _among, n in columns.values()]
    is_hidden = np.zeros((len(cells), len(families)), bool)
    for one in dict.fromkeys(same):
        group = [place for place, other in enumerate(same) if other == one]
        is_hidden[:, group] = choose(group, small[:, group].any(axis=1))[:, None]
    place_of = {family.key: place for place, family in enumerate(families)}
    is_settled = False
    while not is_settled:
        is_settled = True
        for place, family in enumerate(families):
            start = is_hidden[:, [place, *(place_of[key] for key in family.within)]].any(axis=1)
            if (start & ~is_hidden[:, place]).any():
                is_hidden[:, place], is_settled = choose([place], start), False
    # That a figure counts nothing in a cell would tell what a wider one hides there.
    for place, family in enumerate(families):
        wider = [
            other
            for other, one in enumerate(families)
            if one.is_widest or one.key in family.within or family.key in one.within
        ]
        is_hidden[:, place] |= (contacts[:, place] == 0) & is_hidden[:, wider].any(axis=1)
    return {
        family.key: {
            cells[cell]: not is_hidden[cell, place]
            for cell in np.flatnonzero((contacts[:, place] > 0) | is_hidden[:, place])
            if _belongs(family, cells[cell])
        }
        for place, family in enumerate(families)
    }


def _hide(
    inside: np.ndarray, start: np.ndarray, live: Sequence[int], cells: Sequence[Cell]
) -> np.ndarray:
    """Choose the cells to hide: those of `start`, and more by the audit of the `live`
    ones, in the order to be shown. Of a hidden cell, what has a source is hidden too.
    """
    is_hidden, half = start.copy(), len(cells) // 2
    for candidates in ([cell for cell in live if cell < half], live):
        is_shown = find_shown(
            inside[candidates],
            [place for place, cell in enumerate(candidates) if not is_hidden[cell]],
            is_hidden[candidates],
        )
        is_hidden[np.array(candidates, int)[~is_shown]] = True
        is_hidden[half:] |= is_hidden[:half]
        if len(candidates) == len(live):
            break
    return is_hidden


def _find_cells(question: MetricQuery, atoms: pd.DataFrame) -> tuple[list[Cell], np.ndarray]:
    """Find every cell of the month, and then each again of rows with a source alone;
    and the atoms inside each (bool, cells × atoms).
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


def _find_customers(
    question: MetricQuery, customers: pd.DataFrame, month: str, cells: Sequence[Cell]
) -> tuple[np.ndarray, np.ndarray]:
    """Find the cells that each customer was in contact in (bool, cells × customers),
    and one for each: what `atoms` is for contacts.
    """
    of_month = customers[customers["month"] == month]
    place_of = {cell: place for place, cell in enumerate(cells)}
    who, _keys = pd.factorize(of_month["customer"])
    in_contact = np.zeros((who.max(initial=-1) + 1, len(cells)), bool)
    in_contact[:, place_of[TOTAL]] = True
    for name in question.by[1:]:
        codes, values = pd.factorize(of_month[name], use_na_sentinel=False)
        places = [
            place_of[name, dimension_sql.plain(name, value, question.names)] for value in values
        ]
        in_contact[who, np.array(places, int)[codes]] = True
    return in_contact.T, np.ones(len(in_contact), np.int64)


def _count_advisors(
    advisors: pd.DataFrame, month: str, cells: list[Cell], width: int
) -> np.ndarray:
    """Count the advisors of each cell and population."""
    place_of = {cell: place for place, cell in enumerate(cells)}
    counts = np.zeros((len(cells), width), np.int64)
    of_month = advisors[advisors["month"] == month]
    for dimension, value, families in zip(
        of_month["dimension"], of_month["value"], of_month["contributing"], strict=True
    ):
        cell = dimension, None if value is None or value != value else value
        if cell in place_of:
            counts[place_of[cell]] += families >> np.arange(width) & 1
    return counts


def _has_prefix(cell: Cell) -> bool:
    return cell[0].startswith(WITH_SOURCE)


def _is_limited(cell: Cell) -> bool:
    """Return whether enough rows have to be in a cell: whatever a KPI is measured by."""
    return not _has_prefix(cell) or cell[0].removeprefix(WITH_SOURCE) in COST_DIMENSIONS


def _belongs(family: Family, cell: Cell) -> bool:
    """Return whether a cell is one of the tables of that family."""
    if _has_prefix(cell):
        return cell[0].removeprefix(WITH_SOURCE) in family.with_source
    return not cell[0] or cell[0] in dimensions_of(family)
