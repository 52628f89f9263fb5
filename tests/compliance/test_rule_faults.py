"""Faults of real stores, each made by a write past the product: the rule that sees it, its
state, who acts and by when, as docs/compliance.md lists them.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.centres import contact, evaluation, land
from builders.listening_centre import build_draw, keep_audio
from builders.running_centre import CALL, RECENT, SYSTEM, build_running_centre, judge_rule, play
from builders.sounds import make

from qa_core.base import environment
from qa_core.centre import settings
from qa_core.compliance import requests
from qa_core.compliance.recordings import vault
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import (
    Accreditation,
    AdvisorNotice,
    DrawnContact,
    GateValue,
    ListeningPlan,
    Playback,
    Recording,
    SealedOpening,
)
from qa_core.storage.records.people import Account, Membership
from qa_core.storage.records.retention import (
    ListeningExclusion,
    Objection,
    Purge,
    Restriction,
    SubjectRequest,
)
from qa_core.storage.records.settings import SettingValue
from qa_core.upkeep import integrity, subjects

pytestmark = pytest.mark.owner
TODAY = environment.today()
RED, TO_DO, UNKNOWN = "not in order", "to do", "cannot be measured"
DOCUMENT = environment.PROJECT / "docs" / "compliance.md"


def change(statement: Any) -> None:
    with store.writing() as session:
        session.execute(statement)


def add(*rows: Any) -> None:
    with store.writing() as session:
        session.add_all(rows)


def enter(gate: str, value: str) -> None:
    add(GateValue(name=gate, value=value, set_by="dora"))


def evaluate(contact_id: str = "c1", **more: Any) -> None:
    add(evaluation(contact(RECENT, contact_id, **CALL), 80.0, **more))


def find_kept() -> Recording:
    with store.reading() as session:
        return session.scalar(Unscoped(sa.select(Recording), "a test"))


def find_file() -> Path:
    return vault.folder() / find_kept().file_name


def play_more(count: int) -> None:
    land([contact(RECENT, f"p{n}", **CALL) for n in range(count)])
    kept = find_kept()
    plays = [play(kept) for _n in range(count)]
    for number, one in enumerate(plays):
        one.contact_id = f"p{number}"
    add(*plays)


def end_accreditation(with_assignment: bool = False) -> None:
    yesterday = TODAY - timedelta(days=1)
    given = datetime(2026, 1, 6, 9, tzinfo=UTC)
    days = {"starts_on": given.date(), "ends_on": yesterday}
    change(sa.update(Accreditation).values(given_at=given, **days))
    if not with_assignment:
        return
    change(sa.update(Playback).values(played_at=RECENT.replace(tzinfo=UTC)))
    draw = build_draw("mia", plan=plan_listening())
    draw.contacts = [
        DrawnContact(
            position=1, source_system="generic", contact_id="c1", advisor_id="A1", team="Nord",
            local_start=RECENT, evaluator="eve",
        )
    ]  # fmt: skip
    add(draw)


def exchange_audio(folder: Path) -> None:
    with store.writing() as session:
        keep_audio(session, "c1", make(folder / "other.wav"))
    first, second = vault.folder().glob("??/*.bin")
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    integrity.check_daily()


def damage_lake() -> None:
    [path, *_others] = sorted((environment.current().folder / "lake/contacts").rglob("*.parquet"))
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 40] = bytes(40)
    path.write_bytes(bytes(content))
    integrity.check_daily()


def cut_log() -> None:
    newest = sa.select(sa.func.max(JournalRow.seq)).scalar_subquery()
    change(sa.delete(JournalRow).where(JournalRow.seq == newest))


def remove_lake_files() -> None:
    for path in (environment.current().folder / "lake/contacts").rglob("*.parquet"):
        path.unlink()


def leave_rejected() -> None:
    path = environment.current().folder / "quarantine" / "old.csv"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text("0612345678")
    os.utime(path, (OLD.timestamp(), OLD.timestamp()))


def leave_file() -> None:
    os.utime(find_file(), (OLD.timestamp(), OLD.timestamp()))
    change(sa.update(Recording).values(file_name=None, deleted_at=now()))
    integrity.check_daily()


def leave_comment() -> None:
    path = environment.current().folder / "records.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO timed_comment (evaluation_id, seconds, text, author, written_at) "
            "VALUES (999, 1, 'secret', 'eve', '2026-01-01')"
        )
    integrity.check_daily()


def leave_contacts(folder: str = "contacts/month=2026-01") -> None:
    lake = environment.current().folder / "lake"
    path = lake / folder / "part-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(next((lake / "contacts").rglob("part-*.parquet")).read_bytes())
    os.utime(path, (OLD.timestamp(), OLD.timestamp()))
    integrity.check_daily()


def delete_certificate() -> None:
    subjects.delete_audio(SYSTEM, [(None, "c0")], reason="asked for")
    change(sa.delete(Purge))


def plan_listening(purpose: str = "quality") -> ListeningPlan:
    return ListeningPlan(
        name="Nord", purpose=purpose, starts_on=TODAY, ends_on=TODAY, grid_key="service",
        per_advisor=1, maximum_per_advisor=2, created_by="mia",
    )  # fmt: skip


def make_request(**more: Any) -> None:
    requests.add(SYSTEM, "erasure", "advisor", "A1", TODAY - timedelta(days=3))
    if more:
        change(sa.update(SubjectRequest).values(**more))


def leave_centre() -> None:
    change(sa.update(Account).values(advisor_id="A1"))
    add(Membership(advisor_id="A1", team_name="Nord", ends_on=date(2026, 1, 31)))


def seal_recording(**opening: Any) -> None:
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "recording_classes", "mifid=60 art. L533-10")
    change(sa.delete(Playback))
    change(sa.update(Recording).values(kept_as="mifid", purpose="mifid"))
    if opening:
        moments = {"recording_id": find_kept().id, "confirmed_at": now()}
        add(SealedOpening(reason="r", asked_by="dora", **moments, **opening))


def secret(name: str) -> Path:
    return environment.current().secrets_folder / name


OLD = datetime(2020, 1, 15, 9)
FAULTS: dict[str, tuple[str, str, Callable[..., Any]]] = {
    "a purpose is withdrawn while its recordings are kept": (
        "R1", RED, lambda: enter("purposes", "training")),
    "a playback for a purpose that was not entered": (
        "R1", RED, lambda: add(play(find_kept(), purpose="sales"))),
    "every contact is recorded": (
        "R2", RED, lambda: land([contact(RECENT, f"c{n}", recorded=True, **CALL)
                                 for n in range(10)])),
    "an advisor is listened to beyond the ceiling": ("R2", RED, lambda: play_more(11)),
    "an objection comes while the audio is kept": (
        "R3", RED, lambda: land([contact(RECENT, "c0", customer_objected=True, **CALL)])),
    "a recording whose contact is gone": (
        "R3", UNKNOWN, lambda: change(sa.update(Recording).values(contact_id="gone"))),
    "the day since which callers are informed is deleted": (
        "R3", TO_DO, lambda: change(
            sa.delete(GateValue).where(GateValue.name == "callers_informed_since"))),
    "the works council is consulted after the recording": (
        "R4", RED, lambda: enter("works_council_consulted_on", TODAY.isoformat())),
    "the notice of an advisor is missing": (
        "R4", RED, lambda: change(sa.delete(AdvisorNotice))),
    "contacts name people after their period": (
        "R5", RED, lambda: land([contact(OLD, "old", advisor_id="A1")])),
    "a recording is kept after its last day": (
        "R5", RED, lambda: change(sa.update(Recording).values(
            local_day=OLD.date(), delete_after=OLD.replace(tzinfo=UTC)))),
    "a longer period for recordings than six months": (
        "R5", RED, lambda: enter("recording_retention_months", "24")),
    "a survey comment is kept after its period": (
        "R6", RED, lambda: land([contact(OLD, "old", survey_comment="thank you")])),
    "an evaluation is kept after a year": (
        "R6", RED, lambda: evaluate(evaluated_at=OLD.replace(tzinfo=UTC))),
    "a longer period for evaluations than a year": (
        "R6", RED, lambda: enter("analysis_retention_months", "36")),
    "somebody listened after their accreditation": ("R7", RED, end_accreditation),
    "an accreditation ends while contacts are assigned": (
        "R7", TO_DO, lambda: end_accreditation(with_assignment=True)),
    "a playback that the audit log does not have": (
        "R8", RED, lambda: change(sa.update(Playback).values(username="nobody"))),
    "a playback without a reason": (
        "R8", RED, lambda: change(sa.update(Playback).values(reason=""))),
    "an advisor stopped the recording, and the audio is kept": (
        "R9", RED, lambda: land([contact(RECENT, "c0", stopped_by_advisor=True, **CALL)])),
    "an advisor is excluded, and the audio is kept": (
        "R9", RED, lambda: add(ListeningExclusion(
            advisor_id="A1", reason="representative", entered_by="dora"))),
    "a film is kept with a contact": (
        "R10", RED, lambda: change(sa.update(Recording).values(media_type="video/mp4"))),
    "a comment tells of an illness": (
        "R11", TO_DO, lambda: evaluate(comment="Mr Brown has a cancer")),
    "the practice changed since the documents were printed": (
        "R12", TO_DO, lambda: enter("recording_retention_months", "3")),
    "a request is not answered after its month": (
        "R13", RED, lambda: requests.add(
            SYSTEM, "access", "advisor", "A1", TODAY - timedelta(days=40))),
    "a row of the audit log is changed": (
        "R14", RED, lambda: change(
            sa.update(JournalRow).where(JournalRow.seq == 2).values(actor="x"))),
    "the end of the audit log is cut off": ("R14", RED, cut_log),
    "the note of the audit log's end is deleted": (
        "R14", RED, lambda: audit_log.end_file().unlink()),
    "a password is stored readable": (
        "R15", RED, lambda: change(sa.update(Account).values(password_hash="Violet-Harbour"))),
    "a caller's number instead of a pseudonym": (
        "R16", RED, lambda: land([contact(RECENT, "c1", customer_key="+33612345678", **CALL)])),
    "a caller's number inside the id of a contact": (
        "R16", RED, lambda: land([contact(RECENT, "20261119-100000-0612345678", **CALL)])),
    "the key of the pseudonyms is lost": (
        "R16", RED, lambda: (land([contact(RECENT, "c1", customer_key="a" * 32, **CALL)]),
                             secret("pseudonyms").unlink(missing_ok=True))),
    "a published evaluation that nobody signed": (
        "R18", RED, lambda: (evaluate(), change(sa.update(Evaluation).values(evaluator=None)))),
    "a folder of keys is open to others": (
        "R19", RED, lambda: environment.current().secrets_folder.chmod(0o755)),
    "one key is readable by others": ("R19", RED, lambda: secret("journal").chmod(0o644)),
    "an audio file is missing": ("R19", RED, lambda: find_file().unlink()),
    "two audio files are exchanged": ("R19", RED, exchange_audio),
    "a file of the lake is damaged": ("R19", RED, damage_lake),
    "an evaluation by a machine": ("R20", RED, lambda: evaluate(kind="machine")),
    "the files of the lake are missing": ("R16", UNKNOWN, remove_lake_files),
    "a recording plays for a purpose that it is not kept for": (
        "R1", RED, lambda: change(sa.update(Recording).values(purpose="training"))),
    "an objection is deleted": (
        "R3", RED, lambda: (subjects.object_to(SYSTEM, contacts=[(None, "c5")]),
                            change(sa.delete(Objection)))),
    "the day since which callers are informed moves after a recording": (
        "R3", RED, lambda: enter("callers_informed_since", TODAY.isoformat())),
    "the notice of an advisor is dated after the recording": (
        "R4", RED, lambda: change(sa.update(AdvisorNotice).values(informed_on=TODAY))),
    "a recording is dated later than its contact": (
        "R5", RED, lambda: change(sa.update(Recording).values(local_day=TODAY))),
    "a file that was rejected is still there": ("R5", RED, leave_rejected),
    "a deleted recording keeps its waveform": (
        "R5", RED, lambda: change(sa.update(Recording).values(
            file_name=None, peaks=[1], deleted_at=now() - timedelta(days=2)))),
    "an account is closed past the product, and stays": (
        "R14", TO_DO, lambda: change(sa.update(Account).values(
            active=False, created_at=OLD.replace(tzinfo=UTC)))),
    "an evaluation is dated in the future": (
        "R6", RED, lambda: evaluate(evaluated_at=now() + timedelta(days=900))),
    "a draw is kept after a year": ("R6", RED, lambda: add(build_draw(
        "mia", plan=plan_listening(), drawn_at=OLD.replace(tzinfo=UTC)))),
    "somebody accredits themselves": (
        "R7", RED, lambda: change(sa.update(Accreditation).values(given_by="eve"))),
    "an accreditation lasts for decades": (
        "R7", RED, lambda: change(sa.update(Accreditation).values(ends_on=date(2099, 1, 1)))),
    "an accreditation begins before it was given, without a reason": (
        "R7", RED, lambda: change(sa.update(Accreditation).values(starts_on=date(2026, 1, 6)))),
    "an accreditation is for other purposes": (
        "R7", RED, lambda: change(sa.update(Accreditation).values(purposes=["training"]))),
    "an evaluation by somebody who was not accredited that day": (
        "R7", RED, lambda: evaluate(evaluator="eve", evaluated_at=now() - timedelta(days=9))),
    "a playback is deleted": ("R8", RED, lambda: change(sa.delete(Playback))),
    "a playback that its advisor does not see": (
        "R8", RED, lambda: change(sa.update(Playback).values(advisor_id=None))),
    "an exclusion is deleted": (
        "R9", RED, lambda: (subjects.exclude(SYSTEM, "requested", contacts=[("generic", "c5")]),
                            change(sa.delete(ListeningExclusion)))),
    "the name of the organisation is blanked": (
        "R12", RED, lambda: add(SettingValue(
            name="organisation_name", value="", set_by="x"))),
    "a request is answered without its act": ("R13", RED, lambda: make_request(
        identity_checked_by="x", answered_on=TODAY, answer="done")),
    "a request is refused without a check of the identity": ("R13", RED, lambda: make_request(
        answered_on=TODAY, answer="no", is_refused=True)),
    "the deadline of a request is moved": (
        "R13", RED, lambda: make_request(due_on=date(2099, 1, 1))),
    "a request is deleted": (
        "R13", RED, lambda: (make_request(), change(sa.delete(SubjectRequest)))),
    "a restriction is lifted by hand": (
        "R13", RED, lambda: (subjects.restrict(SYSTEM, advisor="A1", reason="x"),
                             change(sa.update(Restriction).values(lifted_at=now())))),
    "an accreditation is added by hand": ("R14", RED, lambda: add(Accreditation(
        username="eve", purposes=["quality"], starts_on=TODAY, ends_on=TODAY, given_by="x"))),
    "a setting is changed by hand": ("R14", RED, lambda: add(SettingValue(
        name="recording_share_percent", value="100", set_by="x"))),
    "the key of the audit log is exchanged": (
        "R14", RED, lambda: secret("journal").write_bytes(bytes(32))),
    "a password is stored weakly": ("R15", RED, lambda: change(
        sa.update(Account).values(password_hash="$2b$03$" + "a" * 53))),
    "an advisor left, and their account is open": ("R15", TO_DO, leave_centre),
    "a caller's number in a month before": (
        "R16", RED, lambda: (environment.secret("pseudonyms"), land([contact(
            RECENT - timedelta(days=150), "m1", customer_key="+33612345678")]))),
    "a caller's number instead of a pseudonym in an objection": (
        "R16", RED, lambda: add(Objection(customer_key="0612345678", entered_by="x"))),
    "a caller's number inside the id of a recording": (
        "R16", RED, lambda: change(sa.update(Recording).values(contact_id="1-0612345678-2"))),
    "an executive publishes an evaluation": ("R18", RED, lambda: (
        evaluate(evaluator="eve"),
        change(sa.update(Account).values(role="executive")))),
    "a file of audio that no row names": ("R19", RED, leave_file),
    "a comment whose evaluation is gone": ("R19", RED, leave_comment),
    "the key of the recordings is exchanged": (
        "R19", RED, lambda: (secret("recordings").write_bytes(bytes(32)),
                             integrity.check_daily())),
    "a sales call without consent": (
        "R21", RED, lambda: land([contact(
            RECENT, "s1", direction="outbound", purpose_of_call="sales",
            prior_consent="no", **CALL)])),
    "a machine answers without a notice": (
        "R22", RED, lambda: land([contact(RECENT, "m1", handled_by="machine", team="Nord")])),
    "a plan is for a purpose that was not entered": (
        "R1", RED, lambda: add(plan_listening(purpose="ranking"))),
    "a certificate of deletion is forged": (
        "R14", RED, lambda: add(Purge(
            as_of=TODAY, actor="dora", finished_at=now(), seq=1, mac="", signature="x"))),
    "a certificate of deletion is deleted": ("R14", RED, delete_certificate),
    "a file of contacts that no log names": ("R19", RED, leave_contacts),
    "a copy of contacts beside the tables": ("R19", RED, lambda: leave_contacts("copies")),
    "a sealed recording is opened by one person": ("R23", RED, lambda: seal_recording(
        confirmed_by="dora")),
    "a sealed recording is played": (
        "R23", RED, lambda: (seal_recording(), add(play(find_kept())))),
}  # fmt: skip
REFUSED = "a comment whose evaluation is gone"
ON_SQLITE = pytest.param(REFUSED, marks=pytest.mark.sqlite("PostgreSQL refuses it"))


@pytest.mark.parametrize("fault", [ON_SQLITE, *(fault for fault in FAULTS if fault != REFUSED)])
def test_a_fault_shows_with_who_acts_and_by_when(
    fault: str, start_from: Callable[..., Any], add_person: Callable[..., str], tmp_path: Path
) -> None:
    start_from(build_running_centre, add_person, tmp_path)
    number, state, make_fault = FAULTS[fault]
    make_fault(tmp_path) if make_fault is exchange_audio else make_fault()

    verdict = judge_rule(number)
    found = {"to_do": TO_DO, "not_in_order": RED, "not_measurable": UNKNOWN}[verdict.state]
    assert found == state, verdict
    assert verdict.finding.missing and verdict.rule.actor
    assert verdict.due_on >= TODAY if state == TO_DO else verdict.due_on == TODAY
    if "assigned" in fault:
        assert "Assignments of people without an accreditation: 1" in verdict.finding.evidence


def test_the_document_lists_every_fault_with_its_rule_and_who_acts() -> None:
    section = DOCUMENT.read_text(encoding="utf-8").split("## 7. Faults", 1)[1]
    rows = re.findall(r"^\| (.+?) \| (R\d+) \| (.+?) \| (.+?) \|", section, re.MULTILINE)

    from qa_core.compliance.rules.catalogue import RULES

    actors = {rule.number: rule.actor for rule in RULES}
    assert [(fault, rule, state) for fault, rule, state, _who in rows] == [
        (fault, rule, state) for fault, (rule, state, _make) in FAULTS.items()
    ]
    assert all(who == actors[rule] for _fault, rule, _state, who in rows)
