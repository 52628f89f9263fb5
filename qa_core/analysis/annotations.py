"""Notes on days, for the whole centre, a site, a team or a queue, shown on trends."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.analysis.targets import Scope, find_sites_of_teams, list_scopes
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, require_length
from qa_core.base.row_values import build_from_row
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.targets import Annotation

MAX_TITLE = 120

FIGURES = (Permission.SEE_CALL_STATISTICS, Permission.SEE_SATISFACTION, Permission.SEE_SCORES)


@dataclass(frozen=True)
class DayNote:
    """Note on days (inclusive); `dimension` and `name` None: the whole centre."""

    id: int
    title: str
    dimension: str | None
    name: str | None
    first_day: date
    last_day: date
    author: str
    created_at: datetime
    is_mine_to_remove: bool = False
    """Whether the viewer who reads it may remove it."""

    @property
    def scope(self) -> Scope:
        return self.dimension, self.name


def find(viewer: Viewer, where: Filters = Filters()) -> tuple[DayNote, ...]:
    """Return the notes on the days of a slice that concern it, oldest first.

    A note about a site, team or queue concerns every slice without a filter on that
    dimension, or whose filter includes it. Viewers of figures see all notes except
    those on others' teams.
    """
    with store.reading() as session:
        note_scopes = _NoteScopes(viewer, find_sites_of_teams(session))
        rows = session.scalars(
            sa.select(Annotation).order_by(Annotation.starts_on, Annotation.id)
        ).all()
    chosen = dict(where.values)
    kept = [
        row
        for row in rows
        if where.period.meets(row.starts_on, row.ends_on)
        and _concerns(row, chosen, note_scopes.site_of)
        and note_scopes.may_see(_scope(row))
    ]
    return tuple(_build_note(row, note_scopes.may_write(_scope(row))) for row in kept)


def find_scopes(viewer: Viewer) -> tuple[Scope, ...]:
    """Return the scopes the viewer may write notes on, the widest first."""
    if not viewer.can(Permission.EDIT_NOTES):
        return ()
    with store.reading() as session:
        note_scopes = _NoteScopes(viewer, find_sites_of_teams(session))
    return tuple(filter(note_scopes.may_write, list_scopes(note_scopes.reader)))


def add(
    viewer: Viewer,
    title: str,
    first_day: date,
    last_day: date | None = None,
    dimension: str | None = None,
    name: str | None = None,
) -> DayNote:
    """Add a note on those days. The audit log records it without its text.

    Team leads write on their teams, managers on their sites, teams and queues, and on
    the centre if all of it is theirs, administrators on everything. Raises Misuse for an
    empty or long title and days in reverse order, AccessDenied for another scope.
    """
    viewer.require(Permission.EDIT_NOTES)
    title = " ".join(title.split())
    require_length(title, 1, MAX_TITLE, "bad_note")
    period = Period(first_day, last_day or first_day)
    if (dimension, name) not in find_scopes(viewer):
        raise AccessDenied()
    with store.writing() as session:
        row = Annotation(
            title=title,
            dimension=dimension,
            dimension_value=name,
            starts_on=period.first_day,
            ends_on=period.last_day,
            author=viewer.username,
        )
        session.add(row)
        session.flush()
        audit_log.record(session, viewer.username, "note_added", _describe(row))
        return _build_note(row, True)


def remove(viewer: Viewer, note_id: int) -> None:
    """Remove a note. Raises AccessDenied for one outside the viewer's scopes."""
    viewer.require(Permission.EDIT_NOTES)
    with store.writing() as session:
        row = session.get(Annotation, note_id)
        note_scopes = _NoteScopes(viewer, find_sites_of_teams(session))
        if row is None or not note_scopes.may_write(_scope(row)):
            raise AccessDenied()
        session.delete(row)
        audit_log.record(session, viewer.username, "note_removed", _describe(row))


@dataclass(frozen=True)
class _NoteScopes:
    """Scopes a viewer may see and write notes on; administrators only write."""

    viewer: Viewer
    site_of: Mapping[str, str | None]

    @property
    def reader(self) -> Viewer:
        return Viewer.SYSTEM if self.viewer.role == Role.ADMIN else self.viewer

    @functools.cached_property
    def queues(self) -> frozenset[str]:
        return frozenset(
            name for name, _count in query.find_values(self.reader, "queue") if name is not None
        )

    def may_see(self, scope: Scope) -> bool:
        sees_figures = any(self.viewer.can(permission) for permission in FIGURES)
        return (sees_figures and scope[0] != "team") or self.may_write(scope)

    def may_write(self, scope: Scope) -> bool:
        viewer, (dimension, name) = self.viewer, scope
        if not viewer.can(Permission.EDIT_NOTES):
            return False
        if viewer.is_system or viewer.role == Role.ADMIN:
            return True
        if viewer.role == Role.TEAM_LEAD:
            return dimension == "team" and name in viewer.teams_on(environment.today())
        if dimension == "team":
            return name in viewer.managed_teams
        if dimension == "site":
            return name in {self.site_of.get(team) for team in viewer.managed_teams}
        if dimension:
            return name in self.queues
        return bool(self.site_of) and set(self.site_of) <= set(viewer.managed_teams)


def _scope(row: Annotation) -> Scope:
    return row.dimension, row.dimension_value


def _concerns(
    row: Annotation, chosen: Mapping[str, tuple[Any, ...]], site_of: Mapping[str, str | None]
) -> bool:
    if row.dimension is None:
        return True
    if row.dimension in chosen and row.dimension_value not in chosen[row.dimension]:
        return False
    return (
        row.dimension != "site"
        or "team" not in chosen
        or row.dimension_value in {site_of.get(team) for team in chosen["team"]}
    )


def _build_note(row: Annotation, may_remove: bool) -> DayNote:
    return build_from_row(
        DayNote,
        row,
        name=row.dimension_value,
        first_day=row.starts_on,
        last_day=row.ends_on,
        is_mine_to_remove=may_remove,
    )


def _describe(row: Annotation) -> str:
    days = f"{row.starts_on}" if row.starts_on == row.ends_on else f"{row.starts_on} {row.ends_on}"
    return " ".join(part for part in (days, row.dimension or "centre", row.dimension_value) if part)
