"""The daily deep check: damage that no size shows is found within a day, and told until it is
mended.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from builders.centres import contact, land
from builders.health import find_check

from qa_core.compliance.recordings import vault
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.listening import Recording
from qa_core.ui.server import health
from qa_core.upkeep import integrity

SOUND = b"sound " * 40_000


@pytest.fixture
def files(centre: Path) -> dict[str, Path]:
    """A file of the lake, and one of a recording."""
    land([contact("2026-05-02", "m1")])
    name = vault.write([SOUND])
    with store.writing() as session:
        session.add(
            Recording(
                source_system="calls",
                contact_id="m1",
                local_day=date(2026, 5, 2),
                purpose="evaluation",
                file_name=name,
                digest="",
                media_type="audio/wav",
                clear_bytes=len(SOUND),
                seconds=1.0,
                recorded_at=now(),
                delete_after=now() + timedelta(days=30),
            )
        )
    integrity.check_daily()
    return {"lake": Path(lake.files("contacts")[0]), "recording": vault.folder() / name}


def found(monkeypatch: pytest.MonkeyPatch, hours: int) -> tuple[int, int]:
    """Find what the daily work finds that many hours from now."""
    later = now() + timedelta(hours=hours)
    monkeypatch.setattr(integrity, "now", lambda: later)
    integrity.check_daily()
    last = integrity.find_last()
    return last.lake_files, last.recordings


state = functools.partial(find_check, "deep check")


@pytest.mark.parametrize(
    ("name", "damage"),
    [("lake", "flip"), ("recording", "flip"), ("recording", "cut"), ("recording", "delete")],
)
def test_damage_is_found_within_a_day_and_told_until_it_is_mended(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, name: str, damage: str
) -> None:
    assert state()[0] == "ok" and integrity.find_last().is_well
    file = files[name]
    whole = file.read_bytes()
    middle = len(whole) // 2
    change: dict[str, Callable[[], object]] = {
        "flip": lambda: file.write_bytes(
            whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1 :]
        ),
        "cut": lambda: file.write_bytes(whole[:middle]),
        "delete": file.unlink,
    }
    change[damage]()

    assert found(monkeypatch, 1) == (0, 0)  # not due again yet
    assert found(monkeypatch, 25) == ((1, 0) if name == "lake" else (0, 1))
    assert state()[0] == "bad"
    assert "stores_damaged" in health.Health().find_reasons()

    file.write_bytes(whole)
    assert found(monkeypatch, 26) == (0, 0) and state()[0] == "ok"
    assert "stores_damaged" not in health.Health().find_reasons()


def test_a_recording_that_was_deleted_by_right_is_not_missed(files: dict[str, Path]) -> None:
    with store.writing() as session:
        session.get(Recording, 1).file_name = None
    files["recording"].unlink()

    assert integrity.check().is_well


def test_a_check_that_did_not_run_is_told(centre: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert state()[0] == "warn"
    integrity.check_daily()
    assert state()[0] == "ok"
    later = now() + timedelta(days=3)
    monkeypatch.setattr(integrity, "now", lambda: later)
    assert state()[0] == "warn"
