"""Lines, advisors and contacts that are never recorded or heard: audio that is stored goes
at once, the contact still counts, and an advisor asks and is answered in the product.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, land
from builders.import_files import bring, find_contacts
from builders.listening_centre import accredit, inform, keep_audio, open_gates
from builders.platform_files import stage
from builders.sounds import make
from streamlit.testing.v1 import AppTest

from qa_core import ingest
from qa_core.access import accounts
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.centre.rules import name_decisions
from qa_core.cli.app import run
from qa_core.compliance import requests
from qa_core.compliance.conditions import exclusions
from qa_core.files.options import ImportOptions
from qa_core.ingest.load import recovery
from qa_core.ingest.staging.excluded_lines import ExcludedLines
from qa_core.ingest.watch.queue_log import Follower
from qa_core.metrics.kpi.measure import measure
from qa_core.storage.records import store
from qa_core.storage.records.listening import Recording
from qa_core.storage.records.retention import ListeningExclusion
from qa_core.upkeep import subjects

SYSTEM = Viewer.SYSTEM
RECENT = datetime.combine(environment.today() - timedelta(days=2), time(9))
CALL = {"team": "Nord", "notice_played": True, "talk_seconds": 60.0}


@pytest.fixture
def kept(start_from: Callable[..., Any], add_person: Callable[..., str], tmp_path: Path) -> Path:
    start_from(build_kept, add_person, tmp_path)
    return tmp_path


def build_kept(add_person: Callable[..., str], folder: Path) -> None:
    """Three contacts with audio: `a` of Ann, `b` of Bob, `c` of Bob on another line."""
    add_person("eve", "evaluator")
    add_people({"A1": "Ann", "4501": "Bob"}, {"Nord": "Lille"})
    open_gates()
    accredit("eve")
    inform("A1", "4501")
    land(
        [
            contact(RECENT, "a", advisor_id="A1", tracking_number="+33144556677", **CALL),
            contact(RECENT, "b", advisor_id="4501", **CALL),
            contact(RECENT, "c", advisor_id="4501", tracking_number="+33144550000", **CALL),
        ]
    )
    with store.writing() as session:
        for name in "abc":
            keep_audio(session, name, make(folder / f"{name}.wav"))


def find_audio() -> set[str]:
    with store.reading() as session:
        return set(
            session.scalars(sa.select(Recording.contact_id).where(Recording.file_name.is_not(None)))
        )


def count_contacts() -> int:
    return int(measure(SYSTEM, ("received",))["value"][0])


def test_a_line_is_excluded_by_its_number_however_it_is_written(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["exclusions", "add", "--line", "01 44 55 66 77", "--json"]) == 0
    [entry] = json.loads(capsys.readouterr().out)
    assert (entry["what"], entry["reason"]) == ("line +33144556677", "private")

    assert find_audio() == {"b", "c"}
    files = (environment.current().folder / "recordings").rglob("*")
    assert sum(path.is_file() for path in files) == 2
    assert count_contacts() == 3
    with store.reading() as session:
        gone = session.scalar(sa.select(Recording).where(Recording.contact_id == "a"))
    assert gone.deleted_because == "excluded"

    assert run(["exclusions", "remove", str(entry["id"])]) == 0
    assert run(["exclusions", "remove", str(entry["id"])]) == 1
    assert find_audio() == {"b", "c"}


def test_an_extension_is_excluded_as_the_advisor_who_answers(kept: Path) -> None:
    assert subjects.exclude(SYSTEM, "representative", advisor="4501").recordings == 2
    assert find_audio() == {"a"}
    subjects.exclude(SYSTEM, "representative", advisor="4501")  # again: no second entry
    assert [entry.what for entry in exclusions.find_all(SYSTEM)] == ["advisor Bob"]

    subjects.erase(SYSTEM, advisor="4501")
    assert exclusions.find_all(SYSTEM) == []


def test_a_contact_that_a_later_file_gives_to_an_excluded_line_loses_its_audio(kept: Path) -> None:
    subjects.exclude(SYSTEM, "private", line="+33144559999")
    path = kept / "later.csv"
    path.write_text(
        "source_system,contact_id,started_at,tracking_number\n"
        f"generic,b,{RECENT:%Y-%m-%d %H:%M},+33144559999\n"
    )
    [report] = ingest.run(SYSTEM, "contacts", [path], ImportOptions(system="generic"))

    assert not report.is_refused
    assert find_audio() == {"a", "c"}
    assert find_contacts("tracking_number")


def test_a_tracking_file_and_a_merged_advisor_take_audio_away_too(kept: Path) -> None:
    subjects.exclude(SYSTEM, "private", line="+33144559999")
    tracking = "contact_id,tracking_number,source,campaign\nb,+33144559999,Google,Spring\n"
    bring(kept, "tracking", tracking)
    assert find_audio() == {"a", "c"}

    add_people({"V": "Vera"})
    subjects.exclude(SYSTEM, "representative", advisor="V")
    name_decisions.merge(SYSTEM, "advisor", "A1", "V")
    recovery.apply_due_rules()
    assert find_audio() == {"c"}


def test_what_was_entered_before_it_was_checked_is_entered_again_by_a_replay(kept: Path) -> None:
    subjects.exclude(SYSTEM, "private", line="abc", must_exist=False)
    subjects.exclude(SYSTEM, "private", contacts=[(None, "nope")], must_exist=False)
    assert len(exclusions.find_all(SYSTEM)) == 2


def test_an_act_says_how_many_contacts_it_met(kept: Path) -> None:
    met = subjects.exclude(SYSTEM, "private", contacts=[(None, "a")])
    assert (met.contacts, met.recordings) == (1, 1)
    nobody = subjects.exclude(SYSTEM, "private", line="+33144559998")
    assert (nobody.contacts, nobody.recordings) == (0, 0)
    assert "It met nothing" in nobody.describe()


def test_what_is_no_exclusion_is_refused(kept: Path) -> None:
    with pytest.raises(Misuse):
        subjects.exclude(SYSTEM, "private")
    with pytest.raises(Misuse):
        subjects.exclude(SYSTEM, "gossip", line="+33144556677")
    for junk in ({"line": "abc"}, {"contacts": [(None, "nope")]}, {"contacts": [("other", "a")]}):
        with pytest.raises(Refusal):
            subjects.exclude(SYSTEM, "private", **junk)
    with store.reading() as session:
        assert session.scalar(sa.select(sa.func.count(ListeningExclusion.id))) == 0
    for role in set(Role) - {Role.DPO}:
        with pytest.raises(AccessDenied):
            subjects.exclude(Viewer("somebody", role), "private", line="+33144556677")


def test_an_advisor_asks_the_officer_answers_and_the_advisor_sees_it(
    kept: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("ann", "advisor", advisor_id="A1")
    add_person("dora", "dpo")
    app = open_app("ann", "contact", system="generic", id="a")
    next(button for button in app.button if button.label == "Send").click().run()
    assert not app.exception
    assert any("answer due by" in item.value for item in app.text)

    with store.reading() as session:
        ann = accounts.get_viewer(session, "ann")
    with pytest.raises(Refusal):
        requests.ask_exclusion(ann, "generic", "a")
    with pytest.raises(AccessDenied):
        requests.ask_exclusion(ann, "generic", "b")  # of somebody else

    app = open_app("dora", "listening_rules", section="requests")
    next(button for button in app.button if button.label == "Exclude").click().run()
    next(field for field in app.text_input if field.label == "Answer given").set_value("Yes.")
    next(button for button in app.button if button.label == "Record the answer").click().run()
    assert not app.exception

    assert find_audio() == {"b", "c"}
    assert exclusions.find_all(SYSTEM)[0].reason == "requested"
    app = open_app("ann", "contact", system="generic", id="a")
    assert any("Yes" in item.value and "Answered on" in item.value for item in app.markdown)


def test_the_officer_keeps_the_list_on_the_page(
    kept: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("dora", "dpo")
    app = open_app("dora", "listening_rules", section="rights")
    app.selectbox(key="officer_act").set_value("exclude").run()
    app.text_input(key="act_exclude_who").set_value("01 44 55 66 77")
    next(button for button in app.button if button.label == "Exclude").click().run()
    assert not app.exception
    assert find_audio() == {"b", "c"}

    next(button for button in app.button if button.label == "Remove").click().run()
    assert not app.exception
    assert exclusions.find_all(SYSTEM) == []


def test_the_data_protection_officer_alone_takes_an_entry_off_the_list(centre: Path) -> None:
    dpo = Viewer("dpo", Role.DPO)
    with store.writing() as session:
        exclusions.add(session, dpo, "private", number="0612345601")
    [entry] = exclusions.find_all(dpo)
    with pytest.raises(AccessDenied):
        exclusions.remove(Viewer("ada", Role.ADMIN), entry.id)
    assert exclusions.find_all(dpo) == [entry]
    exclusions.remove(dpo, entry.id)
    assert exclusions.find_all(dpo) == []
    with pytest.raises(AccessDenied):
        exclusions.remove(dpo, entry.id)


LINE = "+33144559999"
CALLED = "contact_id,started_at,direction,caller,called,outcome,note\n"


def find_private() -> list[str]:
    return [name for name, is_private in find_contacts("private_line") if is_private]


def test_every_number_of_a_row_is_compared_with_excluded_lines_at_import(kept: Path) -> None:
    subjects.exclude(SYSTEM, "representative", line=LINE)
    rows = (
        ("d", "inbound", "0611223344", "01 44 55 99 99", ""),  # dialled, and kept nowhere
        ("e", "outbound", "tel:+33144559999", "0611223344", ""),
        ("f", "inbound", "0144559999", "0144550000", ""),
        ("g", "inbound", "0611223344", "0144550000", "0033144559999"),  # a column of no field
        ("h", "inbound", "0611223344", "0144550000", "144559999 0"),
    )
    text = CALLED + "".join(
        f"{name},{RECENT:%Y-%m-%d %H:%M},{way},{caller},{called},answered,{note}\n"
        for name, way, caller, called, note in rows
    )
    bring(kept, "contacts", text)
    assert find_private() == ["d", "e", "f", "g"]
    assert count_contacts() == 7  # they still count: three stored, four of five inbound

    later = f"contact_id,started_at,outcome\nd,{RECENT:%Y-%m-%d %H:%M},answered\n"
    bring(kept, "contacts", later)  # a file without numbers changes nothing
    assert find_private() == ["d", "e", "f", "g"]


def test_a_contact_of_a_line_that_was_excluded_by_mistake_is_corrected(kept: Path) -> None:
    subjects.exclude(SYSTEM, "representative", line=LINE)
    row = f"d,{RECENT:%Y-%m-%d %H:%M},inbound,0611223344,{LINE},answered,\n"
    bring(kept, "contacts", CALLED + row)
    exclusions.remove(SYSTEM, exclusions.find_all(SYSTEM)[0].id)
    assert find_private() == ["d"]

    subjects.rectify(SYSTEM, (None, "d"), {"private_line": "false"}, "the line of the sales desk")
    assert find_private() == []
    bring(kept, "contacts", (CALLED + row).replace("answered", "abandoned"))
    assert find_private() == [] and ("d", "abandoned") in find_contacts("outcome")


CDR = (
    '"","{caller}","{called}","from-trunk","""A"" <{caller}>","SIP/trunk-01","SIP/101-0a","Dial",'
    '"sales,t","{at}","{at}","2026-01-05 10:00:40",40,30,"ANSWERED","DOCUMENTATION","{unique}",""\n'
)


