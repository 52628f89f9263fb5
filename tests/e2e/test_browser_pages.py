"""Every page of every role in a real browser, over a small demo centre: it opens, says
nothing it must not, and leads on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from builders import demo_centre
from builders.forked_python import forked_python
from builders.long_seeds import leave_to_long
from builders.servers import Server, living_in, serve

from qa_core.access import accounts
from qa_core.access.roles import Role, Viewer
from qa_core.cli import demo
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.storage.records import store
from qa_core.storage.records.people import Advisor
from qa_core.ui.frame import menu

pytestmark = pytest.mark.browser
PLANS = {
    "a quarter": demo_centre.RECENT,
    # More than a year, so that every card has something to show.
    "fifteen months": demo.DemoPlan.until_yesterday(15, 12, 6_000),
}
TITLES = {"first_contact": "First-contact resolution"}
"""Pages that call themselves otherwise than the menu does."""


@pytest.fixture(scope="module", params=leave_to_long(PLANS, but=["a quarter"]))
def server(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    build_once: Callable[..., Any],
) -> Iterator[Server]:
    """A server over a small demo centre, for this file of tests, which only read it."""
    folder: Path = tmp_path_factory.mktemp("centre")
    with living_in(folder):
        demo_centre.fill(folder, build_once, PLANS[request.param])
        with serve(folder, python=forked_python()) as running:
            yield running


@dataclass
class Heard:
    """What the browser complained of, and all that the server sent to it."""

    complaints: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)

    def listen(self, page) -> None:
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("websocket", lambda socket: socket.on("framereceived", self._take))

    def names_among(self, names: list[str]) -> list[str]:
        everything = b"".join(self.sent).decode("utf-8", errors="ignore")
        return [name for name in names if name in everything]

    def _take(self, payload: str | bytes) -> None:
        self.sent.append(payload.encode() if isinstance(payload, str) else payload)

    def _note(self, message) -> None:
        # Streamlit asks below the page's own address first, and finds nothing there.
        if message.type == "error" and not (
            "404" in message.text and "/_stcore/" in message.location.get("url", "")
        ):
            self.complaints.append(f"{message.text} {message.location.get('url', '')}")


def sign_in_of(role: Role) -> dict[str, str]:
    return next(entry for entry in demo.sign_ins() if entry["role"] == role)


def viewer_of(role: Role) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, sign_in_of(role)["username"])


def listed_pages(role: Role) -> list[menu.MenuPage]:
    viewer = viewer_of(role)
    return [
        page
        for pages in menu.find_sections(viewer).values()
        for page in pages
        if page.is_listed_for(viewer) and page.key != menu.FIND
    ]


def names_of_advisors() -> list[str]:
    with store.reading() as session:
        return list(session.scalars(sa.select(Advisor.name)))


def settle(page) -> None:
    """Wait until the server has nothing more to say."""
    page.locator("[data-test-script-state='notRunning']").wait_for(state="attached")
    page.locator("[data-testid='stSkeleton']").first.wait_for(state="detached")


def titles_in_menu(page) -> list[str]:
    lines = page.get_by_test_id("stSidebarNav").get_by_role("link")
    lines.first.wait_for()
    # The first line of each is the name of its icon.
    return [text.strip().splitlines()[-1] for text in lines.all_inner_texts()]


def go_to(page, key: str, title: str) -> None:
    """Open a page by its line in the menu."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True).click()
    page.wait_for_url(re.compile(rf"/{key}(\?|$)"))
    page.get_by_role("heading", level=1, name=TITLES.get(key, title), exact=True).wait_for()
    settle(page)
    assert page.title() == f"{title} · Écoute"


@pytest.fixture
def enter(new_page, let_in):
    """A browser in which that role has signed in at that address, and what is heard in
    it.
    """

    def open_for(role: Role, address: str = "/", **options):
        page, heard = new_page(**options), Heard()
        heard.listen(page)
        entry = sign_in_of(role)
        let_in(page, entry["username"], entry["password"])
        page.goto(address)
        page.get_by_role("button", name="Sign out").wait_for()
        settle(page)
        return page, heard

    return open_for


def assert_sound(page, looks_at_colours: bool = True) -> None:
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_text("Something went wrong").count() == 0
    assert find_barriers(page, looks_at_colours) == []


def find_barriers(page, looks_at_colours: bool) -> list[str]:
    """What axe finds serious or critical: colours too close, parts without a name."""
    rules = {"color-contrast": {"enabled": looks_at_colours}}
    found = Axe().run(page, options={"resultTypes": ["violations"], "rules": rules})
    return [
        f"{found['id']}: {found['nodes'][0]['html'][:200]}"
        for found in found.response["violations"]
        if found["impact"] in ("serious", "critical")
    ]


