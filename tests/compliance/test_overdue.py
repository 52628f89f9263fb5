"""What is kept longer than allowed is counted, with the day since when, on the page of
the data protection officer and by the doctor.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.centres import PARIS, add_people, contact, evaluation, land
from builders.health import find_check
from builders.listening_centre import accredit, inform, keep_audio, open_gates
from builders.sounds import make
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.compliance.conditions import gates
from qa_core.compliance.recordings import deletion
from qa_core.compliance.retention import Overdue
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import ScorecardVersion
from qa_core.storage.records.listening import Calibration, CoachingPlan, Recording
from qa_core.upkeep import purge

SYSTEM = Viewer.SYSTEM
KEYS = {"advisor_id": "a1", "customer_key": "k1"}


def evaluate(*moments: datetime) -> None:
    with store.writing() as session:
        session.add_all(
            evaluation(contact("2026-03-02 10:00", f"e{place}", **KEYS), 80.0, evaluated_at=at)
            for place, at in enumerate(moments)
        )


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(), PARIS)


def test_a_new_centre_has_nothing_overdue(centre: Path) -> None:
    assert purge.find_overdue(SYSTEM) == []
    assert find_check("retention") == ("ok", "nothing is overdue")


def test_contacts_name_their_customer_and_advisor_for_thirteen_months(centre: Path) -> None:
    oldest = deletion.find_oldest_day(environment.today(), 13)
    land(
        [
            contact(datetime.combine(oldest, time()), "young", **KEYS),
            contact(datetime.combine(oldest - timedelta(days=1), time(23, 59)), "old", **KEYS),
            contact("2020-01-15 09:00", "advisor", advisor_id="a1"),
            contact("2020-01-15 09:00", "customer", customer_key="k1"),
            contact("2020-01-15 09:00", "shared", given_customer_key="k1"),
            contact("2020-01-14 09:00", "nobody"),
        ]
    )

    # Thirteen months after 15 January 2020 are over with 15 February 2021.
    assert purge.find_overdue(SYSTEM) == [Overdue("contacts", 4, date(2021, 2, 16))]


def test_evaluations_are_kept_for_a_year_or_for_less_where_less_was_entered(centre: Path) -> None:
    add_people({"a1": "Ann"})
    oldest = deletion.find_oldest_day(environment.today(), 12)
    evaluate(
        start_of(oldest),
        start_of(oldest) - timedelta(seconds=1),
        datetime(2020, 1, 31, 22, 59, tzinfo=UTC),
        datetime(2020, 1, 31, 23, tzinfo=UTC),
    )

    # The last but one was made at 23:59 in Paris on 31 January, the last one a minute
    # later, on 1 February.
    assert purge.find_overdue(SYSTEM) == [Overdue("evaluations", 3, date(2021, 2, 1))]
    gates.set_gate(SYSTEM, "analysis_retention_months", "1")
    assert purge.find_overdue(SYSTEM) == [Overdue("evaluations", 4, date(2020, 3, 1))]


def test_calibrations_and_coaching_are_analyses_too(centre: Path) -> None:
    add_people({"a1": "Ann"})
    long_ago, terms = datetime(2020, 1, 15, 9, tzinfo=UTC), {"goal": "g", "opened_by": "tom"}
    with store.writing() as session:
        session.add(ScorecardVersion(key="g", title="G", content={}))
        session.flush()
        for at in (long_ago, now()):
            session.add(
                Calibration(title="R", grid_id=1, evaluators=[], opened_by="mona", opened_at=at)
            )
            session.add(
                CoachingPlan(
                    advisor_id="a1", local_day=at.date(), starts_on=at.date(), opened_at=at, **terms
                )
            )

    assert purge.find_overdue(SYSTEM) == [
        Overdue("calibrations", 1, date(2021, 1, 16)),
        Overdue("coaching", 1, date(2021, 1, 16)),
    ]


def test_a_recording_past_its_day_is_overdue_until_it_is_deleted(
    centre: Path, tmp_path: Path
) -> None:
    days = environment.today() - timedelta(days=70), environment.today() - timedelta(days=3)
    land(
        [
            contact(datetime.combine(day, time(9)), f"n{place}", notice_played=True)
            for place, day in enumerate(days)
        ]
    )
    open_gates()
    with store.writing() as session:
        for place in range(2):
            keep_audio(session, f"n{place}", make(tmp_path / "sent" / f"n{place}.wav"))
    assert purge.find_overdue(SYSTEM) == []

    gates.set_gate(SYSTEM, "recording_retention_months", "1")
    [found] = purge.find_overdue(SYSTEM)
    assert (found.kind, found.count) == ("recordings", 1)
    assert found.since == environment.to_local(deletion.find_end(days[0], 1)).date() + timedelta(
        days=1
    )

    with (
        store.writing() as session
    ):  # the other one was imported under a rule that is stricter still
        session.execute(
            sa.update(Recording)
            .where(Recording.contact_id == "n1")
            .values(delete_after=datetime(2020, 7, 31, 21, 59, 59, tzinfo=UTC))
        )
    assert purge.find_overdue(SYSTEM) == [Overdue("recordings", 2, date(2020, 8, 1))]
    assert find_check("retention") == (
        "bad",
        "Kept longer than allowed. Recordings: 2, overdue since 1 Aug 2020. Run: python -m "
        "qa_core purge",
    )

    purge.purge(SYSTEM)
    assert purge.find_overdue(SYSTEM) == []


@pytest.fixture
def late(centre: Path, add_person: Callable[..., str]) -> None:
    """Every gate is open and everybody informed; an evaluation and two contacts are
    overdue.
    """
    add_person("dora", "dpo")
    add_person("eve", "evaluator")
    add_people({"a1": "Ann"})
    open_gates()
    accredit("eve")
    inform("a1")
    evaluate(datetime(2020, 1, 15, 9, tzinfo=UTC))
    land([contact("2020-01-15 09:00", f"c{number}", **KEYS) for number in range(2)])


def test_the_page_says_in_red_what_is_overdue_and_who_acts(
    late: None, open_app: Callable[..., AppTest]
) -> None:
    app = open_app("dora", "listening_rules")

    assert [element.value.replace("\\", "") for element in app.error] == [
        "**Kept longer than allowed**\n\n"
        "- Evaluations with their answers, comments and disputes: 1, overdue since 16 Jan 2021\n"
        "- Contacts with a customer key or an advisor: 2, overdue since 16 Feb 2021\n\n"
        "Who acts: the data protection officer. Delete it now, and ask the operator of Écoute "
        "why the daily deletion did not run."
    ]
    assert [element.value for element in app.info] == [
        "Every gate is open, and every advisor is informed."
    ]
    assert not app.success and not app.exception

    next(button for button in app.button if button.label == "Delete it now").click().run()

    assert not app.error and not app.exception
    assert [element.value.replace("\\", "") for element in app.success] == [
        "Deleted: 3.",
        "Every gate is open, and every advisor is informed.",
    ]


def test_the_doctor_calls_the_stores_bad_while_anything_is_overdue_by_a_day(late: None) -> None:
    state, detail = find_check("retention")

    assert state == "bad"
    assert "Contacts with a customer key or an advisor: 2, overdue since 16 Feb 2021" in detail
    purge.purge(SYSTEM)
    assert find_check("retention") == ("ok", "nothing is overdue")


def test_what_is_due_today_is_left_to_the_purge_of_today(centre: Path) -> None:
    add_people({"a1": "Ann"})
    evaluate(start_of(deletion.find_oldest_day(environment.today(), 12)) - timedelta(seconds=1))

    assert find_check("retention")[0] == "warn"
