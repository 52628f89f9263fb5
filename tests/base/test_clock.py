"""The clock of a drill: it moves every part alike, and only stores made for it. A clock that
jumps between two acts, and the hours of a clock change.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyotp
import pytest
from builders import evaluated_centre
from builders.centres import ENVIRONMENT
from builders.import_files import bring, find_contacts
from builders.visitors import PASSWORD

from qa_core import ingest
from qa_core.access import second_factor, sessions, throttle
from qa_core.access.roles import Role, Viewer
from qa_core.access.sessions import Browser
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.cli.app import run
from qa_core.compliance.conditions import gates
from qa_core.metrics import query
from qa_core.quality.evaluations import disputes
from qa_core.quality.evaluations.disputes import DisputeDecision
from qa_core.storage.records import store
from qa_core.storage.records.people import SecondFactor
from qa_core.upkeep import purge

HERE, THERE = (Browser(name * 16, "Firefox", "192.0.2.7") for name in (b"a", b"b"))
SetClock = Callable[[str], None]


def test_a_store_made_for_a_drill_takes_another_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QA_HOME", str(tmp_path))
    monkeypatch.setenv("QA_CLOCK", "2031-05-01")
    store.migrate()
    monkeypatch.setenv("QA_CLOCK", "2031-07-14T18:00")

    gates.set_gate(Viewer.SYSTEM, "purposes", "training")

    assert environment.today() == date(2031, 7, 14)
    [entered] = [found for found in gates.find_all(Viewer.SYSTEM) if found.value]
    assert entered.set_at.date() == date(2031, 7, 14)


def test_any_other_store_refuses_a_moved_clock(
    centre: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QA_CLOCK", "2031-05-01")

    assert run(["gate", "set", "purposes=training", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "clock_refused"


def test_what_is_no_moment_is_refused(centre: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_CLOCK", "soon")
    (centre / "drill_clock").touch()
    with pytest.raises(Refusal) as refused:
        environment.now()

    assert refused.value.code == "bad_clock"


@pytest.fixture
def set_clock(centre: Path, monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Set the clock to an hour of one day."""
    environment.find_drill_file().touch()
    return lambda hour: monkeypatch.setenv("QA_CLOCK", f"2026-06-15T{hour}")


def sign_in(username: str, browser: Browser = HERE, password: str = PASSWORD) -> str:
    return sessions.sign_in(username, password, browser, one_time_days=7)


def test_a_clock_that_jumps_keeps_nobody_in_and_nobody_out(
    set_clock: SetClock, add_person: Callable[..., str]
) -> None:
    set_clock("12:00")
    add_person("tom", "team_lead")
    before = sign_in("tom")
    set_clock("14:00")
    assert sessions.resume(before, HERE) is None
    ahead = sign_in("tom")

    set_clock("12:05")

    # It would last until 14:30 without any use, two hours longer than a session does.
    assert sessions.resume(ahead, HERE) is None
    assert sessions.resume(sign_in("tom"), HERE).viewer.username == "tom"


def test_a_wait_for_the_next_password_lasts_no_longer_when_the_clock_goes_back(
    set_clock: SetClock, add_person: Callable[..., str]
) -> None:
    set_clock("14:10")
    add_person("tom", "team_lead")
    for _ in range(6):
        with pytest.raises(Refusal):
            sign_in("tom", THERE, "wrong")

    set_clock("12:10")

    with pytest.raises(Refusal) as refused:
        sign_in("tom", THERE)
    assert refused.value.code == "too_many_tries"
    assert refused.value.params["seconds"] <= throttle.MAX_WAIT.total_seconds() + 1
    set_clock("12:26")
    assert sign_in("tom", THERE)


def test_a_code_used_while_the_clock_was_ahead_shuts_out_no_later_one(
    centre: Path, add_person: Callable[..., str]
) -> None:
    add_person("tom", "team_lead")
    tom = Viewer("tom", Role.TEAM_LEAD)
    app = pyotp.parse_uri(second_factor.start(tom))
    second_factor.confirm(tom, app.at(time.time() - 30), HERE)
    with store.writing() as session:
        session.get_one(SecondFactor, "tom").last_step += 240  # two hours
    code = app.now()

    for expected in (True, False):
        with store.writing() as session:
            assert second_factor.use(session, "tom", code) == expected


