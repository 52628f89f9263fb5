"""Months whose people were deleted: what was counted of them stays, for who could see it,
and what cannot be told any more is said to be missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders.centres import ENVIRONMENT, add_people, contact, evaluation, land, publish

from qa_core.access.roles import Role, Viewer
from qa_core.metrics import kpis, measure
from qa_core.metrics.kpi.closed_months import FROM_CLOSED, LEFT_OUT
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import engine
from qa_core.storage.records import store
from qa_core.storage.records.listening import Playback, Recording
from qa_core.upkeep import purge

SYSTEM = Viewer.SYSTEM
EXECUTIVE = Viewer("clara", Role.EXECUTIVE)
MANAGER = Viewer("mona", Role.MANAGER, managed_teams=("North",))
AS_OF = date(2026, 3, 10)
"""Evaluations go back to 10 March 2025, people in contacts to 10 February 2025."""
HEARD = tuple(kpi.key for kpi in kpis.ALL if kpi.subject == kpis.FactTable.LISTENED)
MONTHS = ("2025-01", "2025-02", "2025-03", "2025-04", "2025-12")


def build_year(months: Sequence[str] = MONTHS) -> None:
    """Two teams of six; in each month every advisor has four contacts, one of them missed
    and one of a customer who calls again, and one evaluation; half were listened to.
    """
    advisors = {f"{team[0]}{n}": f"{team} {n}" for team in ("North", "South") for n in range(6)}
    add_people(advisors, {"North": "Lille", "South": "Lyon"})
    rows, made = [], []
    for place, month in enumerate(months):
        start = datetime.fromisoformat(f"{month}-05 09:00")
        later = (start + timedelta(days=20)).replace(tzinfo=UTC)
        for number, advisor in enumerate(advisors):
            for call in range(4):
                rows.append(
                    contact(
                        start + timedelta(days=number + call, minutes=call),
                        f"{month}-{advisor}-{call}",
                        advisor_id=advisor,
                        team="North" if advisor[0] == "N" else "South",
                        queue="Sales" if call % 2 else "Help",
                        # The same customers come back in later months.
                        customer_key=f"k{number}-{call if call < 3 else 0}",
                        outcome="abandoned" if call == 2 else "answered",
                        recorded=True,
                        wait_seconds=10.0,
                        talk_seconds=100.0,
                    )
                )
            answers = {("Welcome", "greeting"): (1.0, 2.0)}
            score = 60.0 + number + place
            made.append(evaluation(rows[-1], score, answers, evaluated_at=later))
            if number % 2:
                made.append(build_recording(rows[-2], later))
    land(rows)
    with store.writing() as session:
        session.add_all(made)
        session.flush()
        session.add_all(
            Playback(
                recording_id=kept.id,
                source_system="generic",
                contact_id=kept.contact_id,
                advisor_id=kept.advisor_id,
                username="eve",
                purpose="quality",
                reason="r",
                played_at=kept.recorded_at,
            )
            for kept in made
            if isinstance(kept, Recording)
        )


def build_recording(of: dict[str, Any], at: datetime) -> Recording:
    """A recording that is deleted already."""
    return Recording(
        source_system="generic",
        contact_id=of["contact_id"],
        advisor_id=of["advisor_id"],
        team=of["team"],
        local_day=of["local_start"].date(),
        purpose="quality",
        digest="",
        media_type="",
        clear_bytes=0,
        seconds=1.0,
        recorded_at=at,
        delete_after=at,
    )


WHOLE = Filters(Period(date(2025, 1, 1), date(2025, 12, 31)))
CLOSED = Filters(Period(date(2025, 1, 1), date(2025, 2, 28)))
OVER = Filters(Period(date(2025, 1, 1), date(2025, 11, 30)))
"""The whole months that are over: what an executive sees."""
SCORES = ("evaluations", "evaluation_score")
CONTACTS = ("first_contact_resolution", "repeat_contacts", "received", "answer_rate")
CUSTOMERS = ("repeat_caller_rate", "recovered_rate", "first_time_callers", "returning_callers")

QUESTIONS: dict[str, tuple[Viewer, tuple[str, ...], tuple[str, ...], Filters]] = {
    "scores": (SYSTEM, SCORES, (), WHOLE),
    "scores of closed months": (SYSTEM, SCORES, (), CLOSED),
    "scores by month": (SYSTEM, SCORES, ("month",), WHOLE),
    "scores by team": (SYSTEM, SCORES, ("team",), WHOLE),
    "scores by site and month": (SYSTEM, SCORES, ("site", "month"), WHOLE),
    "scores by queue": (SYSTEM, SCORES, ("queue",), WHOLE),
    "scores by criterion": (SYSTEM, SCORES, ("criterion", "month"), WHOLE),
    "means of advisors": (SYSTEM, ("advisor_mean_score",), ("month",), WHOLE),
    "contacts": (SYSTEM, CONTACTS, (), WHOLE),
    "contacts by month": (SYSTEM, CONTACTS, ("month",), WHOLE),
    "contacts by team and queue": (SYSTEM, CONTACTS, ("team", "queue"), WHOLE),
    "customers by month": (SYSTEM, CUSTOMERS, ("month",), WHOLE),
    "share listened to": (SYSTEM, HEARD, ("month",), WHOLE),
    "a manager": (MANAGER, (*SCORES, "received"), ("month",), WHOLE),
    "a manager, by team": (MANAGER, SCORES, ("team",), CLOSED),
    "a manager, by queue": (MANAGER, SCORES, ("queue",), CLOSED),
    "an executive": (EXECUTIVE, (*SCORES, "received"), ("month",), OVER),
    "an executive, by site": (EXECUTIVE, CONTACTS, ("site",), OVER),
    "an executive, over all": (EXECUTIVE, CONTACTS, (), OVER),
}
"""What is asked before a purge and again afterwards."""


def ask(name: str) -> pd.DataFrame:
    viewer, keys, by, where = QUESTIONS[name]
    frame = measure(viewer, keys, by, where)
    return frame[[*by, "kpi", "value", "numerator", "denominator", "n", "low", "high", "status"]]


@pytest.fixture(scope="module")
def purged(
    tmp_path_factory: pytest.TempPathFactory, empty_records: Path
) -> Iterator[dict[str, pd.DataFrame]]:
    """The centre after a purge; gives what the questions gave before."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ENVIRONMENT:
            patch.delenv(name, raising=False)
        home = tmp_path_factory.mktemp("purged")
        patch.setenv("QA_HOME", str(home))
        shutil.copy(empty_records, home)
        build_year()
        publish()
        before = {name: ask(name) for name in QUESTIONS}
        purge.purge(SYSTEM, AS_OF)
        yield before


