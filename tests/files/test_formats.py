"""The formats that a table may come in: the same contacts from each, and a refusal
where one hides more than it should.
"""

from __future__ import annotations

import gzip
import io
import json
import resource
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from builders.long_seeds import leave_to_long
from builders.platform_files import pick, stage
from builders.workbooks import XLS, make_ods, make_xlsb
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_core.base.errors import Refusal
from qa_core.files.archives import Content
from qa_core.files.json_documents import JsonObjects, flatten

HEADER = ("Call Id", "Start time", "Answered", "Talk seconds")
ROWS = (("0042", "2026-01-13 10:00:00", "Y", "60"), ("0043", "2026-01-14 11:30:00", "N", "0"))
CSV = "\n".join(",".join(row) for row in (HEADER, *ROWS)) + "\n"
SEEN = [
    ("0042", datetime(2026, 1, 13, 9), "answered", 60.0),
    ("0043", datetime(2026, 1, 14, 10, 30), "unanswered", None),
]
NAMES = ("contact_id", "started_at", "outcome", "talk_seconds")


def zipped(**files: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return archive.getvalue()


def wide_parquet(columns: int) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({f"c{number}": [1] for number in range(columns)}), file)
    return file.getvalue()


OBJECTS = [
    dict(zip(("Call Id", "Start time", "Answered", "Talk seconds"), row, strict=True))
    for row in ROWS
]
LINES = "\n".join(json.dumps(item) for item in OBJECTS)
PAGE = (
    "<html><head><meta charset='{charset}'><style>td {{}}</style></head><body>"
    "<table><tr><td colspan=4>Appels re&ccedil;us, été</td></tr></table><!-- <table> --><table>"
    "<tr><th>Call Id<th>Start<br>time<th>Answered<script>'<td>'</script><th>Talk seconds</tr>{rows}"
    "</table></body></html>"
)
TABLE_ROWS = "".join(f"<tr><td>{'</td><td> '.join(row)}&nbsp;</td></tr>" for row in ROWS)
SPREADSHEET_2003 = (
    '<?xml version="1.0"?><ss:Workbook xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">'
    '<Styles><Style ss:ID="s1"/></Styles><ss:Worksheet ss:Name="Calls"><ss:Table><ss:Row>{names}'
    '</ss:Row><ss:Row ss:Index="2">{first}</ss:Row><ss:Row>{second}</ss:Row></ss:Table>'
    "</ss:Worksheet></ss:Workbook>"
)


def make_page(charset: str, rows: str = TABLE_ROWS) -> bytes:
    return PAGE.format(charset=charset, rows=rows).encode(charset)


def make_spreadsheet_2003() -> bytes:
    names, first, second = (
        "".join(f'<ss:Cell><ss:Data ss:Type="String">{text}</ss:Data></ss:Cell>' for text in row)
        for row in (HEADER, *ROWS)
    )
    first = first.replace("2026-01-13 10:00:00", "2026-01-13T10:00:00.000")
    second = second.replace("<ss:Cell>", '<ss:Cell ss:Index="1">', 1)
    return SPREADSHEET_2003.format(names=names, first=first, second=second).encode()


@pytest.mark.parametrize(
    "content",
    [
        CSV.encode(),
        gzip.compress(CSV.encode(), mtime=0),
        zipped(**{"export/calls.csv": CSV.encode(), "__MACOSX/calls.csv": b"x"}),
        XLS,
        make_ods((HEADER, *ROWS)),
        make_xlsb((HEADER, *ROWS)),
        gzip.compress(make_xlsb((HEADER, *ROWS))),
        zipped(**{"calls.ods": make_ods((HEADER, *ROWS))}),
        LINES.encode(),
        b"\xef\xbb\xbf" + LINES.replace("\n", "\r\n").encode(),
        json.dumps(OBJECTS, indent=2).encode(),
        json.dumps({"page": 1, "total": 2, "calls": OBJECTS, "links": []}).encode(),
        json.dumps({"data": {"items": OBJECTS}}).encode("utf-16"),
        gzip.compress(json.dumps({"calls": OBJECTS}).encode()),
        make_page("utf-8"),
        make_page("iso-8859-1"),
        make_page("utf-16"),
        make_spreadsheet_2003(),
    ],
    ids=[
        "csv",
        "gzip",
        "zip",
        "xls",
        "ods",
        "xlsb",
        "xlsb.gz",
        "ods.zip",
        "lines",
        "bom",
        "list",
        "envelope",
        "nested",
        "json.gz",
        "page",
        "page in Latin letters",
        "page in UTF-16",
        "spreadsheet of 2003",
    ],
)
def test_the_same_table_reads_the_same_in_any_format(centre: Path, content: bytes) -> None:
    staged, rows = stage(centre, "export", content)
    assert pick(rows, *NAMES) == SEEN
    assert staged.profile == "generic" and staged.tally.read == 2


