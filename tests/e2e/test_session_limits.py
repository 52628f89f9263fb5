"""Ends of sessions in real time, on a server where hours are seconds."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import raw
import sqlalchemy as sa
from builders.servers import Server, living_in, serve
from builders.visitors import PASSWORD

from qa_core.access import accounts, sessions
from qa_core.access.roles import Viewer
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.people import LoginSession
from qa_core.ui.server import browser

IDLE, MAX = 8, 20
LEEWAY = 1.0


def sign_in() -> dict[str, str]:
    cookies = {"_streamlit_xsrf": raw.generate_xsrf_token_string()}
    here = browser.build(cookies, {"host": "localhost"}, "127.0.0.1")
    return {**cookies, browser.COOKIE: sessions.sign_in("dora", PASSWORD, here, one_time_days=7)}


def find_age() -> float:
    """Seconds since the newest session began."""
    with store.reading() as session:
        return (
            now() - session.scalar(sa.select(sa.func.max(LoginSession.created_at)))
        ).total_seconds()


def is_in(server: Server, cookies: dict[str, str]) -> bool:
    return raw.visit(server.host, "journal", cookies=cookies).titles == ["Audit log"]


@pytest.mark.long
def test_sessions_end_when_they_are_not_used_and_when_they_are_used_for_too_long(
    tmp_path: Path,
) -> None:
    start = ("-m", "tests.builders.short_sessions", str(IDLE), str(MAX))
    with living_in(tmp_path):
        store.migrate()
        accounts.add(Viewer.SYSTEM, "dora", "dpo", password=PASSWORD)
        with serve(tmp_path, *start) as server:
            is_in(server, sign_in())  # the server has loaded the page

            cookies = sign_in()
            assert is_in(server, cookies)
            time.sleep(IDLE / 4)
            assert is_in(server, cookies)
            time.sleep(IDLE + LEEWAY)
            assert not is_in(server, cookies)

            cookies, seen = sign_in(), []
            while not seen or find_age() < MAX + LEEWAY:
                began = find_age()
                was_in = is_in(server, cookies)
                seen.append((began, was_in, find_age()))
                time.sleep(1)
            assert [was_in for _began, was_in, ended in seen if ended < MAX]
            assert all(was_in for _began, was_in, ended in seen if ended < MAX)
            assert not any(was_in for began, was_in, _ended in seen if began > MAX)
            assert not is_in(server, cookies)
