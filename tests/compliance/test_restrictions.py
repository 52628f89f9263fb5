"""Restriction (GDPR, art. 18): figures, lists, draws and exports leave the person or the
contact out until it is lifted; their data stay, and are still deleted by age.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, evaluation, land
from builders.import_files import find_contacts
from builders.listening_centre import accredit, build_draw, inform, keep_audio, open_gates
from builders.sounds import make
from streamlit.testing.v1 import AppTest

from qa_core.access import accounts
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.cli.app import run
from qa_core.compliance import recordings, restrictions
from qa_core.compliance.recordings import law
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.law import sampling_frame
from qa_core.metrics.law.centre_counts import count_restricted
from qa_core.quality import sampling, scorecards
from qa_core.quality.evaluations import drafts
from qa_core.quality.evaluations.evaluation_view import read_evaluation
from qa_core.storage import lake, replay_list
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import DrawnContact, ListeningPlan, Recording
from qa_core.upkeep import purge, subjects

SYSTEM = Viewer.SYSTEM
RECENT = datetime.combine(environment.today() - timedelta(days=2), time(9))
DAY = timedelta(days=1)
KEY = "ab" * 16
CALL = {"team": "Nord", "notice_played": True, "talk_seconds": 60.0}
CUSTOMER, ADVISOR, CONTACT = {"customer": KEY}, {"advisor": "A1"}, {"contact": ("generic", "a1")}


@pytest.fixture
def busy(start_from: Callable[..., Any], add_person: Callable[..., str]) -> None:
    start_from(build_busy, add_person)


def build_busy(add_person: Callable[..., str]) -> None:
    """Ann has two contacts, of which one is of the customer; Bob has three. Each contact
    has an evaluation; of 80 of Ann's, of 40 of Bob's.
    """
    add_person("eve", "evaluator")
    add_people({"A1": "Ann", "A2": "Bob"}, {"Nord": "Lille"})
    open_gates()
    accredit("eve")
    inform("A1", "A2")
    rows = [
        contact(RECENT, "a0", advisor_id="A1", customer_key=KEY, **CALL),
        contact(RECENT, "a1", advisor_id="A1", **CALL),
        *(contact(RECENT, f"b{n}", advisor_id="A2", **CALL) for n in range(3)),
    ]
    land(rows)
    with store.writing() as session:
        session.add_all(
            evaluation(row, 80.0 if row["advisor_id"] == "A1" else 40.0) for row in rows
        )


def count() -> tuple[int, int, float]:
    """Contacts, evaluations, and their mean score, as every page and command reads them."""
    frame = query.measure(SYSTEM, ("received", "evaluations", "evaluation_score")).set_index("kpi")
    return (
        int(frame["value"]["received"]),
        int(frame["value"]["evaluations"]),
        float(frame["value"]["evaluation_score"]),
    )


@pytest.mark.parametrize(
    ("what", "left"),
    [(CUSTOMER, (4, 4, 50.0)), (ADVISOR, (3, 3, 40.0)), (CONTACT, (4, 4, 50.0))],
    ids=["customer", "advisor", "contact"],
)
def test_what_is_restricted_is_in_no_figure_list_or_draw_until_it_is_lifted(
    busy: None, what: dict, left: tuple[int, int, float]
) -> None:
    assert count() == (5, 5, 56.0)

    subjects.restrict(SYSTEM, **what)

    assert count() == left
    manager = Viewer("mona", Role.MANAGER, managed_teams=("Nord",))
    assert len(query.find_contacts(manager, Filters())) == left[0]
    assert count_restricted(SYSTEM) == 5 - left[0]
    with store.reading() as session:
        legal = law.load(session)
    period = Period(RECENT.date(), RECENT.date())
    frame = sampling_frame.find_frame(SYSTEM, sampling_frame.FrameQuery(period, legal=legal))
    drawable = sum(cell.contacts for cell in frame.cells)
    assert drawable + sum(frame.excluded.values()) == left[0]
    assert len(find_contacts("contact_id")) == 5  # stored as they were

    land([contact(RECENT, "new", advisor_id="A1", customer_key=KEY, **CALL)])
    assert count()[0] == left[0] + ("contact" in what)

    [entry] = restrictions.find_all(SYSTEM)
    subjects.lift(SYSTEM, entry.id, "settled")
    assert count()[0] == 6 and count_restricted(SYSTEM) == 0
    with pytest.raises(AccessDenied):
        subjects.lift(SYSTEM, entry.id, "settled")


def test_restricted_audio_is_still_deleted_when_its_caller_objects(
    busy: None, tmp_path: Path
) -> None:
    with store.writing() as session:
        kept = keep_audio(session, "a0", make(tmp_path / "a0.wav"))
    subjects.restrict(SYSTEM, **CUSTOMER)
    assert recordings.find_playable(SYSTEM, "generic", "a0") is None
    states = {found.rule.number: found.state for found in purge.judge_rules(SYSTEM)}
    assert states["R3"] == "in_order"

    assert subjects.object_to(SYSTEM, [KEY]).recordings == 1
    with store.reading() as session:
        assert session.get(Recording, kept.id).deleted_because == "objected"


@pytest.fixture
def eve(busy: None) -> Viewer:
    """Eve, for whom both contacts of Ann were drawn."""
    scorecards.publish_starter(SYSTEM, "customer-service")
    terms = {"from": RECENT.date(), "to": RECENT.date(), "grid": "customer-service"}
    terms |= {"per_advisor": 2, "maximum_per_advisor": 6, "evaluators": ["eve"]}
    sampling.add_plan(SYSTEM, {"name": "m", "purpose": "evaluation"} | terms)
    row = {"source_system": "generic", "local_start": RECENT, "team": "Nord", "evaluator": "eve"}
    with store.writing() as session:
        draw = build_draw("system", plan_id=session.scalar(sa.select(ListeningPlan.id)))
        draw.contacts = [
            DrawnContact(position=place, contact_id=name, advisor_id="A1", **row)
            for place, name in enumerate(("a0", "a1"), 1)
        ]
        session.add(draw)
    with store.reading() as session:
        return accounts.get_viewer(session, "eve")


@pytest.mark.parametrize("what", [CUSTOMER, ADVISOR, {"contact": ("generic", "a0")}])
def test_what_was_drawn_before_waits_for_the_restriction_to_be_lifted(
    eve: Viewer, what: dict
) -> None:
    """Neither in the list of its evaluator, nor begun, nor gone on with."""
    [first, second] = sampling.find_worklist(eve)
    begun = drafts.start(eve, first.drawn_id)

    subjects.restrict(SYSTEM, **what)

    left = [] if what == ADVISOR else ["a1"]
    assert [item.contact_id for item in sampling.find_worklist(eve)] == left
    for act, number in ((drafts.start, first.drawn_id), (drafts.get_draft, begun)):
        with pytest.raises(AccessDenied):
            act(eve, number)
    subjects.lift(SYSTEM, restrictions.find_all(SYSTEM)[0].id, "settled")
    first = replace(first, state="started", evaluation_id=begun)
    assert sampling.find_worklist(eve) == [first, second]
    assert drafts.get_draft(eve, begun).state == "draft"


def test_nobody_goes_on_to_evaluate_the_contact_of_an_erased_customer(eve: Viewer) -> None:
    [first, second] = sampling.find_worklist(eve)
    begun = drafts.start(eve, first.drawn_id)

    subjects.erase(SYSTEM, customer=KEY)

    assert sampling.find_worklist(eve) == [second]
    with pytest.raises(Refusal, match="no longer assigned"):
        drafts.start(eve, first.drawn_id)
    with pytest.raises(AccessDenied):
        drafts.get_draft(eve, begun)


def test_months_that_are_over_and_were_measured_before_leave_them_out_too(busy: None) -> None:
    first = (environment.today().replace(day=1) - timedelta(days=40)).replace(day=1)
    start = datetime.combine(first, time(9))
    for back in (0, 20, 50):  # three whole months
        rows = (contact(start - back * DAY, f"m{back}{n}", advisor_id=f"A{n}") for n in (1, 2))
        land([row | CALL for row in rows])
    months = Filters.of(Period(first - 70 * DAY, (first + 31 * DAY).replace(day=1) - DAY))

    def count_months() -> list[int]:
        return [int(query.measure(SYSTEM, ("received",), (), months)["value"][0]) for _ in "ab"]

    assert count_months() == [6, 6]
    subjects.restrict(SYSTEM, **ADVISOR)
    assert count_months() == [3, 3]
    subjects.lift(SYSTEM, restrictions.find_all(SYSTEM)[0].id, "settled")
    assert count_months() == [6, 6]


def test_evaluations_of_whoever_is_restricted_are_in_no_list(busy: None) -> None:
    """Of an advisor, a contact or a customer. One evaluation is of no contact."""
    manager = Viewer("mona", Role.MANAGER, managed_teams=("Nord",))

    def find() -> list[str]:
        with store.reading() as session:
            evaluations = Scoped(sa.select(Evaluation.contact_id), manager)
            return sorted(map(str, session.scalars(evaluations)))

    with store.writing() as session:
        [alone] = [evaluation(contact(RECENT, "z", advisor_id="A2", **CALL), 60.0)]
        alone.source_system = alone.contact_id = None
        session.add(alone)
    everything = ["None", "a0", "a1", "b0", "b1", "b2"]
    assert find() == everything

    subjects.restrict(SYSTEM, **CUSTOMER)
    assert find() == ["None", "a1", "b0", "b1", "b2"]
    land([contact(RECENT, "b2", advisor_id="A2", customer_key=KEY, **CALL)])
    assert find() == ["None", "a1", "b0", "b1"]
    with store.reading() as session:
        hidden = Scoped(sa.select(Evaluation.id).where(Evaluation.contact_id == "a0"), SYSTEM)
        number = session.scalar(hidden)
    with pytest.raises(AccessDenied):
        read_evaluation(manager, number)
    subjects.lift(SYSTEM, restrictions.find_all(SYSTEM)[0].id, "settled")
    assert read_evaluation(manager, number).score == 80.0
    subjects.restrict(SYSTEM, contact=(None, "b1"))
    assert find() == ["None", "a0", "a1", "b0", "b2"]
    subjects.restrict(SYSTEM, **ADVISOR)
    assert find() == ["None", "b0", "b2"]
    for entry in restrictions.find_all(SYSTEM):
        subjects.lift(SYSTEM, entry.id, "settled")
    assert find() == everything


def test_the_command_line_restricts_lists_and_lifts(
    busy: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(*arguments: str) -> dict:
        capsys.readouterr()
        assert run(["subject", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    before = lake.version("contacts")
    found = ask("restrict", "--advisor", "Ann")
    assert lake.version("contacts") > before
    assert found["contacts"] == 2 and found["restrictions"][0]["advisor_id"] == "A1"
    assert ask("restrict", "--advisor", "Ann") == found
    number = str(found["restrictions"][0]["id"])
    assert ask("lift", number, "--reason", "settled") == {"contacts": 0, "restrictions": []}
    assert ask("restrictions")["restrictions"] == []
    assert run(["subject", "restrict"]) == 2
    assert run(["subject", "restrict", "--contact", "nowhere"]) == 0
    assert "It met nothing: check the number or id." in capsys.readouterr().out
    assert run(["subject", "lift", "9" * 20, "--reason", "x"]) == 1
    assert "it does not exist" in capsys.readouterr().err


def test_an_act_that_cannot_be_noted_for_backups_does_not_happen(busy: None) -> None:
    """The list that restored backups follow was changed by hand."""
    file = environment.current().secrets_folder / replay_list.FILE
    subjects.restrict(SYSTEM, **CONTACT)
    [entry] = restrictions.find_all(SYSTEM)
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"a1", b"a2"))
    for act in (
        lambda: subjects.restrict(SYSTEM, **CUSTOMER),
        lambda: subjects.lift(SYSTEM, entry.id, "settled"),
        lambda: subjects.rectify(SYSTEM, ("generic", "b1"), {"reason": "Bill"}, "asked for"),
    ):
        with pytest.raises(Refusal, match="was changed"):
            act()
    assert restrictions.find_all(SYSTEM) == [entry]
    assert find_contacts(where="reason = 'Bill'") == []

    file.write_bytes(whole)
    subjects.restrict(SYSTEM, **CUSTOMER)
    subjects.lift(SYSTEM, entry.id, "settled")
    assert [item.customer_key for item in restrictions.find_all(SYSTEM)] == [KEY]


def test_only_the_officer_restricts(busy: None) -> None:
    for role in set(Role) - {Role.DPO}:
        with pytest.raises(AccessDenied):
            subjects.restrict(Viewer("somebody", role), **ADVISOR)
    with pytest.raises(Misuse):
        subjects.restrict(SYSTEM, customer=KEY, advisor="A1")
    subjects.restrict(SYSTEM, **ADVISOR)
    [entry] = restrictions.find_all(SYSTEM)
    for role in set(Role) - {Role.DPO}:
        with store.writing() as session, pytest.raises(AccessDenied):
            restrictions.lift(session, Viewer("somebody", role), entry.id, "x")
    assert restrictions.find_all(SYSTEM) == [entry]


def test_the_officer_restricts_and_lifts_on_the_page(
    busy: None, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("dora", "dpo")
    app = open_app("dora", "listening_rules", section="rights")
    app.selectbox(key="officer_act").set_value("restrict").run()
    app.text_input(key="act_restrict_who").set_value(KEY)
    app.text_input(key="act_restrict_reason").set_value("says that it is wrong")
    next(button for button in app.button if button.label == "Restrict").click().run()
    assert not app.exception
    assert any("1 contact is excluded" in item.value.replace("\\", "") for item in app.caption)

    app.text_input(key="restriction_end_reason").set_value("checked: it is right")
    next(button for button in app.button if button.label == "Lift").click().run()
    assert not app.exception and restrictions.find_all(SYSTEM) == []
