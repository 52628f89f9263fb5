"""FreeSWITCH call detail records, with a header and by the template of mod_cdr_csv without one."""

from __future__ import annotations

from pathlib import Path

from platforms import pick, stage

A, B, C = "96aa82fe-7bd1-11e5-a230-5c514f6a0f72", "c9135e4a-7bd1-11e5-a230-5c514f6a0f72", "cfaf8b56-7bd1-11e5-a230-5c514f6a0f72"


def line(caller: str, called: str, start: str, answer: str, end: str, duration: int, billsec: int, cause: str, own: str, other: str = "") -> str:
    return f'"Someone","{caller}","{called}","default","{start}","{answer}","{end}","{duration}","{billsec}","{cause}","{own}","{other}","","PCMA","PCMA"\n'


def test_the_template_is_known_by_its_places_and_the_other_leg_folded(centre: Path) -> None:
    staged, rows = stage(
        centre,
        "Master.csv",
        line("0612345678", "101", "2026-01-05 10:00:00", "2026-01-05 10:00:08", "2026-01-05 10:01:08", 68, 60, "NORMAL_CLEARING", A, B)
        + line("0612345678", "101", "2026-01-05 10:00:01", "2026-01-05 10:00:08", "2026-01-05 10:01:08", 67, 60, "NORMAL_CLEARING", B)
        + line("0712345678", "101", "2026-01-05 11:00:00", "", "2026-01-05 11:00:30", 30, 0, "ORIGINATOR_CANCEL", C),
    )
    assert staged.profile == "freeswitch" and staged.folded_kinds == {"leg": 1}
    assert pick(rows, "contact_id", "direction", "advisor", "outcome", "wait_seconds", "talk_seconds") == [
        (A, "inbound", "101", "answered", 8.0, 60.0),
        (C, "inbound", None, "abandoned", 30.0, None),
    ]
    assert str(rows[0]["started_at"]) == "2026-01-05 09:00:00"


def test_a_table_with_headers_may_count_microseconds(centre: Path) -> None:
    staged, rows = stage(
        centre,
        "export.csv",
        "direction,caller_id_name,caller_id_number,destination_number,start_uepoch,answer_uepoch,end_uepoch,duration,billsec,hangup_cause,uuid,cc_queue\n"
        f"inbound,X,0612345678,0187654321,1767603600000000,1767603610000000,1767603640000000,40,30,NORMAL_CLEARING,{A},sales\n"
        f"inbound,X,0612345678,0187654321,1767603600000000,0,1767603640000000,40,0,USER_BUSY,{B},sales\n"
        f"inbound,X,0612345678,0187654321,yesterday,0,1767603640000000,40,0,USER_BUSY,{C},sales\n",
    )
    assert staged.profile == "freeswitch" and staged.reasons == {"impossible_date": 1}
    assert pick(rows, "outcome", "queue", "wait_seconds", "talk_seconds", "tracking_number") == [
        ("answered", "sales", 10.0, 30.0, "0187654321"),
        ("refused", "sales", 40.0, None, "0187654321"),
    ]
    assert str(rows[0]["started_at"]) == "2026-01-05 09:00:00"