def test_a_text_over_rows_of_a_page_stands_in_each_and_a_number_in_the_first(centre: Path) -> None:
    rows = (
        "<tr><td>0042<td rowspan=2>2026-01-13 10:00:00<td>Y<td rowspan=2>60</tr>"
        "<tr><td>0043<td>N</tr><tr><td colspan=2>0044<td>Y<td>5</tr>"
    )
    _staged, staged = stage(centre, "calls.xls", make_page("utf-8", rows))
    first = datetime(2026, 1, 13, 9)
    assert pick(staged, *NAMES) == [
        ("0042", first, "answered", 60.0),
        ("0043", first, "unanswered", None),
    ]


def test_a_text_merged_over_rows_of_a_workbook_stands_in_each(centre: Path) -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate((HEADER, *ROWS)):
            sheet.write_row(row, 0, cells if row == 0 else (cells[0], "", cells[2]))
        sheet.merge_range(1, 1, 2, 1, "2026-01-13 10:00:00")
        sheet.merge_range(1, 3, 2, 3, 60)
    _staged, rows = stage(centre, "calls.xlsx", file.getvalue())
    first = datetime(2026, 1, 13, 9)
    assert pick(rows, *NAMES) == [
        ("0042", first, "answered", 60.0),
        ("0043", first, "unanswered", None),
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<html><p>Session expired</p></html>", "wrong_file_type"),
        (make_page("utf-8", "<tr>" + "<td colspan=1000>" * 3), "workbook_too_large"),
        (make_page("utf-8") + make_page("utf-8"), "several_sheets"),
    ],
    ids=["no table", "columns without end", "two tables"],
)
def test_a_page_that_is_no_table_is_refused(centre: Path, content: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        stage(centre, "calls.xls", content)
    assert refused.value.code == code


def test_parquet_keeps_its_types_and_flattens_what_is_nested(centre: Path) -> None:
    zone = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "call": pa.array([{"id": "0042"}, {"id": "0043"}]),
            "start time": pa.array(
                [datetime(2026, 1, 13, 9, tzinfo=UTC), datetime(2026, 1, 14, 10, 30, tzinfo=UTC)],
                zone,
            ),
            "answered": [True, False],
            "talk time": pa.array([timedelta(seconds=60), timedelta(0)], pa.duration("ms")),
        }
    )
    pq.write_table(table, centre / "written.parquet")
    staged, rows = stage(centre, "calls", (centre / "written.parquet").read_bytes())
    assert pick(rows, *NAMES) == SEEN and staged.mapping["contact_id"] == "call.id"


def test_nested_keys_are_joined_with_dots(centre: Path) -> None:
    items = [
        {
            "call": {"id": number},
            "start time": f"2026-01-{13 + number} 10:00:00",
            "Agent": {"name": "Ann"},
            "tags": [{"x": 1}],
        }
        for number in (1, 2)
    ]
    staged, rows = stage(
        centre, "calls.json", items, columns={"contact_id": "call.id", "advisor": "Agent.name"}
    )
    assert pick(rows, "contact_id", "advisor") == [("1", "Ann"), ("2", "Ann")]
    assert staged.mapping["contact_id"] == "call.id"


