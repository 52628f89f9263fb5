"""Filling a grid in a real browser: the tab closed and opened again shows the same
answers, and the keyboard goes through the grid.
"""

from __future__ import annotations

import pytest
from builders import centre_with_calls
from builders.visitors import PASSWORD

from qa_core.access import accounts
from qa_core.access.roles import Viewer

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def draft(server) -> int:
    """The grid that Eve has begun on the call drawn for her."""
    centre_with_calls.build(
        lambda username, role, **bounds: accounts.add(
            Viewer.SYSTEM, username, role, password=PASSWORD, **bounds
        )
    )
    return centre_with_calls.start_draft()


def test_a_closed_tab_loses_no_answer(new_page, sign_in_as, draft) -> None:
    page = new_page()
    address = f"/evaluate?id={draft}"
    page.goto(address)
    sign_in_as(page, "eve")
    page.goto(address)
    first = page.locator(f"[class*='st-key-grid_{draft}_box_']").first
    first.get_by_role("radio").last.click()
    page.get_by_text("1 of ").wait_for()
    page.locator("textarea").last.fill("Warm and clear")
    page.locator("textarea").last.press("Tab")
    page.wait_for_timeout(2_000)

    again = page.context.new_page()
    page.close()
    again.goto(address)
    again.get_by_text("1 of ").wait_for()
    assert again.locator("textarea").last.input_value() == "Warm and clear"
    assert (
        again.locator(f"[class*='st-key-grid_{draft}_box_']")
        .first.get_by_role("radio")
        .last.get_attribute("aria-checked")
        == "true"
    )


def test_words_are_kept_while_they_are_typed(new_page, sign_in_as, draft) -> None:
    page = new_page()
    address = f"/evaluate?id={draft}"
    page.goto(address)
    sign_in_as(page, "eve")
    page.goto(address)
    page.locator(".player").get_by_role("button", name="Play").wait_for()
    words = page.locator("textarea").last
    words.fill("")
    words.press_sequentially("Names the day of delivery", delay=20)
    page.wait_for_timeout(4_000)
    assert words.evaluate("field => field.matches(':focus')")  # never left
    words.press_sequentially(", twice", delay=20)
    assert words.input_value() == "Names the day of delivery, twice"
    page.wait_for_timeout(4_000)

    again = page.context.new_page()
    page.close()
    again.goto(address)
    again.locator(".player").get_by_role("button", name="Play").wait_for()
    assert again.locator("textarea").last.input_value() == "Names the day of delivery, twice"
