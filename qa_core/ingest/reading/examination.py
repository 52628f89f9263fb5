"""Findings of a dry run: rows before and after, overlaps, clock changes, effects on figures."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from qa_core.base.i18n import _
from qa_core.ingest.columns import header_matching
from qa_core.metrics.kpis import BY_KEY, formatting
from qa_core.metrics.kpis.dimensions import Period

MAX_COLUMNS = 12


@dataclass(frozen=True)
class ShownRow:
    """Row of a file: its cells in used columns, and the values they become; identities masked."""

    line: int
    cells: dict[str, str]
    values: dict[str, Any]


@dataclass(frozen=True)
class ClockHour:
    """An hour that the centre's clock showed twice, and how many rows fall into it."""

    start: datetime
    rows: int


@dataclass(frozen=True)
class Overlap:
    """Contacts that another source already has for days and queues of this file."""

    system: str
    contacts: int
    rows: int
    first_day: date
    last_day: date


@dataclass(frozen=True)
class FigureEffect:
    """Headline figure of the file's days, today and after; None without data, by `status`."""

    kpi: str
    before: float | None
    after: float | None
    n_before: int
    n_after: int
    status_before: str
    status_after: str

    @property
    def title(self) -> str:
        """An English gettext message."""
        return BY_KEY[self.kpi].title

    def format_before(self) -> str:
        return _format_value(self.kpi, self.before, self.status_before)

    def format_after(self) -> str:
        return _format_value(self.kpi, self.after, self.status_after)


@dataclass(frozen=True)
class Examination:
    """Findings of a dry run besides the counts of the report."""

    rows: tuple[ShownRow, ...] = ()
    first_day: date | None = None
    last_day: date | None = None
    clock_hours: tuple[ClockHour, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    in_period: int = 0
    """Number of stored contacts of the same system on the file's days."""
    pseudonymised: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    """Columns of free text, which are kept as they are written."""
    effects: tuple[FigureEffect, ...] = ()

    def as_remarks(self) -> Iterator[str]:
        """Yield all but rows and figures, a sentence each, in the current language."""
        if self.first_day and self.last_day:
            yield _(
                "Days of the file: {period}",
                period=formatting.period(Period(self.first_day, self.last_day)),
            )
        if self.in_period:
            yield _(
                "Already imported for these days from the same tool: {count} contacts.",
                count=formatting.number(self.in_period),
            )
        for hour in self.clock_hours:
            yield _(
                "{rows} rows fall into the hour from {moment}, which the clock showed "
                "twice that night.",
                rows=formatting.number(hour.rows),
                moment=formatting.moment(hour.start),
            )
        if self.pseudonymised:
            yield _(
                "Personal columns, kept only as pseudonyms: {columns}",
                columns=formatting.listing(self.pseudonymised),
            )
        if self.comments:
            yield _(
                "Free text, kept as written: {columns}. Make sure that it names no customer.",
                columns=formatting.listing(self.comments),
            )
        if self.dropped:
            yield _(
                "Columns not used: {columns}",
                columns=header_matching.format_headers(list(self.dropped), MAX_COLUMNS),
            )

    def as_warnings(self) -> Iterator[str]:
        """Yield what might make the figures wrong, in the current language."""
        for overlap in self.overlaps:
            yield _(
                "{rows} rows fall on days and queues for which {system} already brought "
                "{contacts} contacts ({period}). The same calls would count twice. Import "
                "only one of the two, or give both the same tool name.",
                rows=formatting.number(overlap.rows),
                system=overlap.system,
                contacts=formatting.number(overlap.contacts),
                period=formatting.period(Period(overlap.first_day, overlap.last_day)),
            )

    def as_lines(self) -> list[str]:
        lines = [*self.as_warnings(), *self.as_remarks()]
        for effect in self.effects:
            lines.append(f"{_(effect.title)}: {effect.format_before()} → {effect.format_after()}")
        for row in self.rows:
            cells = (f"{name}: {cell}" for name, cell in row.cells.items() if cell)
            values = (f"{name}: {value}" for name, value in row.values.items())
            lines.append(_("line {number}", number=row.line))
            lines += ["  < " + " · ".join(cells), "  > " + " · ".join(values)]
        return lines


def _format_value(kpi: str, value: float | None, status: str) -> str:
    if value is None:
        return _("window not complete yet") if status == "pending" else _("no data")
    return formatting.value(value, BY_KEY[kpi].unit)
