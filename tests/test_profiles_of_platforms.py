"""Plain tables with a platform's own headers: 3CX, Vocalcom Hermes, Google Ads;
recognised by their headers, read as any table.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from platforms import pick, stage

from qa_core.base.errors import Refusal
from qa_core.ingest.pseudonyms import Pseudonyms

LOG = (
    "Call Time,Caller ID,Destination,Trunk,Did,Status,Ringing,Talking,Total Duration\n"
    "2026-01-13 12:00:00,Ann Lee (101),0712345678,Main,,Answered,00:00:05,00:01:00,00:01:05\n"
    "2026-01-13 11:00:00,0612345678,Sales "
    "(800),Main,0187654321,Unanswered,00:00:30,00:00:12,00:00:42\n"
    "2026-01-13 10:00:00,Bob (0612345678),Ann Lee "
    "(101),Main,0187654321,Answered,00:00:08,00:02:00,00:02:08\n"
    "Totals,,,,,,00:00:43,00:03:12,00:03:55\n"
)


def test_3cx_lists_the_newest_first_and_sums_up_below(centre: Path) -> None:
    staged, rows = stage(centre, "call_log.csv", LOG)
    assert (
        staged.profile == "3cx"
        and staged.tally.read == 4
        and staged.tally.skipped_kinds == {"footer": 1}
    )
    assert pick(
        rows, "direction", "outcome", "advisor", "wait_seconds", "talk_seconds", "tracking_number"
    ) == [
        ("outbound", "answered", "Ann Lee (101)", 5.0, 60.0, None),
        ("inbound", "unanswered", None, 30.0, None, "+33187654321"),
        ("inbound", "answered", "Ann Lee (101)", 8.0, 120.0, "+33187654321"),
    ]
    assert (
        rows[1]["customer_key"]
        == rows[2]["customer_key"]
        == Pseudonyms.current().find_key("0612345678")
    )
    assert "0612345678" not in str(staged.decisions)


def test_hermes_answers_only_where_somebody_spoke(centre: Path) -> None:
    staged, rows = stage(
        centre,
        "ODCalls.csv",
        "ID;CallLocalTime;ANI;DNIS;WaitDuration;ConvDuration;WrapupDuration;Abandon;Closed;"
        "LastQueue;FirstAgent;LastAgent;CallStatusDetail\n"
        "1;2026-01-13 10:00:00;0612345678;0187654321;12;60;5;0;0;Sales;7;8;Order\n"
        "2;2026-01-13 10:10:00;0612345678;0187654321;40;0;0;1;0;Sales;NULL;NULL;NULL\n"
        "3;2026-01-13 22:00:00;NULL;0187654321;0;0;0;0;1;NULL;NULL;NULL;NULL\n",
    )
    assert staged.profile == "vocalcom_hermes"
    assert pick(
        rows, "contact_id", "outcome", "advisor", "reason", "wait_seconds", "talk_seconds"
    ) == [
        ("1", "answered", "8", "Order", 12.0, 60.0),
        ("2", "abandoned", None, None, 40.0, None),
        ("3", "closed", None, None, 0.0, None),
    ]


ADS = (
    "Call details report\nJanuary 2026\n"
    "Start time,Duration (seconds),Caller country code,Caller area code,Status,Call "
    "source,Call type,Campaign\n"
    '"Jan 13, 2026, 10:00:00 AM",65,FR,1,Received,Ad,Mobile click-to-call,winter\n"Jan 14, '
    '2026, 11:00:00 AM",8,FR,,Missed,Ad,Mobile click-to-call,winter\n'
)


def test_google_ads_calls_have_their_campaign_and_no_number(centre: Path) -> None:
    staged, rows = stage(centre, "calls.csv", ADS)
    assert staged.profile == "google_ads_calls"
    assert pick(
        rows, "outcome", "talk_seconds", "source", "medium", "campaign", "customer_key"
    ) == [
        ("answered", 65.0, "google", "cpc", "winter", None),
        ("unanswered", None, "google", "cpc", "winter", None),
    ]


def test_google_ads_calls_cannot_be_joined_as_tracking(centre: Path) -> None:
    with pytest.raises(Refusal) as refused:
        stage(centre, "calls.csv", ADS, "tracking")
    assert refused.value.code == "missing_column"


def test_a_profile_can_be_asked_for_and_an_unknown_one_is_refused(centre: Path) -> None:
    assert (
        stage(centre, "log.csv", LOG, profile="generic", columns={"started_at": "Call Time"})[
            0
        ].profile
        == "generic"
    )
    with pytest.raises(Refusal) as refused:
        stage(centre, "log.csv", LOG, profile="4cx")
    assert refused.value.code == "unknown_profile" and "--profile 3cx" in refused.value.options
