"""A file becomes staged rows: found, recognised, decided with evidence, refused with a
question; nothing silently wrong.
"""

from __future__ import annotations

import csv
import io
import os
import random
import re
import zipfile
from collections import Counter
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import xlsxwriter
from builders.damaged_files import mutate
from builders.long_seeds import count_seeds, leave_to_long
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_core.base.errors import Refusal
from qa_core.files import text_blocks
from qa_core.files.header_text import simplify
from qa_core.files.options import ImportOptions
from qa_core.ingest.columns.vocabulary import DIRECTIONS
from qa_core.ingest.reading import table_reader

REAL = os.environ.get("QA_REAL_DATA")
needs_real_files = pytest.mark.skipif(
    not REAL, reason="QA_REAL_DATA does not name the folder of real files"
)
CALLS = """Call Id,Agent,Date,Time,Topic,Answered (Y/N),Resolved,Speed of answer in seconds,AvgTalkDuration,Satisfaction rating
A1,Diane,2021-01-01,09:12:58,Contract,Y,Y,109,00:02:23,3
A2,Becky,2021-01-13,09:13:00,Billing,Y,N,70,00:04:02,5
A3,Diane,2021-01-13,9:15:00,Billing,N,N,,,
"""  # noqa: E501


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in ("QA_TIMEZONE", "QA_COUNTRY", "QA_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def write(folder: Path, content: str | bytes, name: str = "calls.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def stage(path: Path, kind: str = "contacts", **options):
    """The staged file and its rows by line; the accounting identity holds for every one
    of them.
    """
    staged = table_reader.stage(path, kind, ImportOptions(**options))
    staged.tally.require_identity(path.name, pending=staged.accepted)
    assert staged.tally.rejected == pq.read_metadata(staged.rejected_rows).num_rows
    rows = sorted(pq.read_table(staged.rows).to_pylist(), key=lambda row: row["line"])
    return staged, rows


def refuse(path: Path, kind: str = "contacts", **options) -> Refusal:
    with pytest.raises(Refusal) as refused:
        table_reader.stage(path, kind, ImportOptions(**options))
    assert str(refused.value)
    return refused.value


def values(rows, *names):
    return [tuple(row.get(name) for name in names) for row in rows]


def test_a_file_of_calls_is_recognised_without_a_word(tmp_path):
    staged, rows = stage(write(tmp_path, CALLS))
    assert staged.mapping["wait_seconds"] == "Speed of answer in seconds"
    assert staged.defaults == {"direction": "inbound", "channel": "phone"}
    assert values(
        rows,
        "contact_id",
        "advisor",
        "outcome",
        "wait_seconds",
        "talk_seconds",
        "csat",
        "csat_scale",
        "declared_resolved",
    ) == [
        ("A1", "Diane", "answered", 109, 143, 3, "1-5", True),
        ("A2", "Becky", "answered", 70, 242, 5, "1-5", False),
        ("A3", "Diane", "unanswered", None, None, None, None, False),
    ]
    assert rows[0]["started_at"] == datetime(2021, 1, 1, 8, 12, 58)
    assert rows[0]["local_start"] == datetime(2021, 1, 1, 9, 12, 58)
    assert rows[2]["line"] == 4


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|", ", "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_dialect_of_a_french_export_gives_the_same_rows(tmp_path, encoding, delimiter, end):
    table = [
        [
            "Identifiant appel",
            "Date de l'appel",
            "Heure",
            "File d'attente",
            "Conseiller",
            "Statut",
            "Temps d'attente",
            "Durée de conversation",
        ],
        ["001", "27/01/2024", "09h05", "Réclamations", "Zoé", "Répondu", "12", "2 min 23"],
        ["002", "28/01/2024", "10h00", "Crédit", "Noël", "Non répondu", "30", ""],
    ]
    content = end.join(delimiter.join(row) for row in table)
    _staged, rows = stage(write(tmp_path, content.encode(encoding)))
    assert values(
        rows, "contact_id", "queue", "advisor", "outcome", "wait_seconds", "talk_seconds"
    ) == [
        ("001", "Réclamations", "Zoé", "answered", 12, 143),
        ("002", "Crédit", "Noël", "unanswered", 30, None),
    ]
    assert rows[0]["local_start"] == datetime(2024, 1, 27, 9, 5)


def test_mixed_encodings_are_read_line_by_line_and_said(tmp_path):
    content = CALLS.replace(
        "Diane", "Zoé"
    ).encode() + "A4,Noël,2021-01-14,10:00:00,Contract,Y,Y,5,00:01:00,4\n".encode("cp1252")
    staged, rows = stage(write(tmp_path, content))
    assert rows[0]["advisor"] == "Zoé" and rows[3]["advisor"] == "Noël"
    assert any("two encodings" in decision.decision for decision in staged.decisions)


def test_titles_blank_rows_notes_footers_and_phantom_columns_are_set_aside_and_counted(tmp_path):
    lines = CALLS.splitlines()
    content = "\n".join(
        [
            "Extraction du 14/01/2021,,,,",
            "",
            lines[0] + ",,",
            lines[1] + ",,",
            ",,,,,,,,,,,",
            lines[2] + ",,",
            "About three calls were made,,,,,,,,,,,",
            lines[3] + ",,",
            "Total,,3,,,,,179,,,,",
        ]
    )
    staged, rows = stage(write(tmp_path, content))
    assert [row["line"] for row in rows] == [4, 6, 8]
    assert staged.tally.skipped_kinds == {"blank": 1, "footer": 1, "note": 1}
    assert staged.tally.read == 6
    assert any("line 3" in decision.as_json()["decision"] for decision in staged.decisions)


def test_ragged_rows_shorter_are_completed_and_longer_are_rejected(tmp_path):
    staged, rows = stage(
        write(
            tmp_path,
            CALLS
            + "A4,Diane,2021-01-14,10:00:00\nA5,Diane,2021-01-14,10:00:00,x,Y,Y,1,1,1,surplus\n",
        )
    )
    assert values(rows, "contact_id")[3:] == [("A4",)]
    assert staged.tally.reasons == {"too_many_cells": 1}


def test_a_file_cut_in_the_middle_loses_only_its_last_row_and_says_so(tmp_path):
    staged, rows = stage(write(tmp_path, CALLS + "A4,Diane,2021-01-14,10:0"))
    assert len(rows) == 3
    assert staged.tally.reasons == {"cut_row": 1}


def test_a_bad_date_rejects_its_row_and_any_other_bad_value_is_missing_and_counted(tmp_path):
    content = CALLS + "".join(
        [
            "B1,Diane,2021-02-30,10:00:00,x,Y,Y,1,00:00:10,1\n",
            "B2,Diane,,,x,Y,Y,1,00:00:10,1\n",
            "B3,Diane,2021-01-14,10:00:00,x,Y,Y,-5,00:00:10,1\n",
            "B4,Diane,2021-01-14,10:00:00,x,Y,Y,1,soon,1\n",
        ]
    )
    content += (
        "".join(
            f"C{n},Diane,2021-01-15,10:00:00,x,Y,Y,1,00:00:10,{n % 5 + 1}\n" for n in range(200)
        )
        + "B5,Diane,2021-01-14,10:00:00,x,Y,Y,1,00:00:10,9.9\n"
    )
    staged, rows = stage(write(tmp_path, content))
    rejected = pq.read_table(staged.rejected_rows).to_pylist()
    assert [(row["line"], row["reason"], row["cells"][0]) for row in rejected] == [
        (5, "impossible_date", "B1"),
        (6, "missing_start", "B2"),
    ]
    assert staged.tally.as_counts()["blanked"] == {
        "AvgTalkDuration": {"bad_duration": 1},
        "Satisfaction rating": {"off_scale": 1},
        "Speed of answer in seconds": {"negative_duration": 1},
    }
    kept = {row["contact_id"]: row for row in rows}
    assert kept["B3"]["wait_seconds"] is None and kept["B3"]["talk_seconds"] == 10
    assert kept["B4"]["talk_seconds"] is None and kept["B4"]["outcome"] == "answered"
    assert kept["B5"]["csat"] is None and kept["B5"]["csat_scale"] is None


def test_zeros_for_contacts_that_nobody_answered_are_missing_not_measures(tmp_path):
    header = "id,date,time,answered,speed of answer,talk duration,csat\n"
    rows_of_zero = (
        "1,1/27/2021,9:00:00,Y,10,100,4\n2,1/27/2021,9:05:00,N,0,0,0\n3,1/27/2021,9:06:00,N,0,0,0\n"
    )
    staged, rows = stage(write(tmp_path, header + rows_of_zero))
    assert values(rows, "wait_seconds", "talk_seconds", "csat") == [
        (10, 100, 4),
        (None, None, None),
        (None, None, None),
    ]
    assert any("not measured" in decision.decision for decision in staged.decisions)
    # One caller who did wait shows that the column measures: zero is then a caller who
    # hung up at once.
    _staged, rows = stage(write(tmp_path, header + rows_of_zero + "4,1/27/2021,9:07:00,N,8,0,0\n"))
    assert [row["wait_seconds"] for row in rows] == [10, 0, 0, 8]


def test_missed_as_a_direction_is_inbound_and_unanswered(tmp_path):
    content = "Date,Heure,Direction,Appelant,Appele,Duree,Statut\n" + "\n".join(
        [
            "2026-06-13,07:23:00,Manque,0661345678,1002,0,Non repondu",
            "2026-06-13,08:57:00,Sortant,1004,0770234567,115,Repondu",
            "2026-06-13,09:00:00,Entrant,0770234567,1004,20,Repondu",
            "2026-06-13,09:30:00,Interne,1004,1002,20,Repondu",
        ]
    )
    _staged, rows = stage(write(tmp_path, content))
    assert values(rows, "direction", "outcome", "advisor", "talk_seconds") == [
        ("inbound", "unanswered", "1002", None),
        ("outbound", "answered", "1004", 115),
        ("inbound", "answered", "1004", 20),
        ("internal", "answered", "1004", 20),
    ]
    keys = [row["customer_key"] for row in rows]
    assert keys[1] == keys[2] != keys[0] and keys[3] is None


def test_no_clear_number_or_name_is_written_anywhere(tmp_path, home):
    who = "06 12 34 56 78,Leisha Buick,call me on 0612345678,5"
    content = (
        "Call id,Start,Customer phone,Customer name,Verbatim,Wait\n1,2024-01-13 "
        f"10:00:00,{who}\n2,2024-02-30 10:00:00,{who}\n"
    )
    staged, _rows = stage(write(tmp_path, content))
    assert staged.tally.reasons == {"impossible_date": 1}
    assert staged.dropped == ("Customer name",)
    rejected = pq.read_table(staged.rejected_rows).to_pylist()[0]["cells"]
    assert rejected == ["2", "2024-02-30 10:00:00", "•••", "•••", "•••", "5"]
    for path in home.rglob("*.parquet"):
        table = pq.read_table(path)
        written = str(
            table.drop_columns(
                [name for name in ("survey_comment",) if name in table.column_names]
            ).to_pylist()
        )
        assert "Leisha" not in written and "12 34 56" not in written and "0612345678" not in written


def test_an_answer_time_gives_outcome_and_wait_even_past_midnight(tmp_path):
    content = (
        "Call ID,Call Date,Call Time,Time Answered,Agent "
        "ID\n1,2023-11-13,13:56:45,13:57:02,9\n2,2023-11-13,23:59:50,00:00:10,9\n3,2023-11-13,"
        "14:00:00,,9\n"
    )
    _staged, rows = stage(write(tmp_path, content))
    assert values(rows, "outcome", "wait_seconds") == [
        ("answered", 17),
        ("answered", 20),
        ("unanswered", None),
    ]


def test_times_without_any_date_are_a_question(tmp_path):
    path = write(tmp_path, "call_id,start,wait\n1,9:12:58,5\n")
    refused = refuse(path)
    assert refused.code == "missing_date" and "--start-date YYYY-MM-DD" in refused.options
    _staged, rows = stage(path, start_date=datetime(2024, 1, 13).date())
    assert rows[0]["local_start"] == datetime(2024, 1, 13, 9, 12, 58)


def test_an_ambiguous_date_column_follows_a_certain_one_of_the_same_file(tmp_path):
    _staged, rows = stage(
        write(tmp_path, "call_id,start,end\n1,01/02/2024 10:00:00,01/02/2024 10:01:00\n"),
        date_order="dmy",
    )
    assert rows[0]["local_start"] == datetime(2024, 2, 1, 10)
    content = "call_id,start,updated\n1,01/02/2024 10:00:00,13/02/2024\n"
    _staged, rows = stage(write(tmp_path, content))
    assert rows[0]["local_start"] == datetime(2024, 2, 1, 10)
    assert (
        refuse(write(tmp_path, "call_id,start,wait\n1,01/02/2024 10:00:00,3\n")).code
        == "ambiguous_dates"
    )


def test_the_time_zone_of_the_file_may_be_another_than_the_centre_s(tmp_path):
    path = write(tmp_path, "call_id,start,wait\n1,2024-07-01 10:00:00,3\n")
    _staged, rows = stage(path, timezone="America/New_York")
    assert values(rows, "started_at", "local_start") == [
        (datetime(2024, 7, 1, 14), datetime(2024, 7, 1, 16))
    ]
    _staged, rows = stage(write(tmp_path, "call_id,start,wait\n1,2024-07-01T10:00:00Z,3\n"))
    assert values(rows, "started_at", "local_start") == [
        (datetime(2024, 7, 1, 10), datetime(2024, 7, 1, 12))
    ]


def test_clock_changes_are_counted_and_said(tmp_path):
    staged, _rows = stage(
        write(tmp_path, "call_id,start,wait\n1,2024-03-31 02:30:00,3\n2,2024-10-27 02:30:00,3\n")
    )
    said = [decision.as_json()["decision"] for decision in staged.decisions]
    assert sum("clocks of Europe/Paris" in text for text in said) == 2


def test_a_file_with_the_names_of_the_fields_needs_no_mapping(tmp_path):
    content = (
        "contact_id,started_at,direction,channel,queue,advisor_id,team,outcome,"
        "wait_seconds,talk_seconds,transfers,declared_resolved,csat,nps,ces,campaign\n"
    )
    content += (
        "x,2024-01-13 10:00:00,outbound,chat,Sales,A1,Blue,abandoned,4,,2,true,4,9,6,spring\n"
    )
    staged, rows = stage(write(tmp_path, content))
    assert not staged.dropped and not staged.defaults
    assert values(
        rows,
        "direction",
        "channel",
        "queue",
        "advisor",
        "team",
        "outcome",
        "wait_seconds",
        "transfers",
        "declared_resolved",
        "nps",
        "campaign",
    ) == [("outbound", "chat", "Sales", "A1", "Blue", "abandoned", 4, 2, True, 9, "spring")]


def test_what_cannot_be_recognised_is_named_with_what_was_seen(tmp_path):
    refused = refuse(write(tmp_path, "foo,bar\n1,2\n"))
    assert (
        refused.code == "unknown_headers"
        and "foo, bar" in str(refused)
        and any("--map" in option for option in refused.options)
    )
    refused = refuse(write(tmp_path, "Call id,Agent,when\n1,Diane,2024-01-13 10:00:00\n"))
    assert refused.code == "missing_column" and "--map started_at=COLUMN" in refused.options
    _staged, rows = stage(
        write(tmp_path, "Call id,Agent,when\n1,Diane,2024-01-13 10:00:00\n"),
        columns={"started_at": "when"},
    )
    assert rows[0]["local_start"] == datetime(2024, 1, 13, 10)
    assert (
        refuse(write(tmp_path, CALLS), columns={"started_at": "nowhere"}).code == "unknown_column"
    )
    assert refuse(write(tmp_path, CALLS), columns={"colour": "Topic"}).code == "unknown_field"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\n\n  \n", "empty_file"),
        (b"Call Id,Date,Time\n", "headers_only"),
        (b"Call Id,Date,Time\n,,\n\n", "headers_only"),
        (b"%PDF-1.4 something", "wrong_file_type"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "wrong_file_type"),
        (b'{"calls": []}', "empty_file"),
        (b"<html><table></table></html>", "wrong_file_type"),
        (b"\x00\x01\x02\x03", "wrong_file_type"),
        (b"PK\x03\x04 not a zip", "damaged_file"),
        (b"2024-01-13,10:00,3\n2024-01-14,10:00,3\n", "no_header"),
        (b'Call Id,Date,Time\n1,"2024-01-13,' + b"x" * 300_000, "unclosed_quote"),
        (
            b"Fecha,Incoming Calls,Answered Calls,Abandoned Calls\n2024-01-13,100,90,10\n",
            "totals_not_contacts",
        ),
        (b"store,date,csat\n2,2024-01-13,4.5\n", "not_contacts"),
    ],
)
def test_what_is_no_table_of_contacts_is_refused_with_a_reason(tmp_path, content, code):
    assert refuse(write(tmp_path, content)).code == code


