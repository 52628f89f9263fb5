"""Workbook on the standard input, a sheet's cells out as text, in a process with
limits. Imports nothing of the project. Arguments: `list` or `rows`, sheet name. Writes
one line of JSON, then (for `rows`) CSV; ends with 3 for a sheet beyond the limits.
Tables of a web page, and of an XML spreadsheet of 2003, are sheets too.
"""

import codecs
import contextlib
import csv
import datetime
import html.parser
import io
import itertools
import json
import re
import resource
import sys

MEMORY = 1024**3
CPU_SECONDS = 120
MAX_COLUMNS = 2_000
MAX_CELLS = 20_000_000
MAX_LETTERS = 400_000_000
SAMPLE_ROWS = 40
MAX_ROWS = 1 << 20
CHARSET = re.compile(rb"<(?:meta|\?xml)[^>]+(?:charset|encoding) *= *[\"']?([\w-]+)", re.IGNORECASE)
AMOUNT = re.compile(r"[-+]?\d{1,3}(?:[ .,]?\d{3})*(?:[.,]\d+)? ?%?")
"""Number in a cell over several rows, which is of all of them together."""
XML_MOMENT = re.compile(r"(?:1899-12-3[01]|(\d{4}-\d\d-\d\d))T([\d:]{8})(?:\.0+)?")
HIDDEN = ("script", "style", "comment")


class Markup(html.parser.HTMLParser):
    """Tables of a web page or an XML spreadsheet, by name; cells as text, columns, rows, place."""

    def __init__(self, data):
        super().__init__()
        self.tables, self.open, self.hidden, self.title = {}, [], 0, ""
        self.feed(decode(data))

    def handle_starttag(self, tag, attrs):
        tag = tag.rpartition(":")[2]
        attrs = {name.rpartition(":")[2]: value for name, value in attrs}
        rows = self.open[-1] if self.open else None
        if tag == "worksheet":
            self.title = attrs.get("name") or ""
        elif tag == "table":
            name = f"Table {len(self.tables) + 1}"
            self.open.append(self.tables.setdefault(self.title or name, []))
        elif tag in HIDDEN:
            self.hidden += 1
        elif rows is None:
            return
        elif tag in ("tr", "row"):
            rows += [[] for _row in range(len(rows), read_count(attrs, "index", MAX_ROWS) - 1)]
            rows.append([])
        elif tag in ("td", "th", "cell"):
            columns, height = (
                read_count(attrs, span, MAX_COLUMNS) or read_count(attrs, merged, MAX_COLUMNS) + 1
                for span, merged in (("colspan", "mergeacross"), ("rowspan", "mergedown"))
            )
            place = read_count(attrs, "index", MAX_COLUMNS)
            rows[-1:] = rows[-1:] or [[]]
            rows[-1].append(([], columns, height, place))
        elif tag in ("br", "p", "div", "li"):
            self.handle_data(" ")

    def handle_endtag(self, tag):
        tag = tag.rpartition(":")[2]
        if tag == "table" and self.open:
            self.open.pop()
        elif tag in HIDDEN:
            self.hidden = max(0, self.hidden - 1)

    def handle_data(self, text):
        if self.open and not self.hidden and self.open[-1] and self.open[-1][-1]:
            self.open[-1][-1][-1][0].append(text)

    @property
    def sheet_names(self):
        return [name for name, rows in self.tables.items() if any(rows)]

    def get_sheet_by_name(self, name):
        return Table(self.tables[name])


class Table:
    """Table of rows in the form of a sheet."""

    start, end, height = (0, 0), None, 0  # its size is looked at here

    def __init__(self, rows):
        self.rows, room = [], MAX_CELLS
        for row in lay_out(rows):
            room -= len(row) + 1
            if room < 0 or len(row) > MAX_COLUMNS:
                sys.exit(3)
            self.rows.append(row)

    def to_python(self, skip_empty_area, nrows=None):
        return self.rows[:nrows]


