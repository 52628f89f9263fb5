"""Filling a grid: one owner, nothing lost, one submission, and the rules of listening
asked on every call.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders import centres, listening_centre
from builders.drafts import BEST, draw, evaluation_of, room, viewer_of
from builders.forked_python import forked_python

from qa_core.access.roles import Viewer
from qa_core.base import environment, i18n
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.centre.rules import name_decisions
from qa_core.compliance.conditions import accreditations
from qa_core.metrics.kpi import evaluation_table as published
from qa_core.quality.evaluations import corrections, disputes, publication
from qa_core.quality.evaluations.drafts import find_submitted, get_draft, save, start, submit
from qa_core.quality.sampling.worklist import find_worklist
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import (
    Accreditation,
    DrawnContact,
    EvaluationRevision,
)
from qa_core.storage.records.people import Account, Advisor
from qa_core.upkeep import subjects

__all__ = ["room"]


def acts() -> list[str]:
    with store.reading() as session:
        return list(
            session.scalars(
                sa.select(JournalRow.action)
                .where(JournalRow.action.like("evaluation_%"))
                .order_by(JournalRow.seq)
            )
        )


def test_an_evaluation_is_saved_as_it_goes_and_signed_once(room) -> None:
    eve, drawn_id = viewer_of("eve"), draw("eve")

    evaluation_id = start(eve, drawn_id)
    assert start(eve, drawn_id) == evaluation_id
    version = save(eve, evaluation_id, 1, {"greeting": 2}, {"greeting": "Warm"})
    version = save(
        eve,
        evaluation_id,
        version,
        BEST | {"close": 1},
        {"greeting": "Warm", "close": " "},
        "Good",
        seconds=95,
    )
    submit(eve, evaluation_id, version)
    submit(eve, evaluation_id, version)  # the second click of two

    made = evaluation_of(evaluation_id)
    assert (made.state, made.kind, made.evaluator, made.advisor_id, made.team) == (
        "published",
        "scored",
        "eve",
        "A1",
        "North",
    )
    assert (made.local_day, made.grid_name, made.purpose, made.seconds_spent) == (
        date(2026, 3, 2),
        "Customer service",
        "evaluation",
        95,
    )
    # Welcome 2 of 2 · Understanding 3 of 3 · Answer 9 of 9 · Manner and close 4 of 5:
    # 15 + 25 + 40 + 20 × 4/5
    assert (made.score, made.calculated_score, made.outcome) == (
        pytest.approx(96),
        pytest.approx(96),
        "pass",
    )
    given = {answer.criterion: answer for answer in made.answers}
    assert (given["close"].earned, given["close"].possible, given["close"].section) == (
        1,
        2,
        "Manner and close",
    )
    assert (
        given["greeting"].applied_weight == pytest.approx(0.15)
        and given["greeting"].comment == "Warm"
    )
    assert (given["hold"].applicable, given["hold"].earned, given["hold"].applied_weight) == (
        False,
        None,
        0,
    )
    assert sum(answer.applied_weight for answer in made.answers) == pytest.approx(1)
    assert acts() == ["evaluation_started", "evaluation_submitted", "evaluation_published"]
    with store.reading() as session:
        assert session.get(DrawnContact, drawn_id).state == "done"
    assert get_draft(eve, evaluation_id).result.score == 96


def count_transactions(act: Callable[[], object]) -> int:
    begun: list[object] = []

    def note(connection: sa.Connection) -> None:
        begun.append(connection)

    sa.event.listen(sa.Engine, "begin", note)
    try:
        act()
    finally:
        sa.event.remove(sa.Engine, "begin", note)
    return len(begun)


def test_each_step_of_an_evaluation_is_one_transaction(room) -> None:
    eve, drawn_id = viewer_of("eve"), draw("eve")

    assert count_transactions(lambda: start(eve, drawn_id)) == 1
    number = start(eve, drawn_id)
    assert count_transactions(lambda: get_draft(eve, number)) == 1
    assert count_transactions(lambda: save(eve, number, 1, BEST, {})) == 1
    assert count_transactions(lambda: submit(eve, number, 2)) == 1
    assert evaluation_of(number).state == "published"
    corrected = BEST | {"close": 1}
    version = evaluation_of(number).version
    assert (
        count_transactions(
            lambda: corrections.amend(eve, number, version, corrected, {}, "", "Heard again")
        )
        == 1
    )


def test_whoever_is_no_evaluator_any_more_and_an_import_without_answers_open_no_scorecard(
    room,
) -> None:
    eve, drawn_id = viewer_of("eve"), draw("eve")
    number = start(eve, drawn_id)
    submit(eve, number, save(eve, number, 1, BEST, {}))
    with store.writing() as session:
        session.get_one(Evaluation, number).grid_id = None
    with pytest.raises(AccessDenied):
        get_draft(eve, number)

    with store.writing() as session:
        account = session.get_one(Account, "eve")
        account.role, account.advisor_id = "advisor", "A1"
    with pytest.raises(AccessDenied):
        start(viewer_of("eve"), drawn_id)


def test_what_was_restricted_is_neither_begun_nor_gone_on_with(room) -> None:
    eve, waiting = viewer_of("eve"), draw("eve", "b")
    begun = start(eve, draw("eve"))
    with store.writing() as session:  # as one of a file that names no contact
        imported = session.get_one(Evaluation, begun)
        imported.source_system = imported.contact_id = None

    subjects.restrict(Viewer.SYSTEM, advisor="A1")

    with pytest.raises(AccessDenied):
        get_draft(eve, begun)
    with pytest.raises(AccessDenied):
        start(eve, waiting)


def test_what_was_restricted_is_neither_listed_as_waiting_nor_as_submitted(room) -> None:
    eve = viewer_of("eve")
    draw("eve", "b")
    number = start(eve, draw("eve"))
    submit(eve, number, save(eve, number, 1, BEST, {}))
    assert len(find_submitted(eve)) == len(find_worklist(eve)) == 1

    subjects.restrict(Viewer.SYSTEM, advisor="A1")

    assert find_submitted(eve) == find_worklist(eve) == []


def test_an_imported_evaluation_is_among_the_last_ones(room) -> None:
    eve = viewer_of("eve")
    number = start(eve, draw("eve"))
    submit(eve, number, save(eve, number, 1, BEST, {}))
    with store.writing() as session:  # as one of a file: nobody pressed Submit here
        session.get_one(Evaluation, number).submitted_at = None

    assert [(one.id, one.submitted_at) for one in find_submitted(eve)] == [(number, None)]


def test_what_is_not_answered_is_named_in_the_language_of_the_reader(room) -> None:
    eve, evaluation_id = viewer_of("eve"), start(viewer_of("eve"), draw("eve"))
    version = save(
        eve,
        evaluation_id,
        1,
        {key: value for key, value in BEST.items() if key not in ("greeting", "record")},
        {},
    )

    with pytest.raises(Refusal) as refused:
        submit(eve, evaluation_id, version)
    i18n.use("fr")
    try:
        with pytest.raises(Refusal) as refused_in_french:
            submit(eve, evaluation_id, version)
    finally:
        i18n.use("en")

    assert (
        refused.value.params["criteria"]
        == "Greets and introduces themselves · Records the contact for the next colleague"
    )
    assert (
        refused_in_french.value.params["criteria"]
        == "Se présente et salue · Trace le contact pour le prochain collègue"
    )
    with pytest.raises(Refusal, match="one of: 0, 1, 2"):
        save(eve, evaluation_id, version, {"greeting": 1.5}, {})


def test_a_save_over_an_older_version_is_refused_and_loses_nothing(room) -> None:
    eve, evaluation_id = viewer_of("eve"), start(viewer_of("eve"), draw("eve"))
    save(eve, evaluation_id, 1, {"greeting": 2}, {"greeting": "First tab"})

    with pytest.raises(Refusal) as refused:
        save(eve, evaluation_id, 1, {"greeting": 1}, {"greeting": "Second tab"})

    assert refused.value.code == "changed_meanwhile"
    stored = get_draft(eve, evaluation_id)
    assert (stored.answers, stored.comments, stored.version) == (
        {"greeting": 2},
        {"greeting": "First tab"},
        2,
    )
    # The same click twice says nothing new, and is no conflict.
    assert save(eve, evaluation_id, 1, {"greeting": 2}, {"greeting": "First tab"}) == 2


def test_two_evaluators_at_once_and_two_clicks_at_once_make_two_evaluations(room) -> None:
    drafts = {
        name: start(viewer_of(name), draw(name, contact))
        for name, contact in (("eve", "a"), ("max", "b"))
    }
    failures: list[Exception] = []

    def work(name: str) -> None:
        try:
            version = get_draft(viewer_of(name), drafts[name]).version
            version = save(viewer_of(name), drafts[name], version, BEST, {})
            submit(viewer_of(name), drafts[name], version)
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("eve", "eve", "max", "max")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(
        isinstance(failure, Refusal) and failure.code in ("changed_meanwhile", "already_submitted")
        for failure in failures
    )
    assert [evaluation_of(evaluation_id).state for evaluation_id in drafts.values()] == [
        "published",
        "published",
    ]
    assert acts().count("evaluation_submitted") == 2 and acts().count("evaluation_published") == 2


def test_a_draft_is_its_owners_alone(room, add_person) -> None:
    evaluation_id = start(viewer_of("eve"), draw("eve"))
    add_person("mona", "manager", sees_unassigned=True)
    add_person("ana", "advisor", advisor_id="A1")
    other_id = draw("eve", "b")

    for name in ("max", "mona", "ana"):
        for act in (
            lambda viewer: get_draft(viewer, evaluation_id),
            lambda viewer: save(viewer, evaluation_id, 1, BEST, {}),
            lambda viewer: submit(viewer, evaluation_id, 1),
            lambda viewer: start(viewer, other_id),
        ):
            with pytest.raises(AccessDenied):
                act(viewer_of(name))
    assert evaluation_of(evaluation_id).state == "draft"


def test_whoever_may_not_listen_today_goes_no_further(room, monkeypatch) -> None:
    eve, drawn_id = viewer_of("eve"), draw("eve")
    evaluation_id = start(eve, drawn_id)

    def refusals() -> set[str]:
        codes = set()
        for act in (
            lambda: start(eve, drawn_id),
            lambda: get_draft(eve, evaluation_id),
            lambda: save(eve, evaluation_id, 1, BEST, {}),
            lambda: submit(eve, evaluation_id, 1),
        ):
            with pytest.raises(Refusal) as refused:
                act()
            codes.add(refused.value.code)
        return codes

    with store.writing() as session:  # her accreditation ended yesterday
        session.execute(
            sa.update(Accreditation)
            .where(Accreditation.username == "eve")
            .values(ends_on=environment.today() - timedelta(days=1))
        )
    assert refusals() == {"not_accredited"}
    accreditations.accredit(
        Viewer.SYSTEM, "eve", environment.today(), ["training"]
    )  # for another purpose than the plan's
    assert refusals() == {"not_accredited"}
    listening_centre.accredit("eve")
    with store.writing() as session:
        session.execute(sa.update(Account).where(Account.username == "eve").values(advisor_id="A1"))
    assert refusals() == {"own_contact"}
    with store.writing() as session:
        session.execute(sa.update(Account).where(Account.username == "eve").values(advisor_id=None))
        session.execute(
            sa.update(DrawnContact).where(DrawnContact.id == drawn_id).values(state="replaced")
        )
    assert refusals() == {"no_longer_assigned"}


def test_a_draft_about_an_advisor_who_is_called_like_its_evaluator_is_refused(room) -> None:
    eve = viewer_of("eve")
    evaluation_id = start(eve, draw("eve"))
    with store.writing() as session:
        session.add(Advisor(advisor_id="4012", name="EVE"))
    version = save(eve, evaluation_id, 1, BEST, {})
    name_decisions.merge(Viewer.SYSTEM, "advisor", "4012", "A1")
    with pytest.raises(Refusal, match="one of your own contacts"):
        save(eve, evaluation_id, version, BEST, {})


def test_a_contact_that_objected_meanwhile_takes_the_draft_away(room) -> None:
    eve, drawn_id = viewer_of("eve"), draw("eve")
    evaluation_id = start(eve, drawn_id)
    version = save(eve, evaluation_id, 1, {"greeting": 2}, {"greeting": "Warm"})
    centres.land(
        [
            centres.contact(
                "2026-03-02 09:00",
                "a",
                advisor_id="A1",
                team="North",
                talk_seconds=120.0,
                customer_objected=True,
            )
        ],
        "objections",
    )

    with pytest.raises(Refusal) as refused:
        save(eve, evaluation_id, version, BEST, {})

    assert refused.value.code == "contact_withdrawn"
    with store.reading() as session:
        assert session.get(Evaluation, evaluation_id) is None
        assert session.get(DrawnContact, drawn_id).state == "replaced"
    with pytest.raises(Refusal) as never_begun:
        start(eve, draw("eve", "refused"))
    assert never_begun.value.code == "contact_withdrawn"


def test_a_plan_may_put_publication_off(room, monkeypatch) -> None:
    eve = viewer_of("eve")
    evaluation_id = start(eve, draw("eve", publish_after_days=2))
    submit(eve, evaluation_id, save(eve, evaluation_id, 1, BEST, {}))
    today = environment.today()
    with store.reading() as session:
        before = published.change_counter(session)

    assert (evaluation_of(evaluation_id).state, evaluation_of(evaluation_id).publish_on) == (
        "submitted",
        today + timedelta(days=2),
    )
    assert publication.publish_due() == 0
    monkeypatch.setattr(environment, "today", lambda: today + timedelta(days=2))
    assert publication.publish_due() == 1 and publication.publish_due() == 0
    assert (
        evaluation_of(evaluation_id).state == "published"
        and evaluation_of(evaluation_id).published_at is not None
    )
    with store.reading() as session:
        assert published.change_counter(session) != before


def test_a_correction_keeps_what_stood_before(room) -> None:
    eve = viewer_of("eve")
    evaluation_id = start(eve, draw("eve"))
    submit(eve, evaluation_id, save(eve, evaluation_id, 1, BEST, {"close": "Good"}, "Fine"))
    version = evaluation_of(evaluation_id).version
    with store.reading() as session:
        before = published.change_counter(session)

    with pytest.raises(Refusal, match="Give a reason"):
        corrections.amend(eve, evaluation_id, version, BEST | {"close": 1}, {}, "Fine", " ")
    with pytest.raises(Refusal):
        corrections.amend(
            eve, evaluation_id, version - 1, BEST | {"close": 1}, {}, "Fine", "Heard again"
        )
    with pytest.raises(AccessDenied):
        corrections.amend(
            viewer_of("max"), evaluation_id, version, BEST | {"close": 1}, {}, "Fine", "Heard again"
        )
    assert (
        corrections.amend(
            eve, evaluation_id, version, BEST | {"close": 1}, {}, "Fine", "Heard again"
        )
        == version + 1
    )

    assert evaluation_of(evaluation_id).score == pytest.approx(96)
    with store.reading() as session:
        (kept,) = session.scalars(sa.select(EvaluationRevision))
        assert published.change_counter(session) != before
    assert (kept.version, kept.content["score"], kept.reason, kept.replaced_by) == (
        version,
        100,
        "amended: Heard again",
        "eve",
    )
    assert (
        next(answer for answer in kept.content["answers"] if answer["criterion"] == "close")[
            "comment"
        ]
        == "Good"
    )


def test_a_correction_leaves_alone_what_was_disputed(room, add_person) -> None:
    add_person("ana", "advisor", advisor_id="A1")
    add_person("mona", "manager", sites=())
    eve, mona = viewer_of("eve"), viewer_of("mona")
    evaluation_id = start(eve, draw("eve"))
    submit(
        eve,
        evaluation_id,
        save(eve, evaluation_id, 1, BEST | {"greeting": 0}, {"greeting": "None heard"}),
    )
    dispute_id = disputes.raise_dispute(
        viewer_of("ana"), evaluation_id, "greeting", 2, "It is at the very beginning"
    )
    assert corrections.get_correction_base(eve, evaluation_id).disputed == {"greeting"}

    def amend(answers, comments=None) -> int:
        version = evaluation_of(evaluation_id).version
        return corrections.amend(
            eve,
            evaluation_id,
            version,
            answers,
            comments or {"greeting": "None heard"},
            None,
            "Heard again",
        )

    for answers, comments in (
        (BEST | {"greeting": 1}, None),
        (BEST | {"greeting": 0, "close": 1}, {"greeting": "Never said it"}),
    ):
        with pytest.raises(Refusal) as refused:  # before the decision
            amend(answers, comments)
        assert refused.value.code == "disputed" and "disputed" in str(refused.value)
    amend(BEST | {"greeting": 0, "close": 1})
    disputes.decide(mona, dispute_id, "accept", reason="At second 3")
    with pytest.raises(Refusal) as refused:  # after it
        amend(BEST | {"greeting": 0})
    assert refused.value.code == "disputed"
    with pytest.raises(Refusal) as refused:
        amend(BEST | {"greeting": 2, "close": 1})
    assert refused.value.code == "nothing_changed"
    amend(BEST)

    assert evaluation_of(evaluation_id).score == pytest.approx(100)
    with store.reading() as session:
        reasons = session.scalars(
            sa.select(EvaluationRevision.reason).order_by(EvaluationRevision.version)
        ).all()
    assert reasons == ["amended: Heard again", "disputed: At second 3", "amended: Heard again"]
    with pytest.raises(AccessDenied):
        corrections.get_correction_base(viewer_of("max"), evaluation_id)


def test_what_is_written_of_people_is_masked_or_confirmed(room) -> None:
    eve = viewer_of("eve")
    evaluation_id = start(eve, draw("eve"))
    version = save(
        eve,
        evaluation_id,
        1,
        BEST,
        {"close": "Call back on 06 12 34 56 78"},
        "The customer is in hospital",
    )

    with pytest.raises(Refusal) as refused:
        submit(eve, evaluation_id, version)
    assert refused.value.code == "personal_data"
    submit(eve, evaluation_id, version, keeps_personal_data=True)
    made = evaluation_of(evaluation_id)
    assert made.comment == "The customer is in hospital"
    assert {answer.comment for answer in made.answers if answer.comment} == {"Call back on •••"}


WRITER = """
import sys
from qa_core.access import accounts
from qa_core.quality.evaluations import drafts
from qa_core.storage.records import store

