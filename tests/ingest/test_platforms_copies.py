"""Exports of platforms as people hand them on: saved again by a spreadsheet, wrapped one
level deeper, with options; the numbers are those of the export, or the import asks.
"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import test_platforms_asterisk_cdr as asterisk_cdr
import test_platforms_cisco as cisco
import test_platforms_freeswitch as freeswitch
import test_platforms_json_exports as json_exports
import xlsxwriter
from builders.import_files import bring, find_contacts
from builders.long_seeds import leave_to_long
from builders.platform_files import pick, stage

from qa_core.base.errors import Misuse, Refusal

Rows = list[list[str]]
T = cisco.T
CALL = (
    "a,,inbound,+33612345678,+33187654321,2026-03-31 11:00:00,2026-03-31 11:00:01,"
    "2026-03-31 11:05:00,300,299,NORMAL_CLEARING\n"
)
TABLES = {
    "asterisk_cdr": (
        "calldate,src,dst,dcontext,channel,dstchannel,lastapp,duration,billsec,disposition,"
        "uniqueid,linkedid,answer,end\n"
        "2026-03-31 14:05:07,0612345678,600,from-trunk,SIP/t-1,SIP/101-00000002,Dial,50,30,"
        "ANSWERED,1.1,1.1,2026-03-31 14:05:27,2026-03-31 14:05:57\n"
        "2026-03-31 14:05:57,0612345678,102,from-trunk,SIP/t-1,SIP/102-00000003,Dial,40,35,"
        "ANSWERED,1.3,1.1,2026-03-31 14:06:02,2026-03-31 14:06:37\n"
        "2026-03-31 14:10:00,33612345679,600,from-trunk,SIP/t-4,,Dial,20,0,NO ANSWER,1.4,1.4,,"
        "2026-03-31 14:10:20\n"
    ),
    "asterisk_master": "\n".join(
        (asterisk_cdr.ANSWERED, asterisk_cdr.MISSED, asterisk_cdr.QUEUED)
    ).replace("2026-01-05", "2026-03-31"),
    "freeswitch": freeswitch.LEGS
    + CALL
    + "b,a,outbound,+33612345678,1001,2026-03-31 11:00:30,2026-03-31 11:00:40,"
    "2026-03-31 11:02:40,130,120,NORMAL_CLEARING\n"
    "c,,inbound,+33612345679,+33187654321,2026-03-31 12:00:00,,2026-03-31 12:00:30,30,0,"
    "ORIGINATOR_CANCEL\n",
    "freeswitch_template": freeswitch.line(
        "0612345678",
        "101",
        "2026-03-31 10:00:00",
        "2026-03-31 10:00:08",
        "2026-03-31 10:01:08",
        68,
        60,
        "NORMAL_CLEARING",
        freeswitch.A,
    )
    + freeswitch.line(
        "0712345678",
        "101",
        "2026-03-31 11:00:00",
        "",
        "2026-03-31 11:00:30",
        30,
        0,
        "ORIGINATOR_CANCEL",
        freeswitch.C,
    ),
    "cisco_cucm": cisco.HEADER
    + f'1,1,500,{T},"33612345678",0,"33187654321","4001",16,{T + 12},{T + 72},60,"4000"\n'
    + f'1,1,500,{T + 72},"33612345678",0,"4002","4002",16,{T + 75},{T + 105},30,""\n'
    + f'1,1,505,{T + 12},"b0012301",0,"9000","9000",16,{T + 12},{T + 72},60,""\n',
    "twilio": "Sid,Parent Call Sid,Direction,Status,Start Time,Duration,From,To\n"
    "CA1,,inbound,completed,2026-03-31 10:00:00,130,+33612345678,+33187654321\n"
    "CA2,CA1,outbound-dial,completed,2026-03-31 10:00:20,110,+33612345678,client:ann\n",
    "queue_log": "time,callid,queuename,agent,event,data1,data2,data3\n"
    "2026-03-31 10:00:00,1767603600.1,sales,NONE,ENTERQUEUE,,0612345678,1\n"
    "2026-03-31 10:00:10,1767603600.1,sales,SIP/101,CONNECT,10,1767603600.2,3\n"
    "2026-03-31 10:01:10,1767603600.1,sales,SIP/101,COMPLETECALLER,10,60,1\n",
}
SEEN = (
    "contact_id",
    "started_at",
    "direction",
    "outcome",
    "wait_seconds",
    "talk_seconds",
    "customer_key",
)


def parse(text: str) -> Rows:
    return list(csv.reader(io.StringIO(text)))


def save(rows: Rows, delimiter: str = ";") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode("cp1252")


def rewrite(rows: Rows, pattern: str, replacement: str) -> Rows:
    """The cells that match as a spreadsheet shows them."""
    return [[re.sub(f"^{pattern}$", replacement, cell) for cell in row] for row in rows]


def localise(rows: Rows) -> Rows:
    return rewrite(rows, r"(\d{4})-(\d\d)-(\d\d) (\d\d:\d\d:\d\d)", r"\3/\2/\1 \4")


def read(folder: Path, content: Any, name: str = "copy.csv", **options: Any) -> list[tuple]:
    return pick(stage(folder, name, content, **options)[1], *SEEN)


def refuse(folder: Path, content: Any, name: str = "copy.csv", **options: Any) -> Refusal:
    with pytest.raises(Refusal) as refused:
        stage(folder, name, content, **options)
    return refused.value


@pytest.mark.parametrize(
    "name", leave_to_long(TABLES, but=["asterisk_cdr", "freeswitch", "twilio"])
)
def test_a_copy_by_a_spreadsheet_has_the_numbers_of_the_export(centre: Path, name: str) -> None:
    text = TABLES[name]
    rows, plain = parse(text), read(centre, text)
    assert read(centre, text.replace("\n", "\r")) == plain
    assert read(centre, save(localise(rows))) == plain
    assert read(centre, save(rewrite(localise(rows), r"(\d+)\.(\d+)", r"\1,\2"))) == plain
    assert read(centre, save([["Calls of March"], [], *rows])) == plain
    book = centre / "book.xlsx"
    with xlsxwriter.Workbook(book) as workbook:
        sheet = workbook.add_worksheet()
        for place, row in enumerate(rows):
            sheet.write_row(place, 0, row)
    assert read(centre, book.read_bytes(), "copy.xlsx") == plain


@pytest.mark.parametrize("name", ["asterisk_cdr", "freeswitch", "cisco_cucm", "twilio"])
def test_a_copy_with_rounded_numbers_is_refused(centre: Path, name: str) -> None:
    damaged = rewrite(parse(TABLES[name]), r"\+?33\d{9}", "3,36E+10")
    refusal = refuse(centre, save(damaged))
    assert refusal.code == "rounded_numbers" and "3,36E+10" in str(refusal)


def test_moments_whose_seconds_a_spreadsheet_has_cut_are_asked_about(centre: Path) -> None:
    cut = rewrite(localise(parse(TABLES["asterisk_cdr"])), r"(\d\d/.*:\d\d):\d\d", r"\1")
    refusal = refuse(centre, save(cut))
    assert refusal.code == "seconds_lost" and refusal.options == ("--profile asterisk_cdr",)
    assert len(read(centre, save(cut), profile="asterisk_cdr")) == 2


def test_dates_that_leave_their_order_open_are_asked_about(centre: Path) -> None:
    rows = localise(parse(TABLES["asterisk_cdr"].replace("2026-03-31", "2026-03-02")))
    assert refuse(centre, save(rows)).options == ("--date-order dmy", "--date-order mdy")
    first = read(centre, save(rows), date_order="mdy")[0]
    assert str(first[1]) == "2026-02-03 13:05:07"


def test_words_are_taught_to_the_reader_of_a_platform(centre: Path) -> None:
    text = TABLES["asterisk_cdr"].replace("NO ANSWER", "Manqué")
    refusal = refuse(centre, text)
    assert refusal.code == "unknown_words"
    assert refusal.options == ("--word disposition:Manqué=MEANING",)
    outcomes = [row[3] for row in read(centre, text, words={"disposition:Manqué": "abandoned"})]
    assert outcomes == ["answered", "abandoned"]
    assert [row[3] for row in read(centre, text, words={"disposition:Manqué": "missing"})] == [
        "answered",
        None,
    ]
    with pytest.raises(Misuse):
        stage(centre, "copy.csv", text, words={"disposition:Manqué": "inbound"})
    assert refuse(centre, text, words={"dcontext:x": "answered"}).code == "unknown_column"


def test_an_unknown_direction_of_a_platform_is_asked_about_and_taught(centre: Path) -> None:
    calls = json.loads(json.dumps(json_exports.CALLRAIL))
    calls["calls"][0]["direction"] = "Entrant"
    assert refuse(centre, calls, "calls.json").code == "unknown_words"
    rows = read(centre, calls, "calls.json", words={"direction:Entrant": "inbound"})
    assert rows[0][2] == "inbound"


def test_durations_that_a_platform_does_not_write_are_asked_about(centre: Path) -> None:
    text = TABLES["asterisk_cdr"].replace(",50,30,", ",50,half a minute,")
    refusal = refuse(centre, text)
    assert refusal.code == "unreadable_numbers" and "half a minute" in str(refusal)
    clock = TABLES["asterisk_cdr"].replace(",50,30,", ",00:00:50,00:00:30,")
    assert read(centre, clock) == read(centre, TABLES["asterisk_cdr"])


def test_what_all_calls_of_an_export_have_in_common_can_be_said(centre: Path) -> None:
    _staged, rows = stage(
        centre, "copy.csv", TABLES["freeswitch"], only={"queue": "Sales", "outcome": "answered"}
    )
    assert pick(rows, "queue", "outcome") == [("Sales", "answered"), ("Sales", "abandoned")]


def test_columns_of_an_export_are_known_and_a_plain_table_must_be_asked_for(centre: Path) -> None:
    text = TABLES["twilio"]
    refusal = refuse(centre, text, columns={"queue": "To"})
    assert refusal.code == "columns_of_export" and refusal.options == ("--profile generic",)
    assert refuse(centre, text, units={"duration": "ms"}).code == "columns_of_export"
    columns = {"queue": "To", "contact_id": "Sid"}
    assert len(read(centre, text, columns=columns, profile="generic")) == 2


def test_moments_without_a_zone_are_on_the_clock_that_is_asked_for(centre: Path) -> None:
    for zone, start in ((None, "10:00:00"), ("Europe/Paris", "08:00:00")):
        assert str(read(centre, TABLES["twilio"], timezone=zone)[0][1]) == f"2026-03-31 {start}"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda calls: {"data": {"calls": calls}},
        lambda calls: {"status": "ok", "payload": {"page": 1, "calls": calls}},
        lambda calls: {"meta": {"page": 1}, "export": {"items": calls}},
        lambda calls: [{"conversation": call} for call in calls],
    ],
)
def test_a_list_one_level_deeper_is_the_same_list(centre: Path, wrap: Any) -> None:
    calls = [json_exports.conversation("a"), json_exports.conversation("c", agent=False)]
    assert read(centre, wrap(calls), "calls.json") == read(centre, calls, "calls.json")


def test_records_of_a_json_export_in_a_table_are_refused_where_legs_are_lost(centre: Path) -> None:
    refusal = refuse(
        centre,
        "id,sessionId,startTime,direction,result,duration\n"
        "a,1,2026-01-05T10:00:00Z,Inbound,Missed,5\nb,1,2026-01-05T10:00:00Z,Inbound,Accepted,5\n",
    )
    assert refusal.code == "flattened_records"


def test_records_without_a_header_name_their_tool(centre: Path) -> None:
    own = freeswitch.A
    asterisk = (
        '"","0612345678","101","default","Ann <0612345678>","sofia/a","sofia/b","bridge","x",'
        '"2026-03-31 10:00:00","2026-03-31 10:00:08","2026-03-31 10:01:08","68","60",'
        f'"NORMAL_CLEARING","3","{own}",""\n'
    )
    assert read(centre, asterisk)[0][3:6] == ("answered", 8.0, 60.0)
    unknown = f'"{own}","0612345678","2026-03-31 10:00:08","2026-03-31 10:01:08","60"\n'
    assert "FreeSWITCH" in str(refuse(centre, unknown * 2))
    avaya = (
        "1405 0123 7 9    9    0612345678      4001\n1410 0012 A 9    9    0612345679      4002\n"
    )
    refusal = refuse(centre, avaya)
    assert refusal.code == "records_without_header" and "Avaya" in str(refusal)


def test_an_export_of_which_nothing_is_readable_says_how_to_go_on(centre: Path) -> None:
    refusal = refuse(centre, freeswitch.LEGS + CALL.replace("2026-03-31", "today") * 3)
    assert refusal.code == "no_contacts" and refusal.options == ("--profile generic",)


def test_taught_words_of_a_platform_are_kept_in_a_saved_mapping(centre: Path) -> None:
    text = TABLES["asterisk_cdr"].replace("NO ANSWER", "Manqué")
    bring(centre, "contacts", text, words={"disposition:Manqué": "abandoned"}, save_mapping="pbx")
    later = text.replace("2026-03-31", "2026-04-01").replace("1.1", "2.1").replace("1.4", "2.4")
    report = bring(centre, "contacts", later, profile="pbx")
    assert report.tally.as_counts()["new"] == 2
    assert find_contacts("outcome", where="contact_id LIKE '2.%'") == [
        ("2.1", "answered"),
        ("2.4", "abandoned"),
    ]
