"""The demo centre in the stores: imported like any other, signed in to, and taken away
without a trace.
"""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from builders import demo_centre
from builders.centres import ENVIRONMENT

from qa_core.access import passwords
from qa_core.access.accounts import add, get_viewer
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.analysis.irritants import action_list
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.cli import demo
from qa_core.cli.demo import accounts
from qa_core.compliance.conditions import gates
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.quality import calibration
from qa_core.quality.calibration import contact_choice
from qa_core.quality.coaching import plans
from qa_core.storage import lake, permissions
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import Base
from qa_core.storage.records.changes import ChangeMark
from qa_core.storage.records.evaluations import Evaluation, EvaluationAnswer, ScorecardVersion
from qa_core.storage.records.imports import ImportBatch
from qa_core.storage.records.listening import AdvisorNotice, GateValue, Recording
from qa_core.storage.records.people import Account, Advisor, AdvisorAlias, Membership
from qa_core.upkeep import purge

TINY = demo.DemoPlan(last_day=date(2026, 11, 22), months=1, advisors=6, contacts=400)
SYSTEM = Viewer.SYSTEM


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, build_once: Callable[..., Any]) -> Path:
    """A small demo centre that the tests below only read."""
    folder = tmp_path_factory.mktemp("filled")
    with pytest.MonkeyPatch.context() as patch:
        for name in ENVIRONMENT:
            patch.delenv(name, raising=False)
        patch.setenv("QA_HOME", str(folder))
        demo_centre.fill(folder, build_once)
    return folder