with store.reading() as session:
    eve = accounts.get_viewer(session, "eve")
version, number = 1, 0
while True:
    number += 1
    answers, comments = {"greeting": number % 3}, {"greeting": f"word {number}"}
    version = drafts.save(eve, int(sys.argv[1]), version, answers, comments)
    print(number, flush=True)
"""


def test_a_process_killed_while_it_saves_loses_at_most_the_last_save(room, centre: Path) -> None:
    evaluation_id = start(viewer_of("eve"), draw("eve"))
    for wait in (0, 3, 7):
        with store.writing() as session:
            session.execute(
                sa.update(Evaluation).values(version=1, draft={"answers": {}, "comments": {}})
            )
        command = [*forked_python(), "-c", WRITER, str(evaluation_id)]
        writer = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            cwd=environment.PROJECT,
            env=os.environ | {"QA_HOME": str(centre)},
        )
        try:
            told = [int(writer.stdout.readline()) for _ in range(wait + 1)]
        finally:
            writer.send_signal(signal.SIGKILL)
            told += [int(line) for line in writer.stdout.read().split("\n") if line.strip()]
            writer.wait()

        stored = get_draft(viewer_of("eve"), evaluation_id)
        number = int(stored.comments["greeting"].split()[1])
        assert number in (told[-1], told[-1] + 1)
        assert (stored.answers["greeting"], stored.version) == (number % 3, number + 1)
        assert json.dumps(stored.answers)
