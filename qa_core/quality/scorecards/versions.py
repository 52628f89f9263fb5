"""Scorecards in the records: versions, and drafts for editors. No personal data."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.i18n import N_
from qa_core.base.row_values import build_from_row
from qa_core.centre.advisors import normalise_name
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation, ScorecardVersion
from qa_core.storage.records.store import Session

NOT_PUBLISHED = N_("The scorecard is not published. Publish it under Scorecards first.")
READERS = (Permission.SEE_SCORECARDS, Permission.SEE_EVALUATIONS)
"""Permissions that read published scorecards. Drafts need `SEE_SCORECARDS`."""


@dataclass(frozen=True)
class PublishedScorecard:
    """Published version, parsed."""

    id: int
    key: str
    version: int
    title: str
    scorecard: scoring.Scorecard


@dataclass(frozen=True)
class StoredScorecard:
    """Draft (`version` None) or published version as stored."""

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


def find_published(viewer: Viewer) -> list[PublishedScorecard]:
    """Return the newest version of each scorecard with criteria, by title."""
    if not any(map(viewer.can, READERS)):
        raise AccessDenied()
    with store.reading() as session:
        rows = session.scalars(
            sa.select(ScorecardVersion)
            .where(ScorecardVersion.published_at.is_not(None))
            .order_by(ScorecardVersion.version)
        ).all()
    newest = {row.key: row for row in rows}
    return sorted(
        (
            build_from_row(PublishedScorecard, row, scorecard=scoring.parse_scorecard(row.content))
            for row in newest.values()
            if has_criteria(row)
        ),
        key=lambda scorecard: (scorecard.title, scorecard.key),
    )


def find_version(session: Session, scorecard_id: int | None) -> ScorecardVersion | None:
    """Return the row of that id, such as an evaluation names; None without one."""
    return None if scorecard_id is None else session.get(ScorecardVersion, scorecard_id)


def find_parsed(row: ScorecardVersion | None) -> scoring.Scorecard | None:
    """Return the parsed scorecard; None without a row, or known by its name alone (imported)."""
    try:
        return None if row is None else scoring.parse_scorecard(row.content)
    except Refusal:
        return None


def find_newest_published(session: Session, key_or_file_title: str) -> ScorecardVersion | None:
    """Return the newest version with criteria, by key, else by title."""
    wanted = normalise_name(key_or_file_title)
    published = session.scalars(
        sa.select(ScorecardVersion)
        .where(ScorecardVersion.published_at.is_not(None))
        .order_by(ScorecardVersion.version.desc(), ScorecardVersion.id.desc())
    )
    rows = [row for row in published if has_criteria(row)]
    for is_meant in (
        lambda row: row.key == key_or_file_title,
        lambda row: normalise_name(row.key) == wanted,
        lambda row: normalise_name(row.title) == wanted,
    ):
        if row_meant := next(filter(is_meant, rows), None):
            return row_meant
    return None


def find_all(viewer: Viewer) -> list[StoredScorecard]:
    """Return drafts, newest first, then versions by title, newest first."""
    viewer.require(Permission.SEE_SCORECARDS)
    with store.reading() as session:
        scorecards = [
            _build_stored(row, count) for row, count in session.execute(_select_with_counts())
        ]
    drafts = sorted(
        (stored for stored in scorecards if stored.is_draft), key=lambda stored: -stored.id
    )
    versions = sorted(
        (stored for stored in scorecards if not stored.is_draft),
        key=lambda stored: (stored.title, stored.key, -stored.version),
    )
    return [*drafts, *versions]


def get(viewer: Viewer, grid_id: int) -> StoredScorecard:
    """Return that draft or version. Raise AccessDenied for an unknown id."""
    viewer.require(Permission.SEE_SCORECARDS)
    with store.reading() as session:
        row = session.execute(_select_with_counts(ScorecardVersion.id == grid_id)).one_or_none()
        if row is None:
            raise AccessDenied()
        return _build_stored(*row)


def has_criteria(row: ScorecardVersion) -> bool:
    """Return whether a version has criteria; one of imported scores has none."""
    return bool(row.content.get("section"))


def _select_with_counts(*conditions: sa.ColumnElement[bool]) -> Unscoped:
    evaluation_count = (
        sa.select(sa.func.count(Evaluation.id))
        .where(Evaluation.grid_id == ScorecardVersion.id)
        .scalar_subquery()
    )
    return Unscoped(
        sa.select(ScorecardVersion, evaluation_count).where(*conditions),
        "The use of a version of a scorecard is counted in the whole centre. Only a number is "
        "read.",
    )


def _build_stored(row: ScorecardVersion, evaluations: int) -> StoredScorecard:
    version = None if row.published_at is None else row.version
    return build_from_row(StoredScorecard, row, version=version, evaluations=evaluations)