def test_a_platform_export_is_compared_likewise_all_legs_of_a_contact(centre: Path) -> None:
    subjects.exclude(SYSTEM, "representative", line=LINE)
    legs = (
        ("0612345678", "0187654321", "1767603600.10"),
        ("0612345678", "0144559999", "1767603600.10"),  # passed on to the line
        ("0612345678", "0187654321", "1767603600.11"),
    )
    text = "".join(
        CDR.format(caller=caller, called=called, unique=unique, at="2026-01-05 10:00:10")
        for caller, called, unique in legs
    )
    _staged, rows = stage(centre, "Master.csv", text)
    assert [(row["contact_id"], row["excluded_line"]) for row in rows] == [
        ("1767603600.10", True),
        ("1767603600.11", False),
    ]


def test_a_queue_log_is_compared_as_a_whole_and_while_it_is_written(centre: Path) -> None:
    subjects.exclude(SYSTEM, "representative", line=LINE)
    events = (
        "NONE|DID|0144559999", "NONE|ENTERQUEUE||0612345678|1", "A1|CONNECT|4||2",
        "A1|COMPLETECALLER|4|9|1",
    )  # fmt: skip
    others = [("2.2", event.replace("0144559999", "0187654321")) for event in events]
    calls = [("1.1", event) for event in events] + others
    lines = [f"{1767603600 + at}|{call}|sales|{event}\n" for at, (call, event) in enumerate(calls)]
    _staged, rows = stage(centre, "queue_log", "".join(lines))
    assert {(row["contact_id"], row["excluded_line"]) for row in rows} == {
        ("1.1", True),
        ("2.2", False),
    }

    # The number comes in one look at the log, the end of the call in the next.
    log = centre / "watched" / "queue_log"
    log.parent.mkdir()
    log.write_text("".join(lines[:2]))
    list(Follower(SYSTEM, log).catch_up())
    log.write_text("".join(lines))
    list(Follower(SYSTEM, log).catch_up())
    assert find_contacts("private_line") == [("1.1", True), ("2.2", None)]


def test_a_short_number_is_a_line_only_where_a_row_has_numbers() -> None:
    lines = ExcludedLines([LINE, "4501"], "FR")
    nested = {"participants": [{"address": f"sip:{LINE}@pbx"}, {"address": "+33611223344"}]}
    assert lines.is_in_record(nested, [])
    assert lines.is_in_record({}, ["4501"]) and not lines.is_in_record({"seconds": "4501"}, [])


def test_stored_contacts_are_met_by_what_is_kept_and_the_others_are_counted(kept: Path) -> None:
    row = f"k,{RECENT:%Y-%m-%d %H:%M},inbound,{LINE},0144550001,answered,\n"
    bring(kept, "contacts", CALLED + row)
    met = subjects.exclude(SYSTEM, "private", line=LINE)

    # `k` was called from the line, whose pseudonym is kept; neither it nor `b` has a line number.
    assert (met.contacts, met.unknown) == (1, 2)
    assert find_private() == ["k"]
    assert "2 contacts imported before have no line number" in met.describe()
