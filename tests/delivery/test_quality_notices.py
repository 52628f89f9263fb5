"""Notices of the quality cycle: a calibration that ends soon, a dispute that was decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from builders import centre_with_calls, evaluated_centre, listening_centre
from builders.centre_with_calls import viewer_of

from qa_core.base import environment
from qa_core.delivery import notices
from qa_core.quality import calibration
from qa_core.quality.evaluations import disputes, drafts
from qa_core.quality.evaluations.disputes import DisputeDecision
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import ScorecardVersion

DUE = "1 calibration session due soon"


def find(username: str) -> dict[str, str]:
    return {notice.kind: notice.text for notice in notices.find_notices(viewer_of(username))}


def test_a_calibration_is_a_notice_from_two_days_before_its_end_until_it_is_scored(
    start_from: Callable[..., None], add_person: Callable[..., str]
) -> None:
    start_from(centre_with_calls.build, add_person)
    add_person("zoe", "evaluator")
    add_person("mona", "manager", sites=("Lille",))
    listening_centre.accredit("zoe")
    with store.reading() as session:
        grid = session.query(ScorecardVersion).one()
        grid_id, content = grid.id, grid.content
    today = environment.today()
    contacts = [("generic", "unheard")]
    for title, days in (("Later", 3), ("Soon", 2)):
        due_on = today + timedelta(days=days)
        calibration.open_session(
            viewer_of("mona"), title, grid_id, ["eve", "zoe"], contacts, due_on
        )
    assert find("zoe")["calibration_due"] == find("eve")["calibration_due"] == DUE
    assert "calibration_due" not in find("mona") | find("lea") | find("ann")

    tasks = calibration.find_worklist(viewer_of("zoe"))
    number = next(task.contact_number for task in tasks if task.due_on == today + timedelta(days=2))
    evaluation_id = calibration.start(viewer_of("zoe"), number)
    answers = {
        criterion["key"]: float(criterion.get("levels", [criterion.get("points", 1)])[-1])
        for section in content["section"]
        for criterion in section["criterion"]
    }
    draft = drafts.get_draft(viewer_of("zoe"), evaluation_id)
    version = drafts.save(viewer_of("zoe"), evaluation_id, draft.version, answers, {})
    drafts.submit(viewer_of("zoe"), evaluation_id, version)
    assert "calibration_due" not in find("zoe")
    assert find("eve")["calibration_due"] == DUE


def test_a_decision_is_a_notice_of_the_advisor_who_disputed(
    start_from: Callable[..., Any], add_person: Callable[..., str]
) -> None:
    evaluate = start_from(evaluated_centre.build, add_person)
    number = evaluate()
    dispute = disputes.raise_dispute(viewer_of("lea"), number, "accuracy", 4, "It was right.")
    assert "dispute_decided" not in find("lea")

    disputes.decide(viewer_of("mona"), dispute, DisputeDecision.KEEP, reason="Not so.")
    assert find("lea")["dispute_decided"] == "1 decision on your disputes"
    assert "dispute_decided" not in find("mona")
