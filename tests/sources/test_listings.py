"""Listings under changes and faults that a seed chooses: S3, folders, and databases beside them.
What is called complete has every item, and the newest version of a contact stays.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders import s3_server
from builders.import_files import find_contacts
from builders.long_seeds import count_seeds
from builders.s3_server import FakeBucket, make_record, name_contact

from qa_core.access.roles import Viewer
from qa_core.sources import ledger, pull, register
from qa_core.sources.ledger import find_span
from qa_core.sources.platforms import s3, sql
from qa_core.sources.protocol.declaration import SourceFailed
from qa_core.sources.register import SourceEntry

SYSTEM = Viewer.SYSTEM
SEEDS = 1000
DAYS = (date(2026, 3, 29), date(2026, 5, 11), date(2026, 10, 25))
SINCE = date(2026, 3, 28)
FAULTS = ("500", "503", "429", "torn", "gone away")
Records = dict[int, int]
"""Number of a contact → seconds of talk."""


@pytest.fixture
def bucket(set_clock: Callable[[str], None]) -> Iterator[FakeBucket]:
    with s3_server.serve() as bucket:
        register.add(SYSTEM, "connect", "s3", "contacts", bucket.address, None, SINCE, "AKIA:tok")
        yield bucket


def pack(records: Records, start: datetime, draw: random.Random) -> bytes:
    """Write records in one of the forms in which Firehose delivers them."""
    lines = [make_record(number, start, talk) for number, talk in records.items()]
    content = draw.choice(("", "\n")).join(lines).encode()
    return gzip.compress(content) if draw.random() < 0.3 else content


def unpack(path: Path) -> Records:
    text, decoder, found, position = path.read_text().strip(), json.JSONDecoder(), {}, 0
    while position < len(text):
        record, position = decoder.raw_decode(text, position)
        found[int(record["ContactId"][:8], 16)] = record["Agent"]["AgentInteractionDuration"]
        position += text[position : position + 1] == "\n"
    return found


class RestlessBucket:
    """Objects that come, change and go between the answers; every version of each is known."""

    def __init__(self, bucket: FakeBucket, draw: random.Random, day: date) -> None:
        self.bucket, self.draw, self.span = bucket, draw, find_span(day)
        self.versions: dict[str, list[Records]] = {}
        self.now: dict[str, Records] = {}
        self.numbers = iter(range(1, 10_000))
        self.share = draw.choice((0.0, 0.1, 0.4))

    def put(self, key: str | None = None) -> None:
        seconds = int((self.span.until - self.span.since).total_seconds())
        offset = self.draw.choice((0, seconds - 1, self.draw.randrange(seconds)))
        at = self.span.since + timedelta(seconds=offset)
        key = key or f"{self.draw.choice('abc')}/{next(self.numbers):04}"
        known = self.now.get(key) or {
            next(self.numbers): 0 for _ in range(self.draw.randrange(1, 4))
        }
        records = {number: self.draw.randrange(10, 400) for number in known}
        self.bucket.put(key, pack(records, at, self.draw), at)
        self.now[key] = records
        self.versions.setdefault(key, []).append(records)

    def change(self, _target: str) -> None:
        if self.draw.random() >= self.share:
            return
        chosen = self.draw.choice(sorted(self.now)) if self.now else None
        act = self.draw.randrange(3)
        if act == 0 or chosen is None:
            self.put()
        elif act == 1:
            self.put(chosen)
        else:
            self.bucket.remove(chosen)
            del self.now[chosen]


def fetch(entry: SourceEntry, day: date) -> tuple[pull.Fetched, Records]:
    with tempfile.TemporaryDirectory() as folder:
        access = entry.open(lambda _seconds: None)
        fetched = pull._fetch(entry, access, find_span(day), Path(folder))
        rows: Records = {}
        for path in fetched.paths:
            rows |= unpack(path)
    return fetched, rows


def run_bucket_seed(bucket: FakeBucket, entry: SourceEntry, seed: int) -> str:
    """Read a day of a bucket under faults. Fails where a loss is silent."""
    draw = random.Random(seed)
    day = draw.choice(DAYS)
    restless = RestlessBucket(bucket, draw, day)
    for _ in range(draw.choice((0, 1, 2, 5))):
        restless.put()
    span = find_span(day)
    bucket.put("before", make_record(9998, span.since), span.since - timedelta(seconds=1))
    bucket.put("after", make_record(9999, span.until), span.until)
    bucket.before = restless.change
    bucket.faults = [draw.choice((*FAULTS, "", "", "")) for _ in range(draw.randrange(9))]
    if draw.random() < 0.1:
        bucket.faults.append("403")
    at_first = dict(restless.now)
    try:
        fetched, rows = fetch(entry, day)
    except SourceFailed as failed:
        assert failed.cause in ledger.CAUSES
        outcome = failed.cause
    else:
        kept = at_first.keys() & restless.now.keys()
        read = {
            key for key in kept if any(v.items() <= rows.items() for v in restless.versions[key])
        }
        assert fetched.is_complete == (fetched.fetched == fetched.expected)
        assert len(kept - read) <= fetched.expected - fetched.fetched
        outcome = "complete" if fetched.is_complete else "gap"
    bucket.before, bucket.faults = lambda _target: None, [draw.choice((*FAULTS, ""))]
    fetched, rows = fetch(entry, day)
    truth = {number: talk for part in restless.now.values() for number, talk in part.items()}
    assert rows == truth and fetched.is_complete
    assert fetched.expected == fetched.fetched == len(restless.now)
    for key in (*restless.now, "before", "after"):
        bucket.remove(key)
    bucket.faults = []
    return outcome


def run_bucket_seeds(bucket: FakeBucket, patch: pytest.MonkeyPatch, seeds: int) -> Counter[str]:
    patch.setattr(s3, "PAGE_KEYS", 2)
    bucket.is_quick = True
    entry = register.get("connect")
    return Counter(run_bucket_seed(bucket, entry, seed) for seed in range(seeds))


def test_a_listed_object_is_read_or_missing_under_faults(
    bucket: FakeBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = run_bucket_seeds(bucket, monkeypatch, 20)

    assert outcomes["complete"] >= 8 and outcomes["gap"] >= 1


@pytest.mark.long
def test_a_thousand_readings_of_a_bucket_lose_nothing_silently(
    bucket: FakeBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = run_bucket_seeds(bucket, monkeypatch, count_seeds(SEEDS))

    print(f"s3: {outcomes.total()} readings under faults: {dict(outcomes)}; 0 silent losses")
    assert outcomes["complete"] > outcomes.total() // 3


WORDS = ("", "plain", 'a "quoted" word', "two\nlines", "à, côté", None)
TEXT = "SELECT id, begun, note FROM calls WHERE begun >= :since AND begun < :until"
EPOCH = "SELECT id, at, note FROM calls WHERE at >= :since_epoch AND at < :until_epoch"


def run_database_seed(folder: Path, seed: int) -> None:
    """Read days of a database whose rows lie at the edges of the day and hold any text."""
    draw = random.Random(seed)
    day, statement = draw.choice(DAYS), draw.choice((TEXT, EPOCH))
    span, path = find_span(day), folder / "calls.db"
    path.unlink(missing_ok=True)
    seconds = int((span.until - span.since).total_seconds())
    edges = (-1, 0, seconds - 1, seconds)
    offsets = [draw.choice((*edges, draw.randrange(seconds))) for _ in range(draw.randrange(14))]
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE calls (id text, begun text, at int, note text)")
        rows = {}
        for number, offset in enumerate(offsets):
            at = ledger.environment.to_local(span.since + timedelta(seconds=offset))
            note = draw.choice(WORDS)
            values = (f"{number}", f"{at:%Y-%m-%d %H:%M:%S}", int(at.timestamp()), note)
            connection.exec_driver_sql("INSERT INTO calls VALUES (?, ?, ?, ?)", values)
            if 0 <= offset < seconds:
                rows[f"{number}"] = note or ""
    entry = SourceEntry("pbx", "sql", "contacts", f"sqlite:///{path}", statement, {}, day)
    with tempfile.TemporaryDirectory() as place:
        access = entry.open(lambda _seconds: None)
        fetched = pull._fetch(entry, access, span, Path(place))
        found = {}
        for file in fetched.paths:
            with file.open(encoding="utf-8", newline="") as lines:
                found |= {row["id"]: row["note"] for row in csv.DictReader(lines)}
    assert found == rows
    assert fetched.is_complete and fetched.fetched == fetched.expected == len(rows)


@pytest.mark.parametrize("seeds", [20, pytest.param(count_seeds(SEEDS), marks=pytest.mark.long)])
def test_each_row_of_a_day_comes_once_from_a_database(
    seeds: int, centre: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "PAGE_ROWS", 3)
    for seed in range(seeds):
        run_database_seed(tmp_path, seed)


def follow_files(
    name: str,
    put: Callable[[str, bytes, datetime], None],
    set_clock: Callable[[str], None],
    break_for: Callable[[random.Random], None],
    seed: int,
) -> None:
    """Follow files for three days, as the worker does: contacts come again with newer values in
    later files, some files appear hours after the time they bear. Compares the lake at the end.
    """
    draw = random.Random(seed)
    first = draw.choice((SINCE, date(2026, 5, 11)))
    begin = find_span(first).since
    truth: Records = {}
    late: list[tuple[float, str, bytes, datetime]] = []
    step = draw.choice((3, 5, 7))
    for hour in range(step, 24 * 3, step):
        at = begin + timedelta(hours=hour)
        set_clock(at.isoformat())
        numbers = draw.sample(range(30), draw.randrange(1, 6))
        records = {number: hour * 10 + draw.randrange(10) for number in numbers}
        stamp = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        lines = [
            make_record(number, begin + timedelta(minutes=number), talk, LastUpdateTimestamp=stamp)
            for number, talk in records.items()
        ]
        written, content = at - timedelta(minutes=10), "\n".join(lines).encode()
        truth |= records
        if draw.random() < 0.2:  # begun, and there only hours later: nobody else writes these
            number = 1000 + hour
            alone = make_record(number, begin, hour).encode()
            late.append((hour + draw.choice((4, 14)), f"late-{hour}", alone, written))
            truth[number] = hour
        put(f"file-{hour:03}", content, written)
        for entry in [entry for entry in late if entry[0] <= hour]:
            put(*entry[1:])
            late.remove(entry)
        break_for(draw)
        if draw.random() < 0.8:
            list(pull.pull(SYSTEM, (name,), wait=lambda _seconds: None))
    for entry in late:
        put(*entry[1:])
    break_for(random.Random(0))
    for hours in (0, 13, 26, 52):
        set_clock((begin + timedelta(hours=24 * 3 + 20 + hours)).isoformat())
        list(pull.pull(SYSTEM, (name,), wait=lambda _seconds: None))
    days = ledger.find_days(name, first, first + timedelta(days=2))
    assert {window.state for window in days} == {ledger.COMPLETE}
    found = {int(contact[:8], 16): talk for contact, talk in find_contacts("talk_seconds")}
    assert found == truth


def follow_a_folder(folder: Path, set_clock: Callable[[str], None], seed: int) -> None:
    set_clock("2026-03-28T00:30")
    options = {"profile": "amazon_connect"}
    register.add(SYSTEM, "drop", "folder", "contacts", str(folder), None, SINCE, None, options)

    def put(name: str, content: bytes, at: datetime) -> None:
        path = folder / f"{name}.json"
        path.write_bytes(content)
        os.utime(path, (at.timestamp(), at.timestamp()))

    follow_files("drop", put, set_clock, lambda _draw: None, seed)


def follow_a_bucket(bucket: FakeBucket, set_clock: Callable[[str], None], seed: int) -> None:
    set_clock("2026-03-28T00:30")

    def break_for(draw: random.Random) -> None:
        bucket.faults = [draw.choice((*FAULTS, "", "403")) for _ in range(draw.randrange(6))]

    follow_files("connect", bucket.put, set_clock, break_for, seed)


def test_files_of_days_are_followed_and_the_newest_stays(
    bucket: FakeBucket, set_clock: Callable[[str], None]
) -> None:
    follow_a_bucket(bucket, set_clock, 1)
    assert find_contacts(where=f"contact_id = '{name_contact(0)}'")


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 2 + count_seeds(10)))
def test_many_folders_are_followed(
    seed: int,
    set_clock: Callable[[str], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    follow_a_folder(tmp_path_factory.mktemp("drop"), set_clock, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 2 + count_seeds(10)))
def test_many_buckets_are_followed(
    seed: int, bucket: FakeBucket, set_clock: Callable[[str], None]
) -> None:
    follow_a_bucket(bucket, set_clock, seed)
