"""Asterisk's call detail records: two layouts without a header, tables with one, and
the legs of one call.
"""

from __future__ import annotations

from pathlib import Path

from builders.platform_files import pick, stage

from qa_core.ingest.staging.pseudonyms import Pseudonyms


def csv_row(
    src: str,
    dst: str,
    start: str,
    answer: str,
    end: str,
    billsec: int,
    disposition: str,
    unique: str,
    channel: str = "SIP/trunk-01",
    to: str = "SIP/101-0a1b2c3d",
    app: str = "Dial",
) -> str:
    """One line as cdr_csv writes it."""
    return (
        f'"","{src}","{dst}","from-trunk","""Someone"" '
        f'<{src}>","{channel}","{to}","{app}","sales,t","{start}",'
        f'"{answer}","{end}",40,{billsec},"{disposition}","DOCUMENTATION","{unique}",""'
    )


ANSWERED = csv_row(
    "0612345678",
    "0187654321",
    "2026-01-05 10:00:00",
    "2026-01-05 10:00:10",
    "2026-01-05 10:00:40",
    30,
    "ANSWERED",
    "1767603600.10",
)
MISSED = csv_row(
    "0712345678",
    "0187654321",
    "2026-01-05 11:00:00",
    "",
    "2026-01-05 11:00:40",
    0,
    "NO ANSWER",
    "1767607200.11",
    to="",
)
QUEUED = csv_row(
    "anonymous",
    "600",
    "2026-01-05 12:00:00",
    "2026-01-05 12:00:00",
    "2026-01-05 12:00:40",
    40,
    "ANSWERED",
    "1767610800.12",
    to="",
    app="Queue",
)


def test_cdr_csv_is_known_by_where_its_dates_stand(centre: Path) -> None:
    staged, rows = stage(centre, "Master.csv", "\n".join([ANSWERED, MISSED, QUEUED]) + "\n")
    assert staged.profile == "asterisk_cdr"
    assert pick(
        rows,
        "contact_id",
        "direction",
        "queue",
        "advisor",
        "outcome",
        "wait_seconds",
        "talk_seconds",
        "tracking_number",
    ) == [
        ("1767603600.10", "inbound", None, "SIP/101", "answered", 10.0, 30.0, "+33187654321"),
        ("1767607200.11", "inbound", None, None, "unanswered", 40.0, None, "+33187654321"),
        ("1767610800.12", "inbound", "sales", None, "abandoned", 40.0, None, None),
    ]
    assert (
        str(rows[0]["started_at"]) == "2026-01-05 09:00:00"
        and str(rows[0]["local_start"]) == "2026-01-05 10:00:00"
    )
    assert rows[0]["customer_key"] == Pseudonyms.current().find_key("0612345678")
    assert rows[2]["customer_key"] is None


def test_cdr_custom_with_a_linked_id_makes_one_contact_of_its_legs(centre: Path) -> None:
    def row(
        src: str,
        dst: str,
        to: str,
        start: str,
        answer: str,
        end: str,
        billsec: int,
        disposition: str,
        unique: str,
    ) -> str:
        return (
            f'"""X"" <{src}>","{src}","{dst}","from-pstn","SIP/t-00000001","{to}","Dial","x",'
            f'"{start}","{answer}","{end}",'
            f'"9","{billsec}","{disposition}","DOCUMENTATION","","{unique}","",7,"1767603600.1"'
        )

    staged, rows = stage(
        centre,
        "Master.csv",
        "\n".join(
            [
                row(
                    "0612345678",
                    "101",
                    "SIP/101-00000002",
                    "2026-01-05 10:00:00",
                    "",
                    "2026-01-05 10:00:15",
                    0,
                    "NO ANSWER",
                    "1767603600.1",
                ),
                row(
                    "0612345678",
                    "102",
                    "SIP/102-00000003",
                    "2026-01-05 10:00:15",
                    "2026-01-05 10:00:20",
                    "2026-01-05 10:01:20",
                    60,
                    "ANSWERED",
                    "1767603600.3",
                ),
                row(
                    "0612345678",
                    "103",
                    "SIP/103-00000004",
                    "2026-01-05 10:01:10",
                    "2026-01-05 10:01:15",
                    "2026-01-05 10:02:00",
                    45,
                    "ANSWERED",
                    "1767603600.5",
                ),
            ]
        ),
    )
    # 10:00:20 to 10:02:00: the five seconds in which both legs were up count once.
    assert pick(
        rows, "contact_id", "advisor", "outcome", "wait_seconds", "talk_seconds", "transfers"
    ) == [("1767603600.1", "SIP/103", "answered", 20.0, 100.0, 1)]
    assert staged.tally.read == 3 and staged.tally.folded_kinds == {"leg": 2}


