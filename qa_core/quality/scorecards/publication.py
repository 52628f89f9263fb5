"""Publication: a draft becomes a numbered version that never changes."""

import tomllib
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, i18n
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.quality.scorecards import drafts
from qa_core.quality.scorecards.versions import has_criteria
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import ScorecardVersion

STARTERS = environment.PROJECT / "data" / "scorecards"
STARTER_PERMISSIONS = (Permission.PUBLISH_SCORECARDS, Permission.MANAGE_LISTENING)


def publish(viewer: Viewer, grid_id: int, edition: int) -> int:
    """Publish a draft as the next version, and return its number.

    Raise Refusal: `changed_meanwhile`, `bad_grid` while it has faults,
    `nothing_changed` when it equals the last version.
    """
    viewer.require(Permission.PUBLISH_SCORECARDS)
    with store.writing() as session:
        draft = drafts.get_draft(session, grid_id, edition)
        scorecard = scoring.parse_scorecard(draft.content)
        if not scorecard.title.strip():
            raise Refusal("bad_grid", "In the scorecard, {place} must be a text.", place="title")
        last = _find_last_version(session, draft.key)
        if (
            last is not None
            and has_criteria(last)
            and scoring.parse_scorecard(last.content) == scorecard
        ):
            raise Refusal("nothing_changed", "Nothing has changed.")
        _publish_row(session, viewer, draft, scorecard, (last.version if last else 0) + 1)
        return draft.version


def publish_starter(viewer: Viewer, key: str) -> int | None:
    """Publish the starter scorecard of that key (`customer-service`) unless a version
    exists. Return the id of the newest; None: no such starter.
    """
    if not any(viewer.can(permission) for permission in STARTER_PERMISSIONS):
        raise AccessDenied()
    content = read_starter(key)
    if content is None:
        return None
    with store.writing() as session:
        newest = _find_last_version(session, key)
        if newest is not None and has_criteria(newest):
            return newest.id
        version = newest.version + 1 if newest else 1
        row = ScorecardVersion(
            key=key,
            version=version,
            title=content["title"],
            content=content,
            created_by=viewer.username,
        )
        session.add(row)
        _publish_row(session, viewer, row, scoring.parse_scorecard(content), version)
        return row.id


def find_starters() -> list[str]:
    return sorted(file.stem.replace("_", "-") for file in STARTERS.glob("*.toml"))


def read_starter(key: str) -> dict[str, Any] | None:
    """Return the content of a starter scorecard; None for an unknown key."""
    if key not in find_starters():
        return None
    return tomllib.loads((STARTERS / f"{key.replace('-', '_')}.toml").read_text(encoding="utf-8"))


def name_starter(key: str) -> str:
    """Return the title of a starter scorecard in the reader's language."""
    return scoring.parse_scorecard(read_starter(key)).text.in_language(i18n.language())


def _find_last_version(session: Session, key: str) -> ScorecardVersion | None:
    return session.scalar(
        sa.select(ScorecardVersion)
        .where(ScorecardVersion.key == key, ScorecardVersion.published_at.is_not(None))
        .order_by(ScorecardVersion.version.desc())
        .limit(1)
    )


def _publish_row(
    session: Session,
    viewer: Viewer,
    row: ScorecardVersion,
    scorecard: scoring.Scorecard,
    version: int,
) -> None:
    row.version = version
    row.title = scorecard.title
    row.published_at = now()
    row.published_by = viewer.username
    session.flush()
    audit_log.record(session, viewer.username, "grid_publish", row.key, reason=f"version {version}")
