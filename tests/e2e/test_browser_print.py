"""The page Satisfaction on paper: one sheet, without what only a screen can use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders.servers import Server, living_in, serve
from builders.visitors import PASSWORD

from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.cli import demo
from qa_core.storage.records import store

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over a small demo centre of more than a year, so that every card has
    something to show.
    """
    folder: Path = tmp_path_factory.mktemp("centre")
    with living_in(folder):
        store.migrate()
        demo.build(Viewer.SYSTEM, plan=demo.DemoPlan.until_yesterday(15, 12, 6_000))
        accounts.add(Viewer.SYSTEM, "rex", "executive", password=PASSWORD)
        with serve(folder) as running:
            yield running


def test_satisfaction_prints_on_one_sheet_without_menu_and_filters(
    server: Server, new_page, sign_in_as
) -> None:
    page = new_page()
    page.goto("/")
    sign_in_as(page, "rex")
    page.get_by_role("link", name="Satisfaction").click()
    page.get_by_role("heading", name="Who would recommend the centre").wait_for()
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()

    sheets = re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))

    assert len(sheets) == 1
    page.emulate_media(media="print")
    assert page.get_by_role("heading", name="Satisfaction", exact=True).is_visible()
    assert not page.get_by_role("button", name="Sign out").is_visible()
    assert not page.locator(".st-key-filter_bar").is_visible()
