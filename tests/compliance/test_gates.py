"""The gates, the accreditations and the notices: nobody listens before they stand, and
only the data protection officer moves them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, land
from builders.listening_centre import ENTERED, accredit, inform, open_gates
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.cli.app import run
from qa_core.compliance import proportionality
from qa_core.compliance.conditions import accreditations, gates, notices
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.listening import Accreditation, GateValue, Playback, Recording
from qa_core.storage.records.people import Advisor
from qa_core.upkeep import purge

SYSTEM = Viewer.SYSTEM
ADVISORS = {"A1": "Anne", "A2": "Bruno", "A3": "Carla"}
FIRST_LINE = "Listen to help people improve, not to watch them."


def missing() -> tuple[str, ...]:
    with store.reading() as session:
        return gates.find_missing(session)


def refusal_of(purpose: str | None = None) -> Refusal:
    with store.reading() as session, pytest.raises(Refusal) as refused:
        gates.require_open(session, purpose)
    return refused.value


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, object]:
    capsys.readouterr()
    code = run([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_fresh_centre_listens_to_nobody_and_says_all_that_is_missing(
    centre: Path, add_person: Callable[..., str]
) -> None:
    add_person("eve", "evaluator")
    refused = refusal_of()

    assert refused.code == "gate_closed"
    assert refused.params["missing"].split(",") == [*ENTERED, "accredited_listeners"]
    open_gates()
    assert missing() == ("accredited_listeners",)
    accredit("eve")
    assert missing() == ()
    with store.reading() as session:
        gates.require_open(session, "training")


def test_a_purpose_that_was_not_entered_is_refused(
    centre: Path, add_person: Callable[..., str]
) -> None:
    add_person("eve", "evaluator")
    open_gates()
    accredit("eve")
    gates.set_gate(SYSTEM, "purposes", "training")

    assert refusal_of("quality").code == "purpose_not_entered"
    assert refusal_of("targeted").code == "purpose_not_entered"  # counts as quality of service
    assert refusal_of("proof").code == "purpose_not_entered"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("recording_retention_months", "7"),
        ("recording_retention_months", "0"),
        ("analysis_retention_months", "13"),
        ("works_council_consulted_on", "soon"),
        ("callers_informed_since", "2999-01-01"),
        ("purposes", "training,proof"),
        ("purposes", ""),
        ("accredited_listeners", "eve"),
        ("nothing", "1"),
    ],
)
def test_a_gate_takes_only_what_the_law_allows(centre: Path, name: str, text: str) -> None:
    with pytest.raises(Misuse):
        gates.set_gate(SYSTEM, name, text)


def test_several_gates_are_entered_together_or_not_at_all(centre: Path) -> None:
    with pytest.raises(Misuse):
        gates.set_gates(SYSTEM, [("purposes", "training"), ("recording_retention_months", "9")])

    with store.reading() as session:
        assert session.scalar(sa.select(sa.func.count(GateValue.id))) == 0
        assert not session.scalars(
            sa.select(JournalRow).where(JournalRow.action == "gate_set")
        ).all()


@pytest.mark.parametrize("role", Role)
def test_only_the_data_protection_officer_sees_and_moves_them(
    centre: Path, add_person: Callable[..., str], role: Role
) -> None:
    add_person("eve", "evaluator")
    add_people(ADVISORS)
    viewer = Viewer("somebody", role)
    until = environment.today() + timedelta(days=10)
    calls = (
        lambda: gates.find_all(viewer),
        lambda: accreditations.find_all(viewer),
        lambda: accreditations.find_eligible(viewer),
        lambda: notices.find_all(viewer),
        lambda: proportionality.find(viewer),
        lambda: purge.find_overdue(viewer),
        lambda: gates.set_gate(viewer, "purposes", "training"),
        lambda: accreditations.accredit(viewer, "eve", until),
        lambda: notices.inform(viewer, [], environment.today()),
    )
    for call in calls:
        if role == Role.DPO:
            call()
        else:
            with pytest.raises(AccessDenied):
                call()


def test_an_accreditation_ends_with_its_day_and_at_once_when_it_is_ended(
    centre: Path, add_person: Callable[..., str]
) -> None:
    add_person("eve", "evaluator")
    viewer = Viewer("eve", Role.EVALUATOR)
    open_gates()
    number = accreditations.accredit(SYSTEM, "eve", environment.today(), ["training"])
    with store.reading() as session:
        accreditations.require(session, viewer, "training")  # on its last day it holds
        with pytest.raises(Refusal):
            accreditations.require(session, viewer, "quality")

    with store.writing() as session:
        session.get(Accreditation, number).ends_on = environment.today() - timedelta(days=1)
        session.get(Accreditation, number).starts_on = environment.today() - timedelta(days=9)

    with store.reading() as session, pytest.raises(Refusal) as refused:
        accreditations.require(session, viewer, "training")
    assert refused.value.code == "not_accredited"
    assert missing() == ("accredited_listeners",)
    again = accreditations.accredit(SYSTEM, "eve", environment.today())
    for person in (Viewer("mona", Role.MANAGER), Viewer("ada", Role.ADMIN)):
        with pytest.raises(AccessDenied):
            accreditations.end(person, again)
    with pytest.raises(AccessDenied):
        accreditations.end(SYSTEM, again + 1)
    with pytest.raises(Refusal, match="is not known here"):
        accreditations.accredit(SYSTEM, "nobody", environment.today())
    accreditations.end(SYSTEM, again)
    with store.reading() as session:
        assert not accreditations.is_accredited(session, "eve")
    assert [item.holds for item in accreditations.find_all(SYSTEM)] == [False, False]


@pytest.mark.parametrize("role", [Role.EXECUTIVE, Role.ADVISOR, Role.DPO, Role.ADMIN])
def test_a_role_that_never_listens_is_never_accredited(
    centre: Path, add_person: Callable[..., str], role: Role
) -> None:
    add_person("somebody", role)
    add_person("eve", "evaluator")

    with pytest.raises(Refusal) as refused:
        accredit("somebody")

    assert refused.value.code == "role_never_listens"
    assert list(accreditations.find_eligible(SYSTEM)) == ["eve"]


def test_the_command_line_says_what_is_missing_and_what_to_do_next(
    centre: Path, add_person: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    add_person("eve", "evaluator")
    add_people(ADVISORS)
    code, rows = ask(capsys, "gate", "list")
    assert code == 0
    assert [(row["name"], row["rule"], row["is_set"], row["value"]) for row in rows] == [
        ("works_council_consulted_on", "R4", False, None),
        ("purposes", "R1", False, None),
        ("callers_informed_since", "R3", False, None),
        ("recording_retention_months", "R5", False, None),
        ("analysis_retention_months", "R6", False, None),
        ("accredited_listeners", "R7", False, None),
        ("delivery_since", "R12", False, None),
        ("machine_notice_since", "R22", False, None),
        ("machine_notice_wording", "R22", False, None),
    ]
    assert [row["act"] for row in rows] == ["listening"] * 6 + ["delivery"] + ["machine"] * 2
    assert all(row["title"] and row["expects"] for row in rows)

    assert run(["gate", "set", "purposes=training,quality", "recording_retention_months=9"]) == 2
    assert run(["gate", "set", "purposes"]) == 2
    assert run(["gate", "set", *(f"{name}={value}" for name, value in ENTERED.items())]) == 0
    assert "python -m qa_core accredit NAME --until DATE" in capsys.readouterr().out
    until = (environment.today() + timedelta(days=90)).isoformat()
    assert run(["accredit", "eve", "--until", "2020-01-01"]) == 2
    assert run(["accredit", "eve", "--until", "2099-01-01"]) == 2
    assert run(["accredit", "nobody", "--until", until]) == 1
    assert run(["accredit", "eve", "--until", until, "--purpose", "proof"]) == 2
    assert (
        run(["accredit", "Eve", "--until", until, "--purpose", "quality"]) == 0
    )  # a username as it is signed in with, whatever its case
    assert run(["inform", "--on", "2026-01-06"]) == 2
    assert run(["inform", "Nobody Known", "--on", "2026-01-06"]) == 1
    with store.writing() as session:  # a second one of the same name
        session.add(Advisor(advisor_id="A9", name="anne"))
    capsys.readouterr()
    assert run(["inform", "ANNE", "--on", "2026-01-06"]) == 1
    assert "Several advisors are called ANNE: A1, A9" in capsys.readouterr().err
    assert run(["inform", "A9", "--on", "2026-01-05"]) == 0
    assert run(["inform", "--all", "--on", "2026-01-06"]) == 0
    assert "every advisor is informed" in capsys.readouterr().out
    _code, rows = ask(capsys, "gate", "list")
    assert [row["value"] for row in rows] == [*ENTERED.values(), "eve", None, None, None]
    assert all(notice.informed_on for notice in notices.find_all(SYSTEM))


def test_all_the_commands_acts_stand_in_the_journal(
    centre: Path, add_person: Callable[..., str]
) -> None:
    add_person("eve", "evaluator")
    add_people(ADVISORS)
    gates.set_gate(SYSTEM, "purposes", "quality")
    accreditations.end(SYSTEM, accreditations.accredit(SYSTEM, "eve", environment.today()))
    inform(notices.find_all(SYSTEM)[0].advisor_id)

    with store.reading() as session:
        acts = list(session.scalars(sa.select(JournalRow.action).order_by(JournalRow.seq)))
    assert [act for act in acts if not act.startswith("account")][-4:] == [
        "gate_set",
        "accredited",
        "accreditation_ended",
        "advisor_informed",
    ]


def test_who_is_heard_far_more_than_the_rest_is_named_and_own_listening_is_not_counted(
    centre: Path,
) -> None:
    add_people(ADVISORS)
    first, second, third = (notice.advisor_id for notice in notices.find_all(SYSTEM)[:3])
    with store.writing() as session:
        made = Recording(
            source_system="generic",
            contact_id="c",
            local_day=environment.today(),
            purpose="quality",
            digest="d",
            media_type="audio/wav",
            clear_bytes=1,
            seconds=1.0,
            recorded_at=now(),
            delete_after=now(),
        )
        session.add(made)
        session.flush()
        heard = [(first, f"a{n}", "quality") for n in range(9)] + [
            (second, "b", "quality"),
            (second, "b", "training"),
            (third, "c", "quality"),
        ]
        heard += [(third, f"o{n}", "own") for n in range(20)]
        session.add_all(
            Playback(
                recording_id=made.id,
                source_system="generic",
                contact_id=key,
                advisor_id=advisor,
                username="eve",
                purpose=purpose,
                reason="",
            )
            for advisor, key, purpose in heard
        )

    found = proportionality.find(SYSTEM)

    # Nine, one and one: the others have one each, and nine is more than twice that.
    assert [
        (one.advisor_id, one.contacts, one.is_much)
        for one in found.listenings
        if one.advisor_id == first
    ] == [(first, 9, True)]
    assert sorted((one.contacts, one.is_much) for one in found.listenings) == [
        (1, False),
        (1, False),
        (9, True),
    ]


def test_the_recording_rate_is_of_answered_contacts_that_say_so(centre: Path) -> None:
    today = environment.today().isoformat()
    land(
        [
            *(contact(f"{today} 10:00", team="North", recorded=True) for _ in range(3)),
            contact(f"{today} 10:00", team="North", recorded=False),
            contact(f"{today} 10:00", team="North"),
            contact(f"{today} 10:00", team="North", outcome="abandoned", recorded=True),
            contact("2020-01-01 10:00", team="North", recorded=True),
        ]
    )

    [share] = proportionality.find(SYSTEM).recorded_shares
    assert (share.team, share.recorded_contacts, share.answered_contacts) == ("North", 3, 4)


def test_permanent_recording_is_told_with_who_acts(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("dora", "dpo")
    add_person("eve", "evaluator")
    open_gates()
    accredit("eve")
    today = environment.today().isoformat()
    land([contact(f"{today} 10:00", f"n{n}", team="North", recorded=True) for n in range(30)])
    land([contact(f"{today} 10:00", f"s{n}", team="South", recorded=True) for n in range(4)])

    first = open_app("dora", "listening_rules").warning
    assert "recording or listening is out of proportion" in first[0].value
    app = open_app("dora", "listening_rules", section="proportions")
    told = ["", *(element.value.replace("\\", "") for element in app.warning)]

    # South has too few answered contacts for a share to say so.
    assert [text.split(":")[0] for text in told[1:2]] == ["North"]
    assert "nobody listens to them" in told[2]
    assert "Who acts: the telephony team records only a share" in told[1]


def test_the_page_opens_for_the_data_protection_officer_with_what_is_missing(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("dora", "dpo")
    app = open_app("dora")  # it is what they came for

    assert FIRST_LINE in [element.value for element in app.markdown]
    assert "6 gates are closed" in app.warning[0].value
    for title in ("Works council consulted on", "Purposes", "Accredited listeners"):
        assert title in app.warning[0].value


def test_the_officer_opens_the_centre_on_the_page(
    open_app: Callable[..., AppTest], add_person: Callable[..., str], centre: Path
) -> None:
    add_person("dora", "dpo")
    add_person("eve", "evaluator")
    add_people(ADVISORS)
    app = open_app("dora", "listening_rules", section="gates")

    app.number_input(key="gate_value_recording_retention_months").set_value(3)
    next(
        button for button in app.button if "gate_recording_retention_months" in str(button.form_id)
    ).click().run()
    assert [
        (one.gate.name, one.value, one.set_by) for one in gates.find_all(SYSTEM) if one.value
    ] == [("recording_retention_months", "3", "dora")]
    app = open_app("dora", "listening_rules", section="people")
    app.selectbox(key="accredit_who").set_value("eve")
    next(button for button in app.button if button.form_id == "accredit").click().run()
    app.checkbox(key="inform_all").check()
    next(button for button in app.button if button.form_id == "inform").click().run()

    assert not app.exception
    assert [
        (item.username, item.given_by, item.holds) for item in accreditations.find_all(SYSTEM)
    ] == [("eve", "dora", True)]
    assert all(notice.informed_on == environment.today() for notice in notices.find_all(SYSTEM))
    wrong, right = date(2026, 1, 5), date(2026, 2, 5)
    notices.inform(SYSTEM, ["A1"], wrong)
    app.run().multiselect(key="inform_who").set_value(["A1"])
    app.date_input(key="inform_on").set_value(right)
    next(button for button in app.button if button.form_id == "inform").click().run()
    assert {one.advisor_id: one.informed_on for one in notices.find_all(SYSTEM)}["A1"] == right
    number = accreditations.find_all(SYSTEM)[0].id
    app.selectbox(key="end_accreditation_accreditation_id").set_value(number)
    next(button for button in app.button if button.form_id == "end_accreditation").click().run()
    assert not accreditations.find_all(SYSTEM)[0].holds
