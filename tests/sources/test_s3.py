"""Amazon S3 as a source: contact records of Amazon Connect, over moto's bucket on the loopback."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

import pytest
from builders import s3_server
from builders.import_files import find_contacts
from builders.long_seeds import leave_to_long
from builders.s3_server import FakeBucket, make_record

from qa_core.access.roles import Viewer
from qa_core.base.errors import Refusal
from qa_core.sources import ledger, pull, register
from qa_core.sources.ledger import WindowEntry
from qa_core.sources.platforms import s3

SYSTEM = Viewer.SYSTEM
DAY = date(2026, 5, 11)
NOON = datetime.fromisoformat("2026-05-11T12:00:00+02:00")
NEXT = NOON + timedelta(days=1)


@pytest.fixture
def bucket(set_clock: Callable[[str], None]) -> Iterator[FakeBucket]:
    set_clock("2026-05-12T18:00")
    with s3_server.serve() as bucket:
        register.add(SYSTEM, "connect", "s3", "contacts", bucket.address, None, DAY, "AKIA:tok")
        yield bucket


def read(day: date = DAY) -> WindowEntry:
    windows = pull.pull(SYSTEM, ("connect",), day, day, wait=lambda _seconds: None)
    return next(window for _entry, window in windows)


def read_due() -> list[WindowEntry]:
    return [window for _entry, window in pull.pull(SYSTEM, wait=lambda _seconds: None)]


def find_talks() -> dict[int, float | None]:
    return {int(name[:8], 16): talk for name, talk in find_contacts("talk_seconds")}


@pytest.mark.parametrize(
    ("page", "keys"), leave_to_long([(100, 250), (1000, 2500)], but=[(100, 250)])
)
def test_every_key_of_more_than_two_pages_is_listed_and_read(
    bucket: FakeBucket, monkeypatch: pytest.MonkeyPatch, page: int, keys: int
) -> None:
    monkeypatch.setattr(s3, "PAGE_KEYS", page)
    bucket.is_quick = True
    for number in range(keys):
        at = NOON + timedelta(seconds=number)
        bucket.put(f"2026/05/11/10/{number:04}", make_record(number, at), at)
    bucket.put("2026/05/12/10/later", make_record(9000, NEXT), NEXT)

    window = read()

    assert (window.state, window.fetched, window.expected, window.gap) == (
        "complete",
        keys,
        keys,
        0,
    )
    assert set(find_talks()) == set(range(keys))
    assert sum("list-type=2" in target for target in bucket.requests) == 3


def test_records_may_be_compressed_and_follow_each_other_without_a_separator(
    bucket: FakeBucket,
) -> None:
    records = [make_record(number, NOON) for number in range(6)]
    bucket.put("a.gz", gzip.compress("".join(records[:2]).encode()), NOON)
    bucket.put("b", "\n".join(records[2:4]), NOON)
    bucket.put("c", f"[{','.join(records[4:])}]", NOON)
    bucket.put("empty", b"", NOON)
    bucket.put("folder/", b"", NOON)

    window = read()

    assert (window.state, window.fetched, window.expected) == ("complete", 4, 4)
    assert find_talks() == dict.fromkeys(range(6), 60.0)


def test_an_object_that_goes_or_changes_between_listing_and_reading(bucket: FakeBucket) -> None:
    for number in range(3):
        bucket.put(f"{number}", make_record(number, NOON), NOON + timedelta(seconds=number))

    def meanwhile(target: str) -> None:
        if target.endswith("/0"):
            bucket.before = lambda _target: None
            bucket.remove("1")
            bucket.put("2", make_record(2, NOON, 99), NOON + timedelta(seconds=9))

    bucket.before = meanwhile

    window = read()

    assert (window.state, window.fetched, window.expected, window.gap) == ("gap", 2, 3, 1)
    assert find_talks() == {0: 60.0, 2: 99.0}
    window = read()  # what is listed now is there
    assert (window.state, window.fetched, window.expected) == ("complete", 2, 2)


@pytest.mark.parametrize(
    "content",
    leave_to_long([b"PK\x03\x04 no JSON", b"\x1f\x8b cut off", b'{"a": '], but=[b'{"a": ']),
)
def test_an_object_that_holds_no_json_is_a_gap_and_the_others_come(
    bucket: FakeBucket, content: bytes
) -> None:
    bucket.put("a", content, NOON)
    bucket.put("b", make_record(1, NOON), NOON)

    window = read()

    assert (window.state, window.fetched, window.expected, window.gap) == ("gap", 1, 2, 1)
    assert find_talks() == {1: 60.0}
    bucket.put("a", make_record(0, NOON), NOON)
    assert read().state == "complete"
    assert find_talks() == {0: 60.0, 1: 60.0}


@pytest.mark.parametrize(
    ("faults", "cause"),
    [
        (["403"], "denied"),
        (["", "403"], "denied"),
        (["301"], "not_allowed"),
        (["404"], "refused"),
        (["503"] * 7, "throttled"),
        (["gone away"] * 7, "unreachable"),
    ],
)
def test_a_bucket_that_cannot_be_read_names_the_cause_and_writes_nothing(
    bucket: FakeBucket, faults: list[str], cause: str
) -> None:
    bucket.put("a", make_record(0, NOON), NOON)
    bucket.faults = list(faults)

    window = read()

    assert (window.state, window.cause) == ("failed", cause)
    assert find_contacts() == []
    bucket.faults = list(faults)
    with pytest.raises(Refusal) as refused:
        pull.test(SYSTEM, "connect", lambda _seconds: None)
    assert refused.value.code == "source_failed" and "tok" not in str(refused.value)


def test_faults_that_pass_are_waited_for(bucket: FakeBucket) -> None:
    for number in range(4):
        bucket.put(f"{number}", make_record(number, NOON), NOON)
    bucket.faults = ["500", "torn", "", "503", "torn", "gone away", "", "429", "500"]

    assert (read().state, set(find_talks())) == ("complete", {0, 1, 2, 3})


def test_late_records_update_and_an_earlier_day_read_again_takes_nothing_back(
    bucket: FakeBucket, set_clock: Callable[[str], None]
) -> None:
    bucket.put("a", make_record(0, NOON, 60) + make_record(1, NOON, 60), NOON)
    bucket.put("b", make_record(0, NOON, 75, LastUpdateTimestamp="2026-05-12T09:00:00Z"), NEXT)

    first = read_due()

    assert [window.day.day for window in first] == [11, 12]
    assert find_talks() == {0: 75.0, 1: 60.0}
    assert first[1].counts["updated"] == 1
    bucket.requests.clear()
    set_clock("2026-05-13T23:30")
    read_due()
    assert not any(target.endswith("/a") for target in bucket.requests)  # nothing new
    # An object of the first day appears late: its day is read whole, then those after it.
    bucket.put("late", make_record(2, NOON), NOON + timedelta(hours=1))
    ledger.fill(SYSTEM, ledger.find_days("connect", DAY, DAY)[0].id)
    again = read_due()
    assert [window.day.day for window in again] == [11, 12, 13]
    assert find_talks() == {0: 75.0, 1: 60.0, 2: 60.0}
    assert {w.state for w in ledger.find_windows(SYSTEM, "connect")} <= {"complete", "open"}


def test_a_prefix_with_a_date_is_listed_for_the_days_around(bucket: FakeBucket) -> None:
    register.remove(SYSTEM, "connect")
    address = bucket.address + "%Y/%m/%d/"
    register.add(SYSTEM, "connect", "s3", "contacts", address, None, DAY, "AKIA:tok")
    bucket.put("2026/05/11/10/a", make_record(0, NOON), NOON)
    bucket.put("2026/05/10/23/b", make_record(1, NOON), NOON)
    bucket.put("2025/01/01/10/c", make_record(2, NOON), NOON)

    assert (read().state, set(find_talks())) == ("complete", {0, 1})


def test_the_host_of_a_bucket_must_be_allowed(
    bucket: FakeBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_OUTSIDE_HOSTS", "s3.eu-west-3.amazonaws.com")
    assert (read().state, read().cause) == ("failed", "not_allowed")
    for address, code in (
        ("https://s3.eu-west-1.amazonaws.com/records/ctr/", "outside_host"),
        ("https://s3.eu-west-3.amazonaws.com/", "no_bucket"),
    ):
        with pytest.raises(Refusal) as refused:
            register.add(SYSTEM, "other", "s3", "contacts", address, None, DAY, "AKIA:tok")
        assert refused.value.code == code
    assert bucket.requests == []