@pytest.mark.parametrize(
    "content,code",
    [
        (gzip.compress(CSV.encode(), mtime=0)[:-12], "damaged_file"),
        (zipped(a=b"x", b=b"y"), "several_files"),
        (zipped(), "empty_file"),
        (lambda: gzip.compress(b"\0" * (64 << 20), mtime=0), "wrong_file_type"),
        (lambda: gzip.compress(b"a,b\n" + b"," * (64 << 20), mtime=0), "archive_too_large"),
        (lambda: zipped(**{"calls.csv": b"," * (64 << 20)}), "archive_too_large"),
        (b"PAR1 and nothing more", "damaged_file"),
        (b"\xd0\xcf\x11\xe0 and nothing more", "damaged_file"),
        (b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), "locked_file"),
        (b'{"calls": [{"id": 1}, {"id"', "damaged_file"),
        (b"[1, 2, 3]", "empty_file"),
        (
            b'{"$schema": "http://json-schema.org/schema#", "type": "object", "properties": '
            b'{"id": {"type": "string"}}}',
            "json_schema",
        ),
        (b"[" * 100_000, "damaged_file"),
        (lambda: b"contact_id;" * 1_000_000 + b"\n" + b"A;" * 1_000_000, "too_wide"),
        (lambda: json.dumps([dict.fromkeys(map(str, range(100_000)), 1)]).encode(), "too_wide"),
        (lambda: wide_parquet(3_000), "too_wide"),
        (lambda: make_ods([["a"] * 3_000, ["b"] * 3_000]), "workbook_too_large"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(
    centre: Path, content: bytes | Callable[[], bytes], code: str
) -> None:
    made = content() if callable(content) else content  # large ones are made here alone
    with pytest.raises(Refusal) as refused:
        stage(centre, "export", made)
    assert refused.value.code == code


def test_no_header_is_quoted_that_is_no_text(centre: Path) -> None:
    with pytest.raises(Refusal) as refused:
        stage(centre, "calls", b"key\x01\x7f\x05material,Dur\xc3\xa9e,b\n1,2,3\n")

    quoted = str(refused.value) + str(refused.value.options)
    assert "material" not in quoted and "\x01" not in quoted


def repeat_text(length: int, count: int) -> bytes:
    """A Parquet file of one long text many times over, kept once in it."""
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), ["x" * length])
    held = io.BytesIO()
    pq.write_table(pa.table({"contact_id": cells}), held, compression="zstd")
    return held.getvalue()


@pytest.mark.parametrize(("length", "count"), [(540_000, 10_000), (1, 3_000_000)])
def test_a_small_parquet_file_that_says_much_is_refused_before_it_fills_the_memory(
    centre: Path, length: int, count: int
) -> None:
    content = repeat_text(length, count)
    assert len(content) < 20_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(Refusal) as refused:
        stage(centre, "export", content)

    assert refused.value.code == "parquet_too_large"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
# "id" is what makes a line a record; the others name an envelope.
KEYS = st.text(min_size=1, max_size=4).filter(
    lambda key: key not in ("id", "data", "response", "result", "body", "_embedded")
)
# Lists within a list beside a list of texts are rows beside the names of their columns.
RECORDS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=4).filter(
    lambda record: "[[" not in json.dumps(record).replace(" ", "")
)
ITEMS = st.lists(RECORDS, min_size=1, max_size=6)


@pytest.mark.parametrize("examples", leave_to_long([30, 200], but=[30]))
def test_objects_come_out_as_they_went_in_however_the_text_is_cut(examples: int) -> None:
    forms = st.sampled_from(["list", "lines", "envelope", "indented"])
    cut = given(items=ITEMS, form=forms, block=st.integers(1, 40))(compare_objects)
    settings(max_examples=examples)(cut)()


def compare_objects(items: list[dict], form: str, block: int) -> None:
    text = {
        "list": json.dumps(items),
        "lines": "\n".join(json.dumps({"id": 1} | item) for item in items),
        "envelope": json.dumps({"page": 1, "calls": items}),
        "indented": json.dumps(items, indent=1, ensure_ascii=False),
    }[form]

    class Cut(Content):
        def read_pieces(self):
            yield from ((text[at : at + block], 0.5) for at in range(0, len(text), block))

    seen = list(JsonObjects(Cut(Path("calls.json"))))
    assert seen == ([{"id": 1} | item for item in items] if form == "lines" else items)
    assert all(isinstance(value, str) for item in seen for value in flatten(item).values())