@pytest.mark.parametrize("name", QUESTIONS)
def test_figures_are_the_same_after_a_purge(purged: dict[str, pd.DataFrame], name: str) -> None:
    before = purged[name]
    assert before["value"].notna().any()

    pd.testing.assert_frame_equal(ask(name), before)


def test_what_cannot_be_added_up_is_not_told(purged: dict[str, pd.DataFrame]) -> None:
    frame = measure(SYSTEM, ("advisor_mean_score",), where=CLOSED)

    # Which evaluations of two months belong to one advisor, nobody knows any more.
    assert (frame["status"][0], frame["notes"][0]) == ("no_data", (LEFT_OUT, FROM_CLOSED))


def test_no_row_of_an_advisor_remains_and_the_note_says_where_figures_come_from(
    purged: dict[str, pd.DataFrame],
) -> None:
    by_advisor = measure(SYSTEM, ("evaluations",), ("advisor",), CLOSED)
    assert by_advisor.empty
    whole = measure(SYSTEM, ("evaluations",), (), WHOLE)
    assert whole["notes"][0] == (FROM_CLOSED,)
    crossed = measure(SYSTEM, ("evaluations",), ("team", "queue"), WHOLE)
    assert set(crossed["notes"]) == {(LEFT_OUT,)}


def test_fewer_than_five_advisors_leave_only_a_note(centre: Path) -> None:
    add_people({f"a{n}": f"A {n}" for n in range(5)}, {"North": None})
    # In January four advisors, in February five, of whom four speak of prices.
    rows = [
        contact(
            datetime(2025, 1 + n // 20, 5, 9),
            f"c{n}",
            advisor_id=f"a{n % 4 if n < 20 else n % 5}",
            team="North",
            customer_key=f"k{n}",
            queue="Sales" if n < 20 or n % 5 else "Help",
        )
        for n in range(40)
    ]
    land(rows)
    with store.writing() as session:
        session.add_all(
            evaluation(row, 70.0, evaluated_at=row["local_start"].replace(tzinfo=UTC))
            for row in rows
        )

    purge.purge(SYSTEM, date(2026, 3, 30))

    def find(first: int, last: int, **filters: tuple[str, ...]) -> list[Any]:
        where = Filters(Period(date(2025, first, 1), date(2025, last, 28)), tuple(filters.items()))
        [row] = measure(SYSTEM, ("evaluations",), where=where).itertuples()
        return [row.n, row.notes]

    assert find(1, 1) == [0, (LEFT_OUT,)]
    assert find(2, 2) == [20, (FROM_CLOSED,)]
    assert find(1, 2) == [20, (LEFT_OUT, FROM_CLOSED)]
    assert find(2, 2, queue=("Sales",)) == [0, (LEFT_OUT,)]
    assert find(2, 2, team=("North",)) == [20, (FROM_CLOSED,)]
    assert measure(SYSTEM, ("received",))["value"].tolist() == [40.0]


def test_a_second_purge_of_the_same_months_changes_nothing(
    purged: dict[str, pd.DataFrame],
) -> None:
    purge.purge(SYSTEM, AS_OF + timedelta(days=5))

    for name in ("scores by month", "contacts by month", "customers by month"):
        pd.testing.assert_frame_equal(ask(name), purged[name])


def test_a_month_closes_where_memory_holds_few_dimensions_at_once(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_year(MONTHS[:1])
    monkeypatch.setattr(engine, "MEGABYTES", 140)
    purge.purge(SYSTEM, as_of=AS_OF)