def assert_fits_a_telephone(page) -> None:
    """Nothing sticks out to the right at 390 pixels; the page is as wide as before
    afterwards.
    """
    usual = page.viewport_size
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.querySelector('[data-testid=stMain]').clientWidth <= 390")
    page.wait_for_function(
        "(main => main.scrollWidth <= "
        "main.clientWidth)(document.querySelector('[data-testid=stMain]'))"
    )
    page.set_viewport_size(usual)


EVERY_PAGE = {page.key for page in menu.all_pages()}
IN_COLOURS = {"first_contact", "traffic", "satisfaction", "scorecards"}
"""Pages of a run of every day whose colours are looked at, which takes longest: with charts,
tables of marks and a form.
"""


# `test_pages.py` opens the pages of every role without a browser.
@pytest.mark.parametrize(
    ("role", "in_colours"),
    leave_to_long(
        [(Role.MANAGER, IN_COLOURS), *((role, EVERY_PAGE) for role in Role)],
        but=[(Role.MANAGER, IN_COLOURS)],
    ),
)
def test_every_page_of_the_menu_opens_without_an_error(
    enter, role: Role, in_colours: set[str]
) -> None:
    page, heard = enter(role)
    page.wait_for_url(re.compile(rf"/{menu.find_first(Viewer('someone', role)).key}(\?|$)"))
    page.get_by_role("heading", level=1).first.wait_for()
    assert_fits_a_telephone(page)
    mine = listed_pages(role)
    assert_sound(page)
    # Streamlit draws no menu of one line.
    if len(mine) > 1:
        assert titles_in_menu(page) == ["Find", *(entry.title for entry in mine)]
    for entry in [*mine[1:], menu.find_page(menu.FIND)]:
        go_to(page, entry.key, entry.title)
        assert_sound(page, entry.key in in_colours)

    assert heard.complaints == []
    met = heard.names_among(names_of_advisors())
    if role == Role.EXECUTIVE:
        assert met == []
    if role == Role.MANAGER:
        assert met  # the same look finds names where they may be seen


def test_an_advisor_meets_their_own_contacts_only_and_no_page_about_others(enter) -> None:
    viewer = viewer_of(Role.ADVISOR)
    page, heard = enter(Role.ADVISOR, "/contacts?period=all")
    own = query.count_contacts(viewer, Filters())
    assert 0 < own < query.count_contacts(Viewer.SYSTEM, Filters())
    page.get_by_role("heading", name=f"{formatting.number(own)} contacts", exact=True).wait_for()
    settle(page)
    with store.reading() as session:
        own_name = session.scalar(
            sa.select(Advisor.name).where(Advisor.advisor_id == viewer.advisor_id)
        )
    assert set(heard.names_among(names_of_advisors())) <= {own_name}

    page.goto("/advisors")
    page.get_by_text("You do not have access to this, or it does not exist.").wait_for()
    assert page.get_by_role("heading", name="Advisors").count() == 0


def test_the_filters_of_the_address_survive_a_reload(enter) -> None:
    channel = query.find_values(viewer_of(Role.MANAGER), "channel")[0][0]
    address = f"/first_contact?period=91d&channel={channel}"
    page, _heard = enter(Role.MANAGER, address)
    for _time in range(2):
        page.get_by_role("heading", level=1, name="First-contact resolution").wait_for()
        page.get_by_role(
            "button", name=f"Channel: {formatting.name('channel', channel)}"
        ).wait_for()
        page.get_by_role("button", name="13 weeks").wait_for()
        settle(page)
        assert page.url.endswith(address)
        page.reload()


def test_the_period_that_is_shown_is_the_one_that_is_ticked_whenever_its_list_is_first_opened(
    enter,
) -> None:
    page, _heard = enter(Role.MANAGER, "/overview")
    settle(page)
    queue = query.find_values(viewer_of(Role.MANAGER), "queue")[0][0]
    page.get_by_role("button", name="Queue", exact=False).first.click()
    page.get_by_role("button", name=queue, exact=True).click()
    page.get_by_role("button", name=f"Queue: {queue}").wait_for()
    settle(page)
    page.keyboard.press("Escape")

    page.get_by_role("button", name="28 days").click()

    assert page.get_by_role("radio", name="Page default: 28 days").is_checked()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Traffic").click()
    page.get_by_role("heading", level=1, name="Traffic").wait_for()
    page.get_by_role("button", name="28 days").wait_for()


