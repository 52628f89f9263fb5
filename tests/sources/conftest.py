"""Fixtures of the sources: a clock, and a fake platform that is added as a source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest
from builders.source_servers import SECRET, FakePlatform, serve

from qa_core.access.roles import Viewer
from qa_core.sources import register

SetClock = Callable[[str], None]


@pytest.fixture
def set_clock(centre: Path, monkeypatch: pytest.MonkeyPatch) -> SetClock:
    (centre / "drill_clock").touch()
    monkeypatch.setenv("QA_OUTSIDE_HOSTS", "127.0.0.1")

    def move(moment: str) -> None:
        monkeypatch.setenv("QA_CLOCK", moment)

    move("2026-05-12T12:00")
    return move


@pytest.fixture
def add_platform(set_clock: SetClock) -> Iterator[Callable[..., FakePlatform]]:
    """Serve a fake platform, and add it as the source of its name."""
    with ExitStack() as stack:

        def add(name: str, since: str = "2026-05-11", **values: object) -> FakePlatform:
            platform = stack.enter_context(serve(FakePlatform(name, **values)))
            register.add(
                Viewer.SYSTEM, name, name, "contacts", platform.address, None,
                date.fromisoformat(since), SECRET,
            )  # fmt: skip
            return platform

        yield add
