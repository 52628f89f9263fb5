"""Legs of one contact that come in different files: whichever comes first, it is one
contact with all of them, and stays so.
"""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.import_files import find_contacts
from builders.long_seeds import leave_to_long

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.storage.records import store
from qa_core.storage.records.imports import WaitingRow

COLUMNS = (
    "started_at",
    "direction",
    "advisor_id",
    "outcome",
    "wait_seconds",
    "talk_seconds",
    "transfers",
)


def record(
    own: str, at: str, agent: str, talk: int, method: str = "TRANSFER", **links: str
) -> dict[str, Any]:
    """A contact record of Amazon Connect, answered ten seconds after it began."""
    return {
        "ContactId": own,
        "InitiationMethod": method,
        "InitiationTimestamp": f"2026-01-05T10:{at}:00Z",
        "DisconnectTimestamp": "2026-01-05T11:00:00Z",
        "Channel": "VOICE",
        "Queue": {"Name": "Sales", "Duration": 10},
        "Agent": {
            "Username": agent,
            "ConnectedToAgentTimestamp": f"2026-01-05T10:{at}:10Z",
            "AgentInteractionDuration": talk,
        },
        **links,
    }


CONNECT = (
    record("c1", "00", "ann", 100, "INBOUND", NextContactId="c2"),
    record(
        "c2", "02", "bob", 50, InitialContactId="c1", PreviousContactId="c1", NextContactId="c3"
    ),
    record("c3", "03", "cat", 25, InitialContactId="c1", PreviousContactId="c2"),
)


def call(sid: str, at: str, seconds: int, to: str, parent: str | None = None) -> dict[str, Any]:
    return {
        "sid": sid,
        "account_sid": "AC1",
        "parent_call_sid": parent,
        "direction": "outbound-dial" if parent else "inbound",
        "status": "completed",
        "start_time": f"Mon, 05 Jan 2026 10:{at} +0000",
        "duration": str(seconds),
        "from": "+33612345678",
        "to": to,
    }


TWILIO = (call("CA1", "00:00", 130, "+33187654321"), call("CA2", "00:20", 110, "client:ann", "CA1"))

HEADER = (
    "uuid,originating_leg_uuid,direction,caller_id_number,destination_number,start_stamp,"
    "answer_stamp,end_stamp,duration,billsec,hangup_cause"
)
FREESWITCH = (
    "a,,inbound,+33612345678,+33187654321,2026-01-05 11:00:00,2026-01-05 11:00:01,2026-01-05 "
    "11:05:00,300,299,NORMAL_CLEARING",
    "b,a,outbound,+33612345678,1001,2026-01-05 11:00:30,2026-01-05 11:00:40,2026-01-05 "
    "11:02:40,130,120,NORMAL_CLEARING",
    "c,b,outbound,1001,1002,2026-01-05 11:02:30,2026-01-05 11:02:40,2026-01-05 "
    "11:05:00,150,140,NORMAL_CLEARING",
)


def bring(folder: Path, name: str, text: str) -> Any:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    report = ingest.run(Viewer.SYSTEM, "contacts", [path])[0]
    assert not report.is_refused, report.as_text()
    report.tally.require_identity(report.file)
    return report


ORDERS = [
    *(
        ("connect", [json.dumps(item) for item in order])
        for order in (CONNECT, CONNECT[::-1], CONNECT[2:] + CONNECT[:2])
    ),
    *(
        ("twilio", [json.dumps({"calls": [item]}) for item in order])
        for order in itertools.permutations(TWILIO)
    ),
    *(
        ("freeswitch", [f"{HEADER}\n{leg}\n" for leg in order])
        for order in (FREESWITCH, FREESWITCH[::-1], FREESWITCH[1:] + FREESWITCH[:1])
    ),
]
WHOLE = {
    "connect": ("2026-01-05 10:00:00", "inbound", "cat", "answered", 10.0, 175.0, 2),
    "twilio": ("2026-01-05 10:00:00", "inbound", "ann", "answered", 20.0, 110.0, None),
    "freeswitch": ("2026-01-05 10:00:00", "inbound", "1002", "answered", 40.0, 260.0, 1),
}


IN_EACH_RUN = [ORDERS[place] for place in (1, 4, 7)]
"""Each platform's legs, a later one first."""


@pytest.mark.parametrize(
    ("platform", "files"),
    leave_to_long(ORDERS, but=IN_EACH_RUN),
    ids=[f"{platform}-{number}" for number, (platform, _files) in enumerate(ORDERS)],
)
def test_legs_in_files_of_their_own_make_one_contact_in_any_order(
    centre: Path, platform: str, files: list[str]
) -> None:
    first, *later = [bring(centre, f"{number}.export", text) for number, text in enumerate(files)]
    assert first.tally.new == 1 and all(
        (report.tally.new, report.tally.updated) == (0, 1) for report in later
    )
    ((_own, started, *values),) = find_contacts(*COLUMNS)
    assert (str(started), *values) == WHOLE[platform]
    again = [bring(centre, f"{number}.export.gz", text) for number, text in enumerate(files)]
    assert all(
        (report.tally.unchanged, report.tally.updated, report.tally.new) == (1, 0, 0)
        for report in again
    )


def test_a_leg_that_an_earlier_version_kept_still_counts(centre: Path) -> None:
    bring(centre, "first", json.dumps(CONNECT[0]))
    earlier = {"wait_seconds": "wait", "talk_seconds": "talk", "tracking_number": "did"}
    with store.writing() as session:
        (leg,) = session.scalars(sa.select(WaitingRow).where(WaitingRow.kind == "legs"))
        values = {earlier.get(name, name): value for name, value in leg.content["values"].items()}
        leg.content = leg.content | {"values": values}

    bring(centre, "later", json.dumps(CONNECT[1]))

    assert find_contacts("wait_seconds", "talk_seconds") == [("c1", 10.0, 150.0)]


def test_taking_a_leg_back_leaves_the_contact_as_it_was(centre: Path) -> None:
    bring(centre, "first", json.dumps(CONNECT[0]))
    before = find_contacts(*COLUMNS)
    later = bring(centre, "later", json.dumps(CONNECT[1]))
    assert find_contacts(*COLUMNS) != before
    ingest.undo(Viewer.SYSTEM, later.batch_id)
    assert find_contacts(*COLUMNS) == before
    bring(centre, "last", json.dumps(CONNECT[2]))
    assert find_contacts("talk_seconds") == [("c1", 125.0)]


def test_legs_whose_beginning_never_comes_are_a_contact_that_stays_the_same(centre: Path) -> None:
    leg = json.dumps(TWILIO[1])
    assert bring(centre, "leg.json", leg).tally.new == 1
    before = find_contacts(*COLUMNS)
    assert (
        bring(centre, "leg.json.gz", leg).tally.unchanged == 1 and find_contacts(*COLUMNS) == before
    )


def test_a_leg_that_is_missing_for_good_parts_no_contact(centre: Path) -> None:
    report = bring(centre, "both", "\n".join(json.dumps(item) for item in (CONNECT[0], CONNECT[2])))
    assert (report.tally.new, report.tally.folded) == (1, 1) and find_contacts(
        "talk_seconds", "advisor_id"
    ) == [("c1", 125.0, "cat")]