def test_a_refused_file_leaves_nothing_behind(tmp_path, home):
    refuse(write(tmp_path, "call_id,start,wait\n1,01/02/2024 10:00:00,3\n"))
    refuse(write(tmp_path, "Call Id,Date,Time\n,,\n"))
    assert not list((home / "tmp").glob("*")) if (home / "tmp").exists() else True


def make_workbook(path: Path, sheets) -> Path:
    with xlsxwriter.Workbook(path) as book:
        day, clock = (
            book.add_format({"num_format": "yyyy-mm-dd"}),
            book.add_format({"num_format": "hh:mm:ss"}),
        )
        for name, cells in sheets.items():
            sheet = book.add_worksheet(name)
            for row, column, value in cells:
                if isinstance(value, datetime):
                    sheet.write_datetime(row, column, value, day)
                elif isinstance(value, float) and value < 1:
                    sheet.write_number(row, column, value, clock)
                else:
                    sheet.write(row, column, value)
    return path


def lay_out(table, top=0, left=0):
    return [
        (top + row, left + column, value)
        for row, cells in enumerate(table)
        for column, value in enumerate(cells)
        if value is not None
    ]


WORKBOOK = [
    ["Call Id", "Agent", "Date", "Time", "Answered", "Wait", "Talk time", "Satisfaction"],
    [
        "A1",
        "Diane",
        datetime(2021, 1, 13),
        (9 * 3600 + 12 * 60 + 58) / 86400,
        "Y",
        109,
        143 / 86400,
        3,
    ],
    ["A2", "Becky", datetime(2021, 1, 14), 0.5, "N", None, None, None],
]


