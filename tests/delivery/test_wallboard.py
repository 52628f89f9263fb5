"""The wallboard: its numbers, their age, and what its token opens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests
from builders.centres import add_people, contact, land
from builders.wires import Wire, serving

from qa_core.access import service_tokens
from qa_core.access.accounts import AccountTerms
from qa_core.access.roles import Role, TeamSpan, Viewer
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
        f"{seconds - 90}|B1|Billing|NONE|ENTERQUEUE||0612345601|1\n"
        f"{seconds - 30}|B2|Billing|NONE|ENTERQUEUE||0612345602|1\n"
        f"{seconds - 20}|B3|Other|NONE|ENTERQUEUE||0612345603|1\n"
        f"{seconds - 80}|B4|Billing|NONE|ENTERQUEUE||0612345604|1\n"
        f"{seconds - 10}|B4|Billing|SIP/ann|CONNECT|70|x|3\n"
    )
    list(Follower(Viewer.SYSTEM, path).catch_up())
    value, note, _is_old = show()["Waiting now"]
    assert value == "2" and note.startswith("longest for 1\u00a0min\u00a03")


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
        assert screen.post(f"{there}/display", {"token": "wrong"}).status_code == 404
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
