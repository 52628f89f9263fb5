"""The dialog of saved views: a shared view opens on what its reader may see. A page is
saved in a browser (tests/e2e).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders.centres import add_people, contact, land
from builders.shown_texts import text_of
from streamlit.testing.v1 import AppTest

from qa_core.access import accounts, saved_views
from qa_core.access.roles import Viewer
from qa_core.storage.records import store
from qa_core.ui import saved_views as dialog

SYSTEM = Viewer.SYSTEM


@pytest.fixture
def teams(centre: Path, add_person: Callable[..., str]) -> Path:
    add_people({"a1": "Ann", "a3": "Anita"}, {"Blue": "Lyon", "Red": "Nice"})
    add_person("lea", "team_lead", teams=("Blue",))
    add_person("luc", "team_lead", teams=("Red",))
    add_person("maria", "manager", sites=("Lyon", "Nice"))
    land(
        [
            contact("2026-10-20 09:00", "T1", advisor_id="a1", team="Blue", queue="Billing"),
            contact("2026-10-20 11:00", "T3", advisor_id="a3", team="Red", queue="Sales"),
        ]
    )
    return centre


def viewer_of(username: str) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, username)


def open_dialog(app: AppTest) -> AppTest:
    return app.button(key="saved_views").click().run()


def links_of(app: AppTest) -> dict[str, Any]:
    return {
        link.proto.label: link.proto.query_string
        for link in app.get("page_link")
        if link.proto.label.startswith("View")
    }


def test_a_reader_without_a_view_is_told_how_to_save_one(
    teams: Path, open_app: Callable[..., AppTest]
) -> None:
    app = open_dialog(open_app("lea", "overview"))

    assert "You have no saved view yet" in text_of(app) and "Save the page Overview" in text_of(app)
    assert "Save the page" not in text_of(open_dialog(open_app("lea", "my_account")))


def test_a_shared_view_names_no_team_that_its_reader_does_not_see(
    teams: Path, open_app: Callable[..., AppTest]
) -> None:
    maria = viewer_of("maria")
    parameters = {"team": ["Red", "Blue"], "queue": ["Sales"], "period": ["28d"]}
    saved_views.save(maria, "View of teams", "overview", parameters, "teams")
    saved_views.save(maria, "View of Anita", "advisor", {"id": ["a3"]}, "teams")
    saved_views.save(maria, "View of disputes", "disputes", {}, "teams")

    lea = open_dialog(open_app("lea", "overview"))
    assert links_of(lea) == {"View of teams": "team=Blue&period=28d"}
    assert "Shared with me" in text_of(lea) and "Anita" not in text_of(lea)
    assert "some of its filters are left out" in text_of(lea)

    luc = open_dialog(open_app("luc", "overview"))
    assert links_of(luc) == {
        "View of Anita": "id=a3",
        "View of teams": "team=Red&queue=Sales&period=28d",
    }


def test_a_view_whose_queue_is_gone_says_that_it_opens_without_it(
    teams: Path, open_app: Callable[..., AppTest]
) -> None:
    maria = viewer_of("maria")
    saved_views.save(maria, "View of billing", "overview", {"queue": ["Billing"]})
    assert "left out" not in text_of(open_dialog(open_app("maria", "overview")))

    saved_views.save(maria, "View of orders", "overview", {"queue": ["Orders"]})

    assert "some of its filters are left out: you see no such contacts" in text_of(
        open_dialog(open_app("maria", "overview"))
    )


def test_a_view_that_outlived_its_owners_scope_names_nothing_beyond_it(teams: Path) -> None:
    lea = viewer_of("lea")
    saved_views.save(lea, "View", "overview", {"team": ["Blue"], "measure": ["csat"]})
    accounts.change(SYSTEM, "lea", accounts.AccountTerms("team_lead", teams=("Red",)))
    # What happened while she led Blue stays hers; of Blue there is nothing since.
    luc = viewer_of("luc")
    [view] = saved_views.find_views(viewer_of("lea"))

    assert dialog.visible_parameters(luc, view) == {"measure": ["csat"]}


def test_an_own_view_of_an_advisor_who_left_the_scope_is_listed_without_a_link(
    teams: Path, open_app: Callable[..., AppTest]
) -> None:
    saved_views.save(viewer_of("lea"), "View of Anita", "advisor", {"id": ["a3"]})

    app = open_dialog(open_app("lea", "overview"))

    assert links_of(app) == {} and "View of Anita" in text_of(app)
    assert [button.label for button in app.button].count("Delete") == 1
