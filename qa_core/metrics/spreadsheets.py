"""Table that leaves the centre, with what explains it: a CSV, or a workbook without formulas."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from numbers import Real
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.metrics.downloads import FORMULA_STARTS, Download, to_csv
from qa_core.metrics.kpis import Unit, formatting
from qa_core.metrics.kpis.formatting import is_missing
from qa_core.storage.records.base import now

FORMATS = {
    Unit.COUNT: "#,##0",
    Unit.RATE: "0.0%",
    Unit.SECONDS: '#,##0.0" s"',
    Unit.SCORE: "0.0",
    Unit.NPS: "+0.0;-0.0;0.0",
}
MOMENT, DAY, MONTH = "yyyy-mm-dd hh:mm:ss", "d mmm yyyy", "mmm yyyy"
MAX_CHARACTERS = 32_767
"""What a cell of a workbook holds."""
NARROWEST, WIDEST = 9, 60
"""Widths of columns, in characters."""


@dataclass(frozen=True)
class Cell:
    """Number, day or moment and its format in a workbook; a CSV has `text` where there is one."""

    value: float | date | datetime
    format: str
    text: str | None = None


@dataclass(frozen=True)
class Sheet:
    """One table. `name`: of the file, without its ending; `about`: lines of texts that
    say what the table is about, the first cell of each a title.

    Cells are texts, numbers, days, moments, `Cell`s, or missing.
    """

    name: str
    header: Sequence[str]
    rows: Iterable[Sequence[Any]]
    about: Iterable[Sequence[Any]] = ()


def unit_format(unit: str, currency: str | None = None) -> str:
    """Return how a workbook shows a value in that unit. Times stay in seconds, so that
    a cell holds the very number that was measured.
    """
    if unit == Unit.MONEY:
        return "#,##0.00" + (f' "{currency}"' if currency and currency.isalpha() else "")
    return FORMATS.get(unit, "0.00")


def plain(value: float | None) -> Cell | None:
    """Return a number without a unit; decimals only where it has some."""
    if is_missing(value):
        return None
    return Cell(value, "#,##0" if float(value).is_integer() else "#,##0.00")


def make_file(sheet: Sheet, form: str) -> Download:
    """Make the table as a file: `form` is one of `FORMS`."""
    return FORMS[form](sheet)


def _make_csv(sheet: Sheet) -> Download:
    about = list(sheet.about)
    lines = [
        [_spell(cell) for cell in line]
        for line in (*about, *([[]] if about else []), sheet.header, *sheet.rows)
    ]
    return Download(f"{sheet.name}.csv", "text/csv; charset=utf-8", to_csv(lines[0], lines[1:]))


def _spell(cell: Any) -> Any:
    value = (cell.value if cell.text is None else cell.text) if isinstance(cell, Cell) else cell
    return "" if is_missing(value) else value


def _make_workbook(sheet: Sheet) -> Download:
    content = io.BytesIO()
    # With these, no way of writing a cell makes a formula or a link of a text.
    with xlsxwriter.Workbook(
        content,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    ) as book:
        formats: dict[Any, Format] = {}

        def look(**properties: Any) -> Format:
            return formats.setdefault(tuple(properties.items()), book.add_format(properties))

        figures, about = (book.add_worksheet(title) for title in (_("Figures"), _("About")))
        widths = [0] * len(sheet.header)
        for column, title in enumerate(sheet.header):
            _write_text(figures, 0, column, title, look, bold=True, bottom=1)
            widths[column] = len(title)
        last = 0
        for last, line in enumerate(sheet.rows, start=1):
            for column, cell in enumerate(line):
                length = _write(figures, last, column, cell, look)
                widths[column : column + 1] = [max(length, *widths[column : column + 1])]
        for column, width in enumerate(widths):
            figures.set_column(column, column, min(max(width + 2, NARROWEST), WIDEST))
        figures.freeze_panes(1, 0)
        if last:
            figures.autofilter(0, 0, last, len(sheet.header) - 1)
        about.set_column(0, 0, 32)
        about.set_column(1, 2, WIDEST)
        for row, line in enumerate(sheet.about):
            for column, cell in enumerate(line):
                style = {"bold": True} if column == 0 else {"align": "left"}
                _write(about, row, column, cell, look, **style, text_wrap=True, valign="top")
    return Download(
        f"{sheet.name}.xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        content.getvalue(),
    )


def _write(
    sheet: Worksheet,
    row: int,
    column: int,
    cell: Any,
    look: Callable[..., Format],
    **properties: Any,
) -> int:
    """Write a cell as what it is, and say how many characters wide it is about."""
    value = cell.value if isinstance(cell, Cell) else cell
    if is_missing(value) or value == "":
        return 0
    if isinstance(value, date):
        usual = MOMENT if isinstance(value, datetime) else DAY
        format_ = cell.format if isinstance(cell, Cell) else usual
        sheet.write_datetime(row, column, value, look(num_format=format_, **properties))
        return len(format_)
    if isinstance(value, Real):
        format_ = (cell if isinstance(cell, Cell) else plain(value)).format
        sheet.write_number(row, column, value, look(num_format=format_, **properties))
        return len(f"{value:,.1f}") + format_.count('"')
    return _write_text(sheet, row, column, str(value), look, **properties)


def _write_text(
    sheet: Worksheet,
    row: int,
    column: int,
    text: str,
    look: Callable[..., Format],
    **properties: Any,
) -> int:
    """Write a text; one that starts like a formula is marked, so that it never becomes one."""
    if text.startswith(FORMULA_STARTS):
        properties["quote_prefix"] = True
    sheet.write_string(row, column, text[:MAX_CHARACTERS], look(**properties))
    return max(map(len, text.splitlines()), default=0)


FORMS: Mapping[str, Callable[[Sheet], Download]] = {"csv": _make_csv, "xlsx": _make_workbook}
"""The kinds of file that every table comes in."""


def describe_exporter(viewer: Viewer) -> list[Any]:
    """Return who exports, and when."""
    moment = formatting.moment(environment.to_local(now()))
    return [_("Exported"), _("{moment} by {name}", moment=moment, name=viewer.username)]
