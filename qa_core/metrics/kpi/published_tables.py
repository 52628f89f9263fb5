"""Working out the published tables of a month: how many contacts and advisors are behind
each cell, and which cells pass the audits.
"""

import functools
import math
import operator
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from scipy.sparse import csr_array

from qa_core.access.roles import MINIMUM_ADVISORS, MINIMUM_CONTACTS, MINIMUM_CUSTOMERS
from qa_core.base import memory
from qa_core.metrics.kpi import dimension_sql, evaluation_table, interval_totals, statements
from qa_core.metrics.kpi.distinct_customers import CONTACTS_AT_ONCE, count_contacts
from qa_core.metrics.kpi.published_families import (
    COST_DIMENSIONS,
    CUSTOMERS,
    DIMENSIONS,
    FAMILIES,
    MISSED_CALLERS,
    PARTS,
    WITH_SOURCE,
    Family,
    dimensions_of,
    find_parts,
    find_population,
)
from qa_core.metrics.kpi.statements import MetricQuery
from qa_core.metrics.kpis import COUNTED_DIRECTION, MISSES, Kpi, get_kpi
from qa_core.metrics.kpis.declaration import Predicate
from qa_core.metrics.kpis.dimensions import Period
from qa_core.metrics.kpis.rows import MACHINE_ALONE
from qa_core.stats.hidden_sums import (
    Solver,
    TableCells,
    find_fixed,
    group_alike,
    hide_sums,
    list_nested,
)
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS, Handler

Cell = tuple[str, str | None]
"""A dimension and a value of it (None: missing); `TOTAL` for the month as a whole."""
TOTAL: Cell = ("", None)
Table = dict[Cell, bool]
"""The cells of one family and month that have any contacts, and whether each is shown."""
OF_MACHINES = {("handled_by", name) for name in (Handler.MACHINE, Handler.MACHINE_THEN_PERSON)}
CUSTOMER_GROUP, CUSTOMER_GROUPS = "customers of machines ", 64
"""Groups of the customers of machines, which stand where advisors do."""
BUCKETS = 16
"""Groups of advisors in the evidence: at most so many advisors are distinguished."""


@dataclass(frozen=True)
class Tables:
    """Published tables of one month: family → cells. `evidence`: the rows of each shown
    cell, in all and by group of advisors, to compare a later state with. `remainders`:
    for each family, shown cells with the shown cells of one table that lie in them.
    `is_closed`: published earlier; an absent cell is hidden.
    """

    shown: dict[str, Table]
    evidence: dict[str, dict[Cell, list[int]]]
    remainders: list[tuple[str, Cell, list[Cell]]]
    is_closed: bool = False


@dataclass(frozen=True)
class _Column:
    """Counts of one family's cells: `cells` over combinations of values (or over
    customers), the rows `n` of each, `parts` of them, and the advisors who took them
    (combinations × advisors, with the number of rows). `is_machine`: combinations that
    machines took alone; the groups of their customers are in the place of advisors,
    `is_customer`.
    """

    cells: TableCells
    n: np.ndarray
    parts: list[np.ndarray]
    people: csr_array
    is_machine: np.ndarray
    is_customer: np.ndarray

    def are_small(self, regions: np.ndarray) -> np.ndarray:
        """Return for sets of combinations (bool, sets × combinations) whether too few rows or
        advisors are behind each, of machines alone too few customers; a set without any is
        not small.
        """
        rows = regions @ self.n
        few = (rows > 0) & (rows < MINIMUM_CONTACTS)
        unsure = np.flatnonzero(rows >= MINIMUM_CONTACTS)
        if len(unsure):
            people = regions[unsure].astype(np.float32) @ self.people > 0
            advisors = people[:, ~self.is_customer].sum(axis=1)
            customers = people[:, self.is_customer].sum(axis=1)
            is_alone = regions[unsure] @ np.where(self.is_machine, 0, self.n) == 0
            few[unsure] = np.where(
                is_alone, customers < MINIMUM_CUSTOMERS, advisors < MINIMUM_ADVISORS
            )
        return few

    def are_of_nobody(self, regions: np.ndarray) -> np.ndarray:
        """Return for sets of combinations whether there are enough rows in each, taken neither
        by an advisor nor by machines alone.
        """
        of_advisors = self.people @ (~self.is_customer).astype(np.float32)
        is_enough = regions @ self.n >= MINIMUM_CONTACTS
        is_missed = regions @ np.where(self.is_machine, 0, self.n) > 0
        return is_enough & is_missed & (regions @ of_advisors == 0)

    def are_small_for_people(self, regions: np.ndarray) -> np.ndarray:
        """Return which sets of combinations are small, but for rows that nobody took."""
        return self.are_small(regions) & ~self.are_of_nobody(regions)

    def take(self, used: np.ndarray) -> "_Column":
        """Return the counts of some combinations alone, without cells and parts."""
        counts = {"n": self.n[used], "people": self.people[used]}
        return replace(self, **counts, is_machine=self.is_machine[used])


