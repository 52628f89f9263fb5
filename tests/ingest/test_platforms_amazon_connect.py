"""Amazon Connect contact records: the newest copy of each wins, and a chain of
transfers is one contact.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from builders.platform_files import pick, stage

from qa_core.access.roles import Viewer
from qa_core.ingest import run


def record(
    own: str,
    at: str,
    method: str = "INBOUND",
    agent: str | None = None,
    talk: int = 0,
    wait: int = 10,
    updated: str = "12:00:00",
    **more: Any,
) -> dict[str, Any]:
    """One contact record of 5 January 2026, as Connect writes it."""
    worker = {
        "Username": agent,
        "ConnectedToAgentTimestamp": f"2026-01-05T{at[:6]}30Z",
        "AgentInteractionDuration": talk,
        "AfterContactWorkDuration": 5,
        "CustomerHoldDuration": 2,
    }
    return {
        "AWSAccountId": "1",
        "Agent": worker if agent else None,
        "Channel": "VOICE",
        "ContactId": own,
        "CustomerEndpoint": {"Address": "+33612345678", "Type": "TELEPHONE_NUMBER"},
        "DisconnectReason": "CUSTOMER_DISCONNECT",
        "DisconnectTimestamp": "2026-01-05T11:00:00Z",
        "InitiationMethod": method,
        "InitiationTimestamp": f"2026-01-05T{at}Z",
        "LastUpdateTimestamp": f"2026-01-05T{updated}Z",
        "Queue": {"Name": "Sales", "Duration": wait},
        "Recordings": [{"Status": "AVAILABLE"}],
        "SystemEndpoint": {"Address": "+33187654321"},
        **more,
    }


CHAIN = [
    record("c1", "10:00:00", agent="ann", talk=100, NextContactId="c2"),
    record(
        "c2",
        "10:02:00",
        "TRANSFER",
        agent="bob",
        talk=50,
        wait=7,
        InitialContactId="c1",
        PreviousContactId="c1",
    ),
]


def test_a_transferred_call_is_one_contact_under_its_first_id(centre: Path) -> None:
    staged, rows = stage(centre, "ctr", "\n".join(json.dumps(item) for item in CHAIN))
    assert staged.profile == "amazon_connect" and staged.tally.folded_kinds == {"leg": 1}
    names = (
        "contact_id",
        "direction",
        "channel",
        "queue",
        "advisor",
        "outcome",
        "wait_seconds",
        "talk_seconds",
        "hold_seconds",
        "wrap_seconds",
        "transfers",
        "recorded",
    )
    assert pick(rows, *names) == [
        ("c1", "inbound", "phone", "Sales", "bob", "answered", 10.0, 150.0, 4.0, 10.0, 1, True)
    ]
    assert (
        str(rows[0]["started_at"]) == "2026-01-05 10:00:00"
        and rows[0]["tracking_number"] == "+33187654321"
    )


def test_a_list_reads_like_lines(centre: Path) -> None:
    assert (
        stage(centre, "list.json", CHAIN)[1]
        == stage(centre, "lines.json", "\n".join(json.dumps(item) for item in CHAIN))[1]
    )


def test_of_copies_the_greatest_update_wins_and_the_others_are_duplicates(centre: Path) -> None:
    new, old = (
        record("c1", "10:00:00", agent="ann", talk=90, updated="12:30:00"),
        record("c1", "10:00:00", agent="ann", talk=10, updated="12:00:00"),
    )
    path = centre / "ctr.json"
    path.write_text("\n".join(json.dumps(item) for item in (old, new, old)))
    report = run(Viewer.SYSTEM, "contacts", [path])[0]
    assert (report.tally.read, report.tally.new, report.tally.duplicates, report.tally.folded) == (
        3,
        1,
        2,
        0,
    )


def test_who_hung_up_before_an_agent_abandoned_and_a_call_back_is_a_contact_of_its_own(
    centre: Path,
) -> None:
    _staged, rows = stage(
        centre,
        "ctr",
        [
            record("a", "10:00:00", wait=33),
            record(
                "b",
                "10:10:00",
                wait=3,
                NextContactId="b2",
                DisconnectReason="CONTACT_FLOW_DISCONNECT",
            ),
            record(
                "b2",
                "10:20:00",
                "CALLBACK",
                agent="ann",
                talk=60,
                InitialContactId="b",
                PreviousContactId="b",
            ),
        ],
    )
    assert pick(rows, "contact_id", "direction", "outcome", "wait_seconds", "talk_seconds") == [
        ("a", "inbound", "abandoned", 33.0, None),
        ("b", "inbound", "overflow", 3.0, None),
        ("b2", "outbound", "answered", 10.0, 60.0),
    ]


def test_what_the_interface_for_programs_gives_is_read_like_records(centre: Path) -> None:
    first = {
        "Id": "c1",
        "InitiationMethod": "INBOUND",
        "Channel": "VOICE",
        "InitiationTimestamp": 1767607200.0,
        "DisconnectTimestamp": 1767607500.0,
        "QueueInfo": {"Id": "q1", "EnqueueTimestamp": 1767607205.0},
        "AgentInfo": {"Id": "ann", "ConnectedToAgentTimestamp": 1767607225.5},
    }
    second = first | {
        "Id": "c2",
        "InitiationMethod": "TRANSFER",
        "InitiationTimestamp": "2026-01-05T10:05:00Z",
        "InitialContactId": "c1",
        "AgentInfo": None,
    }
    staged, rows = stage(centre, "contacts.json", {"Contacts": [first, second]})
    assert staged.profile == "amazon_connect" and staged.tally.folded_kinds == {"leg": 1}
    assert pick(
        rows, "contact_id", "advisor", "outcome", "wait_seconds", "talk_seconds", "transfers"
    ) == [("c1", "ann", "answered", 20.5, 274.5, 1)]
    assert stage(centre, "contact.json", {"Contact": first})[0].profile == "amazon_connect"
