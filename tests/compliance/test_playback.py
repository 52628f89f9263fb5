"""Recordings at rest and in the ear: encrypted, tamper-proof, heard only by who may, by
a link of their own, and each listening is known.
"""

from __future__ import annotations

import base64
import itertools
import socket
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa
from builders import sounds
from builders.centres import add_people, contact, evaluation, land
from builders.listening_centre import accredit, build_draw, inform, keep_audio, open_gates
from builders.wires import Wire, serving
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

from qa_core.access import accounts, second_factor, sessions
from qa_core.access.roles import Viewer
from qa_core.access.throttle import Browser
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.centre import settings
from qa_core.compliance import recordings
from qa_core.compliance.conditions import accreditations, gates
from qa_core.compliance.recordings import deletion, law, playback, vault
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import ScorecardVersion
from qa_core.storage.records.listening import (
    Calibration,
    CalibrationContact,
    DrawnContact,
    ListeningPlan,
    Playback,
    Recording,
)
from qa_core.ui import asgi
from qa_core.ui.server import browser
from qa_core.upkeep import purge, subjects

TODAY = environment.today()
MORNING = datetime.combine(TODAY, datetime.min.time()) + timedelta(hours=9) - timedelta(days=3)
KEY = ("generic", "n1")
CUSTOMER = "ab" * 16


@pytest.fixture
def heard(start_from: Callable[..., Any], add_person: Callable[..., str], tmp_path: Path) -> int:
    """A call of Ann (n1, team Nord) with a second of audio, drawn for Eve; everybody
    who may be is accredited. Returns the recording's id.
    """
    return start_from(build_heard_call, add_person, tmp_path)


def build_heard_call(add_person: Callable[..., str], folder: Path) -> int:
    add_people({"a1": "Ann", "a2": "Bob"}, {"Nord": "Lille", "Sud": "Nice"})
    rows = [
        contact(
            MORNING,
            "n1",
            team="Nord",
            advisor_id="a1",
            customer_key=CUSTOMER,
            notice_played=True,
        ),
        contact(MORNING, "s1", team="Sud", advisor_id="a2", notice_played=True),
    ]
    land(rows)
    add_person("max", "manager", sites=("Lille",))
    add_person("sud", "manager", sites=("Nice",))
    add_person("lea", "team_lead", teams=("Nord",))
    add_person("eve", "evaluator")
    add_person("marc", "evaluator")
    add_person("ann", "advisor", advisor_id="a1")
    add_person("bob", "advisor", advisor_id="a2")
    add_person("dora", "dpo")
    add_person("rex", "executive")
    add_person("adam", "admin")
    open_gates()
    accredit("max", "sud", "lea", "eve", "marc")
    inform("a1", "a2")
    with store.writing() as session:
        terms = {
            "purpose": "evaluation",
            "grid_key": "g",
            "per_advisor": 1,
            "maximum_per_advisor": 2,
            "evaluators": ["eve"],
        }
        plan = ListeningPlan(name="p", starts_on=TODAY, ends_on=TODAY, created_by="max", **terms)
        draw = build_draw("max")
        draw.contacts = [
            DrawnContact(
                position=1,
                source_system="generic",
                contact_id="n1",
                advisor_id="a1",
                team="Nord",
                local_start=MORNING,
                evaluator="eve",
            )
        ]
        plan.draws = [draw]
        session.add(plan)
        session.add(evaluation(rows[0], 90.0))
        return keep_audio(session, KEY[1], sounds.make(folder / "source" / "n1.wav")).id


def viewer_of(username: str) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, username)


def may_play(username: str, purpose: str | None = None) -> bool:
    return recordings.find_playable(viewer_of(username), *KEY, purpose) is not None


