"""The page Sources of data: what is missing stands above the days, and is read again on request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import sqlalchemy as sa
from builders.shown_texts import text_of
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Viewer
from qa_core.sources import ledger, pull, register


def test_a_day_that_failed_stands_first_and_is_read_again_on_request(
    centre: Path, add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    database = centre / "pbx.db"
    sa.create_engine(f"sqlite:///{database}").connect().close()
    statement = "SELECT begun AS started_at FROM calls WHERE begun >= :since AND begun < :until"
    day = date(2026, 5, 11)
    register.add(Viewer.SYSTEM, "pbx", "sql", "contacts", f"sqlite:///{database}", statement, day)
    list(pull.pull(Viewer.SYSTEM, ("pbx",), day, day))
    add_person("nora", "admin")

    app = open_app("nora", "data_sources")

    assert not app.exception
    shown = text_of(app)
    assert app.subheader[0].value == "pbx · SQL · Contacts"
    assert "1 day is not complete" in shown
    assert "11 May 2026 · failed · The answer has another form than documented" in shown
    [window] = ledger.find_days("pbx", day, day)
    assert window.attempts == 1
    app.button(f"fill_{window.id}").click().run()
    assert "The next pull reads this day." in text_of(app)
    [window] = ledger.find_days("pbx", day, day)
    assert window.attempts == 0 and window in ledger.find_due("pbx")


def test_a_centre_without_sources_says_who_adds_one(
    centre: Path, add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    add_person("nora", "admin")
    assert "An operator adds one on the server: `python -m qa_core sources add" in text_of(
        open_app("nora", "data_sources")
    )
