"""Saved views: whose they are, whom they are shared with, and when they go."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, land

from qa_core.access import accounts, saved_views
from qa_core.access.roles import Viewer
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.storage.records import changes, store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.people import SavedView
from qa_core.upkeep import subjects

SYSTEM = Viewer.SYSTEM
BILLING = {"queue": ["Billing"], "period": ["91d"]}


@pytest.fixture
def people(centre: Path, add_person: Callable[..., str]) -> Path:
    """Leads of Blue (two) and of Red, a manager of Blue's site, an advisor."""
    add_people({"a1": "Ann"}, {"Blue": "Lyon", "Red": "Nice"})
    add_person("lea", "team_lead", teams=("Blue",), display_name="Léa")
    add_person("leo", "team_lead", teams=("Blue",))
    add_person("luc", "team_lead", teams=("Red",))
    add_person("maria", "manager", sites=("Lyon",))
    add_person("ann", "advisor", advisor_id="a1")
    return centre


def viewer_of(username: str) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, username)


def names_of(username: str) -> list[str]:
    return [view.name for view in saved_views.find_views(viewer_of(username))]


def read_acts() -> list[tuple[str, ...]]:
    with store.reading() as session:
        rows = session.scalars(
            sa.select(JournalRow).filter(JournalRow.action.like("view%")).order_by(JournalRow.seq)
        )
        return [(row.actor, row.action, row.object, row.reason) for row in rows]


def count_rows() -> int:
    with store.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(SavedView))


def test_a_view_is_found_renamed_and_deleted_by_its_owner_alone(people: Path) -> None:
    lea = viewer_of("lea")
    saved_views.save(lea, "  Billing,  quarter ", "overview", BILLING)
    [view] = saved_views.find_views(lea)
    assert (view.name, view.page, view.parameters) == ("Billing, quarter", "overview", BILLING)
    assert view.owner is None and names_of("leo") == []

    for other in ("leo", "maria"):
        with pytest.raises(AccessDenied):
            saved_views.change(viewer_of(other), view.id, "Mine", None)
        with pytest.raises(AccessDenied):
            saved_views.remove(viewer_of(other), view.id)

    saved_views.change(lea, view.id, "Quarter", None)
    assert names_of("lea") == ["Quarter"]
    saved_views.remove(lea, view.id)
    assert names_of("lea") == []


def test_the_same_name_replaces_a_view_and_bad_ones_are_refused(people: Path) -> None:
    lea = viewer_of("lea")
    saved_views.save(lea, "Billing", "overview", BILLING)
    saved_views.save(lea, "Billing", "traffic", {})
    saved_views.save(lea, "Other", "traffic", {})
    first, other = saved_views.find_views(lea)
    assert (first.name, first.page, first.parameters) == ("Billing", "traffic", {})

    with pytest.raises(Refusal, match="Billing already exists"):
        saved_views.change(lea, other.id, "Billing", None)
    for name in ("", "  ", "x" * 61):
        with pytest.raises(Misuse, match="1 to 60 characters"):
            saved_views.save(lea, name, "overview", {})
    with pytest.raises(Refusal, match="Too many filters"):
        saved_views.save(lea, "Long", "overview", {"queue": ["x" * 3000]})
    for number in range(saved_views.MAX_VIEWS - 2):
        saved_views.save(lea, f"view {number}", "overview", {})
    with pytest.raises(Refusal, match="You have 50 views"):
        saved_views.save(lea, "One more", "overview", {})


def test_a_view_is_shared_with_ones_role_or_ones_teams(people: Path) -> None:
    lea = viewer_of("lea")
    saved_views.save(lea, "For leads", "overview", BILLING, "role")
    saved_views.save(lea, "For Blue", "overview", BILLING, "teams")

    assert names_of("leo") == ["For Blue", "For leads"]
    assert names_of("luc") == ["For leads"]
    assert names_of("maria") == ["For Blue"]
    assert names_of("ann") == []
    assert {view.owner for view in saved_views.find_views(viewer_of("luc"))} == {"Léa"}

    # Who leads Red from now on shares nothing with Blue any more.
    accounts.change(SYSTEM, "lea", accounts.AccountTerms("team_lead", teams=("Red",)))
    assert names_of("maria") == [] and names_of("luc") == ["For Blue", "For leads"]
    # And who may not share any more shares with nobody, not even with the new role.
    accounts.change(SYSTEM, "lea", accounts.AccountTerms("advisor", advisor_id="a1"))
    assert names_of("ann") == names_of("luc") == []


