"""Demo centre: simulated from a seed, filled through imports, removed without a trace."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict

import sqlalchemy as sa

from qa_core import ingest
from qa_core.access import people
from qa_core.access.accounts import remove_demo_accounts
from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.irritants import action_list
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.base.progress import Progress, ignore_progress
from qa_core.centre.rules import opening_hours
from qa_core.cli.demo import accounts, acts, evaluations, listening, load, seasons, staff
from qa_core.cli.demo.story import STORY, DemoPlan
from qa_core.compliance import restrictions
from qa_core.compliance.conditions import gates
from qa_core.ingest.load import recovery
from qa_core.metrics.kpi import editions
from qa_core.quality import scorecards
from qa_core.quality.scorecards import publication
from qa_core.storage import audit_log, lake
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.centre_rules import NameDecision
from qa_core.storage.records.editions import Edition, EditionTable
from qa_core.storage.records.evaluations import Evaluation, ScorecardVersion
from qa_core.storage.records.imports import ImportBatch
from qa_core.storage.records.irritants import Irritant
from qa_core.storage.records.listening import (
    Accreditation,
    AdvisorNotice,
    Calibration,
    CoachingPlan,
    ConfirmedEvaluator,
    GateValue,
    ListeningPlan,
    Playback,
)
from qa_core.storage.records.people import Account, AccountRequest
from qa_core.storage.records.retention import ListeningExclusion, Objection, SubjectRequest
from qa_core.storage.records.settings import SettingValue
from qa_core.storage.records.store import Session
from qa_core.upkeep import after_import

STEP = N_("Building the demo centre")
_FILES = 8
"""Number of files after the one of advisors; for the progress shown only."""


def build(
    viewer: Viewer, plan: DemoPlan | None = None, progress: Progress = ignore_progress
) -> None:
    """Simulate the centre and import it, with an account per role. A half-finished
    build is removed first.

    Without a plan it has the usual size and ends yesterday. Raises Refusal when there
    is a demo centre already.
    """
    viewer.require(Permission.MANAGE_IMPORTS)
    viewer.require(Permission.MANAGE_ACCOUNTS)
    plan = plan or DemoPlan.until_yesterday()
    with _alone():
        if is_unfinished():
            _remove_all(viewer)
        elif accounts.read():
            raise Refusal(
                "demo_exists",
                "There is already a demo centre. Remove it first with: python -m qa_core demo "
                "--remove",
            )
        _fill(viewer, plan, progress)
        # Each tool wrote the months anew.
        lake.vacuum(at_once=True)


def remove(viewer: Viewer) -> None:
    """Remove the demo centre: its accounts, all that its batches brought, and the batches."""
    viewer.require(Permission.MANAGE_IMPORTS)
    viewer.require(Permission.MANAGE_ACCOUNTS)
    with _alone():
        _remove_all(viewer)
        after_import.do_due()


def is_unfinished() -> bool:
    """Return whether a build must start afresh: it was interrupted, or its passwords are lost."""
    content = accounts.read()
    if content:
        return not content["complete"]
    with store.reading() as session:
        batch = sa.select(ImportBatch.id).where(ImportBatch.profile == load.PROFILE).limit(1)
        return session.scalar(batch) is not None or any(
            person.is_demo for person in people.find_people(session).values()
        )


def sign_ins() -> list[dict[str, str]]:
    """List the demo accounts as role, username and password."""
    with store.reading() as session:
        known = people.find_people(session)
    return [
        entry
        for entry in accounts.read().get("sign_ins", [])
        if (person := known.get(entry["username"])) and person.is_demo and person.is_active
    ]


def _alone() -> AbstractContextManager[bool]:
    """Hold the right to build or remove the demo centre; a second one waits."""
    return environment.lock(environment.current().folder / ".demo.lock")


def _fill(viewer: Viewer, plan: DemoPlan, tell: Callable[[str, float], None]) -> None:
    tell(STEP, 0.0)
    calendar = seasons.Calendar(plan)
    cast = accounts.Cast(plan, staff.build_staff(plan, calendar), accounts.choose_sign_ins())
    planned = {**asdict(plan), "last_day": plan.last_day.isoformat()}
    accounts.write({"complete": False, "plan": planned, "sign_ins": cast.sign_ins})
    load.load_staged(viewer, load.stage_advisors(plan, cast.staff))
    hours = opening_hours.parse_hours(STORY.seasons.opening)
    for site in staff.SITES:
        opening_hours.set_opening(viewer, site, hours, calendar="FR")
    recovery.apply_due_rules()
    accounts.open_all(viewer, cast)
    # Publishing a grid is a manager's; the demo centre brings its own along.
    scorecards.publish_starter(Viewer.SYSTEM, evaluations.SCORECARD_KEY)
    listening.open_for_listening(viewer, cast)
    with store.reading() as session:
        is_open = not gates.find_missing(session)
    tell(STEP, 0.1)
    for number, staged in enumerate(load.stage_all(plan, calendar, cast.staff)):
        tell(STEP, 0.2 + 0.8 * number / _FILES)
        if staged.kind == "evaluations" and not is_open:
            staged.discard()  # a centre of one's own listens to nobody before it may
            continue
        load.load_staged(viewer, staged)
    listening.record_calls(viewer, cast)
    listening.draw_contacts(viewer, cast)
    acts.answer_evaluations(cast)
    acts.coach(viewer, cast)
    acts.add_irritants(cast)
    evaluations.calibrate(cast)
    if is_open:
        acts.keep_law(cast)
    # A purge changes files: editions are published of the files that remain.
    after_import.do_due()
    editions.publish(viewer)
    accounts.write({**accounts.read(), "goals": acts.set_goals(viewer, plan), "complete": True})


def _remove_all(viewer: Viewer) -> None:
    with store.writing() as session:
        _remove_entries(session)
    remove_demo_accounts(viewer)
    acts.remove_goals(viewer, accounts.read().get("goals", {}))
    ingest.resume()
    with store.writing() as session:
        listening.remove_recordings(session)
        entered_by = (
            GateValue.set_by,
            Accreditation.given_by,
            ConfirmedEvaluator.confirmed_by,
            AdvisorNotice.entered_by,
        )
        for column in entered_by:
            session.execute(sa.delete(column.class_).where(column == listening.ENTERED_BY))
    mine = ImportBatch.profile == load.PROFILE
    done = sa.select(ImportBatch.id).where(mine, ImportBatch.state == "done")
    newest_first = done.order_by(ImportBatch.started_at.desc(), ImportBatch.id.desc())
    with store.reading() as session:
        batches = list(session.scalars(newest_first))
    objections = recovery.find_objecting(batches)
    for batch in batches:
        ingest.undo(viewer, batch)
    with store.writing() as session:
        restrictions.remove_objections(session, objections)
        session.execute(sa.delete(ImportBatch).where(mine))
        _remove_scorecard(session)
        # They were made of the demo centre; what is left is published anew.
        session.execute(sa.delete(EditionTable))
        session.execute(sa.delete(Edition))
        action_list.remove_orphans(session)
        audit_log.record(session, viewer.username, "demo_remove")
    accounts.credentials_file().unlink(missing_ok=True)


def _remove_entries(session: Session) -> None:
    """Remove what demo accounts entered; the journal keeps that they did."""
    by_demo = ListeningPlan.created_by == listening.ENTERED_BY
    session.execute(sa.delete(ListeningPlan).where(by_demo))
    demo = sa.select(Account.username).where(Account.demo)
    rounds = sa.select(Calibration.id).where(Calibration.opened_by.in_(demo))
    session.execute(sa.delete(Evaluation).where(Evaluation.calibration_id.in_(rounds)))
    for column in (
        Calibration.opened_by,
        CoachingPlan.opened_by,
        Irritant.opened_by,
        Playback.username,
        Objection.entered_by,
        ListeningExclusion.entered_by,
        AccountRequest.asked_by,
        NameDecision.decided_by,
        SubjectRequest.entered_by,
        SettingValue.set_by,
    ):
        session.execute(sa.delete(column.class_).where(column.in_(demo)))


def _remove_scorecard(session: Session) -> None:
    """Remove the demo's scorecard unless it was changed, or used since."""
    versions = sa.select(ScorecardVersion).where(ScorecardVersion.key == evaluations.SCORECARD_KEY)
    grid = session.scalars(versions.order_by(ScorecardVersion.version)).first()
    if grid is None or grid.content != publication.read_starter(evaluations.SCORECARD_KEY):
        return
    uses = (
        sa.select(table.id).where(table.grid_id == grid.id).limit(1)
        for table in (Evaluation, Calibration)
    )
    if all(session.scalar(Scoped(use, Viewer.SYSTEM)) is None for use in uses):
        session.delete(grid)