@dataclass(frozen=True)
class _Customers:
    """Customers of some rows, in groups of the same cells: the cells (bool, groups × cells),
    how many each has, and how many of them contacted the centre again; and of each row of
    an advisor, the group and who took it.
    """

    inside: np.ndarray
    n: np.ndarray
    is_back: np.ndarray
    who: np.ndarray
    took: np.ndarray


def work_out(question: MetricQuery, kind: str, salt: str) -> Tables:
    """Work out the tables of the month that is the period of the question, which has no cut
    and no filter. `salt` decides which advisors are grouped together in the evidence.
    """
    whole = replace(question, by=DIMENSIONS[kind])
    rows = _Evaluations(whole) if kind == "evaluations" else _Contacts(whole)
    cells, columns, buckets = rows.count(salt)
    memory.give_back()
    tables = _audit(FAMILIES[kind], cells, columns, buckets)
    memory.give_back()
    return tables


class _Evaluations:
    """Rows of a month, counted for its tables."""

    kind = "evaluations"

    def __init__(self, question: MetricQuery) -> None:
        self.question, self.families = question, FAMILIES[self.kind]

    def count(self, salt: str) -> tuple[list[Cell], dict[str, _Column], csr_array]:
        """Return the cells, what each family counts, and the group of each advisor."""
        frame = self._read()
        names = list(self.question.by)
        atom = frame.groupby(names, dropna=False, observed=True, sort=False).ngroup().to_numpy()
        atoms = frame[names].iloc[np.unique(atom, return_index=True)[1]].reset_index(drop=True)
        rows = frame["rows"].to_numpy(np.int64)
        for prefix, column, size in (
            ("n", "counted", len(self.families)),
            ("q", "parts", len(PARTS[self.kind])),
        ):
            bits = frame[column].to_numpy(np.int64)
            counts = (np.bincount(atom, rows * (bits >> at & 1), len(atoms)) for at in range(size))
            more = {f"{prefix}{at}": one.astype(np.int64) for at, one in enumerate(counts)}
            atoms = atoms.assign(**more)
        who, advisors = pd.factorize(frame["advisor"])
        contributing = frame["contributing"].to_numpy(np.int64)
        atoms = self._add_others(atoms)
        # Which of two equal cells is hidden depends on their order; the engine keeps none.
        order = np.lexsort([atoms[name].astype(object).map(str) for name in names])
        atom, atoms = np.argsort(order)[atom], atoms.iloc[order].reset_index(drop=True)
        is_machine = (atoms["handled_by"] == Handler.MACHINE).to_numpy(bool)
        is_customer = np.array([str(name).startswith(CUSTOMER_GROUP) for name in advisors], bool)
        cells, inside = _find_cells(self.question, atoms)
        tables = pd.factorize(np.array([dimension for dimension, _value in cells]))[0]

        def find_people(place: int) -> csr_array:
            used = (contributing >> place & 1 == 1) & (who >= 0)
            shape = len(atoms), len(advisors)
            return csr_array((rows[used].astype(np.float32), (atom[used], who[used])), shape)

        columns = {
            family.key: _Column(
                TableCells(inside, tables),
                atoms[f"n{place}"].to_numpy(),
                [
                    atoms[f"q{number}"].to_numpy()
                    for number, part in enumerate(PARTS[self.kind])
                    if part.family == family.key
                ],
                find_people(place),
                is_machine,
                is_customer,
            )
            for place, family in enumerate(self.families)
        }
        columns |= self._count_apart(cells, tables, {name: at for at, name in enumerate(advisors)})
        numbers = [zlib.crc32(f"{salt}{name}".encode()) % BUCKETS for name in advisors]
        places = np.arange(len(numbers)), np.array(numbers, int)
        buckets = csr_array((np.ones(len(numbers), np.float32), places), (len(numbers), BUCKETS))
        return cells, columns, buckets

    def _read(self) -> pd.DataFrame:
        """Count the rows by values, advisor, and the families that count them."""
        source, columns, finish = statements.evaluations_of(self.question, with_errors=True)
        described = finish(sa.select(*self._describe(columns)).select_from(source))
        grouped = self._group(described.statement.cte("rows_counted"))
        beside = evaluation_table.beside(**dimension_sql.months(self.question.where.period))
        return self._run(grouped, arrow=beside, beyond=described.beyond)

    def _add_others(self, atoms: pd.DataFrame) -> pd.DataFrame:
        return atoms

    def _count_apart(
        self, cells: list[Cell], tables: np.ndarray, advisors: Mapping[str, int]
    ) -> dict[str, _Column]:
        return {}

    def _run(
        self,
        *parts: sa.SelectBase,
        arrow: Mapping[str, pa.Table] = {},
        beyond: str | None = None,
        **months: str | None,
    ) -> pd.DataFrame:
        """Run statements of the same columns, one after the other, as one frame. Texts are
        categories, since nearly every row repeats them.
        """
        months = months or dimension_sql.months(self.question.where.period)
        tables = []
        for part in parts:
            memory.give_back()
            query = Scoped(part, self.question.viewer, beyond)
            rows = engine.current().run(query, arrow, as_arrow=True, **months)
            tables.append(engine.encode_texts(rows))
        whole = pa.concat_tables(tables, promote_options="permissive").unify_dictionaries()
        return whole.to_pandas(self_destruct=True)

    def _describe(self, columns: Any) -> list[sa.ColumnElement[Any]]:
        """Select the value of each dimension and the advisor of a row, and as bits the
        families that count it, those it brings its advisor to, and the parts it is in.
        """
        populations = [find_population(self.question, family) for family in self.families]
        parts = find_parts(self.question, self.kind, columns)
        return [
            *self._values(columns),
            self._name_advisor(columns).label("advisor"),
            _bits(one.rows for one in populations).label("counted"),
            _bits(one.advisors for one in populations).label("contributing"),
            _bits(parts).label("parts"),
        ]

    def _name_advisor(self, columns: Any) -> sa.ColumnElement[str]:
        return columns.advisor_id

    def _values(self, columns: Any) -> list[sa.ColumnElement[Any]]:
        names = self.question.names
        return [
            dimension_sql.expression(name, columns, names).label(name) for name in self.question.by
        ]

    def _group(self, rows: sa.CTE) -> sa.Select:
        groups = [rows.c[name] for name in self.question.by]
        groups += [rows.c.advisor, rows.c.counted, rows.c.contributing, rows.c.parts]
        is_used = sa.or_(rows.c.counted != _ZERO, rows.c.contributing != _ZERO)
        return sa.select(*groups, sa.func.count().label("rows")).where(is_used).group_by(*groups)


