"""A week of a small centre through the fake of each platform, on a moved clock, while the served
app is asked for its figures: they never fall, no day is counted by half, and the end is the truth.
"""

from __future__ import annotations

import json
import random
import threading
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import cycle
from pathlib import Path
from urllib.parse import urlencode

import pytest
from builders.centres import add_people
from builders.fakes import FAKES, make_calls
from builders.forked_python import forked_python
from builders.import_files import find_contacts
from builders.servers import serve_all
from builders.source_servers import Fake

from qa_core.access import service_tokens
from qa_core.access.accounts import AccountTerms
from qa_core.access.roles import Role, Viewer
from qa_core.sources import ledger, pull
from qa_core.sources.ledger import find_span
from qa_core.upkeep import after_import

SYSTEM = Viewer.SYSTEM
MONDAY = date(2026, 5, 11)
DAYS = [MONDAY + timedelta(days=n) for n in range(7)]
STEP = timedelta(hours=3)
QUESTION = urlencode(
    [("kpi", "received"), ("kpi", "answered"), ("kpi", "missed"), ("by", "day"),
     ("from", "2026-05-11"), ("to", "2026-05-17")]
)  # fmt: skip
Figures = dict[str, int]
"""Contacts of each day that has some."""


@contextmanager
def reading(address: str, secrets: list[str]) -> Iterator[list[tuple[Figures, Figures]]]:
    """Ask the served app until the block ends: what was received, and what of it was answered or
    missed.
    """
    seen: list[tuple[Figures, Figures]] = []
    over = threading.Event()
    failed: list[Exception] = []

    def ask() -> None:
        for secret in cycle(secrets):
            headers = {"Authorization": f"Bearer {secret}"}
            request = urllib.request.Request(f"{address}/api/kpi?{QUESTION}", headers=headers)
            try:
                with urllib.request.urlopen(request, timeout=120) as answer:
                    rows = json.load(answer)["rows"]
            except urllib.error.HTTPError as error:
                failed.append((error, error.read()))
                return
            received, parts = Counter(), Counter()
            for row in rows:
                counted = received if row["kpi"] == "received" else parts
                counted[row["by"]["day"]] += int(row["value"] or 0)
            seen.append((received, parts))
            if over.wait(0.1):
                return

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
    assert not failed, failed


def replay(source: Fake, set_clock: Callable[[str], None]) -> dict[str, set[int]]:
    """Replay the week: calls come as they happen, some an hour late, some change. Returns the
    numbers of contacts that each day has had.
    """
    draw = random.Random(7)
    whole = {}
    for n, day in enumerate(DAYS):
        whole |= make_calls(source.name, draw, find_span(day), 40, 100 * n + 1)
    numbers = defaultdict(lambda: {0})
    begin = find_span(MONDAY).since
    for step in range(1, (7 * 24 + 30) // 3):
        at = begin + step * STEP
        set_clock(at.isoformat())
        for call in whole.values():
            late = timedelta(hours=1 if int(call.talk or 0) % 3 == 0 else 0)
            if call.start + late <= at:
                source.calls[call.id] = call
        source.publish(at - timedelta(minutes=1))
        for day in DAYS:
            numbers[f"{day}"].add(len(source.find_in(find_span(day))))
        for _entry, window in pull.pull(SYSTEM, (source.name,), wait=lambda _seconds: None):
            assert window.state not in ledger.MISSING, window
        after_import.do_due()
    assert source.calls == whole
    return numbers


@pytest.mark.long
@pytest.mark.parametrize("name", FAKES)
def test_a_week_is_replayed_while_the_served_app_is_read(
    name: str,
    centre: Path,
    add_platform: Callable[..., Fake],
    set_clock: Callable[[str], None],
) -> None:
    set_clock("2026-05-11T00:00")
    source = add_platform(name, since="2026-05-11")
    add_people(teams={"Nord": "Lille"})
    terms = AccountTerms(Role.MANAGER, sites=("Lille",), sees_unassigned=True)
    secrets = [service_tokens.add(SYSTEM, f"reader{n}", terms).secret for n in range(6)]
    clock = {"QA_CLOCK": "2026-05-18T08:00"}

    with (
        serve_all(centre, 1, python=forked_python(), **clock) as [server],
        reading(server.url, secrets) as seen,
    ):
        numbers = replay(source, set_clock)

    truth = {call.id: call.talk for call in source.calls.values()}
    assert {n: talk and round(talk) for n, talk in find_contacts("talk_seconds")} == truth
    assert {window.state for window in ledger.find_days(name, MONDAY, DAYS[-1])} <= {
        ledger.COMPLETE,
        ledger.READ,
    }
    before: Figures = {}
    for contacts, parts in seen:
        assert contacts == parts  # one answer is of one moment
        for day, count in contacts.items():
            assert count in numbers[day] and count >= before.get(day, 0), (day, count)
        before = contacts
    different = len({tuple(sorted(contacts.items())) for contacts, _parts in seen})
    print(f"{name}: a week replayed, read {len(seen)} times, {different} states, none by half")
    assert different > 5
