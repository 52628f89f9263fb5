"""Small cells of an executive: hidden unless enough advisors and contacts stand behind
them, and so that no difference of views gives one back.

The rule: whatever is asked, only what follows from fixed tables is answered: the total,
by month, by one dimension, and by that dimension and month. A cell is published when it
is large enough, its totals are published, the cells held back in each line are large
enough together, and no sum of published cells gives it back; where values make up one
value of another dimension, they are such a line too. Two dimensions at once, months
apart, are not published, nor is which of their combinations occur: a total less the one
combination that is not hidden would be the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from qa_core.access.roles import MINIMUM_ADVISORS, MINIMUM_CONTACTS
from qa_core.base.errors import AccessDenied
from qa_core.base.i18n import N_
from qa_core.centre.settings import get_setting
from qa_core.metrics.dimensions import Filters, Period
from qa_core.metrics.kpis import FactTable, Kpi, KpiKind
from qa_core.metrics.query import (
    closed_months,
    dimension_sql,
    interval_totals,
    linked_dimensions,
    statements,
)
from qa_core.metrics.query.dimension_sql import Names
from qa_core.metrics.query.result_rows import Row
from qa_core.metrics.query.statements import MetricQuery
from qa_core.storage import engine
from qa_core.storage.records import store

Cell = tuple[Any, str]
"""A value of the dimension, and a month."""

ALL = object()
"""In place of a value: the dimension is not asked for."""


@dataclass(frozen=True)
class Weight:
    """How many rows, and which advisors (as the bits of a number), stand behind a cell.
    `unnamed`: of closed months, at least how many, where nobody knows any more which.
    """

    n: int = 0
    advisors: int = 0
    unnamed: int = 0

    def __add__(self, other: Weight) -> Weight:
        return Weight(
            self.n + other.n,
            self.advisors | other.advisors,
            max(self.unnamed, other.unnamed),
        )

    @property
    def is_safe(self) -> bool:
        advisors = max(self.advisors.bit_count(), self.unnamed)
        return self.n >= MINIMUM_CONTACTS and advisors >= MINIMUM_ADVISORS


class Published:
    """Which cells of the four tables are published, for one KPI and one dimension (or
    none: every cell then has the value `ALL`).

    The tables of the total and of the months never depend on the dimension, so that
    answers about different dimensions agree. `groups`: values that make up one value of
    another dimension, whose total is therefore known.
    """

    def __init__(
        self, cells: Mapping[Cell, Weight], groups: Collection[linked_dimensions.Group] = ()
    ) -> None:
        self.groups = groups
        self.cells = {cell: weight for cell, weight in cells.items() if weight.n or weight.advisors}
        self.months, self.values = _summed(self.cells, 1), _summed(self.cells, 0)
        self.hides_all = not sum(self.cells.values(), Weight()).is_safe
        self.hidden_months = _hold_back(self.months) if not self.hides_all else set(self.months)
        # The groups first: what they hold back serves the total as well.
        self.hidden_values = (
            _hold_back(self.values, self._held_in_groups(set()))
            if not self.hides_all
            else set(self.values)
        )
        self.hidden_cells = {cell for cell, weight in self.cells.items() if not weight.is_safe}
        self._settle()

    @property
    def hides_nothing(self) -> bool:
        return not (self.hides_all or self.hidden_values or self.hidden_months or self.hidden_cells)

    def shows(self, value: Any, first_month: str | None, last_month: str | None) -> bool:
        """Whether the sum over those months follows from published cells."""
        if self.hides_all or value in self.hidden_values:
            return False
        if first_month is None and last_month is None:
            return True
        held = (
            self.hidden_months
            if value is ALL
            else {month for other, month in self.hidden_cells if other == value}
        )
        inside = {
            month
            for month in held
            if (first_month is None or month >= first_month)
            and (last_month is None or month <= last_month)
        }
        return not inside or inside == held

    def hold(self, values: set[Any], cells: set[Cell]) -> None:
        """Hold these back too, and what has to go with them."""
        self.hidden_values = _hold_back(
            self.values, self._held_in_groups(self.hidden_values | values)
        )
        self.hidden_cells |= cells
        self._settle()

    def _settle(self) -> None:
        """Hold back cells until every line is large enough and nothing small follows
        from what is left.
        """
        while True:
            self.hidden_values = self._held_in_groups(self.hidden_values)
            self.hidden_cells |= {
                cell
                for cell in self.cells
                if cell[0] in self.hidden_values or cell[1] in self.hidden_months
            }
            before = len(self.hidden_cells)
            for place, above in ((0, self.hidden_values), (1, self.hidden_months)):
                for line in _lines(self.cells, place, above):
                    parts = (
                        [[cell for cell in line if cell[0] in group] for group in self.groups]
                        if place == 1
                        else []
                    )
                    for part in (*parts, line):
                        self.hidden_cells |= _hold_back(
                            {cell: self.cells[cell] for cell in part}, self.hidden_cells
                        )
            if len(self.hidden_cells) > before:
                continue
            exposed = self._first_exposed()
            if exposed is None:
                return
            self._cover(exposed)

    def _held_in_groups(self, hidden: set[Any]) -> set[Any]:
        for group in self.groups:
            hidden = hidden | _hold_back(
                {value: weight for value, weight in self.values.items() if value in group}, hidden
            )
        return hidden

    def _first_exposed(self) -> Cell | None:
        """A small sum over neighbouring months that the published totals give back: it
        is the same in every solution of their equations.
        """
        unknown = sorted(self.hidden_cells, key=lambda cell: (str(cell[0]), cell[1]))
        if self.hides_all or all(self.cells[cell].is_safe for cell in unknown):
            return None
        import numpy as np

        shown_values, shown_months = (
            set(self.values) - self.hidden_values,
            set(self.months) - self.hidden_months,
        )
        totals = [
            [cell[place] == name for cell in unknown]
            for place, names in ((0, shown_values), (1, shown_months))
            for name in names
        ]
        equations = np.array([*totals, [True] * len(unknown)], dtype=float)
        _, sizes, directions = np.linalg.svd(equations)
        moves = directions[int((sizes > 1e-9).sum()) :]
        for sums in self._sums_of(unknown):
            for first in range(len(sums)):
                weight, moved = Weight(), np.zeros(len(moves))
                for places in sums[first:]:
                    weight = sum((self.cells[unknown[place]] for place in places), weight)
                    moved = moved + moves[:, places].sum(axis=1)
                    if weight.is_safe:
                        break
                    if np.abs(moved).max(initial=0.0) < 1e-9:
                        return unknown[places[0]]
        return None

    def _sums_of(self, unknown: list[Cell]) -> list[list[list[int]]]:
        """What a period may add up: the hidden cells of one value month by month, and
        the hidden months.
        """
        of_values: dict[Any, list[list[int]]] = {}
        of_months: dict[str, list[int]] = {}
        for place, (value, month) in enumerate(unknown):
            of_values.setdefault(value, []).append([place])
            if month in self.hidden_months:
                of_months.setdefault(month, []).append(place)
        return [*of_values.values(), [of_months[month] for month in sorted(of_months)]]

    def _cover(self, exposed: Cell) -> None:
        """Hold back one thing more: the smallest cell in the lines of the exposed one,
        else its total, else the smallest of all.
        """
        shown = {
            cell: weight for cell, weight in self.cells.items() if cell not in self.hidden_cells
        }
        near = {
            cell: weight
            for cell, weight in shown.items()
            if cell[0] == exposed[0] or cell[1] == exposed[1]
        }
        if near:
            self.hidden_cells.add(_smallest(near))
            return
        left = {
            value: weight
            for value, weight in self.values.items()
            if value not in self.hidden_values
        }
        if exposed[0] in left:
            self.hidden_values.add(exposed[0])
        elif shown:
            self.hidden_cells.add(_smallest(shown))
        elif left:
            self.hidden_values.add(_smallest(left))
        else:
            self.hides_all = True
        self.hidden_values |= _hold_back(self.values, self.hidden_values)


def agree(tables: Mapping[str, Published], links: Collection[linked_dimensions.Link]) -> None:
    """Hold back in every table what another one hides of the same contacts to cover few
    people: a medium that covers a small one would else be told by its campaigns, and
    the small one be what is left.
    """
    pairs: dict[tuple[str, str], list[tuple[linked_dimensions.Group, linked_dimensions.Group]]] = {}
    for one, mine, other, theirs in links:
        pairs.setdefault((one, other), []).append((mine, theirs))
    before = -1
    while (
        held := sum(len(table.hidden_values) + len(table.hidden_cells) for table in tables.values())
    ) != before:
        before = held
        for (one, other), groups in pairs.items():
            _follow(tables[one], tables[other], groups)


def _follow(
    hiding: Published,
    asked: Published,
    groups: list[tuple[linked_dimensions.Group, linked_dimensions.Group]],
) -> None:
    """Let nothing of `asked` tell the sum of a group that hides something in `hiding`
    for the sake of groups that are too small themselves.
    """
    place_of = {value: place for place, (mine, _theirs) in enumerate(groups) for value in mine}
    of_groups: dict[Cell, Weight] = {}
    for (value, month), weight in hiding.cells.items():
        if value in place_of:
            cell = place_of[value], month
            of_groups[cell] = of_groups.get(cell, Weight()) + weight
    whole = _summed(of_groups, 0)
    hidden_groups = {
        (place, ""): whole[place]
        for place in {place_of[value] for value in hiding.hidden_values if value in place_of}
    }
    hidden_cells = {
        (place_of[value], month) for value, month in hiding.hidden_cells if value in place_of
    }
    values: set[Any] = set()
    for place, _every in _covering(hidden_groups, (1,)):
        values |= _smallest_unless_held(
            {value: weight for value, weight in asked.values.items() if value in groups[place][1]},
            asked.hidden_values,
        )
    cells: set[Cell] = set()
    for place, month in _covering({cell: of_groups[cell] for cell in hidden_cells}):
        theirs = {
            cell: weight
            for cell, weight in asked.cells.items()
            if cell[0] in groups[place][1] and cell[1] == month
        }
        cells |= _smallest_unless_held(theirs, asked.hidden_cells)
    if values or cells:
        asked.hold(values, cells)


def _covering(hidden: Mapping[Cell, Weight], places: Collection[int] = (0, 1)) -> set[Cell]:
    """Those of the hidden cells that hang together, by the lines of these places, with
    small ones that do not cover each other.
    """
    found: set[Cell] = set()
    for place in places:
        small: dict[Any, Weight] = {}
        for cell, weight in hidden.items():
            if not weight.is_safe:
                small[cell[place]] = small.get(cell[place], Weight()) + weight
        found |= {
            cell for cell in hidden if cell[place] in small and not small[cell[place]].is_safe
        }
    while (
        further := {
            cell
            for cell in hidden
            if any(cell[0] == other[0] or cell[1] == other[1] for other in found)
        }
        - found
    ):
        found |= further
    return found


def _smallest_unless_held(weights: Mapping[Any, Weight], held: Collection[Any]) -> set[Any]:
    return {_smallest(weights)} if weights and not any(key in held for key in weights) else set()


def _summed(cells: Mapping[Cell, Weight], place: int) -> dict[Any, Weight]:
    sums: dict[Any, Weight] = {}
    for cell, weight in cells.items():
        sums[cell[place]] = sums.get(cell[place], Weight()) + weight
    return sums


def _lines(cells: Mapping[Cell, Weight], place: int, above: set[Any]) -> list[list[Cell]]:
    """The cells that add up to one total, for each total that is published."""
    lines: dict[Any, list[Cell]] = {}
    for cell in cells:
        lines.setdefault(cell[place], []).append(cell)
    return [line for total, line in lines.items() if total not in above]


def _hold_back(line: Mapping[Any, Weight], hidden: Collection[Any] = ()) -> set[Any]:
    """What a line hides: what is hidden already, all that is small, and the smallest
    others until the hidden are large enough together.
    """
    held = {key for key, weight in line.items() if key in hidden or not weight.is_safe}
    while held and len(held) < len(line) and not sum((line[key] for key in held), Weight()).is_safe:
        held.add(_smallest({key: weight for key, weight in line.items() if key not in held}))
    return held


def _smallest(weights: Mapping[Any, Weight]) -> Any:
    return min(weights, key=lambda key: (weights[key].n, str(key)))


def require_whole_months(period: Period) -> None:
    """Raise AccessDenied unless the period starts and ends with a calendar month: two
    periods that differ by days single people out.
    """
    starts = period.first_day is None or period.first_day.day == 1
    ends = period.last_day is None or (period.last_day + timedelta(days=1)).day == 1
    if not (starts and ends):
        raise AccessDenied(
            N_(
                "You see whole calendar months: choose a period from the first day of a month "
                "to the last day of one."
            )
        )


def require_few(dimensions: Collection[str]) -> None:
    """Raise AccessDenied for a cut by so many dimensions that the lines of its
    combinations, all hidden, would be thousands.
    """
    if len(_apart_from_months(dimensions)) > 2:
        raise AccessDenied(N_("You see figures by one dimension at a time, and by month besides."))


def require_offered(overrides: Mapping[str, str]) -> None:
    """Raise AccessDenied unless every setting has a value that pages show side by side:
    two thresholds a second apart single contacts out.
    """
    for name, text in overrides.items():
        setting = get_setting(name)
        if setting.parse(text) not in setting.offered:
            offered = ", ".join(map(str, setting.offered))
            raise AccessDenied(
                N_("You see {name} at these values only: {known}.")
                if offered
                else N_("{name} is set for everybody; you cannot change it for one question."),
                name=name,
                known=offered,
            )


def hide_small_cells(
    question: MetricQuery,
    subject: FactTable,
    asked: list[Kpi],
    rows: list[Row],
    beside: Mapping[str, Any],
) -> None:
    """Suppress the rows that could show the results of a few people."""
    weighed = [
        kpi for kpi in asked if not (subject == FactTable.SPEND and kpi.kind == KpiKind.TOTAL)
    ]  # what was spent says nothing of an advisor
    keys = {kpi.key for kpi in weighed}
    concerned = [row for row in rows if row.kpi in keys]
    if not concerned:
        return
    if crosses(question):
        for row in concerned:
            row.suppress()
        return
    dimension = next(
        iter(_apart_from_months(dimension_sql.dimensions_of(question.by, question.where))), None
    )
    published, judged_or_not = weigh(question, subject, weighed, beside, dimension)
    for row in concerned:
        cells = _cells_of(question, dimension, row.by)
        if not all(published[row.kpi].shows(value, **span) for value, span in cells):
            row.suppress()
        elif row.kpi in judged_or_not and not all(
            judged_or_not[row.kpi].shows(value, **span) for value, span in cells
        ):
            # What is left out beside n would tell how many there are in all.
            row.pending = row.unknown_identity = None
            if not row.n:
                row.suppress()


def crosses(question: MetricQuery) -> bool:
    """Whether the question is about two dimensions at once, of which nothing is
    published.
    """
    return len(_apart_from_months(dimension_sql.dimensions_of(question.by, question.where))) > 1


def hide_combinations(
    question: MetricQuery,
    asked: Sequence[Kpi],
    find_groups: Callable[[MetricQuery], Iterable[Mapping[str, Any]]],
) -> list[Row]:
    """The rows of a question that crosses dimensions: every combination of the values
    that each has alone (`find_groups`), so that none is missing where nothing is.
    """
    given = dict(question.where.values)
    alone = []
    for name in question.by:
        where = Filters(question.where.period) if name in ("week", "month") else Filters()
        found = {group[name] for group in find_groups(replace(question, by=(name,), where=where))}
        wanted = {
            None if value is None else dimension_sql.parse_value(name, value)
            for value in given.get(name, ())
        }
        alone.append(found & wanted if name in given else found)
    rows = [
        Row(kpi.key, by=dict(zip(question.by, values, strict=True)))
        for values in itertools.product(*alone)
        for kpi in asked
    ]
    for row in rows:
        row.suppress()
    return rows


def _apart_from_months(dimensions: Collection[str]) -> set[str]:
    return set(dimensions) - {"month"}


def publishes(question: MetricQuery, weights: Mapping[Cell, Weight]) -> bool:
    """Whether what an uncut question adds up is published, of a table whose cells over
    the whole lake weigh so much.
    """
    dimension = next(iter(dimension_sql.dimensions_of((), question.where) - {"month"}), None)
    published = Published(weights, linked_dimensions.find_groups(dimension))
    return all(published.shows(value, **span) for value, span in _cells_of(question, dimension, {}))


def _cells_of(
    question: MetricQuery, dimension: str | None, by: Mapping[str, Any]
) -> list[tuple[Any, dict[str, str | None]]]:
    """The values of the dimension and the spans of months that a row adds up."""
    chosen = {
        name: [None if value is None else dimension_sql.parse_value(name, value) for value in given]
        for name, given in question.where.values
    }
    values = [by[dimension]] if dimension in by else chosen.get(dimension, [ALL])
    single = [by["month"]] if "month" in by else chosen.get("month")
    spans = (
        [{"first_month": month, "last_month": month} for month in single]
        if single
        else [dimension_sql.months(question.where.period)]
    )
    return [(value, span) for value in values for span in spans]


def weigh(
    question: MetricQuery,
    subject: FactTable,
    kpis: list[Kpi],
    beside: Mapping[str, Any],
    dimension: str | None,
) -> tuple[dict[str, Published], dict[str, Published]]:
    """What is published, whatever the period asked for, by the weight of every cell
    over the whole lake: of what each KPI counts, and, where a KPI leaves contacts out
    and says how many, of those together with the counted.

    Intervals weigh as many contacts as they count, but nobody is known to stand behind
    them: alone they are never published.
    """
    links = linked_dimensions.find_links(
        dimension, set(linked_dimensions.DIMENSIONS).intersection(*(kpi.dimensions for kpi in kpis))
    )
    weighed = {
        name: _weigh_alone(question, subject, kpis, beside, name)
        for name in dict.fromkeys((dimension, *(link[0] for link in links)))
    }
    for place, key in [(0, kpi.key) for kpi in kpis] + [
        (1, kpi.key) for kpi in kpis if kpi.leaves_out
    ]:
        agree({name: tables[place][key] for name, tables in weighed.items()}, links)
    return weighed[dimension]


def _weigh_alone(
    question: MetricQuery,
    subject: FactTable,
    kpis: list[Kpi],
    beside: Mapping[str, Any],
    dimension: str | None,
) -> tuple[dict[str, Published], dict[str, Published]]:
    by = (dimension, "month") if dimension else ("month",)
    if dimension == "site":
        with store.reading() as session:
            question = replace(question, names=Names.load(session, frozenset({"site"})))
    # Of closed months that take the place of rows, what is published was decided then.
    group = closed_months.group_of(kpis[0])
    last = closed_months.find_last(group or closed_months.IDENTITIES)
    where = Filters(Period(last + timedelta(days=1))) if group and last else Filters()
    whole = replace(question, by=by, where=where, by_advisor=True)
    frame = engine.current().run(statements.BUILDERS[subject](whole, kpis), beside)
    months = [dimension_sql.plain("month", value, question.names) for value in frame["by_month"]]
    values = (
        [
            dimension_sql.plain(dimension, value, question.names)
            for value in frame[f"by_{dimension}"]
        ]
        if dimension
        else [ALL] * len(frame)
    )
    uncounted = (
        _weigh_totals(replace(whole, by_advisor=False), kpis, dimension)
        if subject == FactTable.CONTACTS
        else {}
    )
    groups = linked_dimensions.find_groups(dimension)
    bits: dict[Any, int] = {}
    published, judged_or_not = {}, {}
    unnamed: Mapping[tuple[str, Any, str], int] = {}
    if group is None and last:
        unnamed = closed_months.find_advisors(closed_months.IDENTITIES, dimension)
    for kpi in kpis:
        cells: dict[Cell, Weight] = {}
        together: dict[Cell, Weight] = {}
        left_out = frame[f"{kpi.key}__left_out"] if kpi.leaves_out else itertools.repeat(0)
        counts = zip(
            zip(values, months, strict=True),
            frame["behind_advisor"],
            frame[f"{kpi.key}__n"],
            frame[f"{kpi.key}__behind"],
            left_out,
            strict=False,
        )
        for cell, advisor, n, behind, left in counts:
            known = (behind or left) and advisor is not None and advisor == advisor
            bit = 1 << bits.setdefault(advisor, len(bits)) if known else 0
            value, month = cell
            least = unnamed.get((kpi.key, None if value is ALL else value, month), 0)
            cells[cell] = cells.get(cell, Weight()) + Weight(int(n), bit if behind else 0, least)
            together[cell] = together.get(cell, Weight()) + Weight(int(n) + int(left), bit, least)
        for cell, n in uncounted.get(kpi.key, ()):
            cells[cell] = cells.get(cell, Weight()) + Weight(n)
        published[kpi.key] = Published(cells, groups)
        if kpi.leaves_out:
            judged_or_not[kpi.key] = Published(together, groups)
    return published, judged_or_not


def _weigh_totals(
    whole: MetricQuery, kpis: list[Kpi], dimension: str | None
) -> dict[str, list[tuple[Cell, int]]]:
    """The cells that intervals add to, and by how many contacts, for each KPI that
    takes something from them.
    """
    found = interval_totals.find_totals(whole, kpis)
    cells = [
        (
            dimension_sql.plain(dimension, record[f"by_{dimension}"], whole.names)
            if dimension
            else ALL,
            dimension_sql.plain("month", record["by_month"], whole.names),
        )
        for record in found
    ]
    return {
        kpi.key: [
            (cell, interval_totals.weight_of(kpi, record))
            for cell, record in zip(cells, found, strict=True)
        ]
        for kpi in kpis
        if kpi.sums
    }
