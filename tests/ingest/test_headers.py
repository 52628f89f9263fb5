"""Tables as spreadsheets hold them: groups and second rows of headers, and other tables
beside the one that is meant.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from qa_core.base.errors import Refusal
from qa_core.files.decision import Decision
from qa_core.files.options import ImportOptions
from qa_core.ingest.reading.table_reader import stage
from qa_core.ingest.staging.staged import Staged

ROWS = "C1;13/03/2026;09:00:00;Diane;1;2\nC2;14/03/2026;09:00:00;Eve;2;3\n"
COLUMNS = ("contact_id", "advisor", "wait_seconds", "talk_seconds")
PLAIN = [("C1", "Diane", 1, 2), ("C2", "Eve", 2, 3)]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_HOME", str(tmp_path / "home"))


def read(
    folder: Path, text: str | bytes, kind: str = "contacts", **options: Any
) -> tuple[Staged, list[dict[str, Any]]]:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    staged = stage(path, kind, ImportOptions(**options))
    rows = pq.read_table(staged.rows).to_pylist()
    staged.discard()
    staged.tally.require_identity(path.name, pending=len(rows))
    return staged, rows


def values(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row.get(name) for name in names) for row in rows]


def test_a_second_row_of_types_is_no_call(tmp_path: Path) -> None:
    head = (
        "call_id;date;time;agent;wait_seconds;talk_seconds\nVARCHAR(20);DATE;TIME;VARCHAR;"
        "INTEGER;INTEGER\n"
    )
    staged, rows = read(tmp_path, head + ROWS)
    assert values(rows, *COLUMNS) == PLAIN
    assert staged.tally.skipped_kinds == {"types": 1}


def test_a_second_row_of_units_says_how_long_a_number_is(tmp_path: Path) -> None:
    staged, rows = read(
        tmp_path,
        "Call ID;Date;Heure;Agent;Attente;Conversation\n;jj/mm/aaaa;hh:mm:ss;;min;(s)\n" + ROWS,
    )
    assert values(rows, *COLUMNS) == [("C1", "Diane", 60, 2), ("C2", "Eve", 120, 3)]
    assert staged.tally.skipped_kinds == {"header": 1}


def test_headers_in_two_languages_are_both_headers(tmp_path: Path) -> None:
    head = (
        "Identifiant appel;Date;Heure;Conseiller;Temps d'attente;Temps de "
        "conversation\nCall ID;Date;Time;Agent;Wait time;Talk time\n"
    )
    staged, rows = read(tmp_path, head + ROWS)
    assert values(rows, *COLUMNS) == PLAIN
    assert staged.tally.skipped_kinds == {"header": 1}


def test_groups_above_the_headers_complete_their_names(tmp_path: Path) -> None:
    _staged, rows = read(
        tmp_path, "Appel;;;Agent;Durée (min);\nID;Date;Heure;Nom;Attente;Communication\n" + ROWS
    )
    assert values(rows, *COLUMNS) == [("C1", "Diane", 60, 120), ("C2", "Eve", 120, 180)]


def test_merged_cells_of_a_report_of_totals_are_read_down_and_across(tmp_path: Path) -> None:
    text = (
        "Date;Appels;;;Temps "
        "moyen;\n;Reçus;Traités;Abandonnés;Attente;Conversation\n13/03/2026;100;90;10;12;200\n"
        "14/03/2026;50;50;0;10;100\n"
    )
    _staged, rows = read(tmp_path, text, "intervals")
    assert values(rows, "received", "answered", "abandoned", "wait_seconds", "talk_seconds") == [
        (100, 90, 10, 1080, 18_000),
        (50, 50, 0, 500, 5_000),
    ]


def test_a_row_of_data_is_never_taken_for_headers(tmp_path: Path) -> None:
    staged, rows = read(
        tmp_path,
        "Call ID;Start time;Agent;Motif\nA;2026-03-13 09:00;Total;Chat\nB;2026-03-14 "
        "09:00;Date;Agent\n",
    )
    assert values(rows, "contact_id", "advisor", "reason") == [
        ("A", "Total", "Chat"),
        ("B", "Date", "Agent"),
    ]
    assert staged.tally.skipped_kinds == {}


def test_words_in_the_first_row_make_no_headers_below_misspelled_ones(tmp_path: Path) -> None:
    row = "104500;2026-03-16 09:00;inbound;Support;answered\n"
    with pytest.raises(Refusal) as asked:
        read(tmp_path, "Call Id;Strat;Direciton;Que;Satus\n" + row)
    assert "Strat" in str(asked.value)


def test_headers_repeated_on_every_page_are_skipped(tmp_path: Path) -> None:
    head = "Call ID;Date;Heure;Agent;Attente;Conversation\n"
    staged, rows = read(tmp_path, head + ROWS + head + ROWS.replace("C1", "C3").replace("C2", "C4"))
    assert [row["contact_id"] for row in rows] == ["C1", "C2", "C3", "C4"]
    assert staged.tally.skipped_kinds == {"header": 1} and staged.tally.rejected == 0


def test_another_table_beside_it_adds_no_team_and_no_rows(tmp_path: Path) -> None:
    lines = ["Call ID;Date;Heure;Agent;Durée;;Agent;Équipe;Date"]
    lines += [f"C{day};{day}/03/2026;09:00;Diane;60;;A{day};Nord;01/01/2020" for day in (13, 14)]
    lines += [f";;;;;;A{day};Sud;01/01/2020" for day in (15, 16, 17)]
    staged, rows = read(tmp_path, "\n".join(lines) + "\n")
    assert values(rows, "contact_id", "team", "advisor") == [
        ("C13", None, "Diane"),
        ("C14", None, "Diane"),
    ]
    assert staged.tally.skipped_kinds == {"blank": 3} and staged.tally.rejected == 0
    assert any("Équipe" in decision.as_json()["decision"] for decision in staged.decisions)


def test_an_empty_column_inside_one_table_parts_nothing(tmp_path: Path) -> None:
    _staged, rows = read(
        tmp_path, "Call ID;Date;Heure;;Agent;Attente;Conversation\n" + ROWS.replace(":00;", ":00;;")
    )
    assert values(rows, *COLUMNS) == PLAIN


def test_two_months_side_by_side_are_refused_rather_than_halved(tmp_path: Path) -> None:
    text = (
        "Call ID;Date;Agent;;Call "
        "ID;Date;Agent\nC1;13/01/2026;Diane;;D1;13/02/2026;Eve\nC2;14/01/2026;Diane;;D2;"
        "14/02/2026;Eve\n"
    )
    with pytest.raises(Refusal) as refused:
        read(tmp_path, text)
    assert refused.value.code == "tables_side_by_side"


@pytest.mark.parametrize(
    "encoding", ["mac_roman", "cp850", "iso8859-15", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_old_and_wide_encodings_are_found_by_what_they_say(tmp_path: Path, encoding: str) -> None:
    text = (
        "Call ID;Début;Agent;Répondu\nC1;13/03/2026 09:00;Hélène;Oui\nC2;14/03/2026 09:00;Zoé;Non\n"
    )
    _staged, rows = read(tmp_path, text.encode(encoding))
    assert values(rows, "advisor", "outcome") == [("Hélène", "answered"), ("Zoé", "unanswered")]


def test_zero_bytes_among_the_text_are_left_out_and_said(tmp_path: Path) -> None:
    staged, rows = read(
        tmp_path,
        "Call ID;Start time;Agent\n"
        + "".join(f"C{n};2026-03-13 09:{n:02};Di\0ane\n" for n in range(3))
        + "\0\0",
    )
    assert [row["advisor"] for row in rows] == ["Diane"] * 3
    said = {item["decision"]: item["evidence"] for item in map(Decision.as_json, staged.decisions)}
    assert said["zero bytes are left out"] == "5 × 00"


def test_a_quote_never_closed_loses_no_rows_in_silence(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        read(
            tmp_path,
            'Call ID;Start time;Agent\nC1;2026-03-13 09:00;"Diane\nC2;2026-03-13 '
            "09:10;Eve\nC3;2026-03-13 09:20;Eve\n",
        )
    assert refused.value.code == "unclosed_quote" and refused.value.params["line"] == 2


def test_numbers_kept_as_text_by_a_spreadsheet_are_the_same_ids(tmp_path: Path) -> None:
    _staged, rows = read(
        tmp_path,
        'Call ID;Start time;Agent\n="0042";2026-03-13 09:00;Diane\n\'0043;2026-03-13 09:10;Eve\n',
    )
    assert [row["contact_id"] for row in rows] == ["0042", "0043"]


@pytest.mark.parametrize(
    ("start", "read_as"),
    [
        ("30/12/1899 09:05:00", datetime(2026, 3, 13, 9, 5)),
        ("1899-12-30 09:05:00", datetime(2026, 3, 13, 9, 5)),
        ("9:05\u202fa.\u00a0m.", datetime(2026, 3, 13, 9, 5)),
        ("905", datetime(2026, 3, 13, 9, 5)),
        ("9", datetime(2026, 3, 13, 9)),
        ("9h", datetime(2026, 3, 13, 9)),
        ("09:05 - 09:35", datetime(2026, 3, 13, 9, 5)),
    ],
)
def test_a_time_beside_its_date_in_spellings_of_spreadsheets_and_switches(
    tmp_path: Path, start: str, read_as: datetime
) -> None:
    _staged, rows = read(tmp_path, f"Call ID;Date;Heure;Agent\nC1;13/03/2026;{start};Diane\n")
    assert [row["local_start"] for row in rows] == [read_as]