def test_a_workbook_with_real_dates_and_times(tmp_path):
    _staged, rows = stage(make_workbook(tmp_path / "calls.xlsx", {"Sheet1": lay_out(WORKBOOK)}))
    assert values(
        rows, "line", "contact_id", "local_start", "outcome", "wait_seconds", "talk_seconds", "csat"
    ) == [
        (2, "A1", datetime(2021, 1, 13, 9, 12, 58), "answered", 109, 143, 3),
        (3, "A2", datetime(2021, 1, 14, 12), "unanswered", None, None, None),
    ]


def test_the_sheet_that_holds_the_table_is_found_wherever_it_stands(tmp_path):
    path = make_workbook(
        tmp_path / "calls.xlsx",
        {
            "Notes": [(0, 0, "Made by hand")],
            "Calls": lay_out(WORKBOOK, top=4, left=2),
        },
    )
    staged, rows = stage(path)
    assert [row["line"] for row in rows] == [6, 7]
    assert any(
        decision.as_json()["decision"].startswith("the sheet Calls is read")
        for decision in staged.decisions
    )
    refused = refuse(path, sheet="Elsewhere")
    assert refused.code == "unknown_sheet" and "--sheet Calls" in refused.options


def test_sheets_of_the_same_kind_are_asked_about(tmp_path):
    sheets = {"Calls": lay_out(WORKBOOK, top=4, left=2), "Again": lay_out(WORKBOOK)}
    path = make_workbook(tmp_path / "calls.xlsx", sheets)

    refused = refuse(path)

    assert refused.code == "several_sheets"
    assert refused.options == ("--sheet Calls", "--sheet Again")
    assert [row["line"] for row in stage(path, sheet="Again")[1]] == [2, 3]


