"""Filling a grid in a real browser: the tab closed and opened again shows the same
answers, and the keyboard goes through the grid.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from builders import centre_with_calls
from builders.visitors import PASSWORD

from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.quality.evaluations import drafts

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


def wait_until_stored(page, draft: int, words: str) -> None:
    """Wait until the comment on the whole call is stored so, which the page does by itself."""
    eve = centre_with_calls.viewer_of("eve")
    for _ in range(1_800):
        if drafts.get_draft(eve, draft).comment == words:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never stored: {words}")


def test_a_closed_tab_loses_no_answer(new_page, let_in, draft) -> None:
    page = new_page()
    address = f"/evaluate?id={draft}"
    let_in(page, "eve")
    page.goto(address)
    first = page.locator(f"[class*='st-key-grid_{draft}_box_']").first
    first.get_by_role("radio").last.click()
    page.get_by_text("1 of ").wait_for()
    page.locator("textarea").last.fill("Warm and clear")
    page.locator("textarea").last.press("Tab")
    wait_until_stored(page, draft, "Warm and clear")

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


def test_words_are_kept_while_they_are_typed(new_page, let_in, draft) -> None:
    page = new_page()
    address = f"/evaluate?id={draft}"
    let_in(page, "eve")
    page.goto(address)
    page.locator(".player").get_by_role("button", name="Play").wait_for()
    words = page.locator("textarea").last
    words.fill("")
    words.press_sequentially("Names the day of delivery", delay=20)
    wait_until_stored(page, draft, "Names the day of delivery")
    assert words.evaluate("field => field.matches(':focus')")  # never left
    words.press_sequentially(", twice", delay=20)
    assert words.input_value() == "Names the day of delivery, twice"
    wait_until_stored(page, draft, "Names the day of delivery, twice")

    again = page.context.new_page()
    page.close()
    again.goto(address)
    again.locator(".player").get_by_role("button", name="Play").wait_for()
    again.wait_for_function(
        "words => [...document.querySelectorAll('textarea')].some(field => field.value === words)",
        arg="Names the day of delivery, twice",
    )


FOCUSED = """() => {
    const node = document.activeElement;
    return {
        role: node.getAttribute("role") || node.type || node.tagName.toLowerCase(),
        words: node.innerText || node.getAttribute("aria-label") || "",
        inGrid: Boolean(node.closest("[class*='st-key-grid_']")),
        isLastText: node === [...document.querySelectorAll("textarea")].at(-1),
    };
}"""


def press_tab_until(page, is_there: Callable[[dict], bool], most: int = 150) -> list[dict]:
    """Go on by the Tab key until the focus is there; returns what was passed, and it."""
    passed = []
    for _step in range(most):
        page.keyboard.press("Tab")
        passed.append(page.evaluate(FOCUSED))
        if is_there(passed[-1]):
            return passed
    raise AssertionError(f"not reached by the keyboard: {passed}")


def test_the_keyboard_alone_leads_from_the_sign_in_to_a_submitted_evaluation(
    new_page, draft
) -> None:
    def settle() -> None:
        page.wait_for_timeout(300)
        page.locator("[data-test-script-state='notRunning']").wait_for(state="attached")

    page = new_page()
    page.goto("/")
    page.get_by_label("Username", exact=True).wait_for()
    settle()
    press_tab_until(page, lambda at: at["role"] == "text")
    page.keyboard.type("eve")
    press_tab_until(page, lambda at: at["role"] == "password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Evaluate", level=1).wait_for()
    settle()

    press_tab_until(page, lambda at: re.search(r"\b(Continue|Start)$", at["words"]))
    page.keyboard.press("Enter")
    page.get_by_text(re.compile(r"\d of \d")).first.wait_for()
    settle()
    eve = centre_with_calls.viewer_of("eve")
    criteria = len(drafts.get_draft(eve, draft).scorecard.criteria)
    for _criterion in range(criteria):
        # Each criterion is one stop; the first of its answers is chosen by the space bar.
        press_tab_until(page, lambda at: at["role"] == "radio" and at["inGrid"])
        page.keyboard.press("Space")
        settle()
    page.get_by_text(f"{criteria} of {criteria}").wait_for()
    press_tab_until(page, lambda at: at["isLastText"])
    page.keyboard.type("Names the day of delivery")
    press_tab_until(page, lambda at: at["role"] == "submit" and "Submit" in at["words"])
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Submit").wait_for(state="detached")
    [submitted] = [one for one in drafts.find_submitted(eve) if one.submitted_at]
    assert submitted.id == draft
