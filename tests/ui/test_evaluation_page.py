"""One evaluation as each role may see it: what is told, what is never told, and what
can be done on its page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from builders import evaluated_centre
from builders.evaluated_centre import GIVEN, viewer

from qa_core.access.roles import Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Period
from qa_core.metrics.query import find_own_evaluations
from qa_core.quality.evaluations import (
    EvaluationImporter,
    advisor_response,
    disputes,
    drafts,
    evaluation_view,
    finalise,
)
from qa_core.quality.evaluations.advisor_response import News
from qa_core.quality.evaluations.corrections import AMENDED
from qa_core.quality.evaluations.imports import ImportedAnswer, ImportedEvaluation
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.imports import ImportBatch
from qa_core.storage.records.listening import Dispute
from qa_core.storage.records.people import Account


@pytest.fixture
def service(start_from: Callable[..., Any], add_person: Callable[..., str]) -> Callable[..., int]:
    return start_from(evaluated_centre.build, add_person)


@pytest.fixture
def open_evaluation(open_app: Callable[..., Any]) -> Callable[[str, object], Any]:
    def open_page(username: str, number: object) -> Any:
        return open_app(username, "evaluation", id=str(number))

    return open_page


def said(app: Any) -> str:
    """All that the page shows, as one text."""

    def walk(block: Any) -> Iterator[str]:
        for child in block.children.values():
            if hasattr(child, "children"):
                yield from walk(child)
            else:
                texts = (getattr(child, name, "") for name in ("label", "value", "body"))
                yield " ".join(text for text in texts if isinstance(text, str))

    return " | ".join(walk(app.main)).replace("\\", "")


def button(app: Any, label: str) -> Any:
    return next(entry for entry in app.button if entry.label == label)


def test_only_its_evaluator_sees_an_evaluation_before_it_is_published(
    service: Callable[..., int],
) -> None:
    for state in ("draft", "submitted"):
        number = service(state=state, published_at=None)
        for username in ("lea", "noe", "tom", "mona", "lise"):
            with pytest.raises(AccessDenied):
                evaluation_view.get_evaluation(viewer(username), number)
        assert evaluation_view.get_evaluation(viewer("eve"), number).state == state
        assert advisor_response.find_news(viewer("lea")).unread == ()


def test_published_it_is_for_its_advisor_and_for_who_leads_or_manages_the_team(
    service: Callable[..., int], add_person: Callable[..., str]
) -> None:
    number = service()
    for username, role in (
        ("ada", "admin"),
        ("dora", "dpo"),
        ("xavier", "executive"),
        ("emil", "evaluator"),
    ):
        add_person(username, role)

    for username in ("noe", "lise", "ada", "dora", "xavier", "emil"):
        with pytest.raises(AccessDenied):
            evaluation_view.get_evaluation(viewer(username), number)
    told = {
        name: evaluation_view.get_evaluation(viewer(name), number)
        for name in ("lea", "tom", "mona", "eve")
    }

    assert {name: one.evaluator for name, one in told.items()} == {
        "lea": "eve",
        "tom": None,
        "mona": "eve",
        "eve": "eve",
    }
    assert {name: one.advisor for name, one in told.items()} == {
        "lea": "Léa Roux",
        "tom": "Léa Roux",
        "mona": "Léa Roux",
        "eve": None,
    }
    assert {name: (one.may_dispute, one.may_decide) for name, one in told.items()} == {
        "lea": (True, False),
        "tom": (False, False),
        "mona": (False, True),
        "eve": (False, False),
    }
    lea = told["lea"]
    assert (lea.score, lea.outcome, lea.pass_mark, lea.scorecard_version) == (56.25, "fail", 75, 1)
    assert [(section.name, section.score, section.share) for section in lea.sections] == [
        ("Welcome", 75, 0.25),
        ("Answer", 50, 0.75),
    ]
    assert [(answer.key, answer.earned, answer.most, answer.share) for answer in lea.answers] == [
        ("greeting", 1, 2, 0.125),
        ("identity", 2, 2, 0.125),
        ("accuracy", 2, 4, 0.75),
    ]


def test_calibrations_are_told_to_nobody_but_who_made_them(service: Callable[..., int]) -> None:
    number = service(kind="calibration")

    for username in ("lea", "tom", "mona"):
        with pytest.raises(AccessDenied):
            evaluation_view.get_evaluation(viewer(username), number)


def test_a_critical_error_stands_beside_the_score_without_it(
    service: Callable[..., int], open_evaluation: Callable[..., Any]
) -> None:
    number = service({"greeting": 2, "identity": 0, "accuracy": 4})

    page = said(open_evaluation("lea", number))

    assert "identity" in page and "0 fails the whole evaluation" in page and "Not passed" in page
    assert "87.5" in page  # 12.5 + 75


def test_answers_without_their_grid_are_shown_as_they_came(service: Callable[..., int]) -> None:
    with store.writing() as session:
        batch = {
            "kind": "evaluations",
            "file_name": "old.csv",
            "digest": "0",
            "system": "file",
            "profile": "generic",
            "options": {},
            "actor": "ann",
        }
        session.add(ImportBatch(id="batch", **batch))
        session.flush()
        marks = (
            ImportedAnswer("Tone", 3, 4, "Manner"),
            ImportedAnswer("Speed", None, None, "Manner"),
        )
        item = ImportedEvaluation(
            "k1",
            now().date(),
            now(),
            advisor_id="a1",
            team="Blue",
            scorecard="Old sheet",
            marks=marks,
        )
        EvaluationImporter(session, "batch", [item]).import_one(item)
        number = session.scalar(sa.select(Evaluation.id).where(Evaluation.external_key == "k1"))

    found = evaluation_view.get_evaluation(viewer("lea"), number)

    (section,) = found.sections
    assert (
        section.name,
        section.score,
        [(answer.key, answer.earned) for answer in section.answers],
    ) == ("Manner", 75, [("Speed", None), ("Tone", 3)])
    assert not found.is_disputable and not found.may_dispute
    with pytest.raises(Exception, match="This evaluation has no scorecard answers"):
        disputes.raise_dispute(viewer("lea"), number, "Tone", 4, "Why.")


def test_the_page_of_somebody_else_reads_like_one_that_does_not_exist(
    service: Callable[..., int], open_evaluation: Callable[..., Any]
) -> None:
    number = service()

    foreign, missing, senseless = (
        open_evaluation("noe", id) for id in (number, "4711", "1; drop table")
    )

    assert foreign.error[0].value == missing.error[0].value == senseless.error[0].value
    assert "56" not in said(foreign)


def test_a_lead_reads_no_name_of_an_evaluator_anywhere_on_the_page(
    service: Callable[..., int], open_evaluation: Callable[..., Any]
) -> None:
    number = service(evaluator="Evelyne Sauvage")
    dispute = disputes.raise_dispute(viewer("lea"), number, "accuracy", 4, "Why.")
    disputes.decide(viewer("mona"), dispute, "accept", reason="So.")

    assert "Evelyne" not in said(open_evaluation("tom", number))
    assert "Evelyne" in said(open_evaluation("mona", number))
    assert "Evelyne" in said(open_evaluation("lea", number))


def test_the_advisor_marks_it_as_read_comments_and_disputes_on_the_page(
    service: Callable[..., int], open_evaluation: Callable[..., Any]
) -> None:
    number = service()
    counted = query.measure(Viewer.SYSTEM, ("evaluation_score",))["value"].iloc[0]
    app = open_evaluation("lea", number)
    button(app, "I have read it").click().run()
    app.text_area(key=f"advisor_comment_{number}").set_value("Thank you.").run()
    button(app, "Save").click().run()
    app.button(key="dispute_accuracy").click().run()
    app.button(key="send_accuracy").click().run()
    assert "Fill in all fields first." in [warning.value for warning in app.warning]
    app.radio(key="proposed_accuracy").set_value(3)  # the last of 0, 1, 3 and 4
    app.text_area(key="reason_accuracy").set_value("All was said.")
    app.button(key="send_accuracy").click().run()

    assert not app.exception
    found = evaluation_view.get_evaluation(viewer("tom"), number)
    assert found.acknowledged_at is not None and found.advisor_comment == "Thank you."
    assert [(one.criterion, one.original, one.proposed, one.reason) for one in found.disputes] == [
        ("accuracy", 2, 4, "All was said.")
    ]
    assert "dispute_accuracy" not in [entry.key for entry in app.button]
    assert "4 instead of 2" in said(app)
    assert query.measure(Viewer.SYSTEM, ("evaluation_score",))["value"].iloc[0] == counted
    with store.reading() as session:
        acts = session.scalars(
            sa.select(JournalRow.action)
            .where(JournalRow.actor == "lea", JournalRow.object == str(number))
            .order_by(JournalRow.seq)
        )
        assert list(acts) == [
            "evaluation_read",
            "evaluation_acknowledged",
            "evaluation_commented",
            "evaluation_disputed",
        ]


def test_nobody_else_may_answer(
    service: Callable[..., int], open_evaluation: Callable[..., Any]
) -> None:
    number = service()
    for username in ("noe", "tom", "mona", "eve"):
        for act in (
            advisor_response.acknowledge,
            advisor_response.start_self_evaluation,
            lambda who, id: advisor_response.comment(who, id, "Mine."),
        ):
            with pytest.raises(AccessDenied):
                act(viewer(username), number)
    app = open_evaluation("tom", number)

    assert not {"I have read it", "Save", "Dispute", "Decide"} & {
        entry.label for entry in app.button
    }


def test_a_manager_decides_on_the_page(
    service: Callable[..., int], open_app: Callable[..., Any], open_evaluation: Callable[..., Any]
) -> None:
    number = service()
    dispute = disputes.raise_dispute(viewer("lea"), number, "accuracy", 4, "All was said.")
    assert "1 dispute raised today waits for a decision" in said(open_app("mona", "disputes"))
    app = open_evaluation("mona", number)
    app.button(key=f"decision_{dispute}_send").click().run()
    assert [warning.value for warning in app.warning] == ["Fill in all fields first."]

    app.radio(key=f"decision_{dispute}").set_value("third").run()
    app.radio(key=f"decision_{dispute}_third").set_value(2)  # of 0, 1, 3
    app.text_area(key=f"decision_{dispute}_reason").set_value("Nearly all.")
    app.button(key=f"decision_{dispute}_send").click().run()

    assert not app.exception and "Decided otherwise: 3 of 4" in said(app)
    assert evaluation_view.get_evaluation(viewer("lea"), number).score == 75
    news = said(open_app("lea", "my_quality"))
    assert "1 evaluation to read" in news and "1 decision on your disputes" in news
    assert "No dispute waits for a decision" in said(open_app("mona", "disputes"))


def test_a_lead_sees_which_criteria_are_disputed_without_the_evaluators(
    service: Callable[..., int], open_app: Callable[..., Any]
) -> None:
    number = service()
    disputes.decide(
        viewer("mona"),
        disputes.raise_dispute(viewer("lea"), number, "accuracy", 4, "All was said."),
        "accept",
        reason="So.",
    )

    shown = {}
    for username in ("tom", "mona"):
        app = open_app(username, "advisors")
        app.segmented_control(key="view").set_value("criteria").run()
        assert not app.exception
        shown[username] = "Disputed criteria" in said(app)

    assert shown == {"tom": True, "mona": False}  # a manager has a page for them


def test_a_self_evaluation_stands_beside_says_when_it_was_made_and_makes_no_numbers(
    service: Callable[..., int], open_evaluation: Callable[..., Any]
) -> None:
    number, lea = service(), viewer("lea")
    own = advisor_response.start_self_evaluation(lea, number)
    assert advisor_response.start_self_evaluation(lea, number) == own
    assert evaluation_view.get_evaluation(lea, number).own.evaluation_id == own
    for username in ("tom", "mona", "eve"):
        assert evaluation_view.get_evaluation(viewer(username), number).own is None  # a draft
        with pytest.raises(AccessDenied):
            evaluation_view.get_evaluation(viewer(username), own)

    drafts.submit(
        lea,
        own,
        drafts.save(
            lea, own, 1, GIVEN | {"accuracy": 4}, {"accuracy": "I read the new sheet aloud."}
        ),
    )
    advisor_response.acknowledge(lea, number)

    for username in ("lea", "tom", "mona"):
        beside = evaluation_view.get_evaluation(viewer(username), number).own
        assert (beside.score, beside.was_before, beside.answers["accuracy"]) == (93.75, True, 4)
    assert evaluation_view.get_evaluation(viewer("eve"), number).own is None
    page = said(open_evaluation("tom", number))
    assert (
        "the same answer on 2 of 3 criteria · made before" in page
        and "I read the new sheet aloud." in page
    )
    measured = query.measure(Viewer.SYSTEM, ("evaluation_score", "evaluations")).set_index("kpi")[
        "value"
    ]
    assert (measured["evaluation_score"], measured["evaluations"]) == (56.25, 1)
    assert [entry["id"] for entry in find_own_evaluations(lea, Period())] == [number]


def test_nobody_answers_their_own_view_or_fills_it_in_once_they_are_no_advisor(
    service: Callable[..., int],
) -> None:
    own = advisor_response.start_self_evaluation(viewer("lea"), service())
    drafts.submit(viewer("lea"), own, drafts.save(viewer("lea"), own, 1, GIVEN, {}))
    with pytest.raises(AccessDenied):
        advisor_response.comment(viewer("lea"), own, "Mine.")
    assert drafts.get_draft(viewer("lea"), own).answers == GIVEN

    with store.writing() as session:
        session.get_one(Account, "lea").role = "evaluator"

    with pytest.raises(AccessDenied):
        drafts.get_draft(viewer("lea"), own)


def test_made_after_reading_it_says_so(service: Callable[..., int]) -> None:
    number, lea = service(), viewer("lea")
    advisor_response.acknowledge(lea, number)
    own = advisor_response.start_self_evaluation(lea, number)

    drafts.submit(lea, own, drafts.save(lea, own, 1, GIVEN, {}))

    assert evaluation_view.get_evaluation(lea, number).own.was_before is False


def test_news_are_of_the_last_month_and_go_once_they_are_read(service: Callable[..., int]) -> None:
    lea = viewer("lea")
    service(published_at=now() - timedelta(days=31))
    fresh, other = service(published_at=now() - timedelta(days=3)), service()
    dispute = disputes.raise_dispute(lea, other, "accuracy", 4, "Why.")
    assert (advisor_response.find_news(lea).unread, advisor_response.find_news(lea).decided) == (
        (other, fresh),
        (),
    )

    advisor_response.acknowledge(lea, fresh)
    disputes.decide(viewer("mona"), dispute, "keep", reason="So.")

    assert (advisor_response.find_news(lea).unread, advisor_response.find_news(lea).decided) == (
        (other,),
        (other,),
    )
    with store.writing() as session:
        session.get_one(Dispute, dispute).decided_at = now() - timedelta(days=31)
    assert advisor_response.find_news(lea).decided == ()


def test_news_are_of_one_s_own_evaluations(service: Callable[..., int]) -> None:
    number = service()
    advisor_response.acknowledge(viewer("lea"), number)
    dispute = disputes.raise_dispute(viewer("lea"), number, "accuracy", 4, "Why.")
    disputes.decide(viewer("mona"), dispute, "keep", reason="So.")
    with store.writing() as session:
        evaluation = session.get_one(Evaluation, number)
        finalise.keep_revision(session, evaluation, f"{AMENDED}: Heard again.", "eve")
    unread = service()

    assert advisor_response.find_news(viewer("lea")) == News((unread,), (number,), (number,))
    assert advisor_response.find_news(viewer("noe")) == News((), (), ())