class _Contacts(_Evaluations):
    kind = "contacts"

    def _read(self) -> pd.DataFrame:
        described, period = sa.select(*self._describe(CONTACTS.c)), self.question.where.period
        days = math.ceil(period.days / self._count_parts())
        statements_of_days = []
        for at in range(0, period.days, days):
            first = period.first_day + timedelta(at)
            some = Period(first, min(first + timedelta(days - 1), period.last_day))
            where = self.question.where.with_period(some)
            conditions = statements.conditions_on(replace(self.question, where=where))
            statements_of_days.append(self._group(described.where(*conditions).cte("rows_counted")))
        return self._run(*statements_of_days)

    def _count_parts(self) -> int:
        return 1 + count_contacts(self.question) // CONTACTS_AT_ONCE

    def _name_advisor(self, columns: Any) -> sa.ColumnElement[str]:
        """Name the advisor; of a machine alone the group of its customer, so that as many groups
        are as many customers at least.
        """
        number = columns.customer_number % sa.literal_column(str(CUSTOMER_GROUPS), sa.BigInteger)
        group = sa.literal_column(f"'{CUSTOMER_GROUP}'", sa.Text).concat(sa.cast(number, sa.Text))
        return sa.case((MACHINE_ALONE, group), else_=columns.advisor_id)

    def _add_others(self, atoms: pd.DataFrame) -> pd.DataFrame:
        """Add missed callers, and contacts known by interval totals alone: nobody is known to
        take these.
        """
        others = [frame for frame in (self._count_misses(), self._count_totals()) if len(frame)]
        names = [name for name in atoms if name not in self.question.by]
        atoms = pd.concat([atoms, *others], ignore_index=True)
        return atoms.fillna(dict.fromkeys(names, 0)).astype(dict.fromkeys(names, np.int64))

    def _count_misses(self) -> pd.DataFrame:
        """Count the missed callers who are known, one per recovery window."""
        values = self._values(MISSES.c)
        place = [family.key for family in self.families].index(MISSED_CALLERS)
        counts = [sa.func.count().label(f"n{place}")]
        counts += [
            sa.func.count()
            .filter(statements.parts_of(self.question, get_kpi(part.kpi), MISSES.c).hits)
            .label(f"q{number}")
            for number, part in enumerate(PARTS[self.kind])
            if part.family == MISSED_CALLERS
        ]
        statement = (
            sa.select(*values, *counts)
            .where(MISSES.c.has_customer, *statements.conditions_on(self.question, MISSES.c))
            .group_by(*values)
            .add_cte(statements.misses_of(self.question, with_call_backs=True))
        )
        beyond = (
            "A missed caller counts as called back by any advisor. Only the time of that call is "
            "used."
        )
        around = statements.DAYS_AROUND[get_kpi(MISSED_CALLERS).subject]
        months = dimension_sql.months(self.question.where.period, around, around)
        return self._run(statement, beyond=beyond, **months)

    def _count_totals(self) -> pd.DataFrame:
        populations = [find_population(self.question, family) for family in self.families]
        totals = {place: one.totals for place, one in enumerate(populations) if one.totals}
        parts = {
            number: (get_kpi(part.kpi), part.of)
            for number, part in enumerate(PARTS[self.kind])
            if get_kpi(part.kpi).sums
        }
        kpis = {kpi.key: kpi for kpi, _suffix in (*totals.values(), *parts.values())}
        return pd.DataFrame(
            {name: record[f"by_{name}"] for name in self.question.by}
            | {f"n{place}": _weigh(*one, record) for place, one in totals.items()}
            | {f"q{number}": _weigh(*one, record) for number, one in parts.items()}
            for record in interval_totals.find_totals(self.question, list(kpis.values()))
        )

    def _count_apart(
        self, cells: list[Cell], tables: np.ndarray, advisors: Mapping[str, int]
    ) -> dict[str, _Column]:
        """Count customers: the cells of their contacts, the advisors who took these, and
        whether they contacted the centre again.
        """
        kpi = get_kpi(CUSTOMERS)
        came_back = statements.parts_of(self.question, kpi, CONTACTS.c).hits
        groups = [
            *self._values(CONTACTS.c),
            CONTACTS.c.customer_number.label("customer"),
            CONTACTS.c.advisor_id,
        ]
        statement = sa.select(*groups, sa.func.bool_or(came_back).label("came_back"))
        statement = statement.where(CONTACTS.c.has_customer, COUNTED_DIRECTION).group_by(*groups)
        place_of = {cell: place for place, cell in enumerate(cells)}
        found, parts = [], self._count_parts()
        for part in range(parts):
            conditions = statements.conditions_on(replace(self.question, customers=(part, parts)))
            rows = self._run(statement.where(*conditions))
            found.append(self._find_customers(rows, place_of, advisors))
        starts = np.cumsum([0, *(len(one.n) for one in found)])
        inside, n, is_back, took = (
            np.concatenate([getattr(one, name) for one in found])
            for name in ("inside", "n", "is_back", "took")
        )
        who = np.concatenate([one.who + start for one, start in zip(found, starts, strict=False)])
        first, group = group_alike(inside)
        order = np.lexsort(np.packbits(inside[first], axis=1).T)
        first, group = first[order], np.argsort(order)[group]
        shape = len(first), len(advisors)
        ones = np.ones(len(took), np.float32)
        column = _Column(
            TableCells(np.ascontiguousarray(inside[first].T), tables),
            np.bincount(group, n, len(first)).astype(np.int64),
            [np.bincount(group, is_back, len(first)).astype(np.int64)],
            csr_array((ones, (group[who], took)), shape),
            np.zeros(len(first), bool),
            np.zeros(len(advisors), bool),
        )
        return {CUSTOMERS: column}

    def _find_customers(
        self, frame: pd.DataFrame, place_of: Mapping[Cell, int], advisors: Mapping[str, int]
    ) -> "_Customers":
        who, keys = pd.factorize(frame["customer"])
        inside = np.zeros((len(keys), len(place_of)), bool)
        has_source = frame["source"].notna().to_numpy(bool)
        for prefix, used in (("", np.ones(len(frame), bool)), (WITH_SOURCE, has_source)):
            inside[who[used], place_of[prefix, None]] = True
            for name in self.question.by:
                codes, found = pd.factorize(frame[name][used], use_na_sentinel=False)
                at = [
                    place_of[prefix + name, dimension_sql.plain(name, one, self.question.names)]
                    for one in found
                ]
                inside[who[used], np.array(at, int)[codes]] = True
        # Customers with the same cells are interchangeable.
        first, group = group_alike(inside)
        is_back = np.bincount(who, frame["came_back"].fillna(False).astype(bool), len(keys)) > 0
        known = frame["advisor_id"].isin(advisors.keys()).to_numpy(bool)
        return _Customers(
            inside[first],
            np.bincount(group, minlength=len(first)),
            np.bincount(group, is_back, len(first)),
            group[who[known]],
            frame["advisor_id"][known].map(advisors).to_numpy(int),
        )


