"""The Imports page in a real browser: from an empty centre to figures, a misread column
put right, and an import taken back.
"""

from __future__ import annotations

import pytest
from builders.import_files import CALLS, write

from qa_core.storage import lake

pytestmark = pytest.mark.browser
ODD = (
    "ref,when it was,who,result\nC1,02/03/2026 09:00,Diane,answered\nC2,13/03/2026 "
    "09:00,Becky,abandoned\n"
)


def open_imports(new_page, let_in):
    page = new_page()
    let_in(page, "root")
    page.goto("/imports")
    page.get_by_role("heading", name="Imports", exact=True).wait_for()
    settle(page)
    return page


def settle(page) -> None:
    """Wait until the server has nothing more to say: a file sent into a page that is
    still being drawn may be forgotten.
    """
    page.locator("[data-test-script-state='notRunning']").wait_for(state="attached")
    page.locator("[data-testid='stSkeleton']").first.wait_for(state="detached")


def send(page, path) -> None:
    page.locator("input[type=file]").set_input_files(str(path))


def test_a_first_file_is_rehearsed_imported_and_taken_back(new_page, let_in, server) -> None:
    page = open_imports(new_page, let_in)
    page.get_by_role("link", name="Back to the first steps").wait_for()
    send(page, write(server.folder, "calls.csv", CALLS))
    page.get_by_text("Nothing is written yet").wait_for()
    assert lake.version("contacts") == -1
    page.get_by_role("button", name="Import these rows").click()
    page.get_by_text("is imported.").wait_for()
    with lake.working() as connection:
        assert connection.execute("SELECT count(*) FROM contacts").fetchone() == (3,)
    page.get_by_role("button", name="Import another file").click()
    send(page, server.folder / "calls.csv")
    page.get_by_text("This file was already imported").wait_for()
    page.reload()
    page.get_by_text("Imports so far").wait_for()
    settle(page)
    # The first cell of the list's first row is its box; a canvas has no element for it.
    table = page.get_by_test_id("stDataFrame").last
    table.scroll_into_view_if_needed()
    table.click(position={"x": 18, "y": 52})
    page.get_by_text("Remove everything that this import brought").click()
    page.get_by_role("button", name="Undo this import").click()
    page.get_by_text("Undo this import").wait_for(state="detached")
    with lake.working() as connection:
        assert connection.execute("SELECT count(*) FROM contacts").fetchone() == (0,)


def test_a_file_that_cannot_be_read_says_what_to_do(new_page, let_in, server) -> None:
    page = open_imports(new_page, let_in)
    send(page, write(server.folder, "odd.csv", ODD))
    page.get_by_text("Columns: ref, when it was, who, result").first.wait_for()
    page.get_by_role("button", name="when it was →").wait_for()
    settle(page)
    assert "Traceback" not in page.content()
    assert page.get_by_role("button", name="Import these rows").count() == 0


# `test_browser_readings.py` answers another question on the same page.
@pytest.mark.long
def test_an_ambiguous_date_is_a_question_that_the_page_answers(new_page, let_in, server) -> None:
    page = open_imports(new_page, let_in)
    send(
        page,
        write(
            server.folder,
            "doubtful.csv",
            "id,date,agent,answered\n1,02/03/2026 09:00,Diane,Y\n2,03/04/2026 09:10,Becky,N\n",
        ),
    )
    page.get_by_role("button", name="day, month, year").click()
    page.get_by_text("Effect on the figures").wait_for()
    page.get_by_text("Days of the file: 2 Mar – 3 Apr 2026").wait_for()
    page.get_by_role("button", name="This is right: import it").wait_for()


def test_several_files_are_examined_and_imported_at_once(new_page, let_in, server) -> None:
    page = open_imports(new_page, let_in)
    more = write(server.folder, "more.csv", CALLS.replace("C", "M"))
    page.locator("input[type=file]").set_input_files(
        [str(more), str(write(server.folder, "odd.csv", ODD))]
    )
    page.get_by_role("button", name="Import 1 file").click()
    page.get_by_text("more.csv is imported.").wait_for()
    with lake.working() as connection:
        assert connection.execute(
            "SELECT count(*) FROM contacts WHERE contact_id LIKE 'M%'"
        ).fetchone() == (3,)