def test_a_score_changed_after_the_clock_went_back_is_the_one_that_counts(
    set_clock: SetClock, add_person: Callable[..., str]
) -> None:
    set_clock("14:20")
    evaluate = evaluated_centre.build(add_person)
    numbers = [evaluate(), evaluate()]

    def count() -> float:
        return query.measure(Viewer.SYSTEM, ("evaluation_score",))["value"].iloc[0]

    assert count() == 56.25
    set_clock("12:20")
    for number, expected in zip(numbers, (75, 93.75), strict=True):
        dispute = disputes.raise_dispute(
            evaluated_centre.viewer("lea"), number, "accuracy", 4, "The sheet was another."
        )
        disputes.decide(
            evaluated_centre.viewer("mona"), dispute, DisputeDecision.ACCEPT, reason="So it was."
        )
        assert count() == expected


def test_imports_keep_their_order_when_the_clock_goes_back(
    set_clock: SetClock, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("files")
    set_clock("14:30")
    advisors = "advisor_id,name,team\na1,Ana,{team}\n"
    first = bring(folder, "advisors", advisors.format(team="North"))
    set_clock("12:30")
    second = bring(folder, "advisors", advisors.format(team="South"))
    again = bring(folder, "advisors", advisors.format(team="North"))

    assert again.tally.updated == 1 and not again.recognised  # the second came in between
    assert first.batch_id < second.batch_id < again.batch_id
    with pytest.raises(Refusal) as refused:
        ingest.undo(Viewer.SYSTEM, second.batch_id)
    assert refused.value.code == "changed_since"
    for batch in (again, second, first):
        ingest.undo(Viewer.SYSTEM, batch.batch_id)


def test_a_day_is_purged_whatever_the_clock_did_before(set_clock: SetClock) -> None:
    for hour in ("23:00", "01:00", "23:30"):
        set_clock(hour)
        purge.purge_daily()
        assert purge.find_overdue(Viewer.SYSTEM) == []


CALLS = "contact_id,started_at,customer,tracking_number,outcome\n"
CLICKS = "tracking_number,started_at,source\n"


@pytest.mark.parametrize(
    ("moments", "clicks", "local"),
    [
        (
            ["2026-10-25T01:50+02:00", "2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"],
            ["2026-10-25T02:29+02:00", "2026-10-25T02:29+01:00"],
            ["01:50", "02:30", "02:30"],
        ),
        (
            ["2027-03-28T01:00+01:00", "2027-03-28T01:30+01:00", "2027-03-28T03:30+02:00"],
            ["2027-03-28T01:29+01:00", "2027-03-28T03:29+02:00"],
            ["01:00", "01:30", "03:30"],
        ),
    ],
)
def test_calls_of_a_clock_change_come_once_with_their_own_click(
    centre: Path,
    tmp_path_factory: pytest.TempPathFactory,
    moments: list[str],
    clicks: list[str],
    local: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("files")
    rows = [
        f"C{number},{moment},0612345601,+33170000001,answered\n"
        for number, moment in enumerate(moments)
    ]
    for _ in range(2):
        report = bring(folder, "contacts", CALLS + "".join(rows))
    assert report.recognised
    sent = [
        f"+33170000001,{moment},{source}\n"
        for moment, source in zip(clicks, ("Bing", "Google"), strict=True)
    ]
    bring(folder, "tracking", CLICKS + "".join(sent))

    found = find_contacts("strftime(local_start, '%H:%M')", "source")
    assert found == [
        (f"C{number}", at, source)
        for number, (at, source) in enumerate(zip(local, (None, "Bing", "Google"), strict=True))
    ]
    assert find_contacts("seconds_to_next")[1] == ("C1", 3_600)