@pytest.mark.parametrize(
    "cells", [[(1048575, 16383, "x")], [(0, 0, "Call Id"), (1048575, 16383, "x")]]
)
def test_a_workbook_of_one_cell_in_the_last_corner_is_refused(tmp_path, cells):
    assert (
        refuse(make_workbook(tmp_path / "bomb.xlsx", {"Sheet1": cells})).code
        == "workbook_too_large"
    )


def test_archives_that_are_no_workbook_or_unpack_to_too_much_are_refused(tmp_path):
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"\0" * (64 << 20))
    assert refuse(bomb).code == "workbook_too_large"
    with zipfile.ZipFile(bomb, "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert refuse(bomb).code == "unknown_headers"
    whole = make_workbook(tmp_path / "calls.xlsx", {"Sheet1": lay_out(WORKBOOK)}).read_bytes()
    assert refuse(write(tmp_path, whole[: len(whole) // 2], "cut.xlsx")).code == "damaged_file"


def test_surveys(tmp_path):
    content = (
        "ticket_id;rating;nps;resolu;nombre de contacts;commentaire;date "
        "réponse\nT1;5;10;oui;1;Très "
        "bien;13/02/2024\nT2;2;0;non;3;;14/02/2024\nT3;;;;;;\n"
    )
    staged, rows = stage(write(tmp_path, content), "surveys")
    assert values(
        rows,
        "ticket",
        "csat",
        "csat_scale",
        "nps",
        "survey_resolved",
        "survey_contacts",
        "survey_comment",
        "survey_sent",
    ) == [
        ("T1", 5, "1-5", 10, True, 1, "Très bien", True),
        ("T2", 2, "1-5", 0, False, 3, None, True),
        ("T3", None, None, None, None, None, None, True),
    ]
    assert staged.tally.read == 3


def test_tracking_by_id_or_by_number_and_time(tmp_path):
    content = (
        "tracking phone number,start "
        "time,utm_source,utm_medium,campagne,keywords,landing page "
        "url\n0123456789,2024-01-13T10:00:00.123-05:00,google,cpc,Spring,shoes,https://x.fr/a\n"
        ",2024-01-13T10:00:00-05:00,google,cpc,Spring,shoes,\n"
    )
    staged, rows = stage(write(tmp_path, content), "tracking")
    assert values(rows, "tracking_number", "started_at", "source", "campaign", "keyword") == [
        ("+33123456789", datetime(2024, 1, 13, 15, 0, 0, 123000), "google", "Spring", "shoes")
    ]
    assert staged.tally.reasons == {"missing_key": 1}
    _staged, rows = stage(write(tmp_path, "call id,source\n7,bing\n"), "tracking")
    assert values(rows, "contact_id", "source") == [("7", "bing")]


@pytest.mark.parametrize(
    ("above", "header", "sign", "currency"),
    [
        ("", "Coût (€)", "", "EUR"),
        ("", "Coût (MXN)", "", "MXN"),
        ("", "Coût", "R$ ", "BRL"),
        ("Dépenses - Devise : USD\n\n", "Coût", "", "USD"),
    ],
)
def test_spend_with_a_decimal_comma_and_its_currency(tmp_path, above, header, sign, currency):
    _staged, rows = stage(
        write(
            tmp_path,
            f"{above}Date;Source;Campagne;{header}\n13/01/2024;google;Printemps;{sign}1 "
            f"234,50\n14/01/2024;google;Printemps;{sign}0,5\n",
        ),
        "spend",
    )
    assert values(rows, "amount", "currency", "campaign") == [
        (1234.5, currency, "Printemps"),
        (0.5, currency, "Printemps"),
    ]


def test_people_by_both_names_and_customers_by_number_alone(tmp_path):
    _staged, rows = stage(
        write(
            tmp_path,
            "Date;Heure;Nom agent;Prénom agent;Numéro client;Résultat\n"
            "13/01/2024;09:00;Martin;Zoé;0612345678;Répondu\n"
            "13/01/2024;09:10;Martin;Luc;0612345679;Répondu\n"
            "13/01/2024;09:20;;;unterdrückt;Abandonné\n",
        )
    )
    assert values(rows, "advisor") == [("Martin Zoé",), ("Martin Luc",), (None,)]
    assert [row["customer_key"] is None for row in rows] == [False, False, True]


def test_advisors_with_other_names_and_dates(tmp_path):
    _staged, rows = stage(
        write(
            tmp_path,
            "matricule;prénom;nom;alias;équipe;site;depuis\n7;Zoé;Martin;ext "
            "12|zmartin;Bleue;Lille;13/01/2024\n",
        ),
        "advisors",
    )
    assert (
        rows[0]["name"] == "Zoé Martin"
        and rows[0]["aliases"] == ["ext 12", "zmartin"]
        and rows[0]["team"] == "Bleue"
    )
    assert rows[0]["from"].isoformat() == "2024-01-13"


def test_evaluations_with_one_mark(tmp_path):
    staged, rows = stage(
        write(
            tmp_path,
            "quality_id,call_id,evaluator,quality_score\n1,1,Eve,5\n2,2,Eve,3\n3,3,Eve,\n"
            "4,4,Eve,1\n",
        ),
        "evaluations",
    )
    assert values(rows, "contact_id", "score") == [("1", 100), ("2", 50), ("4", 0)]
    assert staged.tally.skipped_kinds == {"not_given": 1}
    _staged, rows = stage(
        write(tmp_path, "call_id,evaluator,score\n1,Eve,5\n"),
        "evaluations",
        scales={"score": "0-10"},
    )
    assert rows[0]["score"] == 50


def test_a_column_without_a_header_may_be_a_field(tmp_path):
    content, scales = "call_id,,score\n1,Eve,5\n2,Eve,1\n", {"score": "1-5"}
    _staged, rows = stage(
        write(tmp_path, content), "evaluations", columns={"evaluator": ""}, scales=scales
    )
    assert values(rows, "contact_id", "score") == [("1", 100), ("2", 0)]


def test_evaluations_long(tmp_path):
    content = (
        "call_id,evaluator,criterion,points,possible\n1,eve,Greeting,2,2\n1,eve,Identity,"
        ",1\n2,eve,Greeting,3,2\n"
    )
    staged, rows = stage(write(tmp_path, content), "evaluations")
    assert values(rows, "contact_id", "criterion", "points", "possible") == [
        ("1", "Greeting", 2, 2),
        ("1", "Identity", None, None),
    ]
    assert staged.tally.reasons == {"off_scale": 1}


def test_evaluations_wide_have_a_row_per_criterion(tmp_path):
    content = (
        "call_id;évaluateur;Accueil /2;Identité (0-1);Suite;Total\n1;eve;2;1;4;7\n2;eve;1;NA;5;6\n"
    )
    staged, rows = stage(write(tmp_path, content), "evaluations")
    assert staged.accepted == 2 and len(rows) == 6
    assert values(rows, "contact_id", "criterion", "points", "possible") == [
        ("1", "Accueil /2", 2, 2),
        ("1", "Identité (0-1)", 1, 1),
        ("1", "Suite", 4, 5),
        ("2", "Accueil /2", 1, 2),
        ("2", "Identité (0-1)", None, None),
        ("2", "Suite", 5, 5),
    ]


MARKS = [["Date", "Évaluateur", "Accueil /5", "Solution /10"], ["2026-03-10", "Eve", 4, 8]]


def test_the_sheet_of_each_advisor_names_them(tmp_path):
    other = [MARKS[0], ["2026-03-11", "Eve", 5, 9]]
    path = make_workbook(tmp_path / "marks.xlsx", {"Ann": lay_out(MARKS), "Bob": lay_out(other)})

    _staged, rows = stage(path, "evaluations", sheet="Bob")

    assert values(rows, "advisor", "points") == [("Bob", 5), ("Bob", 9)]


def test_lines_above_criteria_name_advisor_evaluator_and_day(tmp_path):
    content = (
        "Evaluation form,,\nAgent:,Ann,\nEvaluator: Eve,,\nDate: 23/03/2026,,\n\n"
        "Question,Score,Max score\nGreeting,2,2\nSolution,4,6\n\nTotal,6,8\n"
    )
    staged, rows = stage(write(tmp_path, content), "evaluations")
    assert values(rows, "advisor", "evaluator", "criterion", "points", "possible") == [
        ("Ann", "Eve", "Greeting", 2, 2),
        ("Ann", "Eve", "Solution", 4, 6),
    ]
    assert str(rows[0]["local_start"]) == "2026-03-23 00:00:00"
    assert staged.tally.skipped_kinds == {"blank": 1, "footer": 1}


def test_a_line_above_names_no_advisor_where_rows_have_contacts_or_it_means_all(tmp_path):
    content = "Agent: {name},,\nEvaluator: Eve,,\n\n{key},Date,Score (0-10)\n1,2026-03-23,8\n"
    _staged, rows = stage(write(tmp_path, content.format(name="Ann", key="Call ID")), "evaluations")
    assert values(rows, "contact_id", "advisor", "evaluator") == [("1", None, "Eve")]
    refused = refuse(write(tmp_path, content.format(name="All", key="Number")), "evaluations")
    assert refused.code == "missing_column"


def test_reading_reports_its_progress_to_the_end(tmp_path):
    reports = []
    table_reader.stage(
        write(tmp_path, CALLS),
        "contacts",
        progress=lambda step, share: reports.append((step, share)),
    )
    assert reports[-1] == ("Reading", 1)


def test_broken_lines_in_cells_keep_their_line_numbers(tmp_path):
    content = (
        'call_id,start,verbatim,wait\n1,2024-01-13 10:00:00,"two\nlines",3\n2,2024-01-14 '
        "10:00:00,plain,4\n"
    )
    _staged, rows = stage(write(tmp_path, content))
    assert [(row["line"], row["survey_comment"]) for row in rows] == [
        (3, "two\nlines"),
        (4, "plain"),
    ]


cells = st.text(st.characters(codec="cp1252", exclude_categories=["Cc", "Cs"]), max_size=12).filter(
    lambda text: DIRECTIONS.keys().isdisjoint(simplify(text).split())
)
"""Names of queues without a word of a direction, such as `MADE`, which raises a question."""


@pytest.mark.parametrize("examples", leave_to_long([15, 100], but=[15]))
def test_any_table_in_any_dialect_is_read_back_the_same(tmp_path, monkeypatch, examples):
    @settings(max_examples=examples)
    @given(data=st.data())
    def compare(data):
        compare_dialect(tmp_path, monkeypatch, data)

    compare()


def compare_dialect(tmp_path, monkeypatch, data):
    texts = data.draw(
        st.lists(
            st.tuples(cells, st.text(st.sampled_from('a"\n,;é|'), max_size=5)),
            min_size=1,
            max_size=12,
        )
    )
    delimiter = data.draw(st.sampled_from([",", ";", "\t", "|"]))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]))
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", data.draw(st.sampled_from([16, 200, 1 << 20])))
    out = io.StringIO()
    writer = csv.writer(
        out,
        delimiter=delimiter,
        lineterminator=data.draw(st.sampled_from(["\n", "\r\n"])),
        quoting=data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    )
    writer.writerow(["call_id", "start", "queue", "verbatim", "wait"])
    for number, (queue, comment) in enumerate(texts):
        writer.writerow([f"id{number}", "2024-01-13 10:00:00", queue, comment, number])
    path = write(tmp_path, out.getvalue().encode(encoding))
    _staged, rows = stage(
        path, delimiter=delimiter, encoding=None if encoding.startswith("utf") else encoding
    )
    assert [row["contact_id"] for row in rows] == [f"id{number}" for number in range(len(texts))]
    for row, (queue, comment) in zip(rows, texts, strict=True):
        # A number that a spreadsheet keeps as text, '0042 or ="0042", is read without
        # its marks.
        said = re.sub(r"""^(?:="([^"]*)"|'([-+=\d][^']*))$""", r"\1\2", queue.strip())
        assert row["queue"] in (said or None, None)
        assert row["survey_comment"] in ((comment.strip() or None), None)


def run_mutants(folder: Path, count: int, seed: int) -> Counter:
    rng = random.Random(seed)
    seen = Counter()
    for number in range(count):
        path = write(folder, mutate(rng, CALLS.encode()), "mutant.csv")
        try:
            staged, _rows = stage(path)
            staged.discard()
            seen["read"] += 1
        except Refusal as refused:
            assert str(refused)
            seen[refused.code] += 1
        except Exception as error:
            raise AssertionError(
                f"mutant {number} of seed {seed}: {path.read_bytes()!r}"
            ) from error
    return seen


@pytest.mark.parametrize("tables", leave_to_long([30, 200], but=[30]))
def test_mutated_tables_crash_nothing_and_break_no_accounting(tmp_path, tables):
    assert run_mutants(tmp_path, tables, seed=7)["read"] > tables * 3 // 20


@pytest.mark.long
def test_thousands_of_mutated_tables_crash_nothing(tmp_path):
    tables = count_seeds(10_000)
    assert run_mutants(tmp_path, tables, seed=11)["read"] > tables // 10


@needs_real_files
@pytest.mark.parametrize(
    ("name", "skipped", "resolved"),
    [
        ("five_thousand_calls.csv", {}, 3646),
        ("five_thousand_calls_bom_unpadded.csv", {}, 3646),
        ("five_thousand_calls_dmy_dashes.csv", {}, 3646),
        ("five_thousand_calls_mdy_zero_for_missing.csv", {}, 3646),
        ("five_thousand_calls_text_dates.xlsx", {}, 3646),
        # In this one 84 of the calls resolved elsewhere stand as N: the file, not the
        # reading, differs.
        ("five_thousand_calls_note_row.xlsx", {"note": 1}, 3562),
    ],
)
def test_the_six_files_of_five_thousand_calls_give_the_same_numbers(name, skipped, resolved):
    staged, rows = stage(Path(REAL) / "contacts" / name)
    assert staged.tally.skipped_kinds == skipped and not staged.tally.rejected
    answered = [row for row in rows if row["outcome"] == "answered"]
    marks = [row["csat"] for row in rows if row["csat"] is not None]
    waits = [row["wait_seconds"] for row in rows if row["wait_seconds"] is not None]
    talks = [row["talk_seconds"] for row in rows if row["talk_seconds"] is not None]
    assert (len(rows), len(answered), sum(row["declared_resolved"] for row in answered)) == (
        5000,
        4054,
        resolved,
    )
    assert (len(marks), sum(mark >= 4 for mark in marks), round(sum(marks) / len(marks), 4)) == (
        4054,
        2023,
        3.4036,
    )
    assert (len(waits), round(sum(waits) / len(waits), 2)) == (4054, 67.52)
    assert (len(talks), round(sum(talks) / len(talks), 2)) == (4054, 224.92)