def test_only_those_play_whom_the_call_concerns(heard: int) -> None:
    everybody = ("max", "sud", "lea", "eve", "marc", "ann", "bob", "dora", "rex", "adam")

    assert [name for name in everybody if may_play(name)] == ["max", "lea", "eve", "ann"]
    assert recordings.find_playable(Viewer.SYSTEM, *KEY) is None
    found = recordings.find_playable(viewer_of("eve"), *KEY, "evaluation")
    assert (found.recording_id, found.seconds, found.media_type, len(found.peaks)) == (
        heard,
        1.0,
        "audio/wav",
        200,
    )
    assert found.purposes == ("training", "evaluation", "quality")
    assert recordings.find_playable(viewer_of("ann"), *KEY).purposes == ("own",)
    assert not may_play("ann", "evaluation")
    assert not may_play("max", "own")
    assert may_play("max", "targeted")
    assert recordings.find_playable(viewer_of("max"), "generic", "s1") is None


def test_an_end_of_any_ground_ends_the_listening_at_once(heard: int) -> None:
    def change(**values: object) -> None:
        with store.writing() as session:
            session.execute(sa.update(DrawnContact).values(**values))

    change(state="replaced")
    assert not may_play("eve")
    change(state="done")
    assert may_play("eve")
    standing = accreditations.find_all(Viewer.SYSTEM)
    for item in standing:
        if item.username in ("eve", "max"):
            accreditations.end(Viewer.SYSTEM, item.id)
    assert [may_play(name) for name in ("eve", "max", "lea")] == [False, False, True]
    accreditations.accredit(Viewer.SYSTEM, "eve", TODAY, ["training"])
    assert [may_play("eve", purpose) for purpose in ("training", "evaluation", "calibration")] == [
        True,
        False,
        False,
    ]
    gates.set_gate(Viewer.SYSTEM, "purposes", "quality")
    assert [may_play("eve"), may_play("lea", "quality"), may_play("lea", "training")] == [
        False,
        True,
        False,
    ]


def test_whoever_calibrates_plays_the_calls_of_the_round_until_it_is_closed(heard: int) -> None:
    with store.writing() as session:
        grid = ScorecardVersion(key="g", version=1, title="G", content="")
        session.add(grid)
        session.flush()
        made = Calibration(title="R", grid_id=grid.id, evaluators=["marc"], opened_by="max")
        made.contacts = [
            CalibrationContact(source_system="generic", contact_id="n1", local_start=MORNING)
        ]
        session.add(made)
    assert may_play("marc", "calibration")
    with store.writing() as session:
        session.execute(sa.update(Calibration).values(closed_at=now()))
    assert not may_play("marc", "calibration")


