"""FreeSWITCH call detail records, with a header and by the template of mod_cdr_csv
without one.
"""

from __future__ import annotations

from pathlib import Path

from builders.platform_files import pick, stage

A, B, C = (
    "96aa82fe-7bd1-11e5-a230-5c514f6a0f72",
    "c9135e4a-7bd1-11e5-a230-5c514f6a0f72",
    "cfaf8b56-7bd1-11e5-a230-5c514f6a0f72",
)


def line(
    caller: str,
    called: str,
    start: str,
    answer: str,
    end: str,
    duration: int,
    billsec: int,
    cause: str,
    own: str,
    other: str = "",
) -> str:
    return (
        f'"Someone","{caller}","{called}","default","{start}","{answer}","{end}",'
        f'"{duration}","{billsec}","{cause}","{own}","{other}","","PCMA","PCMA"\n'
    )


def test_the_template_is_known_by_its_places_and_the_other_leg_folded(centre: Path) -> None:
    staged, rows = stage(
        centre,
        "Master.csv",
        line(
            "0612345678",
            "101",
            "2026-01-05 10:00:00",
            "2026-01-05 10:00:08",
            "2026-01-05 10:01:08",
            68,
            60,
            "NORMAL_CLEARING",
            A,
            B,
        )
        + line(
            "0612345678",
            "101",
            "2026-01-05 10:00:01",
            "2026-01-05 10:00:08",
            "2026-01-05 10:01:08",
            67,
            60,
            "NORMAL_CLEARING",
            B,
        )
        + line(
            "0712345678",
            "101",
            "2026-01-05 11:00:00",
            "",
            "2026-01-05 11:00:30",
            30,
            0,
            "ORIGINATOR_CANCEL",
            C,
        ),
    )
    assert staged.profile == "freeswitch" and staged.tally.folded_kinds == {"leg": 1}
    assert pick(
        rows, "contact_id", "direction", "advisor", "outcome", "wait_seconds", "talk_seconds"
    ) == [
        (A, "inbound", "101", "answered", 8.0, 60.0),
        (C, "inbound", None, "abandoned", 30.0, None),
    ]
    assert str(rows[0]["started_at"]) == "2026-01-05 09:00:00"


def test_a_table_with_headers_may_count_microseconds(centre: Path) -> None:
    staged, rows = stage(
        centre,
        "export.csv",
        "direction,caller_id_name,caller_id_number,destination_number,start_uepoch,"
        "answer_uepoch,end_uepoch,duration,billsec,hangup_cause,uuid,cc_queue\n"
        "inbound,X,0612345678,0187654321,1767603600000000,1767603610000000,1767603640000000,"
        f"40,30,NORMAL_CLEARING,{A},sales\n"
        "inbound,X,0612345678,0187654321,1767603600000000,0,1767603640000000,40,0,USER_BUSY,"
        f"{B},sales\n"
        f"inbound,X,0612345678,0187654321,yesterday,0,1767603640000000,40,0,USER_BUSY,{C},sales\n",
    )
    assert staged.profile == "freeswitch" and staged.tally.reasons == {"impossible_date": 1}
    assert pick(rows, "outcome", "queue", "wait_seconds", "talk_seconds", "tracking_number") == [
        ("answered", "sales", 10.0, 30.0, "+33187654321"),
        ("refused", "sales", 40.0, None, "+33187654321"),
    ]
    assert str(rows[0]["started_at"]) == "2026-01-05 09:00:00"


LEGS = (
    "uuid,originating_leg_uuid,direction,caller_id_number,destination_number,start_stamp,"
    "answer_stamp,end_stamp,duration,billsec,hangup_cause\n"
)