@pytest.fixture
def at_home(filled: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QA_HOME", str(filled))
    return filled


def value(kpi: str, viewer: Viewer = SYSTEM, **options) -> float:
    return query.measure(viewer, (kpi,), **options)["value"].iloc[0]


def viewer_of(role: Role) -> Viewer:
    name = next(entry["username"] for entry in demo.sign_ins() if entry["role"] == role)
    with store.reading() as session:
        return get_viewer(session, name)


def count(session, *tables) -> list[int]:
    return [session.scalar(sa.select(sa.func.count()).select_from(table)) for table in tables]


def test_the_figures_of_the_centre_are_believable(at_home: Path) -> None:
    assert 1_500 < value("received") < 2_100
    assert 0.85 < value("answer_rate") < 0.96
    assert 0.6 < value("service_level") < 0.9
    assert 0.68 < value("first_contact_resolution") < 0.84
    assert 0.83 < value("first_contact_resolution_declared") < 0.94
    assert 0.05 < value("response_rate") < 0.18
    assert 75 < value("evaluation_score") < 92
    assert 0.05 < value("attribution_rate") < 0.3
    assert value("cost_per_contact") > 0


def test_every_part_came_through_a_batch_of_its_own(at_home: Path) -> None:
    with store.reading() as session:
        batches = session.scalars(sa.select(ImportBatch)).all()
    assert {batch.state for batch in batches} == {"done"}
    assert {batch.kind for batch in batches} == {
        "contacts",
        "tracking",
        "surveys",
        "spend",
        "advisors",
        "evaluations",
    }
    assert {batch.system for batch in batches if batch.kind == "contacts"} == {
        "telephony",
        "messaging",
        "helpdesk",
    }


def test_advisors_are_found_by_the_name_that_each_tool_knows_and_are_in_their_team_of_the_day(
    at_home: Path,
) -> None:
    with store.reading() as session:
        assert (
            session.scalar(sa.select(sa.func.count()).select_from(Advisor))
            == demo_centre.PLAN.advisors
        )
    frame = query.measure(SYSTEM, ("answered",), by=("team",))
    assert frame["team"].notna().sum() == 6
    # The callbot is in no team.
    alone = Filters.of(Period(), {"handled_by": ["machine"]})
    [answered] = query.measure(SYSTEM, ("answered",), where=alone)["value"]
    assert frame.loc[frame["team"].isna(), "value"].sum() == answered > 0


def test_tracking_is_joined_by_number_and_time_and_by_id(at_home: Path) -> None:
    with lake.working() as connection:
        ways = dict(
            connection.execute(
                "SELECT tracking_match, count(*) FROM contacts WHERE tracking_match IS NOT "
                "NULL GROUP BY 1"
            ).fetchall()
        )
    assert ways["number_and_time"] > 50 and ways["id"] > 50


def test_evaluations_are_scored_on_the_published_grid(at_home: Path) -> None:
    with store.reading() as session:
        grid = session.scalars(sa.select(ScorecardVersion)).one()
        evaluations = session.scalars(sa.select(Evaluation)).all()
        assert grid.key == "customer-service" and grid.published_at
        assert len(evaluations) > 40
        assert {evaluation.grid_id for evaluation in evaluations} == {grid.id}
        assert {evaluation.outcome for evaluation in evaluations} == {"pass", "fail"}
        assert any(evaluation.evaluator == "evaluator" for evaluation in evaluations)
        assert session.scalar(sa.select(sa.func.count()).select_from(EvaluationAnswer)) == 11 * len(
            evaluations
        )


def test_there_is_one_sign_in_per_role_and_a_second_evaluator_with_good_passwords_in_a_private_file(
    at_home: Path,
) -> None:
    entries = demo.sign_ins()
    assert sorted(entry["role"] for entry in entries) == sorted([*Role, Role.EVALUATOR])
    assert len({entry["username"] for entry in entries}) == 8
    for entry in entries:
        passwords.check_policy(entry["password"], entry["username"])
    file = at_home / "secrets" / "demo"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["complete"]
    with store.reading() as session:
        assert {account.demo for account in session.scalars(sa.select(Account))} == {True}


def test_each_role_finds_something_to_look_at(at_home: Path) -> None:
    everything = value("received")
    assert value("received", viewer_of(Role.MANAGER)) == everything
    assert (
        value(
            "received",
            viewer_of(Role.EXECUTIVE),
            where=Filters(Period(date(2026, 8, 1), date(2026, 10, 31))),
        )
        > 500
    )
    assert 0 < value("answered", viewer_of(Role.TEAM_LEAD)) < everything / 3
    assert 0 < value("answered", viewer_of(Role.ADVISOR)) < everything / 10
    assert value("evaluation_score", viewer_of(Role.ADVISOR)) > 40


def test_the_centre_is_in_order_from_the_first_moment(at_home: Path) -> None:
    permissions.protect()
    assert purge.find_overdue(SYSTEM) == []
    assert [one.rule.number for one in purge.judge_rules(SYSTEM) if one.state.is_red] == []


def test_the_lead_coaches_advisors_of_the_team_and_the_action_list_has_entries_at_three_stages(
    at_home: Path,
) -> None:
    lead, advisor, manager = (
        viewer_of(role) for role in (Role.TEAM_LEAD, Role.ADVISOR, Role.MANAGER)
    )
    found = plans.find_plans(lead)
    assert found and all(plan.notes and plan.team in lead.teams for plan in found)
    assert (
        [plan.goal for plan in plans.find_plans(advisor)]
        == [plan.goal for plan in found if plan.advisor_id == advisor.advisor_id]
        != []
    )
    assert sorted(
        (entry.subject.kind, entry.state) for entry in action_list.find_entries(manager)
    ) == [
        ("customer_words", "new"),
        ("low_ratings", "looked_at"),
        ("repeats", "in_hand"),
    ]


def test_a_calibration_is_closed_and_another_waits_for_the_evaluator(at_home: Path) -> None:
    evaluator, manager = viewer_of(Role.EVALUATOR), viewer_of(Role.MANAGER)
    waiting, closed = calibration.find_sessions(manager)
    assert waiting.is_open and waiting.finished[evaluator.username] == 0
    assert [task.state for task in calibration.find_worklist(evaluator)] == ["waiting"] * len(
        waiting.contacts
    )
    found = calibration.get_results(evaluator, closed.id)
    assert found.unclear_criteria and all(
        item.finished == len(closed.contacts) for item in found.evaluators
    )
    strict = {item.name: item.leniency for item in found.evaluators}
    assert strict["Claire Vasseron"] < strict["Ève Mazerat"] < strict["Marc Tillier"]
    # With two accounts that may listen, the manager can open a round of their own.
    assert [(one.name, one.is_accredited) for one in contact_choice.find_evaluators(manager)] == [
        ("Claire Vasseron", True),
        ("Ève Mazerat", True),
    ]


KPIS = (
    "received",
    "first_contact_resolution",
    "csat",
    "nps",
    "evaluation_score",
    "cost_per_contact",
    "average_handle_time",
)


def build_tiny() -> None:
    demo.build(SYSTEM, plan=TINY)


class Interrupted(BaseException):
    pass


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A centre in which a manager had an account and somebody had opened a gate, and whose first
    build was interrupted.
    """
    folder = tmp_path_factory.mktemp("rebuilt")

    def stop(step: str, share: float) -> None:
        if share > 0.5:
            raise Interrupted

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QA_HOME", str(folder))
        patch.delenv("QA_DATABASE_URL", raising=False)
        store.migrate()
        add(SYSTEM, "manager", Role.MANAGER, password="Their-own-Passw0rd-7")
        gates.set_gate(SYSTEM, "recording_retention_months", "3")
        with pytest.raises(Interrupted):
            demo.build(SYSTEM, plan=TINY, progress=stop)
        assert demo.is_unfinished()
        build_tiny()
        store.close()
    return folder


@pytest.fixture
def at_rebuilt(rebuilt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that centre, to work on."""
    folder = shutil.copytree(rebuilt, tmp_path / "rebuilt")
    monkeypatch.setenv("QA_HOME", str(folder))
    monkeypatch.delenv("QA_DATABASE_URL", raising=False)
    return folder


def test_the_same_plan_fills_two_stores_with_the_same_figures(
    start_from: Callable[..., Any], rebuilt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def figures() -> pd.DataFrame:
        return query.measure(SYSTEM, KPIS, by=("week",))[
            ["week", "kpi", "value", "low", "high", "n"]
        ]

    start_from(build_tiny)
    here = figures()
    assert set(here["kpi"][here["n"] > 0]) == set(KPIS)
    monkeypatch.setenv("QA_HOME", str(rebuilt))
    monkeypatch.delenv("QA_DATABASE_URL", raising=False)
    pd.testing.assert_frame_equal(figures(), here)


def test_a_second_centre_is_refused_until_the_first_is_taken_away(at_home: Path) -> None:
    with pytest.raises(Refusal) as caught:
        demo.build(SYSTEM, plan=TINY)
    assert caught.value.code == "demo_exists"


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMIN])
def test_only_who_manages_imports_and_accounts_may_build_or_remove_it(
    at_home: Path, role: Role
) -> None:
    viewer = viewer_of(role)
    assert not viewer.can(Permission.MANAGE_IMPORTS)
    for act in (demo.build, demo.remove):
        with pytest.raises(AccessDenied):
            act(viewer)


