"""The first hour in a real browser: from an empty centre to the first figure, with the
sample files that the page gives, each person in a browser of their own.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from datetime import timedelta

import pytest
from test_browser_quality_cycle import choose, enter_gates, open_section, press, say, settle, shown

from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.base import environment

pytestmark = [pytest.mark.browser, pytest.mark.long]
CHOSEN = "Quiet-Meadow-58-stones"
DAY = environment.today() - timedelta(days=60)


def fetch_sample(page, label: str) -> str:
    """Fetch a sample file as the page's link gives it."""
    link = page.get_by_role("link", name=label).first
    answer = page.request.get(link.get_attribute("href"))
    assert answer.ok
    settle(page)
    return answer.body().decode("utf-8-sig")


def bring(page, kind: str, name: str, text: str) -> None:
    """Import a file on the page Imports, which asks nothing about it."""
    choose(page, page.get_by_test_id("stMain"), "What is in the file?", kind)
    settle(page)
    file = {"name": name, "mimeType": "text/csv", "buffer": text.encode()}
    page.locator("input[type=file]").set_input_files(file)
    press(page, "Import these rows")
    say(page, f"{name} is imported.")
    press(page, "Import another file")
    say(page, "What is in the file?")


def follow(page, step: str, name: str) -> None:
    """Follow the link of that step to the page of that name."""
    card = page.locator(f".st-key-step_{step}")
    card.get_by_role("link", name=re.compile(name)).click()
    page.get_by_role("heading", name=name, exact=True, level=1).wait_for()
    settle(page)


def go_back(page) -> None:
    page.get_by_role("link", name="Back to the first steps").click()
    page.get_by_role("heading", name="First steps", exact=True).wait_for()
    settle(page)


def add_account(page, role: str, username: str) -> None:
    choose(page, page.get_by_test_id("stMain"), "Role", role)
    settle(page)
    form = page.get_by_test_id("stForm").filter(has_text="Display name")
    form.get_by_label("Username", exact=True).fill(username)
    if role == "Manager":
        choose(page, form, "Sites", "Exempleville")
    press(page, "Add", form)


def enter_anew(new_page, sign_in_as, username: str, one_time: str):
    """Sign in with a one-time password, and choose one."""
    page = new_page()
    page.goto("/")
    sign_in_as(page, username, one_time)
    page.get_by_label("Current password").fill(one_time)
    page.get_by_label("New password", exact=True).fill(CHOSEN)
    page.get_by_label("New password again").fill(CHOSEN)
    press(page, "Change password")
    page.get_by_role("heading", name="Choose your password").wait_for(state="detached")
    settle(page)
    return page


def open_listening(page) -> None:
    """Enter every legal condition, and accredit the evaluator."""
    enter_gates(page, DAY)
    open_section(page, "people")
    form = page.get_by_test_id("stForm").filter(has_text="Purposes")
    choose(page, form, "Accredit", "eve")
    press(page, "Accredit")
    say(page, "Saved.")


def test_from_an_empty_centre_to_the_first_right_figure(new_page, sign_in_as, let_in) -> None:
    root = new_page()
    let_in(root, "root")
    root.goto("/")
    root.get_by_role("heading", name="First steps", exact=True).wait_for()
    say(root, "0 of 8")

    press(root, "Enter")
    root.get_by_label("Name of the centre or its organisation").fill("Centre exemple")
    press(root, "Save")
    say(root, "1 of 8")
    root.get_by_text("No file at hand?").click()
    advisors = fetch_sample(root, "Advisors")
    calls = fetch_sample(root, "Contacts")

    follow(root, "advisors", "Imports")
    bring(root, "Advisors", "advisors.csv", advisors)
    go_back(root)
    say(root, "2 of 8")

    follow(root, "opening_hours", "Opening hours")
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"):
        root.get_by_label(day, exact=True).fill("09:00-18:00")
    choose(root, root.get_by_test_id("stForm"), "Public holidays", "none")
    press(root, "Save")
    say(root, "Done: 0 past contacts updated")
    go_back(root)
    say(root, "3 of 8")

    follow(root, "contacts", "Imports")
    bring(root, "Contacts", "calls.csv", calls)
    go_back(root)
    say(root, "320 contacts, from")
    say(root, "There are no similar names.")

    follow(root, "accounts", "People")
    add_account(root, "Manager", "mona")
    say(root, "One-time password of mona")
    mona = enter_anew(
        new_page, sign_in_as, "mona", root.get_by_test_id("stCode").first.inner_text().strip()
    )
    add_account(root, "Evaluator", "eve")
    say(root, "One-time password of eve")
    passwords = {"eve": root.get_by_test_id("stCode").first.inner_text().strip()}
    # Nobody else could confirm a role that decides: mona is the administrator's own making.
    add_account(root, "Data protection officer", "dora")
    say(root, "Where there is none, you can do so after 24 hours")
    mona.goto("/account_changes")
    settle(mona)
    say(mona, "root requested the role Data protection officer for dora")
    press(mona, "Decline")
    passwords["dora"] = accounts.add(Viewer.SYSTEM, "dora", "dpo")
    dora = enter_anew(new_page, sign_in_as, "dora", passwords["dora"])
    go_back(root)
    say(root, "7 of 8")
    say(root, "Missing: Works council consulted on")
    dora.goto("/listening_rules")
    settle(dora)
    open_listening(dora)

    mona.goto("/overview")
    say(mona, "Contacts received")
    outcomes = Counter(row["outcome"] for row in csv.DictReader(io.StringIO(calls)))
    assert outcomes == {"answered": 285, "abandoned": 35}
    tile = mona.get_by_test_id("stMetric").first
    assert tile.get_by_test_id("stMetricValue").inner_text() == "320"
    root.goto("/")
    root.get_by_role("heading", name="Imports", exact=True).wait_for()
    assert root.get_by_role("link", name="First steps").count() == 0
    root.goto("/first_steps")
    say(root, "All steps are done.")
    assert "Next" not in shown(root)