@pytest.mark.parametrize(
    "flag",
    [
        {"customer_objected": True},
        {"notice_played": False},
        {"stopped_by_advisor": True},
        {"private_line": True},
    ],
)
def test_a_call_that_may_not_be_kept_is_heard_by_nobody_from_that_moment_on(
    heard: int, flag: dict[str, bool]
) -> None:
    land(
        [contact(MORNING, "n1", team="Nord", advisor_id="a1", **{"notice_played": True} | flag)],
        "later",
    )

    assert [may_play(name) for name in ("max", "lea", "eve", "ann")] == [False] * 4
    assert deletion.delete_forbidden("system") == 1
    with store.reading() as session:
        row = session.get_one(Recording, heard)
        assert (row.file_name, row.peaks, row.deleted_because) == (
            None,
            None,
            {"customer_objected": "objected", "notice_played": "no_notice"}.get(*flag, *flag),
        )
        assert (
            session.scalar(sa.select(JournalRow.object).order_by(JournalRow.seq.desc()).limit(1))
            == "generic/n1"
        )
        assert audit_log.verify(session).ok
    assert [path for path in vault.folder().rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("change", [{"kept_as": "proof"}, {"purpose": "training"}])
def test_what_is_kept_for_something_else_is_not_played_for_evaluation(
    heard: int, change: dict[str, str]
) -> None:
    with store.writing() as session:
        session.execute(sa.update(Recording).values(change))

    assert may_play("max") == ("purpose" in change)  # for training
    with store.reading() as session, pytest.raises(AccessDenied):
        recordings.require_playable(session, viewer_of("max"), heard, "evaluation")


def test_what_is_over_is_not_played_and_is_deleted_when_asked(heard: int) -> None:
    assert may_play("max")
    with store.writing() as session:
        session.execute(sa.update(Recording).values(delete_after=now() - timedelta(seconds=1)))

    assert not may_play("max")
    with pytest.raises(AccessDenied):
        recordings.delete_expired(viewer_of("max"))
    assert recordings.delete_expired(viewer_of("dora")) == 1
    assert recordings.delete_expired(viewer_of("dora")) == 0
    assert [path for path in vault.folder().rglob("*") if path.is_file()] == []


def test_what_is_over_is_deleted_by_the_purge(heard: int) -> None:
    purge.purge(Viewer.SYSTEM)
    assert [path for path in vault.folder().rglob("*") if path.is_file()] != []
    with store.writing() as session:
        session.execute(sa.update(Recording).values(delete_after=now() - timedelta(days=1)))
    purge.purge(Viewer.SYSTEM)

    assert [path for path in vault.folder().rglob("*") if path.is_file()] == []
    with store.reading() as session:
        assert session.execute(sa.select(Recording.deleted_because)).scalars().all() == ["expired"]


def test_a_shorter_retention_holds_for_what_is_kept_already(heard: int) -> None:
    assert recordings.delete_expired(Viewer.SYSTEM, TODAY + timedelta(days=40)) == 0
    gates.set_gate(Viewer.SYSTEM, "recording_retention_months", "1")

    assert recordings.find_playable(viewer_of("max"), *KEY).last_moment == deletion.find_end(
        MORNING.date(), 1
    )
    assert recordings.delete_expired(Viewer.SYSTEM) == 0
    assert recordings.delete_expired(Viewer.SYSTEM, TODAY + timedelta(days=40)) == 1


def test_where_a_second_factor_is_asked_for_nothing_plays_without_it(heard: int) -> None:
    eve = Wire("eve")
    address = eve.ticket(heard)
    with store.writing() as session:
        settings.set_value(session, Viewer.SYSTEM, "second_factor", "everybody")

    assert eve.ask(address)[0] == 404

    app = pyotp.parse_uri(second_factor.start(viewer_of("eve")))
    second_factor.confirm(viewer_of("eve"), app.now(), Browser(b"x" * 16))
    assert eve.ask(address)[0] == 200


def plays() -> tuple[list[tuple], list[tuple]]:
    with store.reading() as session:
        rows = session.execute(
            sa.select(Playback.username, Playback.purpose, Playback.reason, Playback.advisor_id)
        ).all()
        acts = session.execute(
            sa.select(JournalRow.actor, JournalRow.object, JournalRow.reason).where(
                JournalRow.action == "recording_played"
            )
        ).all()
    return [tuple(row) for row in rows], [tuple(row) for row in acts]


def test_a_link_plays_the_whole_and_every_part_and_is_one_listening(
    heard: int, tmp_path: Path
) -> None:
    eve = Wire("eve")
    clear = (tmp_path / "source" / "n1.wav").read_bytes()
    address = eve.ticket(heard)

    status, headers, body = eve.ask(address)

    assert (status, body) == (200, clear)
    assert (headers["content-type"], headers["cache-control"], headers["accept-ranges"]) == (
        "audio/wav",
        "no-store",
        "bytes",
    )
    for asked, part in (
        ("bytes=0-", clear),
        ("bytes=100-199", clear[100:200]),
        ("bytes=-10", clear[-10:]),
        ("bytes=16000-99999999", clear[16000:]),
    ):
        status, headers, body = eve.ask(address, asked)
        assert (status, body, headers["content-length"]) == (206, part, str(len(part)))
    assert eve.ask(address, "bytes=100-199")[1]["content-range"] == f"bytes 100-199/{len(clear)}"
    assert eve.ask(address, "bytes=99999999-")[0] == 416
    assert eve.ask(address, method="HEAD")[0] == 405
    assert plays() == (
        [("eve", "evaluation", "drawn in May", "a1")],
        [("eve", "generic/n1", "evaluation: drawn in May")],
    )
    assert eve.ask(eve.ticket(heard))[0] == 200
    assert len(plays()[0]) == len(plays()[1]) == 2


@pytest.mark.sqlite("it locks the file of the records")
def test_nothing_is_heard_that_cannot_be_noted_and_the_listener_is_told_so_soon(
    heard: int, centre: Path
) -> None:
    eve = Wire("eve")
    address = eve.ticket(heard)
    with closing(sqlite3.connect(centre / "records.sqlite", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        status, _headers, body = eve.ask(address)
        assert (status, count_playbacks()) == (503, 0)
        assert b"Another program is using the records" in body
    assert eve.ask(address)[0] == 200
    assert count_playbacks() == 1


def count_playbacks() -> int:
    with store.reading() as session:
        return session.scalar(
            Unscoped(sa.select(sa.func.count(Playback.id)), "A test counts all listenings.")
        )


def test_an_address_tells_nobody_why_it_is_listened_to(heard: int) -> None:
    sealed = Wire("eve").ticket(heard, reason="drawn in May").removeprefix("/audio/")

    assert b"May" not in base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))


def test_requests_that_come_at_once_are_one_listening(
    heard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge_and_note(session: store.Session, *given: Any) -> Any:
        is_writer.append("writes" in session.get_bind().get_execution_options())
        return judge(session, *given)

    eve, judge, is_writer = Wire("eve"), law.judge, []
    address = eve.ticket(heard)
    monkeypatch.setattr(law, "judge", judge_and_note)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _number: eve.ask(address, "bytes=0-99")[0], range(6)))

    assert answers == [206] * 6
    assert len(plays()[0]) == len(plays()[1]) == 1
    assert is_writer.count(True) == 1  # all others would wait for each of them


