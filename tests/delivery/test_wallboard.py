"""The wallboard: its numbers, their age, and what its token opens."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa
from builders.centres import add_people, contact, land
from builders.wires import Wire, serving

from qa_core.access import service_tokens
from qa_core.access.accounts import AccountTerms
from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.base import i18n
from qa_core.base.errors import Misuse
from qa_core.delivery import wallboard
from qa_core.ingest.watch.queue_log import Follower
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.imports import ImportBatch

LEAD = Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))
SetClock = Callable[[str], None]


@pytest.fixture
def today(centre: Path, set_clock: SetClock) -> None:
    """Wednesday, 6 May, 13:40: 12 contacts before 13:30 and one after it; 8, 10, 12 … on each
    of the eight Wednesdays before, and as many again in the afternoons.
    """
    set_clock("2026-05-06T13:40")
    names = {f"a{number}": f"Name {number}" for number in range(6)}
    add_people(names, {"Nord": "Lille"})
    here = {"team": "Nord", "queue": "Billing", "wait_seconds": 8.0}
    rows = [contact("2026-05-06 09:00", f"t{n}", advisor_id=f"a{n % 6}", **here) for n in range(12)]
    rows += [contact("2026-05-06 13:35", "now", advisor_id="a0", **here)]
    for week in range(1, 9):
        day = datetime(2026, 5, 6) - timedelta(weeks=week)
        for n in range(6 + 2 * week):
            for hour in (10, 17):
                at = day.replace(hour=hour)
                rows.append(contact(at, f"w{week}h{hour}n{n}", advisor_id=f"a{n % 6}", **here))
    land(rows)
    add_import("2026-05-06T13:39:30")


def add_import(finished_at: str) -> None:
    at = datetime.fromisoformat(finished_at + "+02:00")
    batch = {"kind": "contacts", "file_name": "x", "profile": "x", "options": {}, "actor": "x"}
    with store.writing() as session:
        at = at.astimezone(now().tzinfo)
        entry = {"id": finished_at, "digest": "x", "system": "generic", "state": "done"}
        session.add(ImportBatch(**batch, **entry, finished_at=at))


def show() -> dict[str, tuple[str, str, bool]]:
    board = wallboard.build(LEAD)
    return {item.title: (item.value, item.note, item.is_old) for item in board.numbers}


def test_today_is_compared_with_the_same_weekday_until_the_same_time(today: None) -> None:
    board = show()
    # Of 8, 10, 12, 14, 16, 18, 20 and 22 before 13:30 the median is 15.
    assert board["Received today"] == ("13", "12 by 13:30 · usually 15 (median of 8 days)", False)
    assert board["Service level"] == ("100.0\u202f%", "of 13 contacts", False)
    assert board["Open call-backs"][:2] == ("0", "0 taken or tried")
    assert "Waiting now" not in board
    assert wallboard.build(LEAD).scope == "Nord"


def test_days_on_which_nothing_had_come_by_then_count_as_none(
    centre: Path, set_clock: SetClock
) -> None:
    set_clock("2026-05-06T08:40")
    add_people({"a0": "Name 0"}, {"Nord": "Lille"})
    here = {"team": "Nord", "queue": "Billing", "advisor_id": "a0"}
    starts = [datetime(2026, 5, 6) - timedelta(weeks=week) for week in range(1, 9)]
    rows = [contact(day.replace(hour=10), f"{day:%d.%m}", **here) for day in starts]
    rows += [contact(day.replace(hour=8), f"{day:%d.%m} 8", **here) for day in (*starts[:2],)]
    land([*rows, *(contact(f"2026-05-06 08:{minute}", minute, **here) for minute in ("10", "35"))])
    add_import("2026-05-06T08:39:30")
    # Two of the eight days before had one contact by 8:30, and six had none.
    assert show()["Received today"][1] == "1 by 08:30 · usually 0 (median of 8 days)"


def test_a_team_that_had_no_contact_yet_today_has_a_board(today: None) -> None:
    south = Viewer("sam", Role.TEAM_LEAD, led_teams=(TeamSpan("Sud"),))
    land([contact("2026-05-05 09:00", "south", team="Sud", queue="Sales")])

    titles = {item.title: (item.value, item.note) for item in wallboard.build(south).numbers}

    assert titles["Received today"] == ("–", "Nothing of today has come yet.")
    assert titles["Open call-backs"][0] == "0"


def test_a_number_is_old_after_twice_the_time_between_imports(
    today: None, set_clock: SetClock
) -> None:
    set_clock("2026-05-06T13:41")
    assert not show()["Received today"][2]
    set_clock("2026-05-06T13:42")
    assert show()["Received today"][2]
    add_import("2026-05-06T13:36:30")
    assert not show()["Received today"][2]
    set_clock("2026-05-06T13:46")
    assert show()["Received today"][2]
    set_clock("2026-05-07T09:00")
    assert show()["Received today"][:2] == ("–", "Nothing of today has come yet.")


def test_a_rate_of_few_advisors_is_not_shown(centre: Path, set_clock: SetClock) -> None:
    set_clock("2026-05-06T13:40")
    add_people({f"a{n}": f"Name {n}" for n in range(4)}, {"Nord": "Lille"})
    here = {"team": "Nord", "queue": "Billing", "wait_seconds": 8.0}
    land(contact("2026-05-06 09:00", advisor_id=f"a{n % 4}", **here) for n in range(40))
    add_import("2026-05-06T13:39:30")
    assert (show()["Received today"][0], show()["Service level"][0]) == ("40", "–")


def test_callers_waiting_are_those_of_a_followed_log(
    centre: Path, tmp_path: Path, today: None
) -> None:
    seconds = int(now().timestamp())
    path = tmp_path / "queue_log"
    path.write_text(
        f"{seconds - 300}|B1|Billing|NONE|ENTERQUEUE||0612345601|1\n"
        f"{seconds - 30}|B2|Billing|NONE|ENTERQUEUE||0612345602|1\n"
        f"{seconds - 20}|B3|Other|NONE|ENTERQUEUE||0612345603|1\n"
        f"{seconds - 80}|B4|Billing|NONE|ENTERQUEUE||0612345604|1\n"
        f"{seconds - 10}|B4|Billing|SIP/ann|CONNECT|70|x|3\n"
    )
    list(Follower(Viewer.SYSTEM, path).catch_up())
    value, note, _is_old = show()["Waiting now"]
    assert value == "2" and note.startswith("longest for 5\u00a0min")
    # Which queues a team answers that has answered nothing for 28 days is not known.
    land([contact("2026-04-01 09:00", "old", team="Ouest", queue="Billing")])
    new = Viewer("nia", Role.TEAM_LEAD, led_teams=(TeamSpan("Ouest"),))
    numbers = {item.title: (item.value, item.note) for item in wallboard.build(new).numbers}
    unknown = ("–", "The queues of your teams are not known")
    assert numbers["Waiting now"] == numbers["Open call-backs"] == unknown


def test_the_age_of_a_log_is_that_of_the_one_that_is_followed_now(
    centre: Path, tmp_path: Path, today: None
) -> None:
    seconds = int(now().timestamp())
    for name, at in (("old", seconds - 20 * 86_400), ("new", seconds - 30)):
        path = tmp_path / name
        path.write_text(f"{at}|B{name}|Billing|NONE|ENTERQUEUE||0612345601|1\n")
        list(Follower(Viewer.SYSTEM, path).catch_up())
        for state in (centre / "watching").glob("*.parquet"):
            if name == "old" or state.stat().st_mtime > at:
                os.utime(state, (at, at))
    assert not show()["Waiting now"][2]


def test_every_number_stays_within_the_teams_and_queues_of_the_board(
    centre: Path, tmp_path: Path, set_clock: SetClock
) -> None:
    set_clock("2026-05-06T13:40")
    add_people({f"a{n}": f"Name {n}" for n in range(12)}, {"Nord": "Lille", "Sud": "Nice"})
    nord = {"team": "Nord", "queue": "Billing"}
    sud = {"team": "Sud", "queue": "Help"}
    lost = {"advisor_id": None, "outcome": "abandoned", "wait_seconds": 50.0}
    rows = []
    for n in range(20):  # 15 of 20 within 20 seconds; 10 of 40
        wait = 8.0 if n < 15 else 60.0
        at = f"2026-05-06 09:{n:02d}"
        rows.append(contact(at, f"n{n}", advisor_id=f"a{n % 6}", wait_seconds=wait, **nord))
        rows.append(contact("2026-04-29 09:00", f"b{n}", advisor_id="a0", **nord))
    for n in range(40):
        wait = 8.0 if n < 10 else 60.0
        at = f"2026-05-06 10:{n:02d}"
        rows.append(contact(at, f"s{n}", advisor_id=f"a{6 + n % 6}", wait_seconds=wait, **sud))
    rows += [
        contact("2026-05-06 11:00", f"l{n}", customer_key=f"k{n}aa", **lost | nord)
        for n in range(2)
    ]
    rows += [
        contact("2026-05-06 11:00", f"m{n}", customer_key=f"m{n}aa", **lost | sud) for n in range(3)
    ]
    land(rows)
    add_import("2026-05-06T13:39:30")
    seconds, path = int(now().timestamp()), tmp_path / "queue_log"
    waiting = (("Billing", 300), ("Help", 200), ("Help", 100), ("Other", 700))
    path.write_text(
        "".join(
            f"{seconds - ago}|C{n}|{queue}|NONE|ENTERQUEUE||061234560{n}|1\n"
            for n, (queue, ago) in enumerate(waiting)
        )
    )
    list(Follower(Viewer.SYSTEM, path).catch_up())
    titles = ("Received today", "Service level", "Answer rate", "Open call-backs", "Waiting now")
    expected = {
        # 15 of 22 within 20 seconds, 20 of 22 answered
        ("Nord",): ("22", "68.2\u202f%", "90.9\u202f%", "2", "1"),
        # 10 of 43, 40 of 43
        ("Sud",): ("43", "23.3\u202f%", "93.0\u202f%", "3", "2"),
        # 25 of 65, 60 of 65
        ("Nord", "Sud"): ("65", "38.5\u202f%", "92.3\u202f%", "5", "3"),
    }
    for teams, values in expected.items():
        viewer = Viewer("wall", Role.TEAM_LEAD, led_teams=tuple(map(TeamSpan, teams)))
        board = wallboard.build(viewer)
        shown = {item.title: item.value for item in board.numbers}
        assert tuple(shown[title] for title in titles) == values, teams
        assert all(item.as_of is not None for item in board.numbers) and not board.notes
    notes = {item.title: item.note for item in wallboard.build(LEAD).numbers}
    assert notes["Received today"] == "20 by 11:00 · 20 last time"
    assert notes["Waiting now"].startswith("longest for 5\u00a0min")


def test_a_board_is_read_in_the_language_of_each_screen(today: None) -> None:
    assert "Received today" in show()
    with i18n.in_language("fr"):
        assert "Reçus aujourd’hui" in show()
    assert "Received today" in show()


def test_a_display_token_opens_the_board_and_nothing_else(
    today: None, add_person: Callable[..., str]
) -> None:
    terms = AccountTerms(Role.TEAM_LEAD, teams=("Nord",))
    secret = service_tokens.add(Viewer.SYSTEM, "wall", terms, is_display=True).secret
    script = service_tokens.add(Viewer.SYSTEM, "script", terms).secret
    with pytest.raises(Misuse, match="wallboard"):
        executive = AccountTerms(Role.EXECUTIVE)
        service_tokens.add(Viewer.SYSTEM, "chief", executive, is_display=True)
    with serving() as port, requests.Session() as screen:
        there = f"http://127.0.0.1:{port}"
        assert 'type="password"' in screen.get(f"{there}/display").text
        assert screen.post(f"{there}/display", {"token": script}).status_code == 404
        wrong = screen.post(f"{there}/display", {"token": "wrong"})
        assert wrong.status_code == 404 and "This token gives no access" in wrong.text
        assert 'type="password"' in wrong.text  # to try again
        page = screen.post(f"{there}/display", {"token": secret})
        assert page.status_code == 200 and "<b>13</b>" in page.text and "Nord" in page.text
        assert secret not in page.text and "<script" not in page.text
        for name in range(6):
            assert f"Name {name}" not in page.text
        bearer = {"authorization": f"Bearer {secret}"}
        assert screen.get(f"{there}/api/kpi?kpi=received", headers=bearer).status_code == 401
        assert screen.get(f"{there}/download/{secret}").status_code == 404
        assert all(cookie.path == "/display" for cookie in screen.cookies)

        service_tokens.revoke(Viewer.SYSTEM, "wall")
        assert screen.get(f"{there}/display").status_code == 404
        assert not screen.cookies
    assert Wire(None).ask("/display")[0] == 401


def test_a_board_of_a_narrowed_token_has_its_kpis_alone(today: None) -> None:
    """Call-backs and callers who wait are no KPIs: they stay."""
    lead = replace(LEAD, username="token:wall", kpis=("answer_rate",))
    titles = [item.title for item in wallboard.build(lead).numbers]
    assert titles == ["Answer rate", "Open call-backs"]
    assert len(show()) == 4


@pytest.mark.owner
def test_a_screen_keeps_its_token_and_tries_again_while_the_stores_fail(
    today: None,
) -> None:
    terms = AccountTerms(Role.TEAM_LEAD, teams=("Nord",))
    secret = service_tokens.add(Viewer.SYSTEM, "wall", terms, is_display=True).secret
    there = "http://127.0.0.1:{}/display"
    with serving() as port, requests.Session() as screen:
        screen.post(there.format(port), {"token": secret})
        rename_table("call_back", "away")
        page = screen.get(there.format(port))
        assert page.status_code == 503 and 'http-equiv="refresh"' in page.text
        rename_table("away", "call_back")
        assert "<b>13</b>" in screen.get(there.format(port)).text


def rename_table(old: str, new: str) -> None:
    with store.writing() as session:
        session.execute(sa.text(f"ALTER TABLE {old} RENAME TO {new}"))
