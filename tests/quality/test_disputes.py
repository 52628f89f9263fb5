"""Disputes: an advisor disagrees in time, somebody else decides, the evaluation is
scored again, and what stood before is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import evaluated_centre
from builders.evaluated_centre import viewer

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.compliance import requests
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Period
from qa_core.quality.evaluations import (
    EvaluationImporter,
    ImportedAnswer,
    ImportedEvaluation,
    disputes,
    evaluation_view,
)
from qa_core.quality.evaluations.disputes import DisputeDecision
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.imports import ImportBatch
from qa_core.storage.records.listening import (
    Dispute,
    Draw,
    DrawnContact,
    EvaluationRevision,
    ListeningPlan,
)


@pytest.fixture
def service(start_from: Callable[..., Any], add_person: Callable[..., str]) -> Callable[..., int]:
    return start_from(evaluated_centre.build, add_person)


def days_ago(days: int) -> datetime:
    """Noon of that day at the centre."""
    return datetime.combine(
        environment.today() - timedelta(days=days), time(12), environment.current().zone
    )


def score_of_the_centre() -> float:
    return query.measure(Viewer.SYSTEM, ("evaluation_score",))["value"].iloc[0]


def test_an_accepted_dispute_scores_again_moves_the_numbers_and_keeps_the_original(
    service: Callable[..., int],
) -> None:
    number = service()
    assert score_of_the_centre() == 56.25
    dispute = disputes.raise_dispute(
        viewer("lea"), number, "accuracy", 4, "The procedure changed the week before."
    )

    disputes.decide(
        viewer("mona"),
        dispute,
        DisputeDecision.ACCEPT,
        reason="Heard again: right by the new sheet.",
    )

    found = evaluation_view.get_evaluation(viewer("lea"), number)
    assert (found.score, found.outcome) == (93.75, "pass")  # 18.75 + 75
    assert score_of_the_centre() == 93.75
    (decided,) = found.disputes
    assert (decided.original, decided.proposed, decided.decided, decided.decided_by) == (
        2,
        4,
        4,
        "mona",
    )
    (former,) = found.revisions
    assert (former.score, former.outcome, former.answers) == (
        56.25,
        "fail",
        {"greeting": 1, "identity": 2, "accuracy": 2},
    )
    assert former.reason == "disputed: Heard again: right by the new sheet."
    assert (
        next(answer for answer in found.answers if answer.key == "accuracy").comment
        == "Wrong date given."
    )


def test_a_third_value_is_neither_what_was_given_nor_what_was_asked_for(
    service: Callable[..., int],
) -> None:
    number = service()
    dispute = disputes.raise_dispute(viewer("lea"), number, "accuracy", 4, "All was said.")
    for points in (2, 4, None):
        with pytest.raises(Refusal) as refused:
            disputes.decide(viewer("mona"), dispute, DisputeDecision.THIRD, points, "In between.")
        assert refused.value.code == "no_third"
    for points in (2.5, 5, "na"):
        with pytest.raises(Refusal) as refused:
            disputes.decide(viewer("mona"), dispute, DisputeDecision.THIRD, points, "In between.")
        assert refused.value.code == "bad_answer"

    disputes.decide(viewer("mona"), dispute, DisputeDecision.THIRD, 3, "In between.")

    assert evaluation_view.get_evaluation(viewer("mona"), number).score == 75  # 18.75 + 56.25


def test_what_is_kept_is_told_and_nothing_else_changes(service: Callable[..., int]) -> None:
    number = service()
    dispute = disputes.raise_dispute(viewer("lea"), number, "greeting", 2, "I did greet.")

    disputes.decide(viewer("mona"), dispute, DisputeDecision.KEEP, reason="Not to be heard.")

    found = evaluation_view.get_evaluation(viewer("lea"), number)
    assert (
        found.score,
        found.revisions,
        found.disputes[0].decided,
        found.disputes[0].decision_reason,
    ) == (56.25, (), 1, "Not to be heard.")


def test_not_applicable_can_be_asked_for_where_the_criterion_allows_it(
    service: Callable[..., int],
) -> None:
    number = service({"greeting": 1, "identity": 0, "accuracy": 4})
    assert (
        evaluation_view.get_evaluation(viewer("lea"), number).outcome == "fail"
    )  # a critical error
    with pytest.raises(Refusal, match="may not"):
        disputes.raise_dispute(viewer("lea"), number, "greeting", "na", "No time.")
    dispute = disputes.raise_dispute(
        viewer("lea"), number, "identity", "na", "Nothing of the file was spoken of."
    )

    disputes.decide(viewer("mona"), dispute, DisputeDecision.ACCEPT, reason="Right.")

    found = evaluation_view.get_evaluation(viewer("lea"), number)
    assert (found.score, found.outcome, found.failures) == (
        87.5,
        "pass",
        (),
    )  # 1 of 2 for a quarter, all of three quarters


def test_it_can_be_disputed_for_fourteen_days_after_it_was_shown_or_as_long_as_its_plan_says(
    service: Callable[..., int],
) -> None:
    last = service(published_at=days_ago(14))
    disputes.raise_dispute(viewer("lea"), last, "accuracy", 3, "In time.")
    for late in (
        service(published_at=days_ago(15)),
        service(published_at=None, evaluated_at=days_ago(15)),
    ):
        with pytest.raises(Refusal) as refused:
            disputes.raise_dispute(viewer("lea"), late, "accuracy", 3, "Too late.")
        assert refused.value.code == "dispute_over"
        assert not evaluation_view.get_evaluation(viewer("lea"), late).may_dispute
    with store.writing() as session:
        plan = ListeningPlan(
            name="March",
            purpose="evaluation",
            starts_on=date(2026, 3, 1),
            ends_on=date(2026, 3, 31),
            grid_key="service",
            per_advisor=1,
        )
        plan.maximum_per_advisor, plan.dispute_days, plan.created_by = 2, 3, "mona"
        draw = Draw(
            plan=plan,
            seed=1,
            lake_version="1",
            frame=1,
            frame_digest="0",
            excluded={},
            short={},
            frame_shares={},
            drawn_by="mona",
        )
        drawn = DrawnContact(
            draw=draw,
            position=1,
            source_system="generic",
            contact_id="c1",
            local_start=datetime(2026, 3, 2, 10),
        )
        session.add(drawn)
        session.flush()
        drawn_id = drawn.id
    planned = service(drawn_id=drawn_id, published_at=days_ago(4))

    with pytest.raises(Refusal) as refused:
        disputes.raise_dispute(viewer("lea"), planned, "accuracy", 3, "Too late for this plan.")
    assert refused.value.code == "dispute_over"


def test_each_criterion_is_disputed_once_with_a_reason_and_an_answer_that_there_is(
    service: Callable[..., int],
) -> None:
    number, lea = service(), viewer("lea")
    for criterion, proposed, reason, code in (
        ("accuracy", 3, "  ", "no_reason"),
        ("accuracy", 3, "x" * 2001, "no_reason"),
        ("accuracy", 2, "The same.", "same_answer"),
        ("accuracy", 2.5, "Between two levels.", "bad_answer"),
        ("nothing", 1, "No such criterion.", "access_denied"),
    ):
        with pytest.raises(Refusal) as refused:
            disputes.raise_dispute(lea, number, criterion, proposed, reason)
        assert refused.value.code == code
    disputes.raise_dispute(lea, number, "accuracy", 3, "Call me back on 06 12 34 56 78.")
    with pytest.raises(Refusal) as refused:
        disputes.raise_dispute(lea, number, "accuracy", 4, "And again.")

    assert refused.value.code == "already_disputed"
    assert (
        "06 12 34" not in evaluation_view.get_evaluation(viewer("mona"), number).disputes[0].reason
    )


def test_only_the_advisor_disputes_and_only_a_manager_of_the_site_decides(
    service: Callable[..., int],
) -> None:
    number = service()
    for username in ("noe", "tom", "mona", "eve"):
        with pytest.raises(AccessDenied):
            disputes.raise_dispute(viewer(username), number, "accuracy", 4, "Not mine.")
    dispute = disputes.raise_dispute(viewer("lea"), number, "accuracy", 4, "Mine.")
    for username in ("lea", "noe", "tom", "eve", "lise"):
        with pytest.raises(AccessDenied):
            disputes.decide(
                viewer(username), dispute, DisputeDecision.ACCEPT, reason="Not for me to say."
            )
    assert disputes.find_disputes(viewer("lise")) == []
    assert [line.advisor for line in disputes.find_disputes(viewer("mona"))] == ["Léa Roux"]
    with pytest.raises(AccessDenied):
        disputes.decide(viewer("mona"), dispute + 1, DisputeDecision.KEEP, reason="There is none.")


def test_who_made_an_evaluation_does_not_decide_on_it(service: Callable[..., int]) -> None:
    number = service(evaluator="mona")
    dispute = disputes.raise_dispute(viewer("lea"), number, "accuracy", 4, "Mine.")

    with pytest.raises(Refusal) as refused:
        disputes.decide(viewer("mona"), dispute, DisputeDecision.KEEP, reason="I was right.")

    assert refused.value.code == "own_evaluation"
    assert not evaluation_view.get_evaluation(viewer("mona"), number).may_decide
    disputes.decide(viewer("max"), dispute, DisputeDecision.KEEP, reason="She was right.")


def test_of_two_who_decide_at_once_one_is_told(service: Callable[..., int]) -> None:
    number = service()
    dispute = disputes.raise_dispute(viewer("lea"), number, "accuracy", 4, "All was said.")
    told: list[str] = []
    start = threading.Barrier(2)

    def decide(who: Viewer, decision: DisputeDecision) -> None:
        start.wait()
        try:
            disputes.decide(who, dispute, decision, reason=f"So says {who.username}.")
        except Refusal as refusal:
            told.append(refusal.code)

    threads = [
        threading.Thread(target=decide, args=(viewer(name), decision))
        for name, decision in (("mona", DisputeDecision.ACCEPT), ("max", DisputeDecision.KEEP))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert told == ["already_decided"]
    found = evaluation_view.get_evaluation(viewer("lea"), number)
    assert (found.disputes[0].decision, found.score) in (("accept", 93.75), ("keep", 56.25))
    with store.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(EvaluationRevision)) == (
            1 if found.score == 93.75 else 0
        )


def test_the_journal_says_who_did_what_and_none_of_the_words(service: Callable[..., int]) -> None:
    number = service()
    dispute = disputes.raise_dispute(viewer("lea"), number, "accuracy", 4, "All was said.")
    disputes.decide(viewer("mona"), dispute, DisputeDecision.ACCEPT, reason="Heard again.")

    with store.reading() as session:
        rows = session.execute(
            sa.select(
                JournalRow.actor, JournalRow.action, JournalRow.object, JournalRow.reason
            ).order_by(JournalRow.seq)
        ).all()
    assert [tuple(row) for row in rows[-2:]] == [
        ("lea", "evaluation_disputed", str(number), ""),
        ("mona", "dispute_decided", str(number), ""),
    ]


def test_an_evaluation_that_goes_takes_its_disputes_with_it(service: Callable[..., int]) -> None:
    number = service()
    dispute = disputes.raise_dispute(viewer("lea"), number, "accuracy", 4, "All was said.")
    disputes.decide(viewer("mona"), dispute, DisputeDecision.ACCEPT, reason="Heard again.")

    with store.writing() as session:
        session.delete(session.get_one(Evaluation, number))

    with store.reading() as session:
        assert (
            session.scalars(sa.select(Dispute.id)).all()
            == session.scalars(sa.select(EvaluationRevision.id)).all()
            == []
        )


def test_the_same_file_again_does_not_undo_what_was_decided(service: Callable[..., int]) -> None:
    marks = (
        ImportedAnswer("greeting", 1, 2),
        ImportedAnswer("identity", 2, 2),
        ImportedAnswer("accuracy", 2, 4),
    )
    item = ImportedEvaluation(
        "k1",
        date(2026, 3, 2),
        now(),
        advisor_id="a1",
        team="Blue",
        evaluator="eve",
        scorecard="Service",
        marks=marks,
    )

    with store.writing() as session:
        batch = {
            "kind": "evaluations",
            "file_name": "march.csv",
            "digest": "0",
            "system": "file",
            "profile": "generic",
            "options": {},
            "actor": "ann",
        }
        session.add(ImportBatch(id="batch", **batch))

    def take() -> tuple[str, int, float]:
        with store.writing() as session:
            status = EvaluationImporter(session, "batch", [item]).import_one(item)
            found = session.execute(
                sa.select(Evaluation.id, Evaluation.score).where(Evaluation.external_key == "k1")
            ).one()
            return status, found.id, found.score

    status, number, score = take()
    assert (status, score) == ("new", 56.25)
    disputes.decide(
        viewer("mona"),
        disputes.raise_dispute(viewer("lea"), number, "accuracy", 4, "Why."),
        DisputeDecision.ACCEPT,
        reason="So.",
    )

    assert take() == ("unchanged", number, 93.75)


def test_how_often_is_changed_by_evaluator_and_by_criterion(service: Callable[..., int]) -> None:
    lea, mona = viewer("lea"), viewer("mona")
    first, second, _third, fourth = service(), service(), service(), service(evaluator="adam")
    for number, criterion, decision in (
        (first, "accuracy", DisputeDecision.ACCEPT),
        (first, "greeting", DisputeDecision.KEEP),
        (second, "accuracy", DisputeDecision.KEEP),
    ):
        disputes.decide(
            mona,
            disputes.raise_dispute(
                lea, number, criterion, 2 if criterion == "greeting" else 3, "Why."
            ),
            decision,
            reason="So.",
        )
    disputes.raise_dispute(lea, fourth, "accuracy", 4, "Why.")

    outcomes = disputes.count_outcomes(mona, Period(date(2026, 3, 2), date(2026, 3, 2)))

    eve, adam = outcomes.by_evaluator
    assert (eve.key, eve.evaluations, eve.disputed, eve.decided, eve.changed) == ("eve", 3, 3, 3, 1)
    # Wilson for 1 of 3.
    assert (round(eve.share, 3), round(eve.low, 3), round(eve.high, 3)) == (0.333, 0.061, 0.792)
    assert (adam.key, adam.evaluations, adam.disputed, adam.decided, adam.share) == (
        "adam",
        1,
        1,
        0,
        None,
    )
    by_criterion = {
        outcome.key: (outcome.evaluations, outcome.disputed, outcome.decided, outcome.changed)
        for outcome in outcomes.by_criterion
    }
    assert by_criterion == {
        "accuracy": (4, 3, 2, 1),
        "greeting": (4, 1, 1, 0),
        "identity": (4, 0, 0, 0),
    }
    assert (
        disputes.count_outcomes(mona, Period(date(2026, 3, 3), date(2026, 3, 3))).by_criterion == ()
    )


def test_a_lead_counts_by_criterion_and_is_not_told_of_evaluators(
    service: Callable[..., int], centre: Path
) -> None:
    disputes.raise_dispute(viewer("lea"), service(), "accuracy", 4, "Why.")

    outcomes = disputes.count_outcomes(viewer("tom"), Period())

    assert outcomes.by_evaluator is None
    assert [
        (outcome.key, outcome.disputed) for outcome in outcomes.by_criterion if outcome.disputed
    ] == [("accuracy", 1)]
    for username in ("lea", "eve"):
        with pytest.raises(AccessDenied):
            disputes.count_outcomes(viewer(username), Period())


def test_a_manager_counts_the_disputes_of_their_own_sites(service: Callable[..., int]) -> None:
    disputes.raise_dispute(viewer("lea"), service(), "accuracy", 4, "Why.")
    elsewhere = service()
    with store.writing() as session:
        session.get_one(Evaluation, elsewhere).team = "Red"

    outcomes = disputes.count_outcomes(viewer("lise"), Period())

    assert [(one.key, one.evaluations, one.disputed) for one in outcomes.by_evaluator] == [
        ("eve", 1, 0)
    ]
    assert {(one.evaluations, one.disputed) for one in outcomes.by_criterion} == {(1, 0)}


def test_an_objection_to_an_evaluation_is_a_dispute_with_a_copy_to_the_officer(
    service: Callable[..., int],
) -> None:
    number = service()
    disputes.raise_dispute(
        viewer("lea"), number, "accuracy", 4, "Not me on that call.", is_objection=True
    )

    [copy] = requests.find_all(Viewer.SYSTEM)
    assert (copy.kind, copy.subject_kind, copy.subject) == (
        "objection",
        "advisor",
        viewer("lea").advisor_id,
    )
    assert copy.contact_id == f"evaluation {number}" and copy.is_open
    assert len(evaluation_view.get_evaluation(viewer("lea"), number).disputes) == 1
