"""Workbook on the standard input, a sheet's cells out as text, in a process with
limits. Imports nothing of the project. Arguments: `list` or `rows`, sheet name. Writes
one line of JSON, then (for `rows`) CSV; ends with 3 for a sheet beyond the limits.
"""

import csv
import datetime
import io
import itertools
import json
import resource
import sys

MEMORY = 1024**3
CPU_SECONDS = 120
MAX_COLUMNS = 2_000
MAX_CELLS = 20_000_000
MAX_LETTERS = 400_000_000
SAMPLE_ROWS = 40


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

    book = python_calamine.load_workbook(io.BytesIO(sys.stdin.buffer.read()))
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
                    "rows": [[as_text(cell) for cell in row] for row in rows],
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
    for row in (
        sheet.to_python(skip_empty_area=True)
        if sheet.height < 1_000
        else itertools.islice(sheet.iter_rows(), first_row, None)
    ):
        cells = [as_text(cell) for cell in row]
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