def test_the_audit_log_has_every_write_that_changes_what_others_see(people: Path) -> None:
    lea = viewer_of("lea")
    saved_views.save(lea, "About Ann", "overview", BILLING)
    [view] = saved_views.find_views(lea)
    saved_views.change(lea, view.id, "About Ann, weekly", None)
    assert read_acts() == []

    saved_views.change(lea, view.id, "About Ann, weekly", "role")
    saved_views.change(lea, view.id, "About Ann, daily", "teams")
    saved_views.save(lea, "About Ann, daily", "traffic", {}, "teams")
    saved_views.change(lea, view.id, "About Ann", None)
    saved_views.save(lea, "About Ann", "traffic", {}, "role")
    saved_views.remove(lea, view.id)

    assert read_acts() == [
        ("lea", "view_shared", f"view {view.id} of overview", "role"),
        ("lea", "view_changed", f"view {view.id} of overview", "teams"),
        ("lea", "view_changed", f"view {view.id} of traffic", "teams"),
        ("lea", "view_withdrawn", f"view {view.id} of traffic", ""),
        ("lea", "view_shared", f"view {view.id} of traffic", "role"),
        ("lea", "view_withdrawn", f"view {view.id} of traffic", ""),
    ]


def test_who_may_not_share_saves_for_themselves(people: Path) -> None:
    ann = viewer_of("ann")
    assert saved_views.find_sharings(ann) == []
    with pytest.raises(AccessDenied):
        saved_views.save(ann, "Mine", "my_quality", {}, "role")
    saved_views.save(ann, "Mine", "my_quality", {})
    assert names_of("ann") == ["Mine"]
    with pytest.raises(Misuse, match="everybody is unknown here"):
        saved_views.save(viewer_of("lea"), "All", "overview", {}, "everybody")


def test_the_views_of_who_leaves_are_deleted_with_the_closing(people: Path) -> None:
    saved_views.save(viewer_of("lea"), "For Blue", "overview", BILLING, "teams")
    saved_views.save(viewer_of("leo"), "Mine", "overview", BILLING)

    accounts.disable(SYSTEM, "lea")

    assert names_of("leo") == ["Mine"] and count_rows() == 1
    accounts.enable(SYSTEM, "lea")
    assert names_of("lea") == []


def test_a_copy_of_ones_data_has_ones_views_and_an_erasure_takes_every_mention(
    people: Path,
) -> None:
    land([contact("2026-10-20 09:00", "c1", advisor_id="a1", team="Blue")])
    saved_views.save(viewer_of("ann"), "Mine", "my_quality", {"period": ["7d"]})
    saved_views.save(viewer_of("lea"), "By id", "advisor", {"id": ["a1"]})
    saved_views.save(viewer_of("lea"), "By name", "contacts", {"advisor": ["Ann"]})
    saved_views.save(viewer_of("lea"), "About Ann", "overview", BILLING)
    saved_views.save(viewer_of("lea"), "Billing", "overview", BILLING)

    with zipfile.ZipFile(BytesIO(subjects.export(SYSTEM, advisor="a1"))) as archive:
        found = json.loads(archive.read("data.json"))["saved_view"]
    assert [(row["name"], row["parameters"]) for row in found] == [("Mine", {"period": ["7d"]})]

    subjects.erase(SYSTEM, advisor="a1")
    assert names_of("lea") == ["Billing"] and count_rows() == 1


def test_saving_a_view_leaves_what_is_cached_of_figures_alone(people: Path) -> None:
    with store.reading() as session:
        before = changes.find_marks(session)
    saved_views.save(viewer_of("lea"), "Billing", "overview", BILLING)
    with store.reading() as session:
        assert changes.find_marks(session) == before
