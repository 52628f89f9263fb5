"""The first figures of a new centre, and notices of figures that were lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from builders.centres import add_people, contact, land
from builders.shown_texts import text_of
from streamlit.testing.v1 import AppTest

from qa_core.access import accounts, saved_views, service_tokens
from qa_core.access.accounts import AccountTerms
from qa_core.access.roles import Role, Viewer
from qa_core.analysis import targets
from qa_core.storage.records import store
from qa_core.ui.frame import menu

FIRST = date(2026, 5, 4)
WHY = "Without a figure, because missed contacts have no team"


def land_days(count: int) -> None:
    """Land four contacts of team Blue and a missed one without a team on each day."""
    rows = []
    for day in (FIRST + timedelta(days=place) for place in range(count)):
        rows += [contact(f"{day} 09:0{n}", f"{day} {n}", team="Blue") for n in range(4)]
        rows.append(contact(f"{day} 10:00", f"{day} missed", outcome="abandoned"))
    land(rows)


@pytest.fixture
def manager(add_person: Callable[..., str]) -> str:
    add_people(teams={"Blue": "Lyon"})
    return add_person("max", "manager", sites=("Lyon",), sees_unassigned=True)


def viewer_of(name: str) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, name)


def test_a_manager_of_a_new_centre_reads_contacts_by_day_and_what_is_missing(
    manager: str, open_app: Callable[..., AppTest]
) -> None:
    land_days(2)
    assert menu.find_first(viewer_of(manager)).key == "first_figures"

    app = open_app(manager, "first_figures")

    assert not app.exception and not app.metric
    assert "10 contacts received" in text_of(app)
    lacking, days = (frame.value.to_dict("records") for frame in app.dataframe)
    assert [(line["Day"], line["Received"], line["Missed"]) for line in days] == [
        ("4 May 2026", 5, 1),
        ("5 May 2026", 5, 1),
    ]
    states = {line["KPI"]: line["State"] for line in lacking}
    assert states["Answer rate"] == "80.0\u202f% · n = 10 · small sample"
    assert states["Customer satisfaction"] == "no data"


def test_a_manager_without_a_site_reads_that_the_sites_are_not_in_the_figures(
    manager: str, add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    land_days(2)
    rest = add_person("mo", "manager", sees_unassigned=True)
    without = "Without sites, a manager sees only what belongs to no site."

    assert without in open_app(rest, "overview").info[0].value
    assert not open_app(manager, "overview").info


def test_after_four_weeks_a_manager_starts_elsewhere(manager: str) -> None:
    land_days(28)

    page = menu.find_page("first_figures")
    assert menu.find_first(viewer_of(manager)).key == "first_contact"
    assert not page.is_listed_for(viewer_of(manager)) and page.is_open_to(viewer_of(manager))


def test_no_small_sample_leads_a_page_without_a_word(
    manager: str, open_app: Callable[..., AppTest]
) -> None:
    land_days(2)

    app = open_app(manager, "overview", period="all")

    assert "Too few contacts for a firm figure" not in text_of(app)  # contacts received lead it
    rated = [contact("2026-05-04 11:00", f"r{n}", team="Blue", csat=5.0, csat_scale="1-5")
             for n in range(3)]  # fmt: skip
    land(rated, "rated")
    app = open_app(manager, "satisfaction", period="all")
    assert "Too few contacts for a firm figure" in text_of(app)


def test_owners_read_once_what_lost_its_figure(
    manager: str, add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    land_days(30)
    narrow = viewer_of(add_person("nina", "manager", sites=("Lyon",)))
    root = viewer_of(add_person("root", "admin"))
    for viewer in (viewer_of(manager), narrow):
        for key in ("answer_rate", "csat"):
            targets.set_target(viewer, key, "0.9", "team", "Blue")
    saved_views.save(narrow, "Monday", "overview", {})
    service_tokens.add(root, "script", AccountTerms(Role.TEAM_LEAD, teams=("Blue",)))
    [request] = accounts.find_requests(narrow)
    accounts.confirm(narrow, request.id)

    assert WHY not in text_of(open_app(manager, "targets"))
    app = open_app("nina", "targets")
    assert app.info[0].value.replace("\\", "") == f"{WHY}: Answer rate."
    next(button for button in app.button if button.key == "close_targets").click().run()
    assert WHY not in text_of(app) and WHY not in text_of(open_app("nina", "targets"))
    assert f"{WHY}: script." in text_of(open_app("root", "service_tokens")).replace("\\", "")
