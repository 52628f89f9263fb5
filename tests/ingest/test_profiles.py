"""Plain tables with a platform's own headers: 3CX, Vocalcom Hermes, Google Ads;
recognised by their headers, read as any table.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.platform_files import pick, stage

from qa_core.base.errors import Refusal
from qa_core.ingest.staging.pseudonyms import Pseudonyms

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


HERMES_OF_MAY = (
    "ID;CallLocalTime;ANI;WaitDuration;ConvDuration;Abandon\n"
    "1;03/05/2026 10:00:00;0612345678;12;60;0\n"
    "2;{day}/05/2026 10:10:00;0612345678;40;0;1\n"
)


def starts(rows: list[dict]) -> list[str]:
    return [f"{row['local_start']:%Y-%m-%d}" for row in rows]


def test_a_tool_known_to_write_the_day_first_is_not_asked(centre: Path) -> None:
    staged, rows = stage(centre, "ODCalls.csv", HERMES_OF_MAY.format(day="04"))
    assert staged.profile == "vocalcom_hermes"
    assert starts(rows) == ["2026-05-03", "2026-05-04"]
    order, clock = [item.as_json() for item in staged.decisions if item.field == "started_at"]
    assert clock["decision"] == "read by the clock of Europe/Paris"
    assert order["decision"] == "day, month, year"
    assert order["evidence"] == "CallLocalTime: ← vocalcom_hermes"


def test_what_a_person_says_of_dates_goes_before_what_the_tool_usually_writes(
    centre: Path,
) -> None:
    _staged, rows = stage(centre, "ODCalls.csv", HERMES_OF_MAY.format(day="04"), date_order="mdy")
    assert starts(rows) == ["2026-03-05", "2026-04-05"]


def test_dates_that_contradict_the_usual_order_of_their_tool_are_read_as_they_are(
    centre: Path,
) -> None:
    american = HERMES_OF_MAY.format(day="04").replace("03/05/2026", "05/27/2026")
    _staged, rows = stage(centre, "ODCalls.csv", american)
    assert starts(rows) == ["2026-05-27", "2026-04-05"]


def test_the_same_dates_in_a_table_of_no_known_tool_are_asked_about(centre: Path) -> None:
    with pytest.raises(Refusal) as refused:
        stage(
            centre,
            "calls.csv",
            HERMES_OF_MAY.format(day="04"),
            profile="generic",
            columns={"started_at": "CallLocalTime"},
        )
    assert refused.value.code == "ambiguous_dates"


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


def test_the_customer_of_an_outgoing_call_is_the_number_called(centre: Path) -> None:
    """Only a caller is in `Numéro appelant` and `ANI`: the centre itself, where it calls."""
    find_key = Pseudonyms.current().find_key
    for caller, called, columns in (
        ("Numéro appelant", "Numéro appelé", {}),
        ("ANI", "DNIS", {}),
        ("Caller Number", "Dialed Number", {"tracking_number": "Dialed Number"}),
    ):
        _staged, rows = stage(
            centre,
            "calls.csv",
            f"Call ID,Start time,Direction,{caller},{called}\n"
            "C1,2026-03-20 09:00:00,Inbound,0612345601,0187654321\n"
            "C2,2026-03-20 09:10:00,Outbound,0187654321,0612345602\n",
            columns=columns,
        )
        assert [row["customer_key"] for row in rows] == [
            find_key("0612345601"),
            find_key("0612345602"),
        ]
        assert "612345602" not in str(rows)


def test_numbers_under_the_header_source_are_callers(centre: Path) -> None:
    _staged, rows = stage(
        centre,
        "calls.csv",
        "Date,Source,Destination,Statut,Sens,Agent\n"
        "2026-03-20 09:00:00,0612345601,0187654321,Décroché,Entrant,Ann\n"
        "2026-03-20 09:10:00,0612345602,0187654321,Manqué,Entrant,\n",
    )
    assert rows[0]["customer_key"] == Pseudonyms.current().find_key("0612345601")
    assert "612345601" not in str(rows)


def test_channels_under_the_header_source_are_channels(centre: Path) -> None:
    """As ticket tools export them; nobody is called `---`."""
    _staged, rows = stage(
        centre,
        "tickets.csv",
        "Ticket ID,Source,Agent,Created time\n"
        "1,Phone,Ann,2026-03-20 09:00:00\n"
        "2,Email,---,2026-03-20 09:10:00\n",
    )
    assert pick(rows, "channel", "source", "advisor") == [
        ("phone", None, "Ann"),
        ("email", None, None),
    ]
    _staged, rows = stage(
        centre,
        "leads.csv",
        "Call ID,Source,Agent,Start time\n1,Email,Ann,2026-03-20 09:00:00\n",
    )
    assert pick(rows, "source") == [("Email",)]


def test_the_reason_of_a_missed_call_says_how_it_ended(centre: Path) -> None:
    """As Aircall exports calls; `via` is no channel there."""
    _staged, rows = stage(
        centre,
        "calls.csv",
        "datetime (offset incl.),direction,from,to,answered,missed_call_reason,user,via,call_id\n"
        "2026-03-20T09:00:01+01:00,inbound,+33612345601,+33187654321,Yes,,Ann,App,1\n"
        "2026-03-20T09:10:01+01:00,inbound,+33612345602,+33187654321,No,abandoned_in_ivr,,,2\n"
        "2026-03-20T09:20:01+01:00,inbound,+33612345603,+33187654321,No,out_of_opening_hours,,,3\n"
        "2026-03-20T09:30:01+01:00,inbound,+33612345604,+33187654321,No,no_available_agent,,,4\n",
    )
    assert pick(rows, "outcome", "channel") == [
        ("answered", None),
        ("abandoned", None),
        ("closed", None),
        ("unanswered", None),
    ]
