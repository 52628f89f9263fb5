"""Deliveries: who gets which mail, when, once, and with which numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import mail_server, mailed_centre
from builders.centres import publish
from builders.mail_server import Mailbox, text_of

from qa_core.access.roles import Viewer
from qa_core.delivery import ledger, worker
from qa_core.storage.records import store

MONDAY, NEXT_MONDAY = "2026-10-19T07:05", "2026-10-26T07:05"


@pytest.fixture
def box(centre: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with mail_server.serve() as mailbox:
        monkeypatch.setenv("QA_SMTP_URL", f"smtp://127.0.0.1:{mailbox.port}")
        monkeypatch.setenv("QA_MAIL_FROM", "ecoute@example.org")
        monkeypatch.setenv("QA_PUBLIC_URL", "https://ecoute.example.org")
        yield mailbox


@pytest.fixture
def set_clock(centre: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    (centre / "drill_clock").touch()

    def move(moment: str) -> None:
        monkeypatch.setenv("QA_CLOCK", moment)

    move("2026-10-01T08:00")
    return move


def test_smoke(box, set_clock, start_from, add_person):
    start_from(mailed_centre.build, add_person)
    set_clock("2026-10-18T08:00")
    publish()
    worker.work()
    box.take()
    set_clock(MONDAY)
    sent = worker.work()
    print(sent, box.receivers)
    for mail in box.mails:
        print(mail)
    for e in ledger.find_all(Viewer.SYSTEM):
        print(e)
    assert 0