def test_a_link_is_worth_nothing_elsewhere_later_or_changed(
    heard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = Wire("eve")
    address, late = eve.ticket(heard), eve.ticket(heard)

    assert Wire("eve").ask(address)[0] == 404  # the same person in another session
    assert Wire("max").ask(address)[0] == 404
    assert Wire(None).ask(address)[0] == 404
    assert eve.ask(address[:-4] + "AAAA")[0] == 404
    assert eve.ask("/audio/x.y")[0] == 404
    assert plays() == ([], [])
    assert eve.ask(address)[0] == 200
    clock = itertools.count(int(playback.time.time()) + 61)
    monkeypatch.setattr(playback.time, "time", lambda: next(clock))
    assert eve.ask(late)[0] == 404  # not begun within the minute
    assert eve.ask(address, "bytes=0-9")[0] == 206  # begun in time, it goes on
    monkeypatch.setattr(playback.time, "time", lambda: next(clock) + playback.SECONDS_BEYOND)
    assert eve.ask(address, "bytes=0-9")[0] == 404
    assert len(plays()[0]) == 1


@pytest.mark.parametrize("ending", ["account", "accreditation", "objection", "deletion", "damage"])
def test_a_listening_that_goes_on_stops_when_its_ground_ends(heard: int, ending: str) -> None:
    eve = Wire("eve")
    address = eve.ticket(heard)
    assert eve.ask(address, "bytes=0-99")[0] == 206

    match ending:
        case "account":
            accounts.disable(Viewer.SYSTEM, "eve")
        case "accreditation":
            for item in accreditations.find_all(Viewer.SYSTEM):
                accreditations.end(Viewer.SYSTEM, item.id)
        case "objection":
            land(
                [
                    contact(
                        MORNING,
                        "n1",
                        team="Nord",
                        advisor_id="a1",
                        notice_played=True,
                        customer_objected=True,
                    )
                ],
                "later",
            )
        case "deletion":
            with store.writing() as session:
                recordings.delete(session, session.get_one(Recording, heard), "objected", "system")
        case "damage":
            with store.reading() as session:
                path = vault.folder() / session.get_one(Recording, heard).file_name
            path.write_bytes(path.read_bytes()[:-100])

    assert eve.ask(address, "bytes=100-199")[0] == 404


@pytest.fixture(scope="module")
def long_sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes: more than the buffers between a server and a client hold."""
    return sounds.make(tmp_path_factory.mktemp("long") / "n1.wav", seconds=600)


@pytest.fixture
def longer(heard: int, long_sound: Path) -> int:
    """The same call, with ten minutes of audio."""
    with store.writing() as session:
        recordings.delete(session, session.get_one(Recording, heard), "newer", "system")
        return keep_audio(session, KEY[1], long_sound).id


ENDINGS: dict[str, Callable[[Wire], object]] = {
    "restriction": lambda _wire: subjects.restrict(Viewer.SYSTEM, contact=KEY),
    "erasure": lambda _wire: subjects.erase(Viewer.SYSTEM, customer=CUSTOMER),
    "sign-out": lambda wire: sessions.sign_out(
        wire.cookies["ecoute_session"],
        browser.build(wire.cookies, {"host": "localhost"}, "127.0.0.1"),
    ),
    "accreditation": lambda _wire: [
        accreditations.end(Viewer.SYSTEM, item.id)
        for item in accreditations.find_all(Viewer.SYSTEM)
    ],
    "none": lambda _wire: None,
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_listener_who_reads_slowly_gets_no_more_once_the_ground_ends(
    longer: int,
    long_sound: Path,
    ending: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(asgi, "LISTENING_SECONDS", 1.0 if ending == "none" else 0.0)
    eve = Wire("eve")
    cookies = "; ".join(f"{name}={value}" for name, value in eve.cookies.items())
    with serving() as port, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        head = f"GET {eve.ticket(longer)} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\n\r\n"
        client.sendall(head.encode())
        received = client.recv(4096)
        ENDINGS[ending](eve)
        while more := client.recv(1 << 20):
            received += more
            if len(received.partition(b"\r\n\r\n")[2]) == long_sound.stat().st_size:
                break

    answer, _blank, sound = received.partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert long_sound.read_bytes().startswith(sound)
    assert (len(sound) == long_sound.stat().st_size) == (ending == "none")
    assert "Traceback" not in caplog.text and not any(one.exc_info for one in caplog.records)


def test_a_link_is_worth_nothing_in_another_browser_that_has_the_cookie_of_the_session(
    heard: int,
) -> None:
    eve, thief = Wire("eve"), Wire(None)
    address = eve.ticket(heard)
    thief.cookies[browser.COOKIE] = eve.cookies[browser.COOKIE]
    thief.cookies["_streamlit_xsrf"] = generate_xsrf_token_string(b"x" * 16)

    assert thief.ask(address)[0] == 404
    assert eve.ask(address)[0] == 200
    assert thief.ask(address, "bytes=0-9")[0] == 404  # nor once it is under way


def test_nobody_listens_without_a_reason_or_before_the_gates_are_open(heard: int) -> None:
    eve = Wire("eve")
    with pytest.raises(Refusal) as refused:
        eve.ticket(heard, reason="  ")
    assert refused.value.code == "no_reason"
    for item in accreditations.find_all(Viewer.SYSTEM):
        accreditations.end(Viewer.SYSTEM, item.id)
    with pytest.raises(Refusal) as refused:
        eve.ticket(heard)
    assert refused.value.code == "gate_closed"
    with pytest.raises(Refusal):
        Wire("ann").ticket(heard, "own")


def test_an_advisor_hears_the_own_call_once_its_evaluation_is_published(heard: int) -> None:
    from qa_core.storage.records.evaluations import Evaluation

    ann = Wire("ann")
    assert ann.ask(ann.ticket(heard, "own", "my evaluation"))[0] == 200
    assert plays()[0] == [("ann", "own", "my evaluation", "a1")]
    for values in ({"state": "submitted"}, {"state": "published", "kind": "calibration"}):
        with store.writing() as session:
            session.execute(sa.update(Evaluation).values(**values))
        assert not may_play("ann")


def test_a_transaction_that_fails_keeps_the_file(heard: int) -> None:
    with pytest.raises(RuntimeError), store.writing() as session:
        recordings.delete(session, session.get_one(Recording, heard), "objected", "system")
        raise RuntimeError

    assert may_play("max")
    assert [path for path in vault.folder().rglob("*") if path.is_file()] != []


def test_files_that_no_row_names_are_swept_and_no_others(heard: int) -> None:
    orphan = vault.write([b"left behind"])
    (vault.folder() / orphan).with_suffix(".part").write_bytes(b"half")

    assert recordings.delete_orphans() == 2

    assert may_play("max")
