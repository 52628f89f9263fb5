"""Answers that pages keep for a moment: never another question's, never another
person's, never those of an older state.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, land

from qa_core.access.roles import Role, Viewer
from qa_core.base.errors import Refusal
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.lake import month_sums
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.people import Advisor, Team
from qa_core.ui.frame import cached

NORTH = Viewer("max", Role.MANAGER, managed_teams=("Nord",))
MAY = Filters(Period(date(2026, 5, 1), date(2026, 5, 31)))


@pytest.fixture
def called(centre: Path) -> Path:
    """Three contacts, two of them of the team Nord."""
    land(
        [
            contact("2026-05-04 09:30", "n1", team="Nord"),
            contact("2026-05-05 10:00", "n2", team="Nord"),
            contact("2026-05-06 11:00", "s1", team="Sud"),
        ]
    )
    return centre


def received(viewer: Viewer) -> float:
    cached.look_up_version()
    return cached.measure(viewer, ("received",), (), MAY)["value"].item()


def take_files_away(folder: Path) -> None:
    """Leave nothing of the contacts that another answer could be computed from."""
    month_sums.forget()
    for file in (folder / "lake" / "contacts").rglob("*.parquet"):
        file.unlink()


def test_people_who_ask_at_once_are_all_answered(called: Path) -> None:
    """Where reads wait for their turn, one that is made of others waits for none of its own."""
    people = [NORTH, Viewer.SYSTEM, Viewer("sam", Role.MANAGER, managed_teams=("Sud",))]
    assert len(people) > cached.READS_AT_ONCE

    def ask(viewer: Viewer) -> tuple[float, list[str]]:
        days = date(2026, 5, 1), date(2026, 5, 31)
        [(points, _spans)] = cached.find_trends(viewer, ("received",), "month", MAY, *days, days[1])
        return received(viewer), points["value"].tolist()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, people * 2, timeout=120))
    assert answers == [(2.0, [2.0]), (3.0, [3.0]), (1.0, [1.0])] * 2


def test_a_question_with_the_same_arguments_as_another_has_its_own_answer(called: Path) -> None:
    cached.look_up_version()
    for _again in range(2):
        assert cached.data_through(NORTH) == query.data_through(NORTH)
        assert cached.find_note_scopes(NORTH) == ()


def test_each_person_has_their_own_answer(called: Path) -> None:
    assert [received(viewer) for viewer in (Viewer.SYSTEM, NORTH, Viewer.SYSTEM, NORTH)] == [
        3,
        2,
        3,
        2,
    ]


def test_what_is_said_and_what_goes_without_saying_are_one_question(called: Path) -> None:
    cached.look_up_version()
    assert cached.measure(NORTH, ("received",), where=MAY).equals(
        cached.measure(NORTH, ("received",), (), MAY, None, None)
    )


def test_after_an_import_the_last_questions_are_answered_before_anybody_asks(
    called: Path,
) -> None:
    assert received(NORTH) == 2
    land([contact("2026-05-07 09:30", "n3", team="Nord")], "second")
    cached.warm()
    take_files_away(called)
    assert received(NORTH) == 3
    with pytest.raises(Refusal, match="missing or damaged"):
        received(replace(NORTH, managed_teams=("Nord", "Est")))  # nobody of this scope asked


def test_an_import_is_seen_at_the_next_run(called: Path) -> None:
    assert received(NORTH) == 2
    land([contact("2026-05-07 09:00", "n3", team="Nord")], "second")
    assert received(NORTH) == 3


def test_who_sees_the_same_rows_shares_an_answer_and_nobody_else(called: Path) -> None:
    assert received(NORTH) == 2
    take_files_away(called)
    assert received(replace(NORTH, username="nora", display_name="Nora")) == 2
    with pytest.raises(Refusal):
        received(replace(NORTH, managed_teams=("Sud",)))


@pytest.mark.parametrize("by_statement", [False, True])
def test_a_new_name_is_seen_at_the_next_run(called: Path, by_statement: bool) -> None:
    land([contact("2026-05-07 09:00", "n3", team="Nord", advisor_id="a1")], "second")
    add_people({"a1": "Ann"})

    def find_names() -> set[str | None]:
        cached.look_up_version()
        return {value for value, _count in cached.find_values(NORTH, "advisor")}

    assert find_names() == {"Ann", None}
    with store.writing() as session:
        if by_statement:
            session.execute(sa.update(Advisor).values(name="Anna"))
        else:
            session.get(Advisor, "a1").name = "Anna"
    assert find_names() == {"Anna", None}


def test_what_is_written_of_evaluations_leaves_answers_about_contacts_alone(called: Path) -> None:
    assert received(NORTH) == 2
    take_files_away(called)
    with store.writing() as session:
        session.execute(sa.update(Evaluation).values(state="published"))
    assert received(NORTH) == 2
    with store.writing() as session:
        session.add(Team(name="Ouest"))
    with pytest.raises(Refusal):
        received(NORTH)