def test_removal_leaves_nothing_but_the_journal(
    centre: Path, start_from: Callable[..., Any]
) -> None:
    start_from(build_tiny)
    demo.remove(SYSTEM)
    with lake.working(others=["spend"]) as connection:
        assert connection.execute(
            "SELECT (SELECT count(*) FROM contacts), (SELECT count(*) FROM spend)"
        ).fetchone() == (0, 0)
    with store.reading() as session:
        kept = {
            table.name
            for table in Base.metadata.sorted_tables
            if session.scalar(sa.select(sa.func.count()).select_from(table))
        }
    assert kept == {JournalRow.__tablename__, ChangeMark.__tablename__}
    assert demo.sign_ins() == [] and not accounts.credentials_file().exists()
    assert not list((centre / "tmp").glob("*"))


def test_removal_leaves_what_people_brought_themselves(at_rebuilt: Path) -> None:
    assert "demo-manager" in [entry["username"] for entry in demo.sign_ins()]
    with store.writing() as session:
        session.add(Advisor(advisor_id="real", name="Somebody real"))
    gates.set_gate(SYSTEM, "purposes", "training")
    demo.remove(SYSTEM)
    with store.reading() as session:
        assert session.scalars(sa.select(Account.username)).all() == ["manager"]
        assert count(session, Advisor, AdvisorAlias, Membership, ImportBatch, ScorecardVersion) == [
            1,
            0,
            0,
            0,
            0,
        ]
        assert count(session, AdvisorNotice, Recording) == [0, 0]
        assert session.execute(sa.select(GateValue.name, GateValue.value)).all() == [
            ("recording_retention_months", "3"),
            ("purposes", "training"),
        ]
    assert not list((at_rebuilt / "recordings").glob("*/*.bin"))


def test_a_build_that_was_interrupted_starts_afresh_and_so_does_one_whose_passwords_are_lost(
    at_rebuilt: Path,
) -> None:
    assert not demo.is_unfinished()
    accounts.credentials_file().unlink()
    assert demo.is_unfinished()  # without its passwords nobody can sign in to it
    with store.reading() as session:
        # One account is the manager's own.
        assert count(session, Account, Advisor) == [8 + 1, TINY.advisors]
