"""Calibration: blind for everybody until it is closed, beside each other afterwards,
and never in a KPI of advisors.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import centres, listening_centre
from builders.drafts import draw
from builders.shown_texts import as_read

from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.cli.app import run
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.quality import calibration, data_version
from qa_core.quality.evaluations import drafts, evaluation_view
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation, ScorecardVersion
from qa_core.storage.records.listening import CalibrationContact, DrawnContact
from qa_core.storage.records.people import Account, ManagedSite

GRID = """
title = "Small"
[[section]]
name = "All"
  [[section.criterion]]
  key = "greeting"
  text = { fr = "Salue", en = "Greets" }
  points = 2
  [[section.criterion]]
  key = "answer"
  text = { fr = "Répond", en = "Answers" }
  points = 8
  not_applicable = true
"""
KEYS = [("generic", "a"), ("generic", "b")]


def viewer_of(username: str) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, username)


def submit(username: str, contact_number: int, **answers: Any) -> int:
    """Score one contact of a round, from its task to the submission."""
    viewer = viewer_of(username)
    evaluation_id = calibration.start(viewer, contact_number)
    version = drafts.save(
        viewer, evaluation_id, drafts.get_draft(viewer, evaluation_id).version, answers, {}
    )
    drafts.submit(viewer, evaluation_id, version)
    return evaluation_id


@pytest.fixture
def room(start_from: Callable[..., int], add_person: Callable[..., str]) -> int:
    return start_from(build_room, add_person)


def build_room(add_person: Callable[..., str]) -> int:
    """Two contacts of Ana that may be listened to and three that may not, a grid, three
    accredited evaluators and one who is not; returns the grid's id.
    """
    centres.add_people({"A1": "Ana", "A2": "Ben"}, {"North": "Lyon", "South": "Nice"})
    at, of = "2026-03-02 09:00", {"advisor_id": "A1", "team": "North"}
    allowed = [centres.contact(at, key, **of) for key in "ab"]
    forbidden = [
        centres.contact(at, "objected", **of, customer_objected=True),
        centres.contact(at, "early", advisor_id="A2", team="North"),
    ]
    centres.land(
        [*allowed, *forbidden, centres.contact(at, "south", advisor_id="A1", team="South")]
    )
    for username in ("eve", "max", "zoe", "new"):
        add_person(username, "evaluator", display_name=username.title())
    add_person("mona", "manager", sites=("Lyon",))
    add_person("nico", "manager", sites=("Nice",))
    listening_centre.open_gates()
    listening_centre.accredit("eve", "max", "zoe")
    listening_centre.inform("A1")
    with store.writing() as session:
        grid = ScorecardVersion(
            key="small", title="Small", content=tomllib.loads(GRID), published_at=now()
        )
        session.add(grid)
        session.flush()
        return grid.id


@pytest.fixture
def opened(room: int) -> int:
    return calibration.open_session(
        viewer_of("mona"),
        "March",
        room,
        ["eve", "max", "zoe"],
        KEYS,
        environment.today() + timedelta(days=7),
    )


def contacts_of(number: int) -> list[int]:
    """The numbers of the contacts of a round, in their order."""
    return [
        contact.id
        for item in calibration.find_sessions(Viewer.SYSTEM)
        if item.id == number
        for contact in item.contacts
    ]


def test_a_round_is_opened_only_on_what_may_be_listened_to_by_who_may_listen(room: int) -> None:
    mona = viewer_of("mona")
    for key in ("objected", "early", "south", "nowhere"):
        with pytest.raises(Refusal, match=key):
            calibration.open_session(mona, "March", room, ["eve", "max"], [("generic", key)])
    with pytest.raises(Refusal, match="new"):
        calibration.open_session(mona, "March", room, ["eve", "new"], KEYS)
    with pytest.raises(Refusal, match="two evaluators"):
        calibration.open_session(mona, "March", room, ["eve"], KEYS)
    with pytest.raises(AccessDenied):
        calibration.open_session(viewer_of("eve"), "March", room, ["eve", "max"], KEYS)
    assert calibration.find_sessions(mona) == ()


def test_while_a_gate_is_closed_no_round_is_opened(centre: Path, add_person) -> None:
    add_person("mona", "manager")

    with pytest.raises(Refusal) as refused:
        calibration.open_session(viewer_of("mona"), "March", 1, ["eve", "max"], KEYS)
    assert refused.value.code == "gate_closed"


def test_until_it_is_closed_nobody_meets_the_marks_of_another(opened: int) -> None:
    first, _second = contacts_of(opened)
    of_eve = submit("eve", first, greeting=2, answer=8)
    submit("max", first, greeting=0, answer=4)

    for viewer in (*map(viewer_of, ("mona", "eve", "max", "zoe")), Viewer.SYSTEM):
        with pytest.raises(Refusal) as refused:
            calibration.get_results(viewer, opened)
        assert refused.value.code == "round_open"
    for username in ("mona", "max", "zoe"):
        with pytest.raises(AccessDenied):
            drafts.get_draft(viewer_of(username), of_eve)
        with pytest.raises(AccessDenied):
            evaluation_view.get_evaluation(viewer_of(username), of_eve)
    assert [task.state for task in calibration.find_worklist(viewer_of("max"))] == [
        "done",
        "waiting",
    ]
    assert [dict(item.finished) for item in calibration.find_sessions(viewer_of("max"))] == [
        {"max": 1}
    ]
    assert [dict(item.finished) for item in calibration.find_sessions(viewer_of("mona"))] == [
        {"eve": 1, "max": 1, "zoe": 0}
    ]


def test_who_neither_manages_nor_takes_part_learns_nothing_even_when_it_is_closed(
    opened: int, add_person
) -> None:
    calibration.close_session(viewer_of("mona"), opened)
    add_person("lea", "team_lead", teams=("North",))
    add_person("ana", "advisor", advisor_id="A1")

    assert (
        calibration.find_sessions(viewer_of("new"))
        == calibration.find_sessions(viewer_of("nico"))
        == ()
    )
    for username in ("new", "nico", "lea", "ana"):
        with pytest.raises(AccessDenied):
            calibration.get_results(viewer_of(username), opened)
        with pytest.raises(AccessDenied):
            calibration.close_session(viewer_of(username), opened)
    with pytest.raises(AccessDenied):
        calibration.start(viewer_of("new"), contacts_of(opened)[0])


def test_whoever_takes_part_manages_nothing_and_scores_only_as_an_evaluator(opened: int) -> None:
    first, _second = contacts_of(opened)
    for act in (
        lambda: calibration.set_reference(viewer_of("eve"), opened, "eve"),
        lambda: calibration.close_session(viewer_of("eve"), opened),
        lambda: calibration.start(Viewer.SYSTEM, first),
    ):
        with pytest.raises(AccessDenied):
            act()

    with store.writing() as session:
        session.get_one(Account, "eve").role = "manager"
        session.add(ManagedSite(username="eve", site_name="Lyon"))

    assert [item.id for item in calibration.find_sessions(viewer_of("eve"))] == [opened]
    with pytest.raises(AccessDenied):
        calibration.start(viewer_of("eve"), first)


def test_a_manager_chooses_among_the_drawn_contacts_of_their_own_sites(room: int) -> None:
    # The caller of the second has objected since.
    drawn = [draw("eve"), draw("eve", "objected")]
    with store.writing() as session:
        for drawn_id in drawn:
            session.get_one(DrawnContact, drawn_id).state = "done"

    assert [one.key for one in calibration.find_candidates(viewer_of("mona"))] == [KEYS[0]]
    assert calibration.find_candidates(viewer_of("nico")) == []


def test_nobody_scores_their_own_contact_in_a_round_either(opened: int) -> None:
    with store.writing() as session:
        session.get(Account, "eve").advisor_id = session.get(
            CalibrationContact, contacts_of(opened)[0]
        ).advisor_id

    with pytest.raises(Refusal) as refused:
        calibration.start(viewer_of("eve"), contacts_of(opened)[0])

    assert refused.value.code == "own_contact"
    with store.reading() as session:
        assert (
            session.scalar(
                sa.select(sa.func.count())
                .select_from(Evaluation)
                .where(Evaluation.evaluator == "eve")
            )
            == 0
        )


def test_closed_it_shows_everybody_who_took_part_all_marks_and_how_far_apart_they_are(
    opened: int,
) -> None:
    first, second = contacts_of(opened)
    for username, greeting, answer in (("eve", 2, 8), ("max", 1, 6)):
        submit(username, first, greeting=greeting, answer=answer)
    submit("eve", second, greeting=2, answer="na")
    submit("max", second, greeting=2, answer=5)
    begun = calibration.start(viewer_of("zoe"), first)
    calibration.close_session(viewer_of("mona"), opened)
    found = calibration.get_results(viewer_of("max"), opened)

    assert (
        found.marks[first, "eve"] == {"greeting": 2, "answer": 8}
        and found.marks[second, "eve"]["answer"] is None
    )
    # greeting: (2 − 1) + (2 − 0) of 4; answer: 8 − 2 of 8, "na" on one side leaves both
    # sums; together 9 of 12.
    assert [(item.alignment.value, item.alignment.unmatched_pairs) for item in found.criteria] == [
        (0.75, 0),
        (0.75, 1),
    ]
    assert found.alignment.value == pytest.approx(9 / 12)
    # eve gave 1 + 0 + 2 points more than max, of 12 that both could give.
    assert {item.username: item.leniency for item in found.evaluators} == {
        "eve": pytest.approx(0.25),
        "max": pytest.approx(-0.25),
        "zoe": None,
    }
    assert found.session.unfinished == 2
    with pytest.raises(AccessDenied):  # what zoe had begun is no longer blind, and dropped
        drafts.get_draft(viewer_of("zoe"), begun)
    with pytest.raises(Refusal, match="closed"):
        calibration.start(viewer_of("zoe"), first)


def test_the_kpis_say_of_one_round_what_its_page_says(
    opened: int, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = contacts_of(opened)
    for username, greeting, answer in (("eve", 2, 8), ("max", 1, 6), ("zoe", 0, 8)):
        submit(username, first, greeting=greeting, answer=answer)
    for username, answer in (("eve", "na"), ("max", 5), ("zoe", 3)):
        submit(username, second, greeting=2, answer=answer)
    mona, new = viewer_of("mona"), viewer_of("new")
    keys, by = ("alignment", "agreement"), ("criterion",)
    assert set(query.measure(mona, keys)["status"]) == {"no_data"}  # still open
    assert query.measure(mona, keys, by).empty
    calibration.close_session(mona, opened)
    found = calibration.get_results(mona, opened)
    for viewer in (mona, viewer_of("eve"), Viewer.SYSTEM):
        rows = {
            (row.criterion, row.kpi): row for row in query.measure(viewer, keys, by).itertuples()
        }
        for item in found.criteria:
            aligned, agreed = (rows[item.criterion.key, key] for key in keys)
            assert (aligned.value, aligned.numerator, aligned.denominator, aligned.n) == (
                item.alignment.value,
                item.alignment.agreed_points,
                item.alignment.possible,
                item.alignment.n,
            )
            assert (
                agreed.value == pytest.approx(item.agreement.value)
                and agreed.n == item.agreement.contacts
            )
        (whole,) = query.measure(viewer, ("alignment",)).itertuples()
        assert (whole.value, whole.n, whole.status) == (found.alignment.value, 10, "small_sample")
        assert whole.low <= whole.value <= whole.high
    by_evaluator = query.measure(mona, ("alignment",), ("evaluator",)).set_index("evaluator")[
        "value"
    ]
    assert by_evaluator.to_dict() == {
        item.username: item.alignment.value for item in found.evaluators
    }
    assert run(["kpi", "alignment", "--by", "criterion", "--json"]) == 0
    assert [row["value"] for row in json.loads(capsys.readouterr().out)["rows"]] == [
        26 / 32,
        pytest.approx(8 / 12),
    ]  # answer, greeting
    assert set(query.measure(new, keys)["status"]) == {"no_data"}  # an evaluator who took no part
    assert set(query.measure(viewer_of("nico"), keys)["status"]) == {
        "no_data"
    }  # a manager of others


def test_what_the_kpis_of_calibrations_leave_out_is_told(opened: int, open_app) -> None:
    first, second = contacts_of(opened)
    for username, answer in (("eve", 8), ("max", "na"), ("zoe", "na")):
        submit(username, first, greeting=2, answer=answer)
    submit("eve", second, greeting=2, answer=8)
    calibration.close_session(viewer_of("mona"), opened)
    aligned = query.explain(viewer_of("mona"), "alignment")
    # Three pairs of two criteria: greeting three times; answer twice 8 against "na",
    # once "na" twice.
    assert (
        aligned.universe,
        aligned.counted,
        [(line.code, line.n) for line in aligned.excluded],
    ) == (6, 3, [("apart", 2), ("not_applicable", 1)])
    agreed = query.explain(
        viewer_of("mona"), "agreement", Filters.of(values={"criterion": ["answer"]})
    )
    assert (agreed.universe, agreed.counted, agreed.excluded[0].n, agreed.row.status) == (
        2,
        0,
        2,
        "no_data",
    )
    undefined = query.explain(viewer_of("mona"), "agreement")
    assert (undefined.universe, undefined.row.status, undefined.row.notes) == (
        0,
        "no_data",
        ("one_criterion",),
    )
    app = open_app("eve", "explain")
    app.query_params["kpi"] = "agreement"
    app.run()
    assert (
        not app.exception
        and app.title[0].value == "Agreement"
        and "Choose one criterion, or break down by criterion" in text_of(app)
    )


def test_the_kpis_of_calibrations_are_for_who_may_see_calibrations_and_cut_by_what_they_have(
    opened: int, add_person
) -> None:
    add_person("lea", "team_lead", teams=("North",))
    add_person("rex", "executive")
    for username in ("lea", "rex"):
        for key in ("alignment", "agreement"):
            with pytest.raises(AccessDenied):
                query.measure(viewer_of(username), (key,))
    with pytest.raises(AccessDenied):
        query.measure(viewer_of("eve"), ("alignment",), ("evaluator",))
    for key, dimension in (("alignment", "queue"), ("agreement", "evaluator")):
        with pytest.raises(Refusal, match="cannot be broken down"):
            query.measure(viewer_of("mona"), (key,), (dimension,))
        with pytest.raises(Refusal, match="cannot be broken down"):
            query.measure(viewer_of("mona"), (key,), where=Filters.of(values={dimension: ["x"]}))


def test_a_remembered_figure_goes_when_a_round_is_closed_or_a_reference_chosen(opened: int) -> None:
    counters = []
    for step in (
        lambda: None,
        lambda: calibration.close_session(viewer_of("mona"), opened),
        lambda: calibration.set_reference(viewer_of("mona"), opened, "eve"),
    ):
        step()
        counters.append(data_version.find_version().evaluations)
    assert len(set(counters)) == 3


def test_against_a_reference_only_the_others_are_apart(opened: int) -> None:
    first, _second = contacts_of(opened)
    for username, answer in (("eve", 8), ("max", 4), ("zoe", 6)):
        submit(username, first, greeting=2, answer=answer)
    calibration.set_reference(viewer_of("mona"), opened, "eve")
    calibration.close_session(viewer_of("mona"), opened)
    found = {
        item.username: item for item in calibration.get_results(viewer_of("zoe"), opened).evaluators
    }

    assert found["eve"].alignment.value is None
    assert found["max"].alignment.value == pytest.approx(6 / 10) and found[
        "zoe"
    ].alignment.value == pytest.approx(8 / 10)
    assert found["max"].leniency == pytest.approx(-4 / 10)
    with pytest.raises(AccessDenied):
        calibration.set_reference(viewer_of("mona"), opened, "new")


def test_what_was_agreed_on_is_written_down_after_the_closing_by_who_manages(opened: int) -> None:
    first, _second = contacts_of(opened)
    with pytest.raises(Refusal, match="still open"):
        calibration.record_consensus(viewer_of("mona"), first, {"greeting": 2, "answer": 8})
    calibration.close_session(viewer_of("mona"), opened)
    with pytest.raises(Refusal, match="between 0 and 2"):
        calibration.record_consensus(viewer_of("mona"), first, {"greeting": 3, "answer": 8})
    with pytest.raises(AccessDenied):
        calibration.record_consensus(viewer_of("eve"), first, {"greeting": 2, "answer": 8})
    calibration.record_consensus(
        viewer_of("mona"), first, {"greeting": 2, "answer": "na"}, "Ask 06 12 34 56 78 again"
    )
    consensus = calibration.get_results(viewer_of("eve"), opened).session.contacts[0].consensus

    assert (
        consensus["answers"] == {"greeting": 2, "answer": "na"} and "12 34" not in consensus["note"]
    )
    with store.reading() as session:
        rows = session.execute(
            sa.select(JournalRow.action, JournalRow.reason).where(
                JournalRow.action.like("calibration_%")
            )
        ).all()
    assert [row.action for row in rows] == [
        "calibration_opened",
        "calibration_closed",
        "calibration_agreed",
    ]
    assert rows[1].reason == "0 done, 6 missing"


def test_no_kpi_moves_by_a_calibration(opened: int) -> None:
    with store.writing() as session:
        session.add(
            centres.evaluation(
                centres.contact("2026-03-02 09:00", "a", advisor_id="A1", team="North"), 80.0
            )
        )
    before = query.measure(Viewer.SYSTEM, ("evaluation_score", "evaluations"))
    for number in contacts_of(opened):
        submit("eve", number, greeting=0, answer=0)
    calibration.close_session(viewer_of("mona"), opened)

    assert query.to_json(
        query.measure(Viewer.SYSTEM, ("evaluation_score", "evaluations"))
    ) == query.to_json(before)
    with store.reading() as session:
        assert set(
            session.scalars(sa.select(Evaluation.state).where(Evaluation.kind == "calibration"))
        ) == {"submitted"}


def test_who_may_no_longer_listen_scores_no_more(opened: int) -> None:
    first, second = contacts_of(opened)
    calibration.start(viewer_of("eve"), first)
    centres.land(
        [
            centres.contact(
                "2026-03-02 09:00", "b", advisor_id="A1", team="North", customer_objected=True
            )
        ],
        batch_id="later",
    )
    with pytest.raises(Refusal, match="may no longer be listened to"):
        calibration.start(viewer_of("eve"), second)
    with store.writing() as session:
        session.get(Account, "eve").active = False
        session.execute(
            sa.text(
                "UPDATE accreditation SET ended_at = '2026-01-01 00:00:00.000000' WHERE "
                "username = 'max'"
            )
        )

    with pytest.raises(Refusal, match="not accredited"):
        calibration.start(viewer_of("max"), first)


def text_of(app: Any) -> str:
    """All that a page says, tables included."""
    shown = [
        element.value
        for kind in ("markdown", "caption", "text", "warning", "success")
        for element in getattr(app, kind)
    ]
    return as_read(
        " ".join(
            [
                *map(str, shown),
                *(table.value.to_string() for table in app.dataframe),
                *(button.label for button in app.button),
            ]
        )
    )


def test_the_page_shows_an_evaluator_the_way_to_score_and_the_marks_of_others_once_closed(
    opened: int, open_app
) -> None:
    first, _second = contacts_of(opened)
    for username, greeting in (("eve", 2), ("max", 1)):
        submit(username, first, greeting=greeting, answer=3)
    app = open_app("eve", "calibration")

    assert (
        not app.exception and "1 contact to evaluate" in text_of(app) and "Max" not in text_of(app)
    )
    calibration.close_session(viewer_of("mona"), opened)
    app = open_app("eve", "calibration")
    assert not app.exception and "Eve (you)" in text_of(app) and "Max" in text_of(app)
    assert [row["Max"] for row in app.dataframe[-1].value.to_dict("records")][:2] == ["1", "3"]


def test_a_manager_sees_progress_closes_the_round_and_agrees(opened: int, open_app) -> None:
    first, _second = contacts_of(opened)
    submit("eve", first, greeting=2, answer=3)
    app = open_app("mona", "calibration")
    assert "1 session is open" in text_of(app) and not any(
        "Greets" in table.value.to_string() for table in app.dataframe
    )

    app.button("close_session").click().run()
    assert "5 evaluations are missing" in text_of(app)
    app.button("close_now").click().run()
    assert not app.exception and "Saved." in text_of(app) and "Greets" in text_of(app)
    assert "Fewer than two evaluators finished this contact" in text_of(app)
    assert [heading.value for heading in app.subheader] == ["March"]
    app.button(next(button.key for button in app.button if button.label == "Save")).click().run()
    assert not app.exception
    assert calibration.get_results(viewer_of("mona"), opened).session.contacts[0].consensus[
        "answers"
    ] == {"greeting": 2, "answer": 3}


def test_an_alignment_of_nobody_is_a_dash_which_no_phone_cuts(opened: int, open_app) -> None:
    mona = viewer_of("mona")
    calibration.close_session(mona, opened)

    app = open_app("mona", "calibration")

    assert [metric.value for metric in app.metric] == [":gray[–]", "0 / 6", "0"]


def test_an_older_link_leads_to_its_session(room: int, opened: int, open_app) -> None:
    mona = viewer_of("mona")
    calibration.close_session(mona, opened)
    second = calibration.open_session(mona, "April", room, ["eve", "max"], KEYS)

    app = open_app("mona", "calibration", round=str(second))

    assert "close_session" in [button.key for button in app.button]
    assert "close_session" not in [button.key for button in open_app("mona", "calibration").button]


def test_a_manager_sees_alignment_and_agreement_over_all_closed_rounds(
    opened: int, open_app
) -> None:
    first, second = contacts_of(opened)
    for username, greeting, answer in (("eve", 2, 8), ("max", 1, 6)):
        submit(username, first, greeting=greeting, answer=answer)
        submit(username, second, greeting=2, answer=answer)
    assert "Alignment over all closed sessions" not in text_of(open_app("mona", "calibration"))
    calibration.close_session(viewer_of("mona"), opened)

    app = open_app("mona", "calibration")

    # Greeting: 1 of 2 points alike on the first contact, 2 of 2 on the second: 3 / 4.
    assert not app.exception
    (whole,) = query.measure(viewer_of("mona"), ("alignment",)).itertuples()
    assert f"Alignment over all closed sessions: {formatting.percent(whole.value)}" in text_of(app)
    table = next(
        frame.value
        for frame in app.dataframe
        if "Agreement" in frame.value and "Scorecard" in frame.value
    )
    assert sorted(table["Criterion"]) == ["Answers", "Greets"]
    greeting = table.set_index("Criterion").loc["Greets"]
    assert greeting["Alignment"].startswith("75.0") and greeting["Scorecard"] == "Small"
    assert "Alignment over all closed sessions" not in text_of(open_app("eve", "calibration"))


def test_a_manager_opens_a_round_by_the_numbers_of_contacts(room: int, open_app) -> None:
    app = open_app("mona", "calibration")
    app.segmented_control("calibration_view").set_value("new").run()
    app.text_input("calibration_title").set_value("April")
    app.segmented_control("calibration_way").set_value("number").run()
    app.text_area("calibration_numbers").set_value("a\nb\nobjected").run()
    assert any("objected" in error.value for error in app.error)
    app.text_area("calibration_numbers").set_value("a\nb").run()
    app.button("open_session").click().run()

    assert not app.exception and [
        item.title for item in calibration.find_sessions(viewer_of("mona"))
    ] == ["April"]
