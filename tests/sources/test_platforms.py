"""The platforms that are pulled, each from a fake server that plays its documented pages."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from builders.fakes import PLATFORMS, make_calls
from builders.import_files import find_contacts
from builders.long_seeds import leave_to_long
from builders.source_servers import Call, FakePlatform, change

from qa_core.access.roles import Viewer
from qa_core.sources import pull, register
from qa_core.sources.ledger import WindowEntry, find_span
from qa_core.sources.protocol.declaration import COUNT

SYSTEM = Viewer.SYSTEM
DAY = date(2026, 5, 11)
AddPlatform = Callable[..., FakePlatform]
COUNTING = tuple(name for name in PLATFORMS if register.PLATFORMS[name].basis == COUNT)
TWO = ("genesys", "twilio")
"""Platforms that stand for all where `pull` does the work, in the tests of every day."""
STATED = {name: "complete" if name in COUNTING else "read" for name in PLATFORMS}


def read(name: str, day: date = DAY) -> WindowEntry:
    """Read a day of a source whole; its waits are not waited for."""
    [(_entry, window)] = pull.pull(SYSTEM, (name,), day, day, wait=lambda _seconds: None)
    return window


def find_talks() -> dict[str, int | None]:
    return {name: talk and round(talk) for name, talk in find_contacts("talk_seconds")}


def expect(platform: FakePlatform, day: date = DAY) -> dict[str, int | None]:
    return {call.id: call.talk for call in platform.find_in(find_span(day)).values()}


def make_small(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the limits of a platform small, so that few calls reach them."""
    for name, value in {"PAGE_ROWS": 5, "WALL": 40, "JOB_ROWS": 7}.items():
        if hasattr(module, name):
            monkeypatch.setattr(module, name, value)


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_day_of_many_pages_comes_whole_and_a_second_reading_changes_nothing(
    name: str, add_platform: AddPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_small(PLATFORMS[name], monkeypatch)
    platform = add_platform(name)
    platform.calls = make_calls(name, random.Random(3), find_span(DAY), 130)
    platform.calls |= make_calls(name, random.Random(4), find_span(date(2026, 5, 10)), 9, 900)

    window = read(name)

    assert window.state == STATED[name]
    assert (window.fetched, window.counts["new"], window.counts["rejected"]) == (130, 130, 0)
    assert window.expected == (130 if name in COUNTING else None)
    assert find_talks() == expect(platform)
    again = read(name)
    assert (again.counts["new"], again.counts["updated"], again.counts["unchanged"]) == (0, 0, 130)


@pytest.mark.parametrize("name", leave_to_long(PLATFORMS, but=TWO))
def test_late_and_changed_calls_update_and_deleted_ones_are_shown(
    name: str, add_platform: AddPlatform
) -> None:
    platform = add_platform(name)
    platform.calls = make_calls(name, random.Random(3), find_span(DAY), 10)
    read(name)
    first, second, *_rest = platform.calls
    platform.calls[first] = change(platform.calls[first], 777)
    del platform.calls[second]
    late = make_calls(name, random.Random(5), find_span(DAY), 1, 500)
    platform.calls |= late

    window = read(name)

    assert (window.counts["new"], window.counts["updated"], window.counts["gone"]) == (1, 1, 1)
    assert find_talks() == expect(platform) | {second: find_talks()[second]}
    assert find_talks()[first] == 777


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_source_that_fails_for_good_names_the_day_and_brings_nothing(
    name: str, add_platform: AddPlatform
) -> None:
    platform = add_platform(name)
    platform.calls = make_calls(name, random.Random(3), find_span(DAY), 10)
    causes = {
        "down": "unreachable",
        "denied": "denied",
        "renamed": "changed",
        "moved": "not_allowed",
    }
    for lasting, cause in causes.items():
        platform.lasting = lasting
        window = read(name)
        assert (window.state, window.cause, window.day) == ("failed", cause, DAY), lasting
        assert window.next_at is not None
        assert find_contacts() == []
    platform.lasting = None
    assert read(name).state == STATED[name]
    assert find_talks() == expect(platform)


def test_ten_thousand_calls_are_no_wall(add_platform: AddPlatform) -> None:
    platform = add_platform("aircall")
    platform.calls = make_calls("aircall", random.Random(8), find_span(DAY), 10_400)

    window = read("aircall")

    assert (window.state, window.fetched, window.expected) == ("complete", 10_400, 10_400)
    assert window.counts["new"] == 10_400


@pytest.mark.parametrize("name", COUNTING)
def test_a_call_that_the_platform_counts_and_does_not_give_is_a_gap(
    name: str, add_platform: AddPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = add_platform(name)
    platform.calls = make_calls(name, random.Random(3), find_span(DAY), 10)
    hidden = list(platform.calls)[4]
    answer = platform.answer

    def hide(*given: object) -> tuple:
        status, headers, document = answer(*given)
        for key in ("calls", "conversations"):
            if key in document:
                document[key] = [
                    row for row in document[key]
                    if str(row.get("id", row.get("conversationId"))) != hidden
                ]  # fmt: skip
        return status, headers, document

    platform.answer = hide

    window = read(name)

    assert (window.state, window.fetched, window.expected, window.gap) == ("gap", 9, 10, 1)
    assert len(find_contacts()) == 9
    platform.answer = answer
    assert read(name).state == "complete"
    assert find_talks() == expect(platform)


@pytest.mark.parametrize("name", PLATFORMS)
def test_waits_are_those_that_the_platform_asks_for(name: str, add_platform: AddPlatform) -> None:
    platform = add_platform(name)
    platform.calls = make_calls(name, random.Random(3), find_span(DAY), 10)
    platform.faults = ["429 after", "429", "500", "429 date"]
    waits: list[float] = []

    [(_entry, window)] = pull.pull(SYSTEM, (name,), DAY, DAY, wait=waits.append)

    assert window.state == STATED[name]
    assert waits[:3] == [7.0, 2, 4] and 5 < waits[3] <= 9
    assert find_talks() == expect(platform)


def test_an_expired_token_is_renewed(add_platform: AddPlatform) -> None:
    platform = add_platform("genesys", token_uses=3)
    platform.calls = make_calls("genesys", random.Random(3), find_span(DAY), 10)

    assert read("genesys").state == "complete"
    assert sum(one == "/oauth/token" for one in platform.requests) >= 2


@pytest.mark.parametrize("name", leave_to_long(PLATFORMS, but=TWO))
def test_a_day_on_which_the_clock_changes_is_read_from_midnight_to_midnight(
    name: str, add_platform: AddPlatform, set_clock: Callable[[str], None]
) -> None:
    set_clock("2026-11-20T12:00")
    platform = add_platform(name)
    days = {date(2026, 3, 29): 23, date(2026, 10, 25): 25}
    for number, (day, hours) in enumerate(days.items()):
        span = find_span(day)
        assert (span.until - span.since) / timedelta(hours=1) == hours
        for n in (-1, 0, 1):
            around = find_span(day + timedelta(days=n))
            first = 1000 * (number + 1) + 100 * n
            platform.calls |= make_calls(name, random.Random(n), around, 30, first)

    assert [read(name, day).fetched for day in days] == [30, 30]
    assert find_talks() == expect(platform, min(days)) | expect(platform, max(days))
    assert {start.date() for _name, start in find_contacts("local_start")} == set(days)


def test_no_secret_reaches_the_ledger_a_log_or_the_audit_log(
    add_platform: AddPlatform, centre: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in PLATFORMS:
        platform = add_platform(name)
        for lasting in ("down", "denied", "renamed", None):
            platform.lasting = lasting
            read(name)
        path = centre / "secrets" / f"source-{name}"
        assert path.stat().st_mode & 0o777 == 0o600
    readable = [
        path for path in centre.rglob("*") if path.is_file() and path.parent.name != "secrets"
    ]
    assert not any(b"tok-f00d" in path.read_bytes() for path in readable)
    assert "tok-f00d" not in caplog.text


def test_the_day_is_of_the_centre_whatever_the_clock_of_the_machine(
    add_platform: AddPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        platform = add_platform("aircall")
        start = find_span(DAY).since
        for number, hours in enumerate((0, 4, 20, 23)):
            name = f"{number}"
            platform.calls[name] = Call(name, start + timedelta(hours=hours), 60)
        read("aircall")
        platform.calls.clear()

        assert read("aircall").counts["gone"] == 4
    finally:
        monkeypatch.undo()
        time.tzset()