def lay_out(rows):
    """Yield rows of text: a text over several rows stands in each, a number in the first."""
    spans = {}

    def reach_into(row):
        while spans.get(len(row), [0])[0]:
            span = spans[len(row)]
            span[0] -= 1
            row += [span[2], *[""] * (span[1] - 1)]

    for cells in rows:
        row = []
        for parts, columns, height, place in cells:
            reach_into(row)
            row += [""] * (place - 1 - len(row))
            text = XML_MOMENT.sub(r"\1 \2", " ".join("".join(parts).split())).strip()
            if height > 1:
                rest = "" if AMOUNT.fullmatch(text) else text
                spans[len(row)] = [height - 1, columns, rest]
            row += [text, *[""] * (columns - 1)]
        reach_into(row)
        yield row


def spread(sheet, rows):
    """Yield rows of text: a text merged over several rows stands in each, a number in the first."""
    top, left = sheet.start or (0, 0)
    merged, spans = {}, {}
    for (first, column), (last, _column) in getattr(sheet, "merged_cell_ranges", None) or ():
        if last > first:
            merged.setdefault(first, []).append((column - left, last))
    for number, row in enumerate(rows, top):
        cells = [as_text(cell) for cell in row]
        for column, (last, text) in spans.items():
            if number <= last and not cells[column]:
                cells[column] = text
        for column, last in merged.get(number, ()):
            if 0 <= column < len(cells) and not AMOUNT.fullmatch(cells[column]):
                spans[column] = last, cells[column]
        yield cells


def read_count(attrs, name, most):
    digits = re.match(r"\d{1,9}", attrs.get(name) or "")
    return min(int(digits[0]), most) if digits else 0


def decode(data):
    """Decode by mark, as UTF-8, else as the page says."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    stated = CHARSET.search(data[:8192])
    for name in ("utf-8-sig", stated[1].decode().lower() if stated else "cp1252"):
        if name not in ("iso-8859-1", "utf-16"):
            with contextlib.suppress(UnicodeDecodeError, LookupError):
                return data.decode(name)
    return data.decode("cp1252", "replace")


def as_text(cell):
    if isinstance(cell, str):
        return cell.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, datetime.timedelta):
        seconds = cell.total_seconds()
        sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
        whole = int(seconds)
        rest = f"{seconds - whole:.6f}"[1:].rstrip("0").rstrip(".")
        return f"{sign}{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}{rest}"
    return str(cell)


def main(mode, name):
    import python_calamine

    data = sys.stdin.buffer.read()
    is_binary = data.startswith((b"PK", b"\xd0\xcf"))
    book = python_calamine.load_workbook(io.BytesIO(data)) if is_binary else Markup(data)
    names = list(book.sheet_names)
    if mode == "list":
        sheets = []
        for sheet_name in names:
            sheet = book.get_sheet_by_name(sheet_name)
            rows = (
                [] if too_large(sheet) else sheet.to_python(skip_empty_area=True, nrows=SAMPLE_ROWS)
            )
            sheets.append(
                {
                    "name": sheet_name,
                    "first_column": sheet.start[1] if sheet.start else 0,
                    "rows": [*spread(sheet, rows)],
                }
            )
        sys.stdout.write(json.dumps({"sheets": sheets}) + "\n")
        return
    sheet = book.get_sheet_by_name(name or names[0])
    if too_large(sheet):
        sys.exit(3)
    first_row = sheet.start[0] if sheet.start else 0
    sys.stdout.write(json.dumps({"first_row": first_row, "sheets": names}) + "\n")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    room = MAX_LETTERS
    rows = (
        sheet.to_python(skip_empty_area=True)
        if sheet.height < 1_000
        else itertools.islice(sheet.iter_rows(), first_row, None)
    )
    for cells in spread(sheet, rows):
        room -= sum(map(len, cells))
        if room < 0:
            sys.exit(3)
        writer.writerow(cells)


def too_large(sheet):
    if not sheet.end:
        return False
    height, width = sheet.end[0] + 1, sheet.end[1] + 1
    return width > MAX_COLUMNS or height * width > MAX_CELLS


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout = io.TextIOWrapper(
        sys.stdout.buffer, encoding="utf-8", newline="", write_through=False
    )
    main(*sys.argv[1:3])
    sys.stdout.flush()
