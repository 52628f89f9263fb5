"""Which grids there are: the published versions, and the drafts of whoever writes
grids. No person stands in a grid, so none is hidden by rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.i18n import N_
from qa_core.centre.advisors import normalise_name
from qa_core.storage.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation, ScorecardVersion
from qa_core.storage.records.store import Session

READERS = (Permission.SEE_GRIDS, Permission.SEE_EVALUATIONS)
"""Who evaluates, is evaluated, or plans listening reads published grids; whoever writes
or publishes them reads drafts too.
"""


@dataclass(frozen=True)
class GridVersion:
    """A published version, ready to be answered."""

    id: int
    key: str
    version: int
    title: str
    plan: scoring.Scorecard


@dataclass(frozen=True)
class ScorecardDraft:
    """A draft (`version` None) or a published version, as it stands in the records;
    `evaluations`: how many were made on it.
    """

    id: int
    key: str
    version: int | None
    title: str
    content: dict[str, Any]
    edition: int
    created_at: datetime
    created_by: str | None
    published_at: datetime | None
    published_by: str | None
    evaluations: int

    @property
    def is_draft(self) -> bool:
        return self.version is None


def find_published(viewer: Viewer) -> list[GridVersion]:
    """The newest version of each grid that can be answered, by title. A grid that came
    with imported scores alone asks nothing.
    """
    _require_reader(viewer)
    with store.reading() as session:
        rows = session.scalars(
            sa.select(ScorecardVersion)
            .where(ScorecardVersion.published_at.is_not(None))
            .order_by(ScorecardVersion.version)
        ).all()
    newest = {row.key: row for row in rows}
    return sorted(
        (_version_of(row) for row in newest.values() if asks_anything(row)),
        key=lambda grid: (grid.title, grid.key),
    )


def get_plan(session: Session, grid_id: int) -> scoring.Scorecard:
    """The grid of that published version, ready to be answered. Raises AccessDenied for
    none, and for a draft.
    """
    row = session.get(ScorecardVersion, grid_id)
    if row is None or row.published_at is None:
        raise AccessDenied()
    return scoring.parse_scorecard(row.content)


def newest_published(session: Session, key_or_file_title: str) -> ScorecardVersion | None:
    """The newest published version that can be answered of the grid of that key, else
    of that title (capitals, accents and dashes aside).
    """
    wanted = normalise_name(key_or_file_title)
    published = session.scalars(
        sa.select(ScorecardVersion)
        .where(ScorecardVersion.published_at.is_not(None))
        .order_by(ScorecardVersion.version.desc(), ScorecardVersion.id.desc())
    )
    rows = [row for row in published if asks_anything(row)]
    for is_meant in (
        lambda row: row.key == key_or_file_title,
        lambda row: normalise_name(row.key) == wanted,
        lambda row: normalise_name(row.title) == wanted,
    ):
        if found := next(filter(is_meant, rows), None):
            return found
    return None


def require_published(session: Session, key: str) -> ScorecardVersion:
    """The newest published version of that grid. Raises Refusal (`unknown_grid`),
    naming those there are.
    """
    found = newest_published(session, key)
    if found is None:
        known = session.scalars(
            sa.select(ScorecardVersion.key)
            .where(ScorecardVersion.published_at.is_not(None))
            .distinct()
            .order_by(ScorecardVersion.key)
        ).all()
        message = N_(
            "There is no published grid {key}. Published: {known}. Publish one under "
            "Evaluation grids, or: {command}"
        )
        raise Refusal(
            "unknown_grid",
            message,
            key=key,
            known=", ".join(known) or "–",
            command="python -m qa_core grid import FILE --publish",
        )
    return found


def find_all(viewer: Viewer) -> list[ScorecardDraft]:
    """Every draft, newest first, then every published version, by title and from the
    newest version down.
    """
    viewer.require(Permission.SEE_GRIDS)
    with store.reading() as session:
        found = [_hold(row, count) for row, count in session.execute(_with_counts())]
    drafts = sorted((held for held in found if held.is_draft), key=lambda held: -held.id)
    versions = sorted(
        (held for held in found if not held.is_draft),
        key=lambda held: (held.title, held.key, -held.version),
    )
    return [*drafts, *versions]


def get(viewer: Viewer, grid_id: int) -> ScorecardDraft:
    """That draft or version. Raises AccessDenied."""
    viewer.require(Permission.SEE_GRIDS)
    with store.reading() as session:
        row = session.execute(_with_counts(ScorecardVersion.id == grid_id)).one_or_none()
        if row is None:
            raise AccessDenied()
        return _hold(*row)


def asks_anything(row: ScorecardVersion) -> bool:
    """Whether a published version has criteria; one that came with imported scores
    alone has none, and nothing is evaluated on it.
    """
    return bool(row.content.get("section"))


def _with_counts(*conditions: sa.ColumnElement[bool]) -> Unscoped:
    """The versions, each with the number of evaluations made on it."""
    made = (
        sa.select(sa.func.count(Evaluation.id))
        .where(Evaluation.grid_id == ScorecardVersion.id)
        .scalar_subquery()
    )
    return Unscoped(
        sa.select(ScorecardVersion, made).where(*conditions),
        "How much a version of a grid was used is counted in the whole centre: a number is read.",
    )


def _hold(row: ScorecardVersion, evaluations: int) -> ScorecardDraft:
    is_draft = row.published_at is None
    return ScorecardDraft(
        id=row.id,
        key=row.key,
        version=None if is_draft else row.version,
        title=row.title,
        content=row.content,
        edition=row.edition,
        created_at=row.created_at,
        created_by=row.created_by,
        published_at=row.published_at,
        published_by=row.published_by,
        evaluations=evaluations,
    )


def _version_of(row: ScorecardVersion) -> GridVersion:
    return GridVersion(
        row.id, row.key, row.version, row.title, scoring.parse_scorecard(row.content)
    )


def _require_reader(viewer: Viewer) -> None:
    if not any(viewer.can(permission) for permission in READERS):
        raise AccessDenied()
