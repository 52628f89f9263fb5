"""Fixtures of the sources: a clock, and a fake platform that is added as a source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest
from builders.fakes import FAKES
from builders.source_servers import Fake

from qa_core.base import environment

SetClock = Callable[[str], None]


@pytest.fixture
def set_clock(centre: Path, monkeypatch: pytest.MonkeyPatch) -> SetClock:
    (centre / "drill_clock").touch()
    monkeypatch.setenv("QA_OUTSIDE_HOSTS", "127.0.0.1")

    def move(moment: str) -> None:
        environment._read_shift.cache_clear()  # also where a test before was at that moment
        monkeypatch.setenv("QA_CLOCK", moment)

    move("2026-05-12T12:00")
    return move


@pytest.fixture
def add_platform(
    set_clock: SetClock, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Fake]]:
    """Serve a fake platform, and add it as the source of its name."""
    with ExitStack() as stack:

        def add(name: str, since: str = "2026-05-11", **values: object) -> Fake:
            folder = tmp_path_factory.mktemp(name)
            platform = stack.enter_context(FAKES[name](**values).serve(folder))
            platform.add(date.fromisoformat(since))
            return platform

        yield add
