"""Fixtures of the deliveries: a mail server on the loopback, a clock, a centre that sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import mail_server, mailed_centre
from builders.centres import publish
from builders.mail_server import Mailbox
from builders.mailed_centre import settle_week

SUNDAY = "2026-10-18T12:00"
SetClock = Callable[[str], None]


@pytest.fixture
def box(centre: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """A mail server on the loopback that the centre uses."""
    with mail_server.serve() as mailbox:
        mail_server.use(monkeypatch, f"smtp://127.0.0.1:{mailbox.port}")
        yield mailbox


@pytest.fixture
def set_clock(centre: Path, monkeypatch: pytest.MonkeyPatch) -> SetClock:
    (centre / "drill_clock").touch()

    def move(moment: str) -> None:
        monkeypatch.setenv("QA_CLOCK", moment)

    move("2026-10-01T08:00")
    return move


@pytest.fixture
def mailed(
    box: Mailbox, set_clock: SetClock, start_from: Callable[..., None], add_person: Callable
) -> Mailbox:
    """The centre of twenty accounts; what was due before Monday is settled."""
    start_from(mailed_centre.build, add_person)
    set_clock(SUNDAY)
    settle_week()
    return box


def build_published(add_person: Callable[..., str], set_clock: SetClock) -> None:
    mailed_centre.build(add_person)
    set_clock(SUNDAY)
    publish("2026-08", "2026-09")


@pytest.fixture
def mailed_and_published(
    box: Mailbox, set_clock: SetClock, start_from: Callable[..., None], add_person: Callable
) -> Mailbox:
    """The same centre; the months that are over are published."""
    start_from(build_published, add_person, set_clock)
    set_clock(SUNDAY)
    settle_week()
    return box
