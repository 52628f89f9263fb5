"""The reading of a file in a real browser: what was understood, a question, a confirmation."""

from __future__ import annotations

import pytest
from test_browser_quality_cycle import choose, press, say, settle

pytestmark = pytest.mark.browser
EXPORT = """Call ID,Start time,Call status,Agent,Talk (s)
C1,20/03/2026 09:00:00,answered,Ann,120
C2,21/03/2026 09:10:00,HUP,,
C3,20/03/2026 09:20:00,VMX,Bob,30
"""


def test_a_question_is_answered_and_the_reading_confirmed(new_page, sign_in_as, let_in) -> None:
    root = new_page()
    let_in(root, "root")
    root.goto("/imports")
    settle(root)
    choose(root, root.get_by_test_id("stMain"), "What is in the file?", "Contacts")
    settle(root)
    file = {"name": "march.csv", "mimeType": "text/csv", "buffer": EXPORT.encode()}
    root.locator("input[type=file]").set_input_files(file)
    say(root, "What does HUP mean in the column Call status?")
    # Each answer takes the first one to the other question for granted.
    answers = root.get_by_role("button", name="Abandoned (received 3 · answered 2 · abandoned 1)")
    answers.first.click()
    say(root, "What does VMX mean in the column Call status?")
    root.get_by_role("button", name="no value (received 3 · answered 1 · abandoned 1)").click()
    press(root, "This is right: import it")
    say(root, "march.csv is imported.")
