"""Cisco CUCM: a second header row of types, epochs, and the legs of a global call id."""

from __future__ import annotations

from pathlib import Path

from builders.platform_files import pick, stage

T = 1_767_603_600  # 5 January 2026, 09:00:00 UTC

HEADER = (
    '"cdrRecordType","globalCallID_callManagerId","globalCallID_callId","dateTimeOrigination",'
    '"callingPartyNumber","origCause_value",'
    '"originalCalledPartyNumber",'
    '"finalCalledPartyNumber","destCause_value","dateTimeConnect","dateTimeDisconnect",'
    '"duration","huntPilotDN"\n'
    "INTEGER,INTEGER,INTEGER,INTEGER,VARCHAR(50),INTEGER,VARCHAR(50),VARCHAR(50),INTEGER,"
    "INTEGER,INTEGER,INTEGER,VARCHAR(50)\n"
)


def test_legs_of_a_call_are_one_contact_and_types_are_no_row(centre: Path) -> None:
    staged, rows = stage(
        centre,
        "cdr_StandAloneCluster_01.txt",
        HEADER
        + f'1,1,500,{T},"0612345678",0,"0187654321","4001",16,{T + 12},{T + 72},60,"4000"\n'
        + f'1,1,500,{T + 72},"0612345678",0,"4002","4002",16,{T + 75},{T + 105},30,""\n'
        + f'1,1,501,{T + 200},"0712345678",16,"0187654321","4001",0,0,{T + 225},0,"4000"\n'
        + f'1,1,502,{T + 300},"4001",17,"0712345678","0712345678",17,0,{T + 303},0,""\n'
        + f'1,1,503,{T + 400},"4001",0,"4002","4002",16,{T + 402},{T + 412},10,""\n'
        + '1,1,504,0,"4001",0,"4002","4002",16,0,0,10,""\n'
        + f'1,1,505,{T + 12},"b0012301",0,"9000","9000",16,{T + 12},{T + 72},60,""\n',
    )
    assert staged.profile == "cisco_cucm"
    assert (
        staged.tally.skipped_kinds == {"types": 1, "recording_leg": 1}
        and staged.tally.folded_kinds == {"leg": 1}
        and staged.tally.reasons == {"missing_start": 1}
    )
    assert pick(
        rows,
        "contact_id",
        "direction",
        "queue",
        "advisor",
        "outcome",
        "wait_seconds",
        "talk_seconds",
        "transfers",
        "tracking_number",
    ) == [
        ("1.500", "inbound", "4000", "4002", "answered", 12.0, 90.0, 1, "+33187654321"),
        ("1.501", "inbound", "4000", None, "unanswered", 25.0, None, None, "+33187654321"),
        ("1.502", "outbound", None, None, "refused", 3.0, None, None, None),
        ("1.503", "internal", None, "4002", "answered", 2.0, 10.0, 0, None),
    ]
    assert str(rows[0]["started_at"]) == "2026-01-05 09:00:00"


def test_other_delimiters_are_found(centre: Path) -> None:
    header, _types = HEADER.splitlines()
    row = f'1,1,500,{T},"0612345678",0,"0187654321","4001",16,{T + 12},{T + 72},60,"4000"'
    _staged, rows = stage(centre, "cdr.txt", "\n".join((header, row, "")).replace(",", ";"))
    assert pick(rows, "contact_id", "outcome", "wait_seconds", "talk_seconds") == [
        ("1.500", "answered", 12.0, 60.0)
    ]
