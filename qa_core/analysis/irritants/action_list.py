"""Action list: irritants being worked on, from new to solved. Its only writer; changes
are audited and need the newest version.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from qa_core.access import people
from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.irritants.detection import DIMENSIONS, KPIS
from qa_core.analysis.irritants.subject import TEXT_KINDS, IrritantKind, IrritantSubject
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Misuse, Refusal, require_length
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.irritants import Irritant, IrritantStep, IrritantTeam
from qa_core.storage.records.people import Account, Team

MAX_NOTE = 1000


class ActionState(StrEnum):
    NEW = "new"
    LOOKED_AT = "looked_at"
    IN_HAND = "in_hand"
    SOLVED = "solved"
    SET_ASIDE = "set_aside"


OPEN = frozenset({ActionState.NEW, ActionState.LOOKED_AT, ActionState.IN_HAND})


@dataclass(frozen=True)
class ActionStep:
    """State that was reached; `by` is None for viewers without names."""

    state: ActionState
    at: datetime
    by: str | None


@dataclass(frozen=True)
class ActionEntry:
    """Entry as the viewer may see it. `filters`: of the page, without period."""

    id: int
    subject: IrritantSubject
    filters: Filters
    state: ActionState
    due_on: date | None
    version: int
    steps: tuple[ActionStep, ...]
    may_change: bool
    teams: tuple[str, ...] = ()
    owner: str | None = None
    owner_name: str | None = None
    note: str = ""

    @property
    def in_hand_on(self) -> date | None:
        """Return the local day it was last taken in hand, if any."""
        taken = [step.at for step in self.steps if step.state == ActionState.IN_HAND]
        return environment.to_local(taken[-1]).date() if taken else None

    @property
    def is_late(self) -> bool:
        return self.state in OPEN and self.due_on is not None and self.due_on < environment.today()


@dataclass(frozen=True)
class ActionPlan:
    """Decision on an entry, written as a whole."""

    state: ActionState = ActionState.NEW
    owner: str | None = None
    due_on: date | None = None
    note: str = ""


def find_entries(viewer: Viewer) -> tuple[ActionEntry, ...]:
    """Return the action list in scope, open entries first, newest first, without names
    and remarks for viewers who may not see them.
    """
    viewer.require(Permission.SEE_IRRITANTS)
    whole = selectinload(Irritant.teams), selectinload(Irritant.steps)
    statement = sa.select(Irritant).options(*whole).order_by(Irritant.id.desc())
    with store.reading() as session:
        names = people.find_names(session)
        entries = [
            _build_entry(viewer, row, names)
            for row in session.scalars(statement)
            if _may_see(viewer, row)
        ]
    if viewer.needs_suppression:
        entries = [_without_names(entry) for entry in _keep_published(viewer, entries)]
    return tuple(sorted(entries, key=lambda entry: entry.state not in OPEN))


def open_entry(
    viewer: Viewer, subject: IrritantSubject, where: Filters, owner: str | None = None
) -> int:
    """Add an irritant to the list, for the viewer's teams (or the filters' teams);
    return its id.

    Raises Refusal where one of these teams has it on the list already, AccessDenied
    without any such team, Misuse for an unknown subject.
    """
    viewer.require(Permission.MANAGE_IRRITANTS)
    _check(subject)
    chosen = dict(where.values)
    with store.writing() as session:
        own_teams, unassigned = viewer.teams_on(environment.today()), viewer.sees_unassigned
        if viewer.is_system:
            own_teams, unassigned = set(session.scalars(sa.select(Team.name))), True
        teams = own_teams & set(chosen["team"]) if "team" in chosen else own_teams
        unassigned = unassigned and None in chosen.get("team", (None,))
        if not teams and not unassigned:
            raise AccessDenied()
        for row in session.scalars(
            sa.select(Irritant).where(Irritant.state.in_(OPEN), Irritant.kind == subject.kind)
        ):
            shared = {team.team_name for team in row.teams} & teams or (
                unassigned and row.concerns_unassigned
            )
            if _subject_of(row) == subject and shared and _filters_of(row).values == where.values:
                raise Refusal(
                    "already_listed", "This is already on the action list. Change it there."
                )
        row = Irritant(
            kind=subject.kind,
            dimension=subject.dimension,
            dimension_value=subject.value,
            terms=list(subject.terms),
            shown=subject.shown,
            filters=[[dimension, list(values)] for dimension, values in where.values],
            concerns_unassigned=unassigned,
            opened_by=viewer.username,
            owner=_check_owner(session, owner, teams, unassigned),
        )
        row.teams = [IrritantTeam(team_name=team) for team in sorted(teams)]
        row.steps = [IrritantStep(state=ActionState.NEW, taken_by=viewer.username)]
        session.add(row)
        session.flush()
        audit_log.record(
            session, viewer.username, "irritant_opened", f"irritant {row.id}", reason=subject.kind
        )
        return row.id


def change_entry(viewer: Viewer, number: int, version: int, plan: ActionPlan) -> None:
    """Change state, owner, due day and note of an entry.

    Raise Refusal where somebody changed it since `version` or the owner is not
    eligible, AccessDenied for one that the viewer may not change.
    """
    viewer.require(Permission.MANAGE_IRRITANTS)
    require_length(plan.note, 0, MAX_NOTE, "long_note")
    with store.writing() as session:
        row = session.get(Irritant, number)
        if row is None or not _may_see(viewer, row) or not _may_change(viewer, row):
            raise AccessDenied()
        if row.version != version:
            raise Refusal(
                "changed_meanwhile",
                "Somebody else has changed this entry. Look at the current version, then make "
                "your change again.",
            )
        changed = []
        if row.state != plan.state:
            row.state = ActionState(plan.state)
            row.steps.append(IrritantStep(state=plan.state, taken_by=viewer.username))
            changed.append(f"state {plan.state}")
        if row.owner != plan.owner:
            row.owner = _check_owner(
                session, plan.owner, {team.team_name for team in row.teams}, row.concerns_unassigned
            )
            changed.append(f"owner {plan.owner or '-'}")
        if row.due_on != plan.due_on:
            row.due_on = plan.due_on
            changed.append(f"due {plan.due_on or '-'}")
        if row.note != plan.note:
            row.note = plan.note
            changed.append("note")
        if changed:
            row.version += 1
            what, how = f"irritant {number}", "; ".join(changed)
            audit_log.record(session, viewer.username, "irritant_changed", what, reason=how)


def find_owners(viewer: Viewer, entry: ActionEntry) -> dict[str, str]:
    """Return username → name of those in charge of its teams, and its owner."""
    viewer.require(Permission.MANAGE_IRRITANTS)
    with store.reading() as session:
        row = session.get(Irritant, entry.id)
        if row is None or not _may_see(viewer, row):
            raise AccessDenied()
        owners = people.find_in_charge(
            session,
            {team.team_name for team in row.teams},
            row.concerns_unassigned,
            environment.today(),
        )
    current = {entry.owner: entry.owner_name or entry.owner} if entry.owner else {}
    return current | owners


def remove_orphans(session: Session) -> None:
    """Delete the entries whose teams are all gone, for example after the demo centre.
    An entry for contacts without a team stays while its author has an account.
    """
    team, account = IrritantTeam, Account
    no_team = sa.not_(sa.exists().where(team.irritant_id == Irritant.id))
    no_author = sa.not_(sa.exists().where(account.username == Irritant.opened_by))
    session.execute(
        sa.delete(Irritant).where(no_team, sa.or_(sa.not_(Irritant.concerns_unassigned), no_author))
    )


def _check(subject: IrritantSubject) -> None:
    is_words = (
        subject.kind in TEXT_KINDS and 1 <= len(subject.terms) <= 2 and subject.dimension is None
    )
    is_figure = (
        subject.kind not in TEXT_KINDS
        and subject.dimension in DIMENSIONS
        and bool(subject.value)
        and not subject.terms
    )
    if not (is_words or is_figure):
        raise Misuse("bad_subject", "An irritant concerns a reason, a queue, or one or two words.")


def _build_entry(viewer: Viewer, row: Irritant, names: Mapping[str, str]) -> ActionEntry:
    """Build an entry that names no team of others, in its filters neither. An executive's
    keeps them until it is known whether it is published.
    """
    named = {team.team_name for team in row.teams}
    if not viewer.is_system and not viewer.needs_suppression:
        named &= viewer.teams_on(environment.today())
    filters = dict(_filters_of(row).values)
    if "team" in filters:
        filters["team"] = tuple(name for name in filters["team"] if name in {*named, None})
    steps = tuple(
        ActionStep(ActionState(step.state), step.taken_at, names.get(step.taken_by, step.taken_by))
        for step in row.steps
    )
    return ActionEntry(
        id=row.id,
        subject=_subject_of(row),
        filters=Filters.of(values=filters),
        state=ActionState(row.state),
        due_on=row.due_on,
        version=row.version,
        steps=steps,
        may_change=_may_change(viewer, row),
        teams=tuple(sorted(named)),
        owner=row.owner,
        owner_name=names.get(row.owner, row.owner),
        note=row.note,
    )


def _subject_of(row: Irritant) -> IrritantSubject:
    return IrritantSubject(
        IrritantKind(row.kind), row.dimension, row.dimension_value, tuple(row.terms), row.shown
    )


def _filters_of(row: Irritant) -> Filters:
    return Filters.of(values={dimension: tuple(values) for dimension, values in row.filters})


def _keep_published(viewer: Viewer, entries: Sequence[ActionEntry]) -> Iterator[ActionEntry]:
    """Keep the entries that an executive may see whole: about a value whose figure is
    published for some month, under no filter besides.
    """
    span, shown = query.data_span(viewer), set()
    if span is None or span[1] < span[0]:
        return
    for kind, kpi in KPIS.items():
        for name in DIMENSIONS:
            frame = query.measure(viewer, (kpi,), (name, "month"))
            values = frame[name][frame["status"] != "suppressed"]
            shown |= {(kind, name, value) for value in values}
    for entry in entries:
        subject = entry.subject
        place = subject.kind, subject.dimension, subject.value
        if place in shown and query.may_cut(viewer, entry.filters, subject.dimension):
            yield entry


def _without_names(entry: ActionEntry) -> ActionEntry:
    steps = tuple(replace(step, by=None) for step in entry.steps)
    return replace(
        entry, steps=steps, teams=(), owner=None, owner_name=None, note="", may_change=False
    )


def _may_see(viewer: Viewer, row: Irritant) -> bool:
    if viewer.is_system or viewer.needs_suppression:
        return True
    teams = {team.team_name for team in row.teams}
    return bool(teams & viewer.teams_on(environment.today())) or (
        row.concerns_unassigned and viewer.sees_unassigned
    )


def _may_change(viewer: Viewer, row: Irritant) -> bool:
    """Return whether the viewer answers for all of an entry's teams, or owns it."""
    if viewer.is_system or not viewer.can(Permission.MANAGE_IRRITANTS):
        return viewer.is_system
    covers = {team.team_name for team in row.teams} <= viewer.teams_on(environment.today()) and (
        viewer.sees_unassigned or not row.concerns_unassigned
    )
    return covers or row.owner == viewer.username


def _check_owner(
    session: Session, owner: str | None, teams: set[str], unassigned: bool
) -> str | None:
    if owner is not None and owner not in people.find_in_charge(
        session, teams, unassigned, environment.today()
    ):
        raise Refusal(
            "bad_owner",
            "{name} leads or manages none of the teams concerned. Choose somebody who does.",
            name=owner,
        )
    return owner