_ZERO = sa.literal_column("0", sa.BigInteger)


def _bits(tests: Iterable[Predicate]) -> sa.ColumnElement[int]:
    cases = (
        sa.case((test, sa.literal_column(str(1 << position), sa.BigInteger)), else_=_ZERO)
        for position, test in enumerate(tests)
    )
    return functools.reduce(operator.add, cases, _ZERO)


def _weigh(kpi: Kpi, suffix: str, record: Mapping[str, Any]) -> int:
    if suffix == "n":
        return interval_totals.weight_of(kpi, record)
    amount = record.get(f"{kpi.key}__{suffix}")
    return 0 if amount is None or amount != amount else int(amount)


def _audit(
    families: Sequence[Family],
    cells: list[Cell],
    columns: Mapping[str, _Column],
    buckets: csr_array,
) -> Tables:
    """Choose what is shown. Families that count the same rows share one audit."""
    place_of = {family.key: place for place, family in enumerate(families)}
    own = [columns[family.key] for family in families]
    rows = np.array([column.cells.inside @ column.n for column in own]).T
    is_small = np.array([column.are_small(column.cells.inside) for column in own]).T
    is_small &= np.array([_is_limited(cell) for cell in cells])[:, None]
    is_of_nobody = np.array([column.are_of_nobody(column.cells.inside) for column in own]).T
    is_hidden = is_small & ~is_of_nobody
    widest = rows.max(axis=1, initial=0)
    order = sorted(
        range(len(cells)),
        key=lambda cell: (_has_prefix(cells[cell]), -widest[cell], str(cells[cell])),
    )
    solver = Solver()

    def choose(
        places: Sequence[int], start: np.ndarray, of_parts: bool = False, if_nobody: bool = False
    ) -> np.ndarray:
        """Hide at least `start` in families of the same rows, until no hidden number of rows
        (or of rows of a part) can be derived, nor a small sum.
        """
        column, used = own[places[0]], own[places[0]].n > 0
        live = np.array(
            [
                cell
                for cell in order
                if rows[cell, places[0]]
                and any(_belongs(families[place], cells[cell]) for place in places)
            ],
            int,
        )
        counted = [(column.n, None)] if not of_parts else [(one, column.n) for one in column.parts]
        some = TableCells(column.cells.inside[np.ix_(live, used)], column.cells.table[live])
        while len(live):
            hidden = _hide(column, start, live, len(cells) // 2, if_nobody)
            fixed, has_none = np.zeros((2, len(live)), bool)
            concerned = np.flatnonzero(hidden[live])
            for number, (n, among) in enumerate(counted):
                # Where all of a month are so, that is a fact about many.
                if among is None or (n < among).any():
                    amounts = n[used], None if among is None else among[used]
                    figure = places[0], of_parts, number
                    found = find_fixed(some, ~hidden[live], concerned, *amounts, solver, figure)
                    fixed[concerned] |= found
                    has_none |= _find_empty(some, ~hidden[live], concerned[found], n[used])
            more = np.flatnonzero(has_none).tolist()
            more = more or _find_beside(some.table, ~hidden[live], fixed)
            if not more:
                return hidden
            start = hidden.copy()
            start[live[more]] = True
        return start

    same = [column.cells.inside.shape[1].to_bytes(8) + column.n.tobytes() for column in own]
    groups = [
        [place for place, other in enumerate(same) if other == one] for one in dict.fromkeys(same)
    ]
    for group in groups:
        is_hidden[:, group] = choose(group, is_hidden[:, group].any(axis=1))[:, None]
    for of_parts in (False, True):
        is_settled = False
        while not is_settled:
            is_settled = True
            for place, family in enumerate(families):
                # What a family around it hides is hidden here too: else each would give away
                # what the other hides beside a small cell.
                others = [*family.within, *([family.among] if family.among else [])]
                others = family.within if of_parts else others
                start = is_hidden[:, [place, *(place_of[key] for key in others)]].any(axis=1)
                if (of_parts and own[place].parts) or (start & ~is_hidden[:, place]).any():
                    hidden = choose([place], start, of_parts)
                    is_settled &= not (hidden & ~is_hidden[:, place]).any()
                    is_hidden[:, place] = hidden
    # Rows that no advisor took are hidden as rows of few are. They concern no person, so that no
    # other family hides for them: else a month without machines would show no total.
    is_for_people = is_hidden.copy()
    for group in groups:
        some = [place for place in group if is_small[0, place] or not families[place].is_of_nobody]
        more = (is_small & ~is_for_people)[:, some].any(axis=1)
        if not more.any():
            continue
        hidden = choose(some, is_for_people[:, some].all(axis=1) | more, if_nobody=True)
        for place in some:
            is_hidden[:, place] |= hidden
            if (is_hidden[:, place] != hidden).any():
                is_hidden[:, place] = choose([place], is_hidden[:, place], if_nobody=True)
            if own[place].parts:
                start = is_hidden[:, place]
                is_hidden[:, place] = choose([place], start, of_parts=True, if_nobody=True)
    # The total of machines minus one of its two cells gives the other cell.
    is_of_machines = np.array([cell in OF_MACHINES for cell in cells])
    for place, family in enumerate(families):
        if family.tells_handlers:
            around = place_of[family.among]
            is_told = is_of_machines & (rows[:, around] > 0) & is_for_people[:, around]
            is_hidden[:, place] |= is_told.any()
    # That a figure counts nothing in a cell would tell what a wider one hides there.
    for place, family in enumerate(families):
        wider = [
            other
            for other, one in enumerate(families)
            if one.is_widest or one.key in family.within or family.key in one.within
        ]
        is_hidden[:, place] |= (rows[:, place] == 0) & is_for_people[:, wider].any(axis=1)
    tables, evidence, remainders = {}, {}, []
    for place, family in enumerate(families):
        column = own[place]
        counts = (column.cells.inside.astype(np.float32) @ column.people) @ buckets
        tables[family.key] = {
            cells[cell]: not is_hidden[cell, place]
            for cell in np.flatnonzero((rows[:, place] > 0) | is_hidden[:, place])
            if _belongs(family, cells[cell])
        }
        evidence[family.key] = {
            cells[cell]: [int(rows[cell, place]), *map(int, counts[cell])]
            for cell in range(len(cells))
            if tables[family.key].get(cells[cell])
        }
        used = np.array([at for at in order if tables[family.key].get(cells[at])], int)
        if len(used):
            some = TableCells(
                column.cells.inside[np.ix_(used, column.n > 0)], column.cells.table[used]
            )
            for around, parts in list_nested(some, range(len(used))):
                inner = [cells[used[part]] for part in parts]
                remainders.append((family.key, cells[used[around]], inner))
    return Tables(tables, evidence, remainders)


def _hide(
    column: _Column, start: np.ndarray, live: Sequence[int], half: int, if_nobody: bool
) -> np.ndarray:
    """Choose the cells to hide: `start`, and further ones by the audit of the `live`
    cells, in the order to be shown. A hidden cell's count with a source is hidden too.
    `if_nobody`: whether sums of rows that nobody took are small too.
    """
    is_hidden = start.copy()
    for candidates in ([cell for cell in live if cell < half], list(live)):
        used = np.array(candidates, int)
        cells = TableCells(
            column.cells.inside[np.ix_(used, column.n > 0)], column.cells.table[used]
        )
        small = column.take(column.n > 0)
        are_small = small.are_small if if_nobody else small.are_small_for_people
        order = [position for position, cell in enumerate(candidates) if not is_hidden[cell]]
        is_hidden[used] = hide_sums(cells, order, is_hidden[used], are_small)
        is_hidden[half:] |= is_hidden[:half]
        if len(candidates) == len(live):
            break
    return is_hidden


def _find_empty(
    cells: TableCells, is_shown: np.ndarray, fixed: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Find, as a mask, the shown cells without any rows (counts by combination) that some of
    the fixed cells are in: they tell that these have none there.
    """
    around = cells.inside[fixed].any(axis=0)
    return is_shown & (cells.inside @ rows == 0) & cells.inside[:, around].any(axis=1)


def _find_beside(tables: np.ndarray, is_shown: np.ndarray, fixed: np.ndarray) -> list[int]:
    """Find the cell to hide beside the fixed ones of each table: its last that is shown,
    else the last of all.
    """
    shown = np.flatnonzero(is_shown)
    found = []
    for table in np.unique(tables[fixed]) if len(shown) else ():
        beside = shown[tables[shown] == table]
        found.append(int((beside if len(beside) else shown)[-1]))
    return found


def _find_cells(question: MetricQuery, atoms: pd.DataFrame) -> tuple[list[Cell], np.ndarray]:
    """Find every cell of the month, and then each again of rows with a source alone;
    and the atoms inside each (bool, cells × atoms).
    """
    cells, inside = [TOTAL], [np.ones(len(atoms), bool)]
    for name in question.by:
        codes, values = pd.factorize(atoms[name], use_na_sentinel=False)
        for code, value in enumerate(values):
            cells.append((name, dimension_sql.plain(name, value, question.names)))
            inside.append(codes == code)
    with_source = atoms["source"].notna().to_numpy(bool)
    cells += [(WITH_SOURCE + dimension, value) for dimension, value in cells]
    inside += [among & with_source for among in inside]
    return cells, np.array(inside)


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
