"""The pull of sources: its days, its gaps, what waits for a person, kills, undo."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.fakes import FAKES, make_calls
from builders.forked_python import forked_python
from builders.health import find_check
from builders.import_files import bring, find_contacts, find_facts
from builders.killed_pull import BUSY
from builders.long_seeds import count_seeds
from builders.source_servers import Call, Fake, change

from qa_core import ingest
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.base.progress import Stop
from qa_core.cli import app
from qa_core.files.options import ImportOptions
from qa_core.ingest.load import layouts
from qa_core.sources import ledger, pull, register
from qa_core.sources.ledger import WindowEntry, find_span
from qa_core.sources.protocol.declaration import NONE, Span
from qa_core.storage.records import store
from qa_core.storage.records.imports import ImportBatch
from qa_core.upkeep import after_import, erasure

SYSTEM = Viewer.SYSTEM
DAY, TODAY = date(2026, 5, 11), date(2026, 5, 12)
AddPlatform = Callable[..., Fake]
SetClock = Callable[[str], None]


def pull_due(*names: str) -> list[WindowEntry]:
    return [window for _entry, window in pull.pull(SYSTEM, names, wait=lambda _seconds: None)]


def states(name: str) -> dict[str, str]:
    return {f"{window.day}": window.state for window in ledger.find_windows(SYSTEM, name)}


def pull_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict]]:
    code = app.run(["pull", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_command_prints_an_object_for_each_window(
    add_platform: AddPlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform = add_platform("aircall")
    platform.calls = make_calls("aircall", random.Random(3), find_span(DAY), 10)

    code, windows = pull_json(capsys, "aircall")

    assert code == 0
    assert windows[1] == {
        "source": "aircall",
        "window": "2026-05-11T00:00:00+02:00/2026-05-12T00:00:00+02:00",
        "fetched": 10, "expected": 10, "basis": "count", "gap": 0,
        "new": 10, "updated": 0, "unchanged": 0, "rejected": 0,
        "provisional_until": "2026-05-13T00:00:00+02:00",
        "state": "complete", "cause": None, "gone": 0,
    }  # fmt: skip
    assert [window["state"] for window in windows] == ["open", "complete"]
    platform.lasting = "denied"
    code, [window] = pull_json(
        capsys, "aircall", "--from", "2026-05-10", "--to", "2026-05-10", "--dry-run"
    )
    assert (code, window["state"], window["cause"], window["gap"]) == (
        1,
        "failed",
        "denied",
        None,
    )


def test_a_basis_of_none_states_no_number_and_is_never_complete(
    add_platform: AddPlatform, set_clock: SetClock, capsys: pytest.CaptureFixture[str]
) -> None:
    platform = add_platform("twilio")
    platform.calls = make_calls("twilio", random.Random(3), find_span(DAY), 10)

    code, windows = pull_json(capsys, "twilio")

    assert code == 0
    assert (windows[1]["expected"], windows[1]["gap"], windows[1]["state"]) == (None, None, "read")
    read = []
    for day in range(13, 25):
        set_clock(f"2026-05-{day}T12:00")
        read += [window.day for window in pull_due("twilio")]
    assert read.count(DAY) == 7  # each day for a week, and once it is over
    assert ledger.find_days("twilio", DAY, DAY)[0].next_at is None


def test_today_is_read_on_with_an_overlap_and_whole_once_it_is_over(
    add_platform: AddPlatform, set_clock: SetClock
) -> None:
    platform = add_platform("aircall", since="2026-05-12")
    calls = make_calls("aircall", random.Random(3), find_span(TODAY), 40)
    early = {
        name: call
        for name, call in calls.items()
        if call.start < find_span(TODAY).since + timedelta(hours=12)
    }
    platform.calls = dict(early)
    [first] = pull_due("aircall")
    assert (first.state, first.fetched) == ("open", len(early))
    assert pull_due("aircall") == []

    set_clock("2026-05-12T12:30")
    platform.requests.clear()
    pull_due("aircall")
    noon = find_span(TODAY).since + timedelta(hours=12)
    since = min(int(one.partition("from=")[2].partition("&")[0]) for one in platform.requests)
    assert noon.timestamp() - 3600 <= since <= noon.timestamp()

    platform.calls = calls
    set_clock("2026-05-13T00:01")
    windows = {f"{window.day}": window for window in pull_due("aircall")}
    assert (windows["2026-05-12"].state, windows["2026-05-12"].fetched) == ("complete", 40)
    set_clock("2026-05-14T00:01")
    pull_due("aircall")
    assert ledger.find_days("aircall", TODAY, TODAY)[0].next_at is None
    assert len(find_contacts()) == 40


def test_a_failed_day_is_tried_again_after_waits_until_it_is_filled(
    add_platform: AddPlatform, set_clock: SetClock
) -> None:
    platform = add_platform("aircall", since="2026-05-11")
    platform.calls = make_calls("aircall", random.Random(3), find_span(DAY), 10)
    platform.lasting = "down"
    assert states_after(pull_due) == ["failed", "failed"]
    assert pull_due() == []
    set_clock("2026-05-12T12:30")
    assert states_after(pull_due) == ["failed", "failed"]
    state, detail = find_check("sources of data")
    assert state == "warn" and "aircall" in detail
    assert pull_due() == []
    ledger.fill(SYSTEM, ledger.find_days("aircall", DAY, DAY)[0].id)
    platform.lasting = None
    assert states_after(pull_due) == ["complete"]
    assert len(find_contacts()) == 10


def states_after(act: Callable[[], list[WindowEntry]]) -> list[str]:
    return [window.state for window in act()]


def test_a_word_that_nobody_confirmed_waits_for_a_person_and_then_goes_through(
    add_platform: AddPlatform, centre: Path
) -> None:
    platform = add_platform("aircall", since="2026-05-11")
    platform.calls = make_calls("aircall", random.Random(3), find_span(DAY), 10)
    answer = platform.answer

    def rename(*given: object) -> tuple:
        status, headers, document = answer(*given)
        for call in document["calls"]:
            if call["missed_call_reason"]:
                call["missed_call_reason"] = "sent_to_the_moon"
        return status, headers, document

    platform.answer = rename

    _today, window = pull_due("aircall")

    assert (window.state, find_contacts()) == ("waiting", [])
    [row] = layouts.find_waiting(SYSTEM)
    path, *options = row.waiting.split(" --")
    assert options == ["profile aircall"]
    assert Path(path).stat().st_mode & 0o777 == 0o600
    erasure.erase(SYSTEM, "customer", "somebody")
    assert not Path(path).exists()  # it holds numbers of anybody, and is pulled again
    ledger.fill(SYSTEM, window.id)
    [window] = pull_due("aircall")
    assert window.state == "waiting" and Path(path).exists()
    word = {"missed_call_reason:sent_to_the_moon": "abandoned"}
    given = ImportOptions(profile="aircall", words=word)
    [report] = ingest.run(SYSTEM, "contacts", [path], given)
    if report.is_refused:
        confirmed = ImportOptions(profile="aircall", words=word, confirm=report.reading.layout)
        [report] = ingest.run(SYSTEM, "contacts", [path], confirmed)
    assert report.tally.new == 10
    ledger.fill(SYSTEM, window.id)
    [window] = pull_due("aircall")
    assert (window.state, window.counts["unchanged"]) == ("complete", 10)
    assert not Path(path).exists()
    assert pull.undo(SYSTEM, window.id) == 2  # that by hand, and that of the pull
    assert find_contacts() == []


def test_a_day_is_undone_whole_and_comes_back_only_on_request(
    add_platform: AddPlatform, set_clock: SetClock
) -> None:
    platform = add_platform("aircall", since="2026-05-11")
    platform.calls = make_calls("aircall", random.Random(3), find_span(DAY), 10)
    platform.calls |= make_calls("aircall", random.Random(4), find_span(TODAY), 3, 100)
    pull_due()
    first = next(iter(platform.calls))
    platform.calls[first] = change(platform.calls[first], 555)
    window = ledger.find_days("aircall", DAY, DAY)[0]
    ledger.fill(SYSTEM, window.id)
    pull_due()

    assert pull.undo(SYSTEM, window.id) == 2

    assert {name for (name,) in find_contacts()} == {"100", "102"}  # of today
    set_clock("2026-05-20T12:00")
    pull_due()
    assert states("aircall")["2026-05-11"] == "undone"
    assert not {name for (name,) in find_contacts()} & {first}
    ledger.fill(SYSTEM, window.id)
    pull_due()
    assert len(find_contacts()) == 13


def test_a_day_that_is_undone_in_part_is_read_again(
    add_platform: AddPlatform, set_clock: SetClock, tmp_path: Path
) -> None:
    platform = add_platform("aircall", since="2026-05-12")
    calls = make_calls("aircall", random.Random(3), find_span(TODAY), 40)
    noon = find_span(TODAY).since + timedelta(hours=12)
    platform.calls = {name: call for name, call in calls.items() if call.start < noon}
    pull_due()
    platform.calls = calls
    set_clock("2026-05-14T00:01")
    pull_due()
    # By hand came what the first of the two imports of the day cannot be undone below.
    early = next(iter(sorted(calls, key=lambda name: calls[name].start)))
    at = f"{calls[early].start + timedelta(hours=2):%Y-%m-%d %H:%M:%S}"
    row = f"contact_id,started_at,outcome,wait_seconds\n{early},{at},answered,77\n"
    bring(tmp_path, "contacts", row, system="aircall")

    with pytest.raises(Refusal):
        pull.undo(SYSTEM, ledger.find_days("aircall", TODAY, TODAY)[0].id)

    assert len(find_contacts()) < 40
    pull_due()
    assert len(find_contacts()) == 40


def test_a_dry_run_writes_nothing(add_platform: AddPlatform, centre: Path) -> None:
    platform = add_platform("aircall")
    platform.calls = make_calls("aircall", random.Random(3), find_span(DAY), 10)

    [(_entry, window)] = pull.pull(SYSTEM, ("aircall",), DAY, DAY, dry_run=True)

    assert (window.fetched, window.counts["new"]) == (10, 10)
    assert ledger.find_windows(SYSTEM, "aircall") == [] and find_contacts() == []


def test_imports_of_the_same_days_under_another_name_are_warned_of(
    add_platform: AddPlatform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    platform = add_platform("aircall")
    platform.calls = make_calls("aircall", random.Random(3), find_span(DAY), 10)
    assert app.run(["pull", "aircall"]) == 0
    assert "same contacts" not in capsys.readouterr().err
    calls = platform.calls.values()
    rows = [f"X{call.id},{call.start.isoformat()},{call.number},answered" for call in calls]
    head = "contact_id,started_at,customer,outcome"
    bring(tmp_path, "contacts", "\n".join((head, *rows)), system="by hand")
    ledger.fill(SYSTEM, ledger.find_days("aircall", DAY, DAY)[0].id)

    assert app.run(["pull", "aircall"]) == 0

    warned = "by hand and the source aircall have the same contacts"
    assert warned in capsys.readouterr().err
    assert pull.find_doubled(ledger.find_windows(SYSTEM, "aircall")) == ["by hand"]


def test_who_was_erased_stays_without_identity_when_the_day_is_read_again(
    add_platform: AddPlatform,
) -> None:
    platform = add_platform("aircall", since="2026-05-11")
    platform.calls = make_calls("aircall", random.Random(3), find_span(DAY), 10)
    pull_due()
    name, key = find_contacts("customer_key")[0]
    erasure.erase(SYSTEM, "customer", key)

    ledger.fill(SYSTEM, ledger.find_days("aircall", DAY, DAY)[0].id)
    pull_due()

    assert find_contacts(where=f"customer_key = '{key}'") == []
    assert name not in {contact_id for (contact_id,) in find_contacts()}


def test_two_workers_at_once_bring_nothing_twice(add_platform: AddPlatform) -> None:
    platform = add_platform("aircall", since="2026-05-11")
    platform.calls = make_calls("aircall", random.Random(3), find_span(DAY), 10)
    first = pull.pull(SYSTEM, ("aircall",), wait=lambda _seconds: None)
    next(first)

    with pytest.raises(Refusal) as refused:
        pull_due("aircall")

    assert refused.value.code == "source_busy"
    list(first)
    assert len(find_contacts()) == 10


def test_the_worker_reads_until_it_is_stopped_and_does_what_follows(
    add_platform: AddPlatform,
) -> None:
    platform = add_platform("aircall", since="2026-05-11")
    platform.calls = make_calls("aircall", random.Random(3), find_span(DAY), 10)
    stop, read, done = Stop(), [], []

    def do_due() -> None:
        after_import.do_due(after_import.QUICK)
        done.append(True)
        stop.set()

    pull.follow(SYSTEM, stop, lambda _entry, window: read.append(window.day), do_due)

    assert read == [TODAY, DAY] and done == [True]
    assert len(find_contacts()) == 10


def start_elsewhere(number: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*forked_python(), "-m", "builders.killed_pull", str(number)],
        cwd=environment.PROJECT,
        env={**os.environ, "PYTHONPATH": "tests:."},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def pull_elsewhere(number: int = 0) -> tuple[int, str]:
    process = start_elsewhere(number)
    printed, _error = process.communicate(timeout=300)
    return process.returncode, printed


class Late:
    """A source with days that were read. Then calls of the earlier day come late and change, and
    an import by hand stands beside it.
    """

    def __init__(
        self, name: str, add_platform: AddPlatform, set_clock: SetClock, before: Path
    ) -> None:
        self.source = add_platform(name, since="2026-05-11")
        noon = find_span(DAY).since + timedelta(hours=12)
        self.put(noon, make_calls(name, random.Random(3), find_span(DAY), 7))
        first = next(iter(self.source.calls))
        self.put(noon + timedelta(hours=20), make_calls(name, random.Random(4), TODAY_EARLY, 3, 50))
        bring(before, "contacts", "contact_id,started_at,outcome\nX1,2026-05-11T09:00,answered\n")
        pull_due(name)
        self.put(
            noon + timedelta(hours=1),
            make_calls(name, random.Random(5), find_span(DAY), 4, 80)
            | {first: change(self.source.calls[first], 777)},
        )
        ledger.fill(SYSTEM, ledger.find_days(name, DAY, DAY)[0].id)
        set_clock("2026-05-12T14:00")

    def put(self, at: datetime, calls: dict[str, Call]) -> None:
        self.source.calls |= calls
        self.source.publish(at)

    def check(self) -> None:
        """Compare what came with what the source has: all of it, once."""
        name = self.source.name
        system = register.get(name).system or register.PLATFORMS[name].profile
        found = find_contacts("talk_seconds", where=f"source_system = '{system}'")
        truth = {call.id: call.talk for call in self.source.calls.values()}
        assert len(found) == len(truth) == 14
        assert {contact: talk and round(talk) for contact, talk in found} == truth
        assert len(find_contacts()) == 15
        stated = "read" if register.PLATFORMS[name].basis == NONE else "complete"
        assert states(name) == {"2026-05-11": stated, "2026-05-12": "open"}


TODAY_EARLY = Span(find_span(TODAY).since, find_span(TODAY).since + timedelta(hours=7))


def kill_at(
    choose: Callable[[int], Iterable[int]],
    late: Late,
    set_clock: SetClock,
    centre: Path,
    before: Path,
) -> None:
    """Kill the pull at these points; the next one brings all of it, once."""
    store.close()
    shutil.copytree(centre, before / "centre")
    status, printed = pull_elsewhere()
    points = int(printed)
    late.check()
    truth = find_facts()
    assert status == 0 and points > 12
    chosen = list(choose(points))
    for number in chosen:
        store.close()
        shutil.rmtree(centre)
        shutil.copytree(before / "centre", centre)
        set_clock("2026-05-12T14:00")
        assert pull_elsewhere(number)[0] < 0, number
        ingest.resume()
        set_clock("2026-05-12T15:00")
        pull_due()
        assert find_facts() == truth, number
        late.check()
        left = centre / "tmp"
        assert not left.exists() or not any(path.is_file() for path in left.rglob("*")), number
    print(f"{late.source.name}: killed at {len(chosen)} of {points} points; nothing lost or twice")


@pytest.mark.sqlite("a copy of the centre is a copy of its folder")
@pytest.mark.parametrize(
    ("name", "choose"),
    [
        pytest.param("aircall", lambda points: [points // 2], id="aircall"),
        *(
            pytest.param(
                name,
                lambda points: range(1, points + 1, max(1, 100 // count_seeds(100))),
                marks=pytest.mark.long,
                id=f"every {name}",
            )
            for name in FAKES
        ),
    ],
)
def test_a_pull_that_is_killed_is_finished_by_the_next(
    name: str,
    choose: Callable[[int], Iterable[int]],
    add_platform: AddPlatform,
    set_clock: SetClock,
    centre: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    before = tmp_path_factory.mktemp("before")
    kill_at(choose, Late(name, add_platform, set_clock, before), set_clock, centre, before)


@pytest.mark.parametrize(
    "name",
    [
        "aircall",
        *(pytest.param(name, marks=pytest.mark.long) for name in FAKES if name != "aircall"),
    ],
)
def test_two_processes_at_once_bring_nothing_twice(
    name: str,
    add_platform: AddPlatform,
    set_clock: SetClock,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    late = Late(name, add_platform, set_clock, tmp_path_factory.mktemp("before"))
    store.close()

    processes = [start_elsewhere() for _ in range(2)]
    for process in processes:
        process.communicate(timeout=300)

    # The second one is refused, or finds nothing that is due.
    assert sorted(process.returncode for process in processes) in ([0, 0], [0, BUSY])
    late.check()
    with store.reading() as session:
        names = list(session.scalars(sa.select(ImportBatch.file_name)))
    assert len(names) == len(set(names)) + {"folder": 0}.get(name, 1), names


def test_only_those_in_charge_see_and_change_sources(add_platform: AddPlatform) -> None:
    add_platform("aircall")
    advisor = Viewer("ann", Role.ADVISOR)
    for act in (
        lambda: register.find_sources(advisor),
        lambda: register.remove(advisor, "aircall"),
        lambda: ledger.find_windows(advisor, "aircall"),
        lambda: ledger.fill(advisor, 1),
        lambda: pull.undo(advisor, 1),
    ):
        with pytest.raises(AccessDenied):
            act()


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"name": "Aircall!"}, "bad_source_name"),
        ({"platform": "fax"}, "unknown_platform"),
        ({"secret": None}, "missing_value"),
        ({"address": "https://api.aircall.io/v1?api_token=secret"}, "bad_address"),
        ({"address": "https://192.0.2.9/"}, "outside_host"),
        ({"address": "http://localhost:80"}, "outside_host"),
        ({"options": {"timezone": "Mars/Base"}}, "unknown_timezone"),
        (
            {"platform": "sql", "address": "sqlite:///x", "statement": "DELETE FROM x"},
            "bad_statement",
        ),
        (
            {"platform": "sql", "address": "mysql://u:pw@db/x", "statement": "SELECT"},
            "bad_database",
        ),
    ],
)
def test_a_source_that_does_not_fit_is_refused(
    values: dict, code: str, set_clock: SetClock, centre: Path
) -> None:
    given = {"name": "one", "platform": "aircall", "kind": "contacts", "secret": "a:b"} | values

    with pytest.raises((Refusal, Misuse)) as refused:
        register.add(SYSTEM, **given)

    assert refused.value.code == code
    assert register.find_sources(SYSTEM) == []
    assert list((centre / "secrets").glob("source-*")) == []


def test_a_removed_source_keeps_its_contacts_and_loses_its_secret(
    add_platform: AddPlatform, centre: Path
) -> None:
    platform = add_platform("aircall", since="2026-05-11")
    platform.calls = make_calls("aircall", random.Random(3), find_span(DAY), 10)
    pull_due()

    register.remove(SYSTEM, "aircall")

    assert len(find_contacts()) == 10
    assert not (centre / "secrets" / "source-aircall").exists()
    with pytest.raises(Refusal):
        pull_due("aircall")
