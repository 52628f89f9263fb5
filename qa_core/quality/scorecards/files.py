"""Scorecards as files: TOML, as the starters, and spreadsheets."""

import csv
import io
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import tomli_w

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import Refusal, build_misread
from qa_core.base.i18n import N_, _, format_refusal, uncapitalise
from qa_core.files import readers, uploads, workbooks
from qa_core.files.archives import open_content
from qa_core.files.options import ImportOptions
from qa_core.metrics import downloads
from qa_core.metrics.spreadsheets import Sheet, make_file
from qa_core.quality.scorecards import drafts, table, versions
from qa_core.quality.scorecards.faults import Fault, find_faults

EXPORT_FORMATS = ("toml", "xlsx", "csv")
"""Formats of exported scorecards."""
IMPORT_FORMATS = ("toml", "xlsx", "xlsm", "xlsb", "xls", "ods", "csv", "txt", "tsv")
MAX_BYTES = 2 << 20
MAX_ROWS = 1_000
HEADER_SEARCH_ROWS = 40
FAULTS_SHOWN = 20


class FaultyFile(Refusal):
    """File with all of its faults, each with its row and column or its place in TOML."""

    def __init__(self, name: str, faults: Sequence[Refusal]) -> None:
        self.faults = tuple(faults)
        listed = " ".join(
            f"{number}) {format_refusal(fault)}"
            for number, fault in enumerate(self.faults[:FAULTS_SHOWN], start=1)
        )
        super().__init__(
            "bad_grid_file",
            N_("{name} cannot become a scorecard yet. {faults}"),
            name=name,
            faults=listed,
        )


def import_file(viewer: Viewer, name: str, content: bytes, key: str | None = None) -> int:
    """Import a scorecard from a file as a draft; return the draft's id. `key`: of the
    scorecard it belongs to, else made from its title.
    """
    viewer.require(Permission.EDIT_SCORECARDS)
    read = read_file(name, content)
    return drafts.create_draft(
        viewer,
        key
        or table.make_key(read["title"]).replace("_", "-")
        or table.make_key(PurePath(name).stem).replace("_", "-"),
        read,
    )


def read_file(name: str, content: bytes) -> dict[str, Any]:
    """Read a scorecard from TOML, workbook or CSV. Raise Refusal; `FaultyFile` lists all faults."""
    if len(content) > MAX_BYTES:
        raise Refusal(
            "grid_file_too_large",
            "{name} is larger than {most} MB. Send a file that contains only the scorecard.",
            name=name,
            most=MAX_BYTES >> 20,
        )
    form = PurePath(name).suffix.lower().removeprefix(".")
    if form == "toml":
        return _read_toml(name, content)
    if form not in IMPORT_FORMATS:
        raise Refusal(
            "wrong_file_type",
            "{name} is not a scorecard file. Send a TOML file, a workbook (XLSX, ODS) "
            "or a CSV file.",
            name=name,
        )
    read = _read_text if form in ("csv", "txt", "tsv") else _read_workbook
    return _read_sheets(name, read(name, content))


def build_file(viewer: Viewer, grid_id: int, form: str = "toml") -> downloads.Download:
    """Export a draft or version; imported again it is the same scorecard."""
    stored = versions.get(viewer, grid_id)
    name = "-".join(
        [
            "grid",
            stored.key,
            *([str(stored.version)] if stored.version else [uncapitalise(_("Draft"))]),
        ]
    )
    return build(stored.content, name, form)


def build(content: Mapping[str, Any], name: str, form: str) -> downloads.Download:
    """Build a file of that format, spreadsheets in the reader's language."""
    if form == "toml":
        return downloads.Download(
            f"{name}.toml", "application/toml", tomli_w.dumps(_order_fields(content)).encode()
        )
    header, sections = table.to_header(content), table.to_sections(content)
    criteria = [table.to_criteria(section) for section in content.get("section", [])]
    rows = [
        [table.describe_cell(column, {**section, **criterion}[column]) for column in table.COLUMNS]
        for section, inside in zip(sections, criteria, strict=True)
        for criterion in inside
    ]
    about = [[_(title), header[line]] for line, title in table.HEADER.items()]
    return make_file(Sheet(name, [_(title) for title in table.COLUMNS.values()], rows, about), form)


