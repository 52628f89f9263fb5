"""Satisfaction on paper, as an executive of a centre whose answers are published prints it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from builders.centres import add_people
from builders.forked_python import forked_python
from builders.published import land_all, of_queue
from builders.servers import Server, living_in, serve
from builders.visitors import PASSWORD

from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.storage.records import store

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over a month of three queues, in each of which eight advisors were rated."""
    folder = tmp_path_factory.mktemp("centre")
    with living_in(folder):
        store.migrate()
        add_people({f"a{number}": f"Advisor {number}" for number in range(8)})
        rows = [of_queue(queue, 8, 30) for queue in ("Orders", "Returns", "Other")]
        land_all(
            *(
                [
                    {**row, "nps": number % 11, "ces": 1.0 + number % 7, "survey_sent": True}
                    for number, row in enumerate(group)
                ]
                for group in rows
            )
        )
        accounts.add(Viewer.SYSTEM, "rex", "executive", password=PASSWORD)
        with serve(folder, python=forked_python()) as running:
            yield running


def test_satisfaction_prints_with_its_tables_and_without_menu_and_filters(new_page, let_in) -> None:
    page = new_page()
    let_in(page, "rex")
    page.goto("/satisfaction")
    page.get_by_role("heading", name=re.compile("of surveyed customers answered")).wait_for()
    page.locator("[data-test-script-state='notRunning']").wait_for(state="attached")
    page.locator("[data-testid='stSkeleton']").first.wait_for(state="detached")

    sheets = re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))

    assert len(sheets) == 1  # with the tables
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 between its margins
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    charts = [chart.bounding_box() for chart in page.locator("svg.main-svg").all()]
    assert charts and all(box["x"] + box["width"] <= 718 for box in charts if box)
    assert page.get_by_role("table").first.is_visible()
    assert page.get_by_role("heading", name="Satisfaction", exact=True).is_visible()
    assert not page.get_by_role("button", name="Sign out").is_visible()
    assert not page.locator(".st-key-filter_bar").is_visible()
