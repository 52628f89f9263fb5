"""JSON exports of cloud telephony and call tracking: each recognises itself, keeps its
own clock, and hides who called.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from builders.platform_files import pick, stage

from qa_core.base.errors import Refusal
from qa_core.ingest.staging.pseudonyms import Pseudonyms


def conversation(
    own: str, end: str | None = "2026-01-05T10:05:00.000Z", agent: bool = True
) -> dict[str, Any]:
    """A voice conversation of Genesys Cloud: twelve seconds in the queue, one minute
    with an agent.
    """

    def metrics(**values: int) -> list[dict[str, Any]]:
        return [
            {"name": name, "value": value, "emitDate": "2026-01-05T10:00:00.000Z"}
            for name, value in values.items()
        ]

    people = [
        {
            "purpose": "customer",
            "sessions": [
                {
                    "mediaType": "voice",
                    "ani": "tel:+33612345678",
                    "dnis": "tel:+33187654321",
                    "metrics": metrics(nConnected=1),
                }
            ],
        },
        {
            "purpose": "acd",
            "participantName": "Sales",
            "sessions": [
                {
                    "mediaType": "voice",
                    "metrics": metrics(nOffered=1, tAcd=12_000)
                    + ([] if agent else metrics(tAbandon=12_000)),
                }
            ],
        },
    ]
    if agent:
        handled = metrics(
            tAnswered=12_000, tTalkComplete=60_000, tHeldComplete=5_000, tAcw=8_000, nTransferred=1
        )
        people.append(
            {
                "purpose": "agent",
                "userId": "u-1",
                "sessions": [
                    {
                        "mediaType": "voice",
                        "metrics": handled,
                        "segments": [{"segmentType": "wrapup", "wrapUpCode": "billing"}],
                    }
                ],
            }
        )
    item = {
        "conversationId": own,
        "conversationStart": "2026-01-05T10:00:00.250Z",
        "originatingDirection": "inbound",
        "participants": people,
    }
    return item | ({"conversationEnd": end} if end else {})


def test_genesys_counts_milliseconds_and_an_open_conversation_has_no_talk_time_yet(
    centre: Path,
) -> None:
    staged, rows = stage(
        centre,
        "detail.json",
        {
            "conversations": [
                conversation("a"),
                conversation("b", None),
                conversation("c", agent=False),
            ],
            "totalHits": 3,
        },
    )
    assert staged.profile == "genesys_cloud"
    assert pick(
        rows,
        "contact_id",
        "queue",
        "advisor",
        "reason",
        "outcome",
        "wait_seconds",
        "talk_seconds",
        "hold_seconds",
        "wrap_seconds",
        "transfers",
        "tracking_number",
    ) == [
        ("a", "Sales", "u-1", "billing", "answered", 12.0, 60.0, 5.0, 8.0, 1, "+33187654321"),
        ("b", "Sales", "u-1", "billing", "answered", 12.0, None, None, None, 1, "+33187654321"),
        ("c", "Sales", None, None, "abandoned", 12.0, None, None, None, None, "+33187654321"),
    ]
    assert rows[0]["customer_key"] == Pseudonyms.current().find_key("0612345678")
    assert str(rows[0]["started_at"]) == "2026-01-05 10:00:00.250000"


def test_twilio_folds_the_calls_that_a_call_dialled(centre: Path) -> None:
    def call(
        sid: str,
        at: str,
        direction: str,
        status: str,
        duration: str,
        parent: str | None = None,
        to: str = "+33187654321",
    ) -> dict[str, Any]:
        moment = f"Mon, 05 Jan 2026 {at} +0000"
        return {
            "account_sid": "AC1",
            "sid": sid,
            "parent_call_sid": parent,
            "direction": direction,
            "status": status,
            "duration": duration,
            "from": "+33612345678",
            "to": to,
            "start_time": moment,
            "date_updated": moment,
        }

    staged, rows = stage(
        centre,
        "calls.json",
        {
            "first_page_uri": "/x",
            "calls": [
                call("CA1", "10:00:00", "inbound", "completed", "100"),
                call("CA2", "10:00:20", "outbound-dial", "completed", "70", "CA1", "client:ann"),
                call("CA3", "11:00:00", "inbound", "completed", "30"),
                call("CA4", "11:00:05", "outbound-dial", "no-answer", "0", "CA3", "client:ann"),
                call("CA5", "12:00:00", "outbound-api", "busy", "0"),
            ],
        },
    )
    assert staged.profile == "twilio" and staged.tally.folded_kinds == {"leg": 2}
    assert pick(
        rows, "contact_id", "direction", "outcome", "wait_seconds", "talk_seconds", "advisor"
    ) == [
        ("CA1", "inbound", "answered", 20.0, 70.0, "ann"),
        ("CA3", "inbound", "unanswered", None, None, None),
        ("CA5", "outbound", "refused", None, None, None),
    ]


def test_a_table_of_twilio_calls_folds_them_too(centre: Path) -> None:
    staged, rows = stage(
        centre,
        "calls.csv",
        "Sid;Parent Call Sid;Direction;Status;Start Time;Duration;From;To\n"
        "CA1;;inbound;completed;2026-01-05T10:00:00Z;130;+33612345678;+33187654321\n"
        "CA2;CA1;outbound-dial;completed;2026-01-05T10:00:20Z;110;+33612345678;client:ann\n"
        "CA3;CA1;outbound-dial;completed;2026-01-05T10:01:20Z;50;+33612345678;client:bob\n",
    )
    assert staged.profile == "twilio" and staged.tally.folded_kinds == {"leg": 2}
    # ann speaks from 10:00:20 to 10:02:10, and bob joins them until the same moment
    assert pick(rows, "contact_id", "outcome", "wait_seconds", "talk_seconds", "advisor") == [
        ("CA1", "answered", 20.0, 110.0, "bob")
    ]


def test_times_of_the_console_of_twilio_have_their_zone_before_the_date(centre: Path) -> None:
    _staged, rows = stage(
        centre,
        "calls.csv",
        "Sid,Parent Call Sid,Direction,Status,Start Time,Duration,From,To\n"
        "CA1,,inbound,completed,09:00:01 CET 2026-03-14,130,+33612345678,+33187654321\n"
        "CA2,,inbound,no-answer,10:00:00 CEST 2026-07-14,0,+33612345678,+33187654321\n",
    )
    assert pick(rows, "contact_id", "started_at") == [
        ("CA1", datetime(2026, 3, 14, 8, 0, 1)),
        ("CA2", datetime(2026, 7, 14, 8, 0, 0)),
    ]


def test_twilio_recordings_are_no_calls(centre: Path) -> None:
    with pytest.raises(Refusal) as refused:
        stage(
            centre,
            "recordings.json",
            {
                "page_size": 1,
                "recordings": [
                    {"sid": "RE1", "account_sid": "AC1", "call_sid": "CA1", "duration": "4"}
                ],
            },
        )
    assert refused.value.code == "not_calls"


def test_ringcentral_makes_one_contact_of_a_session(centre: Path) -> None:
    def call(
        own: str, session: str, result: str, direction: str = "Inbound", **more: Any
    ) -> dict[str, Any]:
        ends = {
            "from": {"phoneNumber": "+33612345678"},
            "to": {"phoneNumber": "+33187654321", "name": "Ann"},
        }
        return {
            "id": own,
            "sessionId": session,
            "startTime": "2026-01-05T10:00:00.000Z",
            "duration": 50,
            "type": "Voice",
            "direction": direction,
            "result": result,
            **ends,
            **more,
        }

    staged, rows = stage(
        centre,
        "log.json",
        {
            "uri": "x",
            "records": [
                call("a", "1", "Missed"),
                call("b", "1", "Accepted", recording={"id": "1"}),
                call("c", "2", "Voicemail"),
                call("d", "3", "Accepted", type="Fax"),
            ],
            "paging": {"page": 1},
        },
    )
    assert (
        staged.profile == "ringcentral"
        and staged.tally.skipped_kinds == {"fax": 1}
        and staged.tally.folded_kinds == {"leg": 1}
    )
    assert pick(
        rows, "contact_id", "outcome", "advisor", "talk_seconds", "recorded", "tracking_number"
    ) == [
        ("a", "answered", "Ann", 50.0, True, "+33187654321"),
        ("c", "voicemail", None, None, False, "+33187654321"),
    ]


def test_aircall_says_why_a_call_was_missed(centre: Path) -> None:
    def call(
        own: int,
        answered: int | None = None,
        reason: str | None = None,
        digits: str = "+33612345678",
        **more: Any,
    ) -> dict[str, Any]:
        number = {"name": "Support", "digits": "+33187654321"}
        moments = {"started_at": 1_767_603_600, "answered_at": answered, "ended_at": 1_767_603_700}
        return {
            "id": own,
            "direction": "inbound",
            "status": "done",
            "missed_call_reason": reason,
            "raw_digits": digits,
            "number": number,
            "user": {"name": "Ann"},
            **moments,
            **more,
        }

    staged, rows = stage(
        centre,
        "calls.json",
        {
            "meta": {"count": 4},
            "calls": [
                call(1, 1_767_603_620, recording="https://x", tags=[{"name": "refund"}]),
                call(2, None, "out_of_opening_hours"),
                call(3, None, "agents_did_not_answer", voicemail="https://x"),
                call(4, None, "short_abandoned", digits="anonymous"),
            ],
        },
    )
    assert staged.profile == "aircall"
    assert pick(
        rows,
        "contact_id",
        "outcome",
        "wait_seconds",
        "talk_seconds",
        "advisor",
        "reason",
        "recorded",
    ) == [
        ("1", "answered", 20.0, 80.0, "Ann", "refund", True),
        ("2", "closed", 100.0, None, None, None, False),
        ("3", "voicemail", 100.0, None, None, None, False),
        ("4", "abandoned", 100.0, None, None, None, False),
    ]
    assert str(rows[0]["started_at"]) == "2026-01-05 09:00:00" and rows[3]["customer_key"] is None


CALLRAIL = {
    "page": 1,
    "calls": [
        {
            "answered": True, "customer_phone_number": "+33612345678", "direction": "inbound",
            "duration": 60, "id": "CAL1",
            "start_time": "2026-01-05T05:00:00.119-05:00",
            "tracking_phone_number": "+33187654321", "voicemail": False, "source": "Google Ads",
            "medium": "CPC", "campaign": "winter",
            "keywords": "boiler", "landing_page_url": "https://x/y",
        },
        {"answered": True, "id": "CAL3", "duration": "00:01:05",
        "start_time": "2026-01-05T11:00:00Z", "customer_phone_number": None,
            "tracking_phone_number": "+33187654321"},
        {"answered": False, "customer_phone_number": None, "id": "CAL2", "start_time": None,
        "tracking_phone_number": "+33187654321"},
    ],
}  # fmt: skip


def test_callrail_calls_are_contacts(centre: Path) -> None:
    staged, rows = stage(centre, "calls.json", CALLRAIL)
    assert staged.profile == "callrail" and staged.tally.reasons == {"missing_start": 1}
    assert pick(rows, "contact_id", "outcome", "talk_seconds", "source", "campaign", "keyword") == [
        ("CAL1", "answered", 60.0, "Google Ads", "winter", "boiler"),
        ("CAL3", "answered", 65.0, None, None, None),
    ]
    assert str(rows[0]["started_at"]) == "2026-01-05 10:00:00.119000"


def test_callrail_calls_are_tracking_by_number_and_time(centre: Path) -> None:
    _staged, rows = stage(centre, "calls.json", CALLRAIL, "tracking")
    assert pick(rows, "contact_id", "tracking_number", "campaign", "medium") == [
        (None, "+33187654321", "winter", "CPC"),
        (None, "+33187654321", None, None),
    ]


def test_calltrackingmetrics_reads_epochs_and_skips_texts(centre: Path) -> None:
    def call(own: int, **more: Any) -> dict[str, Any]:
        return {
            "id": own,
            "sid": f"CA{own}",
            "tracking_number": "+33187654321",
            "caller_number": "+33612345678",
            "unix_time": 1_767_603_600,
            "called_at": "2026-01-05 10:00 AM +01:00",
            **more,
        }

    staged, rows = stage(
        centre,
        "calls.json",
        {
            "calls": [
                call(
                    1,
                    direction="inbound",
                    dial_status="answered",
                    talk_time=70,
                    ring_time=8,
                    source="Bing",
                    paid={"campaign": "brand"},
                    agent={"email": "ann@x.fr"},
                ),
                call(2, direction="inbound", dial_status="no answer", talk_time=0, ring_time=20),
                call(3, direction="msg_inbound"),
                call(4, direction="inbound", dial_status="answered", unix_time=None),
            ]
        },
    )
    assert staged.profile == "calltrackingmetrics" and staged.tally.skipped_kinds == {
        "msg_inbound": 1
    }
    assert pick(
        rows,
        "contact_id",
        "outcome",
        "wait_seconds",
        "talk_seconds",
        "source",
        "campaign",
        "advisor",
    ) == [
        ("1", "answered", 8.0, 70.0, "Bing", "brand", "ann@x.fr"),
        ("2", "unanswered", 20.0, None, None, None, None),
        ("4", "answered", None, None, None, None, None),
    ]
    assert str(rows[2]["started_at"]) == "2026-01-05 09:00:00"


def test_statistics_of_a_wallboard_are_refused_for_contacts_and_intervals(centre: Path) -> None:
    snapshot = [
        {
            "id": "Sales",
            "operation": "UPDATE",
            "VoiceIAQStats": {"esdName": "Sales", "nTotalContacts": 8},
        }
    ]
    with pytest.raises(Refusal) as refused:
        stage(centre, "VoiceIAQStats.json", "\ufeff" + json.dumps(snapshot))
    assert refused.value.code == "real_time_statistics" and "historical report" in str(
        refused.value
    )


def test_json_that_ends_too_early_is_refused_whole(centre: Path) -> None:
    with pytest.raises(Refusal) as refused:
        stage(centre, "calls.json", json.dumps(CALLRAIL)[:-40])
    assert refused.value.code == "damaged_file"
