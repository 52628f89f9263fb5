"""Drafts of scorecards, saved complete or not until published or deleted."""

import json
import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied, Misuse, Refusal, require_version
from qa_core.base.i18n import N_
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import ScorecardVersion

KEY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MAX_KEY = 60
LARGEST = 400_000
"""Maximum characters of a scorecard; real ones have tens of thousands."""
FIRST_NUMBER = -1
"""Number of the first draft. Drafts count downwards, unlike versions."""


def create_draft(
    viewer: Viewer,
    key: str,
    content: Mapping[str, Any] | None = None,
    *,
    from_version: int | None = None,
) -> int:
    """Create a draft of `key` from content, a version or draft, or empty. Return its id."""
    viewer.require(Permission.EDIT_SCORECARDS)
    with store.writing() as session:
        if from_version is not None:
            source = session.get(ScorecardVersion, from_version)
            if source is None:
                raise AccessDenied()
            content = source.content
        lowest = session.scalar(
            sa.select(sa.func.min(ScorecardVersion.version)).where(ScorecardVersion.key == key)
        )
        if lowest is None and (len(key) > MAX_KEY or not KEY.fullmatch(key)):
            message = N_(
                "{key} cannot name a scorecard. Use small letters, digits and single dashes, "
                "{most} at most, such as customer-service."
            )
            raise Misuse("bad_grid_key", message, key=key or "–", most=MAX_KEY)
        kept = _normalise(content or {})
        draft = ScorecardVersion(
            key=key,
            version=min(lowest or 0, FIRST_NUMBER + 1) - 1,
            title=_title_of(kept, key),
            content=kept,
            created_by=viewer.username,
        )
        session.add(draft)
        session.flush()
        audit_log.record(session, viewer.username, "grid_draft_saved", key)
        return draft.id


def save_draft(viewer: Viewer, grid_id: int, edition: int, content: Mapping[str, Any]) -> int:
    """Save a draft with its faults; return its new edition. Raise Refusal `changed_meanwhile`."""
    viewer.require(Permission.EDIT_SCORECARDS)
    kept = _normalise(content)
    with store.writing() as session:
        draft = get_draft(session, grid_id, edition)
        draft.content = kept
        draft.title = _title_of(kept, draft.key)
        draft.edition += 1
        audit_log.record(session, viewer.username, "grid_draft_saved", draft.key)
        return draft.edition


def delete_draft(viewer: Viewer, grid_id: int) -> None:
    """Delete a draft. Raise AccessDenied for a published version."""
    viewer.require(Permission.EDIT_SCORECARDS)
    with store.writing() as session:
        draft = get_draft(session, grid_id)
        session.delete(draft)
        audit_log.record(session, viewer.username, "grid_draft_deleted", draft.key)


def get_draft(session: Session, grid_id: int, edition: int | None = None) -> ScorecardVersion:
    """Return the draft at that edition; every change passes here, so no published one changes."""
    draft = session.get(ScorecardVersion, grid_id)
    if draft is None or draft.published_at is not None:
        raise AccessDenied(
            N_(
                "This draft does not exist. A published version never changes: start a new draft "
                "from it."
            )
        )
    if edition is not None:
        require_version(draft.edition, edition)
    return draft


def _normalise(content: Mapping[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(content, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Refusal(
            "bad_grid", "A scorecard may contain only texts, numbers, true and false."
        ) from error
    if len(text) > LARGEST:
        raise Refusal(
            "grid_too_large",
            "This scorecard has more than {most} characters. Shorten its texts.",
            most=LARGEST,
        )
    return json.loads(text)


def _title_of(content: Mapping[str, Any], key: str) -> str:
    title = content.get("title")
    return title.strip() if isinstance(title, str) and title.strip() else key