def test_a_quote_that_is_never_closed_costs_no_other_row(centre: Path) -> None:
    staged, rows = stage(centre, "cdr.csv", ANSWERED[:-2] + '"\n' + MISSED + "\n\n")
    assert len(rows) == 2 and staged.tally.skipped_kinds == {"blank": 1}


def test_a_table_with_headers_is_read_by_their_names(centre: Path) -> None:
    staged, rows = stage(
        centre,
        "cdr.csv",
        "calldate,clid,src,dst,dcontext,channel,dstchannel,lastapp,lastdata,duration,billsec,"
        "disposition,amaflags,accountcode,uniqueid,userfield,"
        "did,recordingfile,linkedid\n"
        "2026-01-05 "
        "10:00:00,x,0612345678,600,ext-queues,SIP/t-00000001,Local/101@from-queue-00000002;1,"
        "Queue,sales,50,30,ANSWERED,3,,"
        "1767603600.1,,0187654321,out.wav,1767603600.1\n"
        "2026-01-05 "
        "10:10:00,x,101,0712345678,from-internal,SIP/101-00000004,SIP/t-00000005,Dial,x,20,0,"
        "BUSY,3,,1767604200.4,,,,1767604200.4\n"
        "2026-02-30 "
        "10:10:00,x,101,0712345678,from-internal,SIP/101-00000004,SIP/t-00000005,Dial,x,20,0,"
        "BUSY,3,,1767604200.9,,,,1767604200.9\n",
    )
    assert staged.tally.read == 3 and staged.tally.reasons == {"impossible_date": 1}
    assert pick(
        rows,
        "direction",
        "queue",
        "advisor",
        "outcome",
        "wait_seconds",
        "talk_seconds",
        "tracking_number",
        "recorded",
    ) == [
        ("inbound", "sales", "Local/101@from-queue", "answered", 20.0, 30.0, "+33187654321", True),
        ("outbound", None, None, "refused", 20.0, None, None, False),
    ]


def test_a_table_of_contacts_is_no_cdr(centre: Path) -> None:
    staged, _rows = stage(
        centre, "calls.csv", "uniqueid,start,src,billsec\n1.1,2026-01-05 10:00:00,0612345678,30\n"
    )
    assert staged.profile == "generic"


def test_a_call_that_begins_before_the_clock_goes_back_has_waited_no_hour_less(
    centre: Path,
) -> None:
    head = "src,dst,channel,dstchannel,start,answer,end,duration,billsec,disposition,uniqueid\n"
    row = (
        "0612345678,600,PJSIP/trunk-00000001,PJSIP/101-00000002,2026-10-25 "
        "02:59:50,2026-10-25 02:00:10,2026-10-25 02:01:10,80,60,ANSWERED,1.1\n"
    )
    zoned = (
        "0612345678,600,PJSIP/trunk-00000001,PJSIP/101-00000002,2026-01-05 "
        "09:00:00+02,2026-01-05 09:00:20+02,,80,60,ANSWERED,1.2\n"
    )
    _staged, rows = stage(centre, "cdr.csv", head + row + zoned)
    assert pick(rows, "wait_seconds", "talk_seconds") == [(20.0, 60.0), (20.0, 60.0)]
    assert str(rows[1]["started_at"]) == "2026-01-05 07:00:00"


def test_an_announcement_without_a_second_channel_is_no_answer(centre: Path) -> None:
    times = ("2026-01-05 13:00:00", "2026-01-05 13:00:00", "2026-01-05 13:00:20")
    played = [
        csv_row("0612345678", "0187654321", *times, 20, "ANSWERED", f"176761{n}.1", to="", app=app)
        for n, app in enumerate(("Playback", "BackGround", "Hangup"), 4410)
    ]
    text = "\n".join([ANSWERED, *played]) + "\n"
    rows = stage(centre, "Master.csv", text)[1]
    assert [row["outcome"] for row in rows] == ["answered", *["unanswered"] * 3]
