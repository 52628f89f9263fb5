"""Whatever is asked besides `measure`: a manager, a lead and an advisor get what the
operator gets of their rows alone, and what a role may not ask is denied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders.centres import add_people, contact, evaluation, land

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.law import evaluator_contact, sampling_frame
from qa_core.metrics.law.legal_obstacles import LegalFacts
from qa_core.metrics.rows import satisfaction_drivers, severity
from qa_core.storage.records import store
from qa_core.upkeep import subjects

SYSTEM = Viewer.SYSTEM
MANAGER = Viewer("max", Role.MANAGER, managed_teams=("Nord",))
LEAD = Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))
ADVISOR = Viewer("ann", Role.ADVISOR, advisor_id="a1")
EVALUATOR = Viewer("eve", Role.EVALUATOR)
EXECUTIVE = Viewer("rex", Role.EXECUTIVE)
BY_TEAM = Filters.of(values={"team": ["Nord"]})
EVERY_DAY = Period(date(2026, 5, 1), date(2026, 5, 31))

Rows = dict[str, dict[str, Any]]

QUESTIONS: dict[str, Callable[[Viewer, Filters], Any]] = {
    "drivers": query.find_drivers,
    "remarks": query.find_remarks,
    **{
        f"{kpi} measured": lambda viewer, where, kpi=kpi: query.measure(viewer, (kpi,), (), where)
        for kpi in ("recovered_rate", "listened_rate")
    },
    **{
        f"{kpi} explained": lambda viewer, where, kpi=kpi: _explain(viewer, kpi, where)
        for kpi in ("recovered_rate", "listened_rate", "csat")
    },
}


def _explain(viewer: Viewer, kpi: str, where: Filters) -> tuple[Any, ...]:
    explanation = query.explain(viewer, kpi, where)
    return explanation.universe, explanation.counted, explanation.excluded


def make_rows() -> Iterator[dict[str, Any]]:
    """Two teams of one advisor each: Nord pleases 40 customers in care and 10 in sales,
    Sud 10 in care and 40 in sales; each has callers who were not answered.
    """
    for team, advisor_id, pleased, seconds in (("Nord", "a1", "care", 10), ("Sud", "a3", "", 40)):
        for queue in ("care", "sales"):
            for number in range(50):
                is_pleased = (queue == pleased) == (number < 40)
                yield contact(
                    f"2026-05-04 10:{number:02d}",
                    f"{team}-{queue}-{number}",
                    team=team,
                    advisor_id=advisor_id,
                    queue=queue,
                    wait_seconds=float(seconds),
                    csat=5.0 if is_pleased else 1.0,
                    csat_scale="1-5",
                    survey_comment=f"{team} {number}" if number < 3 else None,
                    recorded=True,
                )
        for number in range(2 if team == "Nord" else 5):
            yield contact(
                f"2026-05-05 1{number}:00",
                f"{team}-missed-{number}",
                team=team,
                advisor_id=advisor_id,
                outcome="abandoned",
                customer_key=f"{team} {number}",
            )


@pytest.fixture
def two_teams(centre: Path) -> Rows:
    """The contacts of two teams by their ids; two of Nord and one of Sud are evaluated."""
    add_people({"a1": "Ann", "a3": "Cid"}, {"Nord": "Lille", "Sud": "Nice"})
    rows = {row["contact_id"]: row for row in make_rows()}
    land(rows.values())
    evaluated = (("Nord-care-0", 80.0, "eve"), ("Nord-care-1", 60.0, "eve"))
    with store.writing() as session:
        for contact_id, score, evaluator in (*evaluated, ("Sud-care-0", 20.0, "bea")):
            session.add(
                evaluation(
                    rows[contact_id],
                    score,
                    {("Welcome", "greets"): (1.0, 2.0)},
                    evaluator=evaluator,
                    comment=f"Heard {contact_id}",
                    seconds_spent=score,
                )
            )
    return rows


def describe(answer: Any) -> str:
    return answer.to_csv() if isinstance(answer, pd.DataFrame) else repr(answer)


def test_each_answer_is_that_of_the_viewer_s_rows_alone(two_teams: Rows) -> None:
    for name, ask in QUESTIONS.items():
        # All that Nord has is Ann's.
        own = describe(ask(SYSTEM, BY_TEAM))
        assert own != describe(ask(SYSTEM, Filters())), name
        assert [describe(ask(viewer, Filters())) for viewer in (LEAD, ADVISOR)] == [own, own], name


def test_what_is_written_of_an_evaluation_is_read_where_it_and_its_contact_are_in_scope(
    two_teams: Rows,
) -> None:
    # A call that went on to the other team, and was evaluated for each of its advisors.
    shared = {"Nord-care-0": {"team": "Sud", "advisor_id": "a3"}}
    shared |= {"Sud-care-1": {"team": "Nord", "advisor_id": "a1"}}
    with store.writing() as session:
        for contact_id, whose in shared.items():
            of = {**two_teams[contact_id], **whose}
            session.add(evaluation(of, 5.0, comment=f"Shared {contact_id}"))
    for viewer in (LEAD, ADVISOR):
        remarks = query.find_remarks(viewer)
        heard = remarks[remarks["origin"] == "evaluator"]
        assert sorted(heard["text"]) == ["Heard Nord-care-0", "Heard Nord-care-1"]
        found = query.get_contact(viewer, "generic", "Nord-care-0")
        assert [entry["score"] for entry in found["evaluations"]] == [80.0]


def test_an_advisor_finds_their_own_evaluations_alone(two_teams: Rows) -> None:
    own = query.find_own_evaluations(ADVISOR, EVERY_DAY)
    assert sorted(entry["score"] for entry in own) == [60.0, 80.0]


def test_a_manager_learns_what_evaluators_gave_their_own_teams(two_teams: Rows) -> None:
    with store.writing() as session:
        of = two_teams["Sud-care-1"]
        session.add(evaluation(of, 10.0, evaluator="eve", seconds_spent=999.0))
    found = severity.find_evaluators(MANAGER, EVERY_DAY).figures
    assert [(one.evaluator, one.n, one.mean, one.median_seconds) for one in found] == [
        ("eve", 2, 70.0, 70.0)
    ]


def test_the_start_of_a_contact_of_another_team_is_not_found(two_teams: Rows) -> None:
    assert sampling_frame.find_start(MANAGER, ("generic", "Nord-care-0")) is not None
    assert sampling_frame.find_start(MANAGER, ("generic", "Sud-care-0")) is None


def test_a_contact_is_assigned_to_who_evaluates_it_and_to_nobody_else(two_teams: Rows) -> None:
    with store.writing() as session:
        # Both evaluated before they got another role.
        session.add(evaluation(two_teams["Nord-care-2"], 50.0, evaluator="max"))
        session.add(evaluation(two_teams["Sud-care-2"], 50.0, evaluator="ann"))

    def ask(viewer: Viewer, contact_id: str) -> Any:
        with store.reading() as session:
            return evaluator_contact.find_assigned(
                session, viewer, "generic", contact_id, date(2026, 5, 4), LegalFacts()
            )

    assert ask(EVALUATOR, "Nord-care-0").queue == "care"
    for viewer, contact_id in (
        (EVALUATOR, "Sud-care-0"),
        (MANAGER, "Nord-care-2"),
        (ADVISOR, "Sud-care-2"),
    ):
        with pytest.raises(AccessDenied):
            ask(viewer, contact_id)
    subjects.restrict(SYSTEM, contact=("generic", "Nord-care-0"), reason="contested")
    for viewer in (EVALUATOR, SYSTEM):
        with pytest.raises(AccessDenied):
            ask(viewer, "Nord-care-0")


def test_what_a_role_may_not_ask_is_denied(two_teams: Rows) -> None:
    for ask in (
        lambda: query.get_advisor(ADVISOR, "a1"),
        lambda: query.data_span(Viewer("x", None)),
        lambda: query.find_contacts(ADVISOR, behind="attribution_rate"),
        lambda: query.count_contacts(ADVISOR, BY_TEAM),
        lambda: satisfaction_drivers.find_drivers(EXECUTIVE, BY_TEAM),
    ):
        with pytest.raises(AccessDenied):
            ask()
    assert query.data_through(LEAD) is not None
    assert query.data_through(EXECUTIVE) is None  # nothing is published