def test_a_line_of_a_table_leads_to_the_advisor_their_contacts_and_from_there_to_one_of_them(
    enter,
) -> None:
    page, heard = enter(Role.MANAGER, "/advisors")
    # A canvas has no element for a cell: the second cell of the first line, under the
    # line of headers.
    table = page.get_by_test_id("stDataFrame").last
    table.scroll_into_view_if_needed()
    table.click(position={"x": 60, "y": 54})
    page.wait_for_url("**/advisor?*id=*")
    settle(page)
    page.get_by_role("button", name="Contacts", exact=True).click()
    page.wait_for_url("**/contacts?*advisor=*")
    page.get_by_role("button", name=re.compile("^close Advisor: |^Advisor: ")).wait_for()
    settle(page)
    listed = page.url
    page.get_by_test_id("stDataFrame").click(position={"x": 60, "y": 54})
    page.wait_for_url("**/contact?*id=*")
    page.get_by_text("Where and who").wait_for()
    assert_sound(page)
    page.go_back()
    page.wait_for_url(listed)
    page.get_by_role("button", name=re.compile("^close Advisor: |^Advisor: ")).wait_for()
    settle(page)
    page.go_forward()
    page.get_by_text("Where and who").wait_for()
    page.get_by_role("link", name="Contacts").last.click()
    page.wait_for_url("**/contacts?*advisor=*")
    assert heard.complaints == []


def test_a_french_browser_reads_french(new_page) -> None:
    page, entry = new_page(locale="fr-FR"), sign_in_of(Role.MANAGER)
    page.goto("/first_contact")
    page.get_by_label("Identifiant", exact=True).fill(entry["username"])
    page.get_by_label("Mot de passe", exact=True).fill(entry["password"])
    page.get_by_role("button", name="Se connecter").click()
    page.get_by_role(
        "heading", level=1, name="Résolution au premier contact", exact=False
    ).wait_for()
    settle(page)
    assert titles_in_menu(page)[:9] == [
        "Rechercher",
        "Vue d’ensemble",
        "Trafic",
        "Rappels",
        "Premier contact",
        "Synthèse de direction",
        "Satisfaction",
        "Irritants",
        "Sources",
    ]
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Conseillers", exact=True).click()
    page.get_by_role("heading", level=1, name="Conseillers", exact=True).wait_for()


@pytest.mark.long
def test_a_slash_opens_the_search_and_the_keyboard_alone_leads_to_a_result(enter) -> None:
    page, heard = enter(Role.TEAM_LEAD, "/overview")
    page.get_by_role("heading", level=1, name="Overview").wait_for()
    page.keyboard.press("/")
    page.wait_for_url("**/find")
    field = page.get_by_role("textbox", name="Find")
    field.wait_for()
    page.wait_for_function("document.activeElement.getAttribute('aria-label') === 'Find'")

    page.keyboard.type("coach/")
    assert field.input_value() == "coach/"  # a slash in a field is a sign like any other
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Pages").wait_for()
    settle(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    page.wait_for_url("**/coaching")
    assert heard.complaints == []


@pytest.mark.long
def test_a_page_is_saved_as_it_is_set_and_opens_so_from_another_page(enter) -> None:
    queue = query.find_values(viewer_of(Role.TEAM_LEAD), "queue")[0][0]
    page, heard = enter(Role.TEAM_LEAD, f"/overview?period=91d&queue={queue}")
    page.get_by_role("heading", level=1, name="Overview").wait_for()
    page.get_by_role("button", name="Saved views").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Name").fill("A quarter of it")
    dialog.get_by_role("button", name="Save").dblclick()
    dialog.get_by_role("link", name="A quarter of it").wait_for()
    settle(page)
    assert not dialog.get_by_role("alert").is_visible()
    page.keyboard.press("Escape")

    page.goto("/satisfaction")
    page.get_by_role("button", name="28 days").wait_for()
    page.get_by_role("button", name="Saved views").click()
    page.get_by_role("dialog").get_by_role("link", name="A quarter of it").click()

    page.wait_for_url(re.compile(r"/overview\?.*period=91d"))
    page.get_by_role("heading", level=1, name="Overview").wait_for()
    page.get_by_role("button", name=f"Queue: {queue}").wait_for()
    page.get_by_role("button", name="13 weeks").wait_for()
    assert heard.complaints == []


@pytest.mark.long
def test_the_board_sheet_prints_on_one_sheet(enter) -> None:
    page, _heard = enter(Role.EXECUTIVE, "/board")
    page.get_by_role("heading", name="Cost per resolved contact", exact=False).wait_for()
    settle(page)

    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) == 1
    page.emulate_media(media="print")
    assert not page.get_by_role("button", name="Sign out").is_visible()
