"""Saved views: pages as people set them, under a name, their own or shared.

A view holds the parameters of an address and never data: who opens it sees their own rows.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access import accounts
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal, require_known, require_length
from qa_core.base.i18n import N_
from qa_core.base.row_values import build_from_row
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.people import SavedView

SHARINGS = {"role": N_("People with my role"), "teams": N_("People of my teams")}
MAX_NAME, MAX_PARAMETERS, MAX_VIEWS = 60, 2000, 50


@dataclass(frozen=True)
class View:
    """View. `page`: its key in the menu; `owner`: who shares it, None for one's own."""

    id: int
    name: str
    page: str
    parameters: Mapping[str, Sequence[str]]
    shared_with: str | None
    owner: str | None = None


def find_views(viewer: Viewer) -> list[View]:
    """Find one's own views, then those that others share with this person, by name."""
    with store.reading() as session:
        others = SavedView.username != viewer.username
        is_seen = sa.or_(~others, SavedView.shared_with.is_not(None))
        rows = session.scalars(
            sa.select(SavedView).where(is_seen).order_by(others, SavedView.name, SavedView.id)
        )
        views = []
        for row in rows:
            owner = None
            if row.username != viewer.username:
                owner = _find_sharer(session, row, viewer)
                if owner is None:
                    continue
            views.append(build_from_row(View, row, owner=owner and owner.display_name))
        return views


def save(
    viewer: Viewer,
    name: str,
    page: str,
    parameters: Mapping[str, Sequence[str]],
    shared_with: str | None = None,
) -> None:
    """Save a page under a name; a view of that name is replaced. Raises Misuse for a bad
    name, Refusal for too many views or parameters, AccessDenied for who may not share.
    """
    name = _check(viewer, name, shared_with)
    kept = {key: list(values) for key, values in parameters.items()}
    if len(json.dumps(kept)) > MAX_PARAMETERS:
        raise Refusal("view_too_long", "Too many filters are set. Take some away, then save.")
    with store.writing() as session:
        own_views = session.scalars(sa.select(SavedView).filter_by(username=viewer.username)).all()
        row = next((view for view in own_views if view.name == name), None)
        if row is None:
            if len(own_views) >= MAX_VIEWS:
                raise Refusal(
                    "too_many_views",
                    "You have {n} views. Delete one, then save this one.",
                    n=MAX_VIEWS,
                )
            row = SavedView(username=viewer.username, name=name)
            session.add(row)
        row.page, row.parameters = page, kept
        _share(session, row, shared_with)


def change(viewer: Viewer, number: int, name: str, shared_with: str | None) -> None:
    """Give one of one's own views that name and that sharing. Raises what `save` raises."""
    name = _check(viewer, name, shared_with)
    with store.writing() as session:
        row = _get_own(session, viewer, number)
        same = sa.select(SavedView.id).filter_by(username=viewer.username, name=name)
        if session.scalar(same.where(SavedView.id != number)) is not None:
            raise Refusal(
                "view_name_taken", "{name} already exists. Choose another name.", name=name
            )
        row.name = name
        _share(session, row, shared_with)


def remove(viewer: Viewer, number: int) -> None:
    """Delete one of one's own views. Raises AccessDenied for any other."""
    with store.writing() as session:
        row = _get_own(session, viewer, number)
        _share(session, row, None)
        session.delete(row)


def find_sharings(viewer: Viewer) -> list[str]:
    """Find with whom this person may share views: `SHARINGS`, as far as they have teams."""
    if not viewer.can(Permission.SHARE_VIEWS):
        return []
    has_teams = bool(viewer.teams_on(environment.today()))
    return [key for key in SHARINGS if key != "teams" or has_teams]


def _check(viewer: Viewer, name: str, shared_with: str | None) -> str:
    if shared_with is not None:
        viewer.require(Permission.SHARE_VIEWS)
        require_known(shared_with, find_sharings(viewer), "unknown_sharing")
    name = " ".join(name.split())
    require_length(name, 1, MAX_NAME, "bad_view_name")
    return name


def _share(session: Session, row: SavedView, shared_with: str | None) -> None:
    """Share a view with them, or with nobody. The audit log records every write of a view that
    others see or saw, without its name.
    """
    before, row.shared_with = row.shared_with, shared_with
    if before is None and shared_with is None:
        return
    act = "shared" if before is None else "withdrawn" if shared_with is None else "changed"
    session.flush()
    what = f"view {row.id} of {row.page}"
    audit_log.record(session, row.username, f"view_{act}", what, reason=shared_with or "")


def _get_own(session: Session, viewer: Viewer, number: int) -> SavedView:
    row = session.get(SavedView, number)
    if row is None or row.username != viewer.username:
        raise AccessDenied()
    return row


def _find_sharer(session: Session, row: SavedView, viewer: Viewer) -> Viewer | None:
    """Find the owner of a view as of now, if it is shared with this person."""
    try:
        owner = accounts.get_viewer(session, row.username)
    except AccessDenied:
        return None
    today = environment.today()
    is_shared = (
        owner.role == viewer.role
        if row.shared_with == "role"
        else bool(owner.teams_on(today) & viewer.teams_on(today))
    )
    return owner if is_shared and owner.can(Permission.SHARE_VIEWS) else None