def test_legs_of_legs_belong_to_the_call_and_only_they_say_who_spoke(centre: Path) -> None:
    menu = (
        "a,,inbound,+33612345678,+33187654321,2026-01-05 11:00:00,2026-01-05 "
        "11:00:01,2026-01-05 11:05:00,300,299,NORMAL_CLEARING\n"
    )
    first = (
        "b,a,outbound,+33612345678,1001,2026-01-05 11:00:30,2026-01-05 11:00:40,2026-01-05 "
        "11:02:40,130,120,NORMAL_CLEARING\n"
    )
    second = (
        "c,b,outbound,1001,1002,2026-01-05 11:02:30,2026-01-05 11:02:40,2026-01-05 "
        "11:05:00,150,140,NORMAL_CLEARING\n"
    )
    staged, rows = stage(centre, "legs.csv", LEGS + menu + first + second + second)
    assert pick(
        rows, "contact_id", "advisor", "outcome", "wait_seconds", "talk_seconds", "transfers"
    )[0] == ("a", "1002", "answered", 40.0, 260.0, 1)
    assert len(rows) == 2 and staged.tally.folded_kinds == {
        "leg": 2
    }  # the second row is the copy, which counts as a duplicate


def test_who_hangs_up_while_it_rings_after_a_menu_has_abandoned(centre: Path) -> None:
    menu = (
        "a,,inbound,+33612345678,+33187654321,2026-01-05 11:00:00,2026-01-05 "
        "11:00:01,2026-01-05 11:01:00,60,59,NORMAL_CLEARING\n"
    )
    ringing = (
        "b,a,outbound,+33612345678,1001,2026-01-05 11:00:30,,2026-01-05 "
        "11:01:00,30,0,ORIGINATOR_CANCEL\n"
    )
    _staged, rows = stage(centre, "legs.csv", LEGS + menu + ringing)
    assert pick(rows, "outcome", "wait_seconds", "talk_seconds", "advisor") == [
        ("abandoned", 60.0, None, None)
    ]


def test_a_queue_that_picks_up_itself_has_answered_only_when_an_agent_did(centre: Path) -> None:
    header = (
        "uuid,direction,caller_id_number,destination_number,start_epoch,answer_epoch,"
        "end_epoch,duration,billsec,hangup_cause,"
    )
    queue = (
        "cc_queue,cc_agent,cc_queue_joined_epoch,cc_queue_answered_epoch,cc_cause,"
        "cc_cancel_reason\n"
    )
    spoken = (
        "a,inbound,0612345678,3000,1772438400,1772438402,1772438600,200,198,"
        "NORMAL_CLEARING,sales,1001,1772438403,1772438430,answered,NONE\n"
    )
    gone = (
        "b,inbound,0612345679,3000,1772438700,1772438702,1772438745,45,43,ORIGINATOR_CANCEL,"
        "sales,,1772438703,,cancel,BREAK_OUT\n"
    )
    late = (
        "c,inbound,0612345679,3000,1772438800,1772438802,1772438865,65,63,NORMAL_CLEARING,"
        "sales,,1772438803,,cancel,TIMEOUT\n"
    )
    _staged, rows = stage(centre, "queue.csv", header + queue + spoken + gone + late)
    assert pick(rows, "advisor", "outcome", "wait_seconds", "talk_seconds") == [
        ("1001", "answered", 27.0, 170.0),
        (None, "abandoned", 42.0, None),
        (None, "timeout", 62.0, None),
    ]


def test_stamps_with_a_zone_and_the_json_of_a_call_are_read_as_they_say(centre: Path) -> None:
    row = (
        "a,,inbound,+33612345678,1000,2026-03-29 02:30:00+02,2026-03-29 "
        "02:30:20+02,2026-03-29 02:32:20+02,140,120,NORMAL_CLEARING\n"
    )
    _staged, rows = stage(centre, "zoned.csv", LEGS + row)
    assert [str(rows[0]["started_at"]), rows[0]["wait_seconds"]] == ["2026-03-29 00:30:00", 20.0]
    variables = {
        "uuid": "b",
        "direction": "inbound",
        "caller_id_number": "%2B33612345678",
        "destination_number": "1000",
        "billsec": "120",
        "duration": "140",
    }
    variables |= {
        "start_stamp": "2026-01-05%2011%3A00%3A00",
        "answer_stamp": "2026-01-05%2011%3A00%3A20",
        "hangup_cause": "NORMAL_CLEARING",
    }
    _staged, rows = stage(
        centre,
        "call.json",
        {"core-uuid": "x", "variables": variables, "callflow": [{"caller_profile": {}}]},
    )
    assert pick(rows, "contact_id", "outcome", "wait_seconds", "talk_seconds") == [
        ("b", "answered", 20.0, 120.0)
    ]
