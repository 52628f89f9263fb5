"""Small cells of an executive: hidden unless enough advisors and contacts stand behind them, and so that no difference of views gives one back.

The rule: whatever is asked, only what follows from a fixed set of published tables is answered. There is one table for each set of dimensions,
months among them; a cell is published when it is large enough, all its totals are published, and in each line through it the cells held
back are, taken together, large enough too (else the smallest published one is held back with them).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from qa_core import engines
from qa_core.access import MINIMUM_ADVISORS, MINIMUM_CONTACTS
from qa_core.errors import AccessDenied
from qa_core.kpis import Kind, Kpi, Subject
from qa_core.query import cuts, statements
from qa_core.query.rows import Row
from qa_core.query.statements import Question
from qa_core.slices import Filters, Period
from qa_core.wording import N_

MAXIMUM_DIMENSIONS = 4
"""Cuts and filters together; each further one doubles the tables that must be weighed against each other."""

Cell = tuple[Any, ...]


@dataclass(frozen=True)
class Weight:
    """How many rows, and which advisors (as the bits of a number), stand behind a cell."""

    n: int = 0
    advisors: int = 0

    def __add__(self, other: Weight) -> Weight:
        return Weight(self.n + other.n, self.advisors | other.advisors)

    @property
    def is_safe(self) -> bool:
        return self.n >= MINIMUM_CONTACTS and self.advisors.bit_count() >= MINIMUM_ADVISORS


class Published:
    """Which cells of every table over some dimensions are published, for one KPI."""

    def __init__(self, dimensions: tuple[str, ...], finest: Mapping[Cell, Weight]) -> None:
        self.dimensions = dimensions
        self._tables: dict[tuple[str, ...], dict[Cell, Weight]] = {dimensions: dict(finest)}
        self._hidden: dict[tuple[str, ...], set[Cell]] = {}

    def table(self, dimensions: tuple[str, ...]) -> dict[Cell, Weight]:
        """The weights by those dimensions (some of `self.dimensions`, in its order)."""
        if dimensions not in self._tables:
            places = [self.dimensions.index(name) for name in dimensions]
            made: dict[Cell, Weight] = {}
            for cell, weight in self._tables[self.dimensions].items():
                key = tuple(cell[place] for place in places)
                made[key] = made.get(key, Weight()) + weight
            self._tables[dimensions] = made
        return self._tables[dimensions]

    def hidden(self, dimensions: tuple[str, ...]) -> set[Cell]:
        """The cells that are held back; it depends on the tables of these dimensions alone, never on what else is asked."""
        if dimensions not in self._hidden:
            self._hidden[dimensions] = self._hold_back(dimensions)
        return self._hidden[dimensions]

    def _hold_back(self, dimensions: tuple[str, ...]) -> set[Cell]:
        table = {cell: weight for cell, weight in self.table(dimensions).items() if weight.n or weight.advisors}
        hidden = {cell for cell, weight in table.items() if not weight.is_safe}
        lines: list[dict[Cell, list[Cell]]] = []
        for place in range(len(dimensions)):
            above = self.hidden(dimensions[:place] + dimensions[place + 1 :])
            line: dict[Cell, list[Cell]] = {}
            for cell in table:
                line.setdefault(cell[:place] + cell[place + 1 :], []).append(cell)
            hidden |= {cell for total, cells in line.items() if total in above for cell in cells}
            lines.append({total: cells for total, cells in line.items() if total not in above})
        changed = True
        while changed:
            changed = False
            for cells in itertools.chain.from_iterable(line.values() for line in lines):
                changed |= self._complete_line(cells, table, hidden)
        return hidden

    @staticmethod
    def _complete_line(cells: list[Cell], table: Mapping[Cell, Weight], hidden: set[Cell]) -> bool:
        """Hold back one cell more of a line whose hidden cells together are too small; whether that was needed."""
        held = [cell for cell in cells if cell in hidden]
        shown = [cell for cell in cells if cell not in hidden]
        if not held or not shown or sum((table[cell] for cell in held), Weight()).is_safe:
            return False
        hidden.add(min(shown, key=lambda cell: (table[cell].n, tuple(map(str, cell)))))
        return True

    def shows(self, chosen: Mapping[str, Any], first_month: str | None, last_month: str | None) -> bool:
        """Whether the cell of those values, over those months, follows from published cells."""
        names = tuple(name for name in self.dimensions if name in chosen)
        cell = tuple(chosen[name] for name in names)
        if cell in self.hidden(names):
            return False
        if "month" in chosen or (first_month is None and last_month is None):
            return True
        with_months = tuple(name for name in self.dimensions if name in chosen or name == "month")
        place = with_months.index("month")
        held = {other[place] for other in self.hidden(with_months) if other[:place] + other[place + 1 :] == cell}
        inside = {month for month in held if (first_month is None or month >= first_month) and (last_month is None or month <= last_month)}
        return not inside or inside == held


def require_whole_months(period: Period) -> None:
    """Raise AccessDenied unless the period starts and ends with a calendar month: two periods that differ by days single people out."""
    starts = period.first_day is None or period.first_day.day == 1
    ends = period.last_day is None or (period.last_day + timedelta(days=1)).day == 1
    if not (starts and ends):
        raise AccessDenied(N_("You see whole calendar months: choose a period from the first day of a month to the last day of one."))


def hide_small_cells(question: Question, subject: Subject, asked: list[Kpi], rows: list[Row], beside: Mapping[str, Any]) -> None:
    """Suppress the rows that could show the results of a few people."""
    weighed = [kpi for kpi in asked if not (subject == Subject.SPEND and kpi.kind == Kind.TOTAL)]  # what was spent says nothing of an advisor
    if not weighed or not rows:
        return
    published = _weigh(question, subject, weighed, beside)
    months = cuts.months(question.where.period)
    filters = [[(dimension, _as_grouped(dimension, value)) for value in chosen] for dimension, chosen in question.where.values]
    for row in rows:
        if row.kpi not in published:
            continue
        own = {name: value for name, value in row.by.items() if name != "currency"}
        cells = [dict(values) | own for values in itertools.product(*filters)]
        if any(not published[row.kpi].shows(cell, **months) for cell in cells):
            row.suppress()


def _as_grouped(dimension: str, value: Any) -> Any:
    return None if value is None else cuts.parse_value(dimension, value)


def _weigh(question: Question, subject: Subject, kpis: list[Kpi], beside: Mapping[str, Any]) -> dict[str, Published]:
    touched = tuple(sorted(cuts.dimensions_of(question.by, question.where)))
    if len(touched) > MAXIMUM_DIMENSIONS:
        raise AccessDenied(N_("You see figures by up to {maximum} dimensions at once, filters included."), maximum=MAXIMUM_DIMENSIONS)
    dimensions = touched if "month" in touched else (*touched, "month")
    whole = replace(question, by=dimensions, where=Filters(), by_advisor=True)
    frame = engines.current().run(statements.BUILDERS[subject](whole, kpis), beside)
    bits: dict[Any, int] = {}
    cells: dict[str, dict[Cell, Weight]] = {kpi.key: {} for kpi in kpis}
    groups = list(zip(*([cuts.plain(name, value, question.names) for value in frame[f"by_{name}"]] for name in dimensions), strict=True))
    for kpi in kpis:
        table = cells[kpi.key]
        for cell, advisor, n, behind in zip(groups, frame["behind_advisor"], frame[f"{kpi.key}__n"], frame[f"{kpi.key}__behind"], strict=True):
            known = behind and advisor is not None and advisor == advisor
            bit = 1 << bits.setdefault(advisor, len(bits)) if known else 0
            table[cell] = table.get(cell, Weight()) + Weight(int(n), bit)
    return {key: Published(dimensions, table) for key, table in cells.items()}
