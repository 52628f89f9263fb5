"""Readings under faults that a seed chooses: what is called complete is complete, and what is
not says which day. `make check-long` tries a thousand seeds of each platform.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from builders.fakes import PLATFORMS, make_calls
from builders.import_files import find_contacts
from builders.long_seeds import count_seeds, leave_to_long
from builders.source_servers import (
    FAULTS,
    LASTING,
    FakePlatform,
    change,
)

from qa_core.access.roles import Viewer
from qa_core.sources import ledger, pull, register
from qa_core.sources.ledger import find_span
from qa_core.sources.protocol.declaration import NONE, SourceFailed, Span
from qa_core.sources.register import SourceEntry

SEEDS = 1000
LIMITS = {"PAGE_ROWS": 5, "WALL": 40, "JOB_ROWS": 7}
DAYS = (date(2026, 3, 29), date(2026, 5, 11), date(2026, 10, 25))


def make_restless(draw: random.Random, span: Span) -> Callable[[FakePlatform], None]:
    """Have calls come and change between the answers."""
    share, number = draw.choice((0.0, 0.05, 0.3)), 5000

    def before(platform: FakePlatform) -> None:
        nonlocal number
        if draw.random() >= share:
            return
        if platform.calls and draw.random() < 0.5:
            chosen = draw.choice(list(platform.calls))
            platform.calls[chosen] = change(platform.calls[chosen], draw.randrange(400, 900))
        elif number < 5008:  # fewer in one second than a query of these platforms gives
            number += 1
            platform.calls |= make_calls(platform.name, draw, span, 3, number * 3)

    return before


def fetch(entry: SourceEntry, span: Span) -> tuple[pull.Fetched, dict[str, dict]]:
    """Read a span, and return the last version of each row that was read."""
    with tempfile.TemporaryDirectory() as folder:
        fetched = pull._fetch(entry, entry.open(lambda _seconds: None), span, Path(folder))
        lines = [line for path in fetched.paths for line in path.read_text().splitlines()]
    rows = map(json.loads, lines)
    return fetched, {str(row[entry.declared.key]): row for row in rows}


def run_seed(platform: FakePlatform, entry: SourceEntry, seed: int) -> str:
    """Read a day under faults; returns how it ended. Fails where a loss is silent."""
    draw = random.Random(seed)
    span = find_span(draw.choice(DAYS))
    platform.calls = make_calls(platform.name, draw, span, draw.choice((0, 1, 4, 5, 6, 39, 90)))
    platform.calls |= make_calls(
        platform.name, draw, Span(span.since - timedelta(hours=2), span.since), 4, 900
    )
    platform.before = make_restless(draw, span)
    platform.faults = [draw.choice((*FAULTS, "", "", "", "")) for _ in range(draw.randrange(12))]
    platform.lasting = draw.choice((None,) * 12 + LASTING)
    platform.is_capped, platform.is_available = draw.random() < 0.5, draw.random() < 0.5
    platform.token_uses = draw.choice((4, 1000))
    at_first = set(platform.find_in(span))
    try:
        fetched, rows = fetch(entry, span)
    except SourceFailed as failed:
        assert failed.cause in ledger.CAUSES
        outcome = failed.cause
    else:
        at_last = set(platform.find_in(span))
        assert platform.lasting is None
        if entry.declared.basis == NONE:
            assert at_first <= set(rows) <= at_last and fetched.expected is None
            outcome = "read"
        elif fetched.is_complete:
            # What came after the last count comes with the next reading of the day.
            assert at_first <= set(rows) <= at_last and fetched.expected == len(rows)
            outcome = "complete"
        else:
            assert len(at_first - set(rows)) <= abs(fetched.expected - fetched.fetched)
            outcome = "gap"
    # The platform rests: the next reading has all of it, as it is.
    platform.before, platform.lasting = lambda _platform: None, None
    platform.faults, platform.token_uses = [draw.choice((*FAULTS, "")) for _ in range(3)], 1000
    fetched, rows = fetch(entry, span)
    truth = platform.find_in(span)
    assert set(rows) == set(truth) and fetched.is_complete
    assert fetched.expected == (None if entry.declared.basis == NONE else len(truth))
    assert all(rows[name] == platform.as_row(call) for name, call in truth.items())
    return outcome


def run_seeds(
    name: str, seeds: int, add_platform: Callable[..., FakePlatform], patch: pytest.MonkeyPatch
) -> Counter[str]:
    for limit, value in LIMITS.items():
        if hasattr(PLATFORMS[name], limit):
            patch.setattr(PLATFORMS[name], limit, value)
    platform = add_platform(name)
    entry = register.get(name)
    return Counter(run_seed(platform, entry, seed) for seed in range(seeds))


@pytest.mark.parametrize("name", PLATFORMS)
def test_what_is_called_complete_is_complete_under_faults(
    name: str, add_platform: Callable[..., FakePlatform], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = run_seeds(name, 20, add_platform, monkeypatch)

    assert outcomes.total() == 20
    assert outcomes["complete"] + outcomes["read"] >= 8


@pytest.mark.long
@pytest.mark.parametrize("name", PLATFORMS)
def test_a_thousand_readings_under_faults_lose_nothing_silently(
    name: str, add_platform: Callable[..., FakePlatform], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = run_seeds(name, count_seeds(SEEDS), add_platform, monkeypatch)

    print(f"{name}: {outcomes.total()} readings under faults: {dict(outcomes)}; 0 silent losses")
    assert outcomes["complete"] + outcomes["read"] > outcomes.total() // 3
    assert {"denied", "not_allowed", "changed", "unreachable"} <= set(outcomes)


def follow_days(platform: FakePlatform, set_clock: Callable[[str], None], seed: int) -> None:
    """Follow a source for three days, as its worker does, and compare the lake at the end."""
    draw = random.Random(seed)
    first = date(2026, 3, 28) if draw.random() < 0.5 else date(2026, 5, 11)
    spans = [find_span(first + timedelta(days=n)) for n in range(3)]
    whole: dict = {}
    for n, span in enumerate(spans):
        whole |= make_calls(platform.name, draw, span, 20, 100 * n + 1)
    for hour in range(3, 24 * 10, draw.choice((5, 7, 11))):
        at = spans[0].since + timedelta(hours=hour)
        set_clock(at.isoformat())
        for call in whole.values():  # some are noted an hour late
            late = timedelta(hours=1 if int(call.talk or 0) % 3 == 0 else 0)
            if call.start + late <= at and call.id not in platform.calls:
                platform.calls[call.id] = call
        platform.faults = [draw.choice((*FAULTS, "", "")) for _ in range(draw.randrange(6))]
        platform.lasting = draw.choice((None,) * 6 + LASTING)
        for _entry, window in pull.pull(Viewer.SYSTEM, (platform.name,), wait=lambda _s: None):
            if window.state == ledger.COMPLETE:
                known = {row[0] for row in find_contacts()}
                assert set(platform.find_in(window.span)) <= known
    platform.lasting, platform.faults = None, []
    set_clock((at + timedelta(days=1)).isoformat())
    list(pull.pull(Viewer.SYSTEM, (platform.name,), wait=lambda _s: None))
    states = {
        window.state for window in ledger.find_days(platform.name, first, first + timedelta(days=2))
    }
    assert states <= {ledger.COMPLETE, ledger.READ}
    talks = {name: talk and round(talk) for name, talk in find_contacts("talk_seconds")}
    assert talks == {call.id: call.talk for call in whole.values()}


@pytest.mark.parametrize("name", leave_to_long(["aircall", "twilio"], but=["aircall"]))
def test_a_worker_that_follows_days_under_faults_brings_them_whole(
    name: str, add_platform: Callable[..., FakePlatform], set_clock: Callable[[str], None]
) -> None:
    set_clock("2026-03-28T00:30")
    platform = add_platform(name, since="2026-03-28")

    follow_days(platform, set_clock, 4)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 1 + count_seeds(10)))
@pytest.mark.parametrize("name", PLATFORMS)
def test_workers_of_many_centres_bring_their_days_whole(
    name: str,
    seed: int,
    add_platform: Callable[..., FakePlatform],
    set_clock: Callable[[str], None],
) -> None:
    set_clock("2026-03-28T00:30")
    platform = add_platform(name, since="2026-03-28")

    follow_days(platform, set_clock, seed)
