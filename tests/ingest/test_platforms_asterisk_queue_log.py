"""Asterisk's queue_log: the events of a call are folded into one contact, in whatever
version and state the log is.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import UTC
from pathlib import Path

import pytest
from builders.long_seeds import count_seeds
from builders.platform_files import pick, stage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa_core.base.errors import Refusal
from qa_core.ingest.staging.pseudonyms import Pseudonyms

T = 1_761_000_000  # 20 October 2025, 22:40:00 UTC

DAY = f"""\
{T}|NONE|NONE|NONE|QUEUESTART|
{T + 1}|REALTIME|sales|SIP/100|ADDMEMBER|
{T + 10}|{T}.1|sales|NONE|ENTERQUEUE||0612345678|1
{T + 12}|{T}.1|sales|SIP/100|RINGNOANSWER|15000
{T + 20}|{T}.1|sales|SIP/101|CONNECT|10|{T}.2|3
{T + 80}|{T}.1|sales|SIP/101|COMPLETECALLER|10|60|1
{T + 90}|{T}.3|sales|NONE|ENTERQUEUE||anonymous|1
{T + 95}|{T}.3|sales|NONE|ABANDON|1|1|5
{T + 100}|NONE|NONE|SIP/100|PAUSE|lunch
{T + 110}|{T}.4|sales|NONE|ENTERQUEUE||0612345678|1
{T + 140}|{T}.4|sales|NONE|EXITWITHTIMEOUT|1|1|30
{T + 141}|{T}.4|help|NONE|ENTERQUEUE||0612345678|1
{T + 150}|{T}.4|help|SIP/102|CONNECT|9|{T}.5|2
{T + 170}|{T}.4|help|SIP/102|BLINDTRANSFER|500|from-internal|9|20|1
{T + 200}|{T}.6|help|NONE|ENTERQUEUE||Local/2001@from-internal/n|1
"""


def test_a_day_becomes_its_calls_and_every_line_is_accounted_for(centre: Path) -> None:
    staged, rows = stage(centre, "queue_log", DAY)
    assert staged.profile == staged.system == "asterisk_queue_log"
    assert staged.tally.read == 15
    assert staged.tally.skipped_kinds == {"addmember": 1, "pause": 1, "queuestart": 1}
    assert staged.tally.folded_kinds == {
        "abandon": 1,
        "blindtransfer": 1,
        "completecaller": 1,
        "connect": 2,
        "enterqueue": 1,
        "exitwithtimeout": 1,
        "ringnoanswer": 1,
    }
    assert pick(
        rows,
        "contact_id",
        "queue",
        "advisor",
        "outcome",
        "wait_seconds",
        "talk_seconds",
        "transfers",
    ) == [
        (f"{T}.1", "sales", "SIP/101", "answered", 10.0, 60.0, 0),
        (f"{T}.3", "sales", None, "abandoned", 5.0, None, None),
        (f"{T}.4", "help", "SIP/102", "answered", 39.0, 20.0, 1),
        (f"{T}.6", "help", None, "unanswered", None, None, None),
    ]
    assert str(rows[0]["started_at"]) == "2025-10-20 22:40:10"
    assert str(rows[0]["local_start"]) == "2025-10-21 00:40:10"
    keys = [row["customer_key"] for row in rows]
    assert keys[0] == keys[2] == Pseudonyms.current().find_key("0612345678")
    assert keys[1] is None and keys[3] is None
    assert any("did not leave it" in item.as_json()["decision"] for item in staged.decisions)


@pytest.mark.parametrize("packing", ["gzip", "zip", "crlf", "no end", "bom"])
def test_packed_and_oddly_ended_logs_read_the_same(centre: Path, packing: str) -> None:
    plain = DAY.encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("var/log/queue_log", plain)
    content = {
        "gzip": gzip.compress(plain),
        "zip": archive.getvalue(),
        "crlf": plain.replace(b"\n", b"\r\n"),
        "no end": plain.rstrip(b"\n"),
        "bom": b"\xef\xbb\xbf" + plain,
    }[packing]
    assert stage(centre, "log", content)[1] == stage(centre, "queue_log", DAY)[1]


def test_older_logs_have_fewer_pieces_and_another_name_for_transfers(centre: Path) -> None:
    _staged, rows = stage(
        centre,
        "queue_log.1",
        f"{T}|a.1|q|NONE|ENTERQUEUE||0612345678\n{T + 4}|a.1|q|Agent/1001|CONNECT|4\n{T + 34}|"
        "a.1|q|Agent/1001|TRANSFER|200|default|4|30|1\n"
        f"{T + 50}|a.2|q|NONE|ENTERQUEUE||0612345678\n{T + 60}|a.2|q|NONE|EXITWITHKEY|1|1\n",
    )
    assert pick(
        rows, "contact_id", "advisor", "outcome", "wait_seconds", "talk_seconds", "transfers"
    ) == [
        ("a.1", "Agent/1001", "answered", 4.0, 30.0, 1),
        ("a.2", None, "overflow", 10.0, None, None),
    ]


@pytest.mark.parametrize("method", ["BRIDGE|7f3a", "APP|Voicemail", "LINK|SIP/1-1|SIP/2-2"])
def test_an_attended_transfer_says_its_times_at_the_end_whatever_its_method(
    centre: Path, method: str
) -> None:
    _staged, rows = stage(
        centre,
        "queue_log",
        f"{T}|a.1|q|NONE|ENTERQUEUE||0612345678|1\n{T + 7}|a.1|q|SIP/1|CONNECT|7|b|2\n{T + 52}|"
        f"a.1|q|SIP/1|ATTENDEDTRANSFER|{method}|7|45|1\n",
    )
    assert pick(rows, "outcome", "wait_seconds", "talk_seconds", "transfers") == [
        ("answered", 7.0, 45.0, 1)
    ]


def test_a_call_answered_twice_adds_up_its_conversations_and_belongs_to_the_last_advisor(
    centre: Path,
) -> None:
    _staged, rows = stage(
        centre,
        "queue_log",
        f"{T}|a.1|q1|NONE|ENTERQUEUE||0612345678|1\n{T + 7}|a.1|q1|SIP/1|CONNECT|7|b|2\n"
        f"{T + 52}|a.1|q1|SIP/1|BLINDTRANSFER|600|x|7|45|1\n"
        f"{T + 53}|a.1|q2|NONE|ENTERQUEUE||0612345678|1\n{T + 60}|a.1|q2|SIP/2|CONNECT|7|c|2\n"
        f"{T + 90}|a.1|q2|SIP/2|COMPLETEAGENT|7|30|1\n",
    )
    assert pick(rows, "queue", "advisor", "wait_seconds", "talk_seconds", "transfers") == [
        ("q2", "SIP/2", 7.0, 75.0, 1)
    ]


def test_a_log_that_begins_in_the_middle_of_a_call_counts_back_to_its_start(centre: Path) -> None:
    staged, rows = stage(
        centre,
        "queue_log",
        f"{T + 100}|a.1|q|SIP/1|COMPLETEAGENT|20|70|1\n{T + 101}|a.2|q|SIP/1|RINGNOANSWER|"
        f"1000\n{T + 102}|a.3|q|NONE|ABANDON|1|1|12\n",
    )
    assert pick(rows, "contact_id", "outcome", "wait_seconds", "talk_seconds") == [
        ("a.1", "answered", 20.0, 70.0),
        ("a.3", "abandoned", 12.0, None),
    ]
    assert str(rows[0]["started_at"]) == "2025-10-20 22:40:10"
    assert staged.tally.skipped_kinds == {"ringnoanswer_without_call": 1}


def test_the_number_dialled_is_the_tracking_number(centre: Path) -> None:
    _staged, rows = stage(
        centre,
        "queue_log",
        f"{T}|a.1|q|NONE|DID|0187654321\n{T}|a.1|q|NONE|ENTERQUEUE||0612345678|1\n{T + 3}|a.1|"
        "q|NONE|EXITEMPTY|1|1|3\n",
    )
    assert pick(rows, "tracking_number", "outcome", "wait_seconds") == [
        ("+33187654321", "overflow", 3.0)
    ]


def test_two_logs_put_together_count_each_event_once(centre: Path) -> None:
    staged, rows = stage(centre, "queue_log", DAY + DAY)
    assert rows == stage(centre, "once", DAY)[1]
    assert staged.tally.read == 30 and staged.tally.folded_kinds["repeated_event"] == 12


def test_lines_that_are_no_events_are_rejected_without_showing_what_they_hold(centre: Path) -> None:
    staged, rows = stage(
        centre,
        "queue_log",
        DAY
        + "something else altogether\n"
        + f"{T + 300}|NONE|q|NONE|ENTERQUEUE||0612345678|1\n"
        + f"{T + 400}|a.9|q|SIP/1|COMPLETEA",
    )
    assert len(rows) == 4
    assert staged.tally.reasons == {"cut_row": 1, "missing_call_id": 1, "not_an_event": 1}


@pytest.mark.parametrize(
    "header,row",
    [
        (
            "uid,date_time,callid,queue_name,type,event,param1,param2,param3,entpos,expos,"
            "htime,ttime,time",
            "{n},2025-10-21 00:40:{s:02},{call},q,{agent},{event},,{caller},,1,1,{wait},{talk},",
        ),
        (
            "id;time;callid;queuename;agent;event;data1;data2;data3;data4;data5",
            "{n};2025-10-21 00:40:{s:02}.120000;{call};q;{agent};{event};{one};{two};;;",
        ),
        (
            "time_id,call_id,queue,agent,verb,data1,data2,data3",
            "{epoch},{call},q,{agent},{event},{one},{two},",
        ),
    ],
)
def test_exports_of_a_database_read_the_same_in_any_order(
    centre: Path, header: str, row: str
) -> None:
    events = [
        {
            "s": 0,
            "call": "a.1",
            "agent": "NONE",
            "event": "ENTERQUEUE",
            "caller": "0612345678",
            "wait": "",
            "talk": "",
            "one": "",
            "two": "0612345678",
        },
        {
            "s": 6,
            "call": "a.1",
            "agent": "SIP/7",
            "event": "CONNECT",
            "caller": "",
            "wait": "6",
            "talk": "",
            "one": "6",
            "two": "",
        },
        {
            "s": 40,
            "call": "a.1",
            "agent": "SIP/7",
            "event": "COMPLETEAGENT",
            "caller": "",
            "wait": "6",
            "talk": "34",
            "one": "6",
            "two": "34",
        },
        {
            "s": 41,
            "call": "NONE",
            "agent": "SIP/7",
            "event": "PAUSE",
            "caller": "",
            "wait": "",
            "talk": "",
            "one": "",
            "two": "",
        },
    ]
    lines = [row.format(n=n, epoch=T + event["s"], **event) for n, event in enumerate(events)]
    for order in (lines, lines[::-1]):
        staged, rows = stage(centre, "export.csv", "\n".join([header, *order]) + "\n")
        assert staged.profile == "asterisk_queue_log"
        assert pick(rows, "contact_id", "advisor", "outcome", "wait_seconds", "talk_seconds") == [
            ("a.1", "SIP/7", "answered", 6.0, 34.0)
        ]
        assert str(rows[0]["started_at"])[:19] == "2025-10-20 22:40:00"
        assert rows[0]["customer_key"] == Pseudonyms.current().find_key("0612345678")
        assert staged.tally.read == 4 and staged.tally.skipped_kinds == {"pause": 1}


def test_a_log_of_agents_alone_is_refused_and_says_what_it_holds(centre: Path) -> None:
    with pytest.raises(Refusal) as refused:
        stage(centre, "queue_log", f"{T}|NONE|NONE|SIP/1|PAUSE|x\n{T}|NONE|NONE|SIP/1|UNPAUSE|x\n")
    assert refused.value.code == "no_contacts" and "1 × pause" in str(refused.value)


def test_a_table_of_contacts_with_bars_is_no_queue_log(centre: Path) -> None:
    staged, rows = stage(
        centre,
        "calls.csv",
        "Call Id|Date|Answered\n1|2026-01-02 10:00:00|Y\n2|2026-01-13 10:00:00|N\n",
    )
    assert staged.profile == "generic" and len(rows) == 2


STEPS = st.sampled_from(["timeout", "empty", "key", "lost", "answer"])


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[int, str, str, list[str]]]:
    """The events of one call as (second, event, queue, data): it enters queues, leaves
    them, is answered, transferred, and ends somehow.
    """
    events, now, times = [], draw(st.integers(0, 50)), draw(st.integers(1, 4))
    for visit in range(times):
        queue, wait = draw(st.sampled_from("abc")), draw(st.integers(0, 90))
        now += 1  # twice the same event in the same second would be one that was written twice
        events.append((now, "ENTERQUEUE", queue, ["", "0612345678", "1"]))
        last = visit == times - 1
        step = draw(
            st.sampled_from(
                ["abandon", "answer", "timeout", "empty", "lost"]
                if last
                else ["timeout", "empty", "transfer", "lost"]
            )
        )
        if step == "lost":
            now += wait
            continue
        if draw(st.booleans()):
            events.append((now, "RINGNOANSWER", queue, ["9000"]))
        now += wait
        if step in ("abandon", "timeout", "empty"):
            events.append(
                (
                    now,
                    {"abandon": "ABANDON", "timeout": "EXITWITHTIMEOUT", "empty": "EXITEMPTY"}[
                        step
                    ],
                    queue,
                    ["1", "1", str(wait)],
                )
            )
            continue
        talk = draw(st.integers(0, 300))
        events.append((now, "CONNECT", queue, [str(wait), "x", "1"]))
        now += talk
        if step == "transfer":
            events.append((now, "BLINDTRANSFER", queue, ["5", "ctx", str(wait), str(talk), "1"]))
        elif draw(st.booleans()):
            events.append(
                (
                    now,
                    draw(st.sampled_from(["COMPLETEAGENT", "COMPLETECALLER"])),
                    queue,
                    [str(wait), str(talk), "1"],
                )
            )
    return events


def simulate(events: list[tuple[int, str, str, list[str]]]) -> tuple:
    """The same by walking through a call as its caller lived it."""
    start, answered, waited, talks, transfers, ending, queue = (
        None,
        None,
        0.0,
        [],
        0,
        "unanswered",
        None,
    )
    waits_known, entered, left = True, None, None
    for second, event, name, data in events:
        if event == "ENTERQUEUE":
            start = second if start is None else start
            if entered is not None and answered is None:
                waits_known = False
            entered = second
            ending, queue = ("unanswered", name) if answered is None else (ending, queue)
        elif event in ("ABANDON", "EXITWITHTIMEOUT", "EXITEMPTY") and answered is None:
            waited, entered, left = waited + int(data[2]), None, second
            ending = {
                "ABANDON": "abandoned",
                "EXITWITHTIMEOUT": "timeout",
                "EXITEMPTY": "overflow",
            }[event]
        elif event == "CONNECT":
            if answered is None:
                waited, left = waited + int(data[0]), second
                answered = second
            entered, queue = None, name
            talks.append(None)
        elif event == "BLINDTRANSFER":
            talks[-1], transfers = int(data[3]), transfers + 1
        elif event.startswith("COMPLETE"):
            talks[-1] = int(data[1])
    if answered is not None:
        talk = None if None in talks else float(sum(talks))
        return (
            start,
            "answered",
            waited if waits_known else float(left - start),
            talk,
            transfers,
            queue,
        )
    if ending == "unanswered":
        return start, ending, None, None, None, queue
    return start, ending, waited if waits_known else float(left - start), None, None, queue


of_any_calls = given(calls=st.lists(lives(), min_size=1, max_size=8))


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@of_any_calls
def test_folding_gives_what_walking_through_each_call_gives(
    centre: Path, calls: list[list[tuple[int, str, str, list[str]]]]
) -> None:
    compare_with_walk(centre, calls)


@pytest.mark.long
@settings(max_examples=count_seeds(400), suppress_health_check=list(HealthCheck))
@of_any_calls
def test_folding_many_logs_gives_what_walking_through_each_call_gives(
    centre: Path, calls: list[list[tuple[int, str, str, list[str]]]]
) -> None:
    compare_with_walk(centre, calls)


def compare_with_walk(centre: Path, calls: list[list[tuple[int, str, str, list[str]]]]) -> None:
    lines = sorted(
        (
            second,
            place,
            f"{T + second}|c.{number}|{queue}|{'NONE' if event == 'ENTERQUEUE' else 'SIP/1'}|"
            f"{event}|{'|'.join(data)}",
        )
        for number, events in enumerate(calls)
        for place, (second, event, queue, data) in enumerate(events)
    )
    staged, rows = stage(
        centre, "queue_log", "\n".join(line for _second, _place, line in lines) + "\n"
    )
    found = {row["contact_id"]: row for row in rows}
    assert len(found) == len(calls) == staged.accepted
    for number, events in enumerate(calls):
        row = found[f"c.{number}"]
        seen = (
            row["outcome"],
            row["wait_seconds"],
            row["talk_seconds"],
            row["transfers"],
            row["queue"],
        )
        start, *expected = simulate(events)
        assert seen == tuple(expected), events
        assert row["started_at"].replace(tzinfo=UTC).timestamp() == T + start