downloads.declare("grid", Permission.SEE_SCORECARDS, build_file)


def _order_fields(content: Mapping[str, Any]) -> dict[str, Any]:
    """Order the fields as in the starters; unknown fields come last."""
    order = (
        "title", "text", "method", "pass_mark", "bonus_cap", "name", "weight", "key", "help",
        "points", "levels", "not_applicable", "critical", "fails",
    )  # fmt: skip
    later = ("bonus", "section", "criterion")

    def order_fields(value: Any) -> Any:
        if isinstance(value, Mapping):
            known = [
                *(name for name in order if name in value),
                *(name for name in value if name not in (*order, *later)),
            ]
            return {
                name: order_fields(value[name])
                for name in (*known, *(name for name in later if name in value))
                if value[name] is not None
            }
        return [order_fields(entry) for entry in value] if isinstance(value, list) else value

    return order_fields(content)


def _read_toml(name: str, content: bytes) -> dict[str, Any]:
    try:
        read = tomllib.loads(content.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise build_misread("bad_toml", name, "TOML", error) from error
    if faults := find_faults(read):
        raise FaultyFile(name, [fault.refusal for fault in faults])
    return read


@dataclass(frozen=True)
class _Cells:
    """Cells of one sheet; `first_row`: number of its first row as a person sees it."""

    rows: Sequence[Sequence[str]]
    first_row: int = 1

    def find_header(self) -> int | None:
        """Return the row with most known titles, a criterion's among them."""
        known = [
            {table.find_name(cell) for cell in row} & {*table.COLUMNS, "text", "help"}
            for row in self.rows[:HEADER_SEARCH_ROWS]
        ]
        fitting = [
            len(names) if names & {"text", "fr", "en"} and len(names) > 1 else 0 for names in known
        ]
        return fitting.index(max(fitting)) if any(fitting) else None


def _read_text(name: str, content: bytes) -> list[_Cells]:
    if not content.strip():
        return []
    with uploads.store_temporarily(name, content) as path:
        source = readers.open_source(open_content(path), ImportOptions(), len)
        rows = source.sample(MAX_ROWS + 1)
    return [_Cells([[downloads.unescape(cell) for cell in row] for _line, row in rows])]


def _count_known_columns(cells: _Cells) -> int:
    header_row = cells.find_header()
    return (
        0
        if header_row is None
        else sum(table.find_name(cell) is not None for cell in cells.rows[header_row])
    )


def _read_workbook(name: str, content: bytes) -> list[_Cells]:
    with uploads.store_temporarily(name, content) as path:
        opened = open_content(path)
        read = []
        for sheet in workbooks.find_sheets(opened):
            if sheet["rows"]:
                above, cells = workbooks.read_sheet(opened, sheet["name"])
                read.append(
                    _Cells(list(csv.reader(io.StringIO(cells.decode(), newline=""))), above + 1)
                )
        return read


def _read_sheets(name: str, sheets: Sequence[_Cells]) -> dict[str, Any]:
    chosen = max(sheets, key=_count_known_columns, default=None)
    header_row = chosen.find_header() if chosen else None
    if chosen is None or header_row is None:
        message = N_(
            "{name} has no title row such as {example}. Add these titles, in French or English, "
            "and send the file again."
        )
        raise Refusal(
            "no_grid_table",
            message,
            name=name,
            example=" · ".join(
                _(table.COLUMNS[name_of_column]) for name_of_column in ("section", "fr", "points")
            ),
        )
    if len(chosen.rows) > MAX_ROWS:
        raise Refusal(
            "grid_too_large",
            "{name} has more than {most} rows. A scorecard has one row per criterion.",
            name=name,
            most=MAX_ROWS,
        )
    titles = [table.find_name(cell) for cell in chosen.rows[header_row]]
    if "points" not in titles:
        message = N_("{name} has no column {column}. Columns found: {found}.")
        columns_found = ", ".join(cell.strip() for cell in chosen.rows[header_row] if cell.strip())
        title = table.COLUMNS["points"]
        raise Refusal("no_grid_table", message, name=name, column=_(title), found=columns_found)
    header_rows = [
        row
        for sheet in sheets
        for row in (sheet.rows[:header_row] if sheet is chosen else sheet.rows)
    ]
    header = {
        line: row[1]
        for row in header_rows
        if len(row) > 1 and (line := table.find_name(row[0])) in table.HEADER
    }
    if not header.get("title") and not header.get("title_en") and not header.get("title_fr"):
        header["title"] = (
            PurePath(name).stem.replace("_", " ").replace("-", " ").strip().capitalize()
        )
    lines = [
        (number, {title: cell for title, cell in zip(titles, row, strict=False) if title})
        for number, row in enumerate(
            chosen.rows[header_row + 1 :], start=chosen.first_row + header_row + 1
        )
    ]
    sections, numbers = _group_by_section(lines, header["title"] if header.get("title") else name)
    content = table.to_content(header, sections)
    if faults := find_faults(content):
        columns = {
            title: cell.strip()
            for title, cell in zip(titles, chosen.rows[header_row], strict=True)
            if title
        }
        raise FaultyFile(
            name, [_locate_fault(fault, sections, numbers, columns) for fault in faults]
        )
    return content


def _group_by_section(
    lines: Sequence[tuple[int, dict[str, str]]], usual: str
) -> tuple[list[tuple[dict[str, str], list[dict[str, str]]]], list[tuple[int, list[int]]]]:
    """Group the rows by section, in order of first mention, with the row numbers of
    each section and of its criteria.

    An empty section cell repeats the one above; a row with a section only is a heading.
    """
    sections: dict[str, tuple[dict[str, str], list[dict[str, str]]]] = {}
    numbers: dict[str, tuple[int, list[int]]] = {}
    current = ""
    for number, line in lines:
        filled = {title for title, cell in line.items() if not table.is_blank(cell)}
        words = next((cell for cell in line.values() if not table.is_blank(cell)), "")
        if not filled or table.normalise_name(words) in table.TOTALS:
            continue
        named = next(
            (
                line[title].strip()
                for title in ("section", "section_en", "section_fr")
                if title in filled
            ),
            "",
        )
        current = named or current or usual
        section, criteria = sections.setdefault(current, ({"section": current}, []))
        numbers.setdefault(current, (number, []))
        for title in ("section_fr", "section_en", "weight"):
            if title in filled:
                section.setdefault(title, line[title])
        if filled - {"section", "section_fr", "section_en", "weight"}:
            criteria.append(line)
            numbers[current][1].append(number)
    return list(sections.values()), list(numbers.values())


def _locate_fault(
    fault: Fault,
    sections: Sequence[Any],
    numbers: Sequence[tuple[int, list[int]]],
    columns: Mapping[str, str],
) -> Refusal:
    """Return the fault with row, column and content of its cell in the file."""
    if fault.section is None or fault.section > len(numbers):
        return fault.refusal
    first, rows = numbers[fault.section - 1]
    cells = (
        sections[fault.section - 1][0]
        if fault.criterion is None
        else sections[fault.section - 1][1][fault.criterion - 1]
    )
    name = {"text": "text", "name": "section"}.get(fault.field, fault.field)
    return Refusal(
        "bad_grid_cell",
        "Row {row}, column “{column}”, “{cell}”: {what}",
        row=first if fault.criterion is None else rows[fault.criterion - 1],
        column=columns.get(name) or _(table.COLUMNS.get(name, name)),
        cell=str(cells.get(name) or "").strip()[:80],
        what=format_refusal(fault.refusal),
    )
