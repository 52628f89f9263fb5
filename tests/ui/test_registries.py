"""One entry is enough: a page added to the menu, or a KPI declared, is known to the
frame, the filter bar, tiles and tables.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from builders.centres import add_people, contact, land
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.metrics import kpis, query
from qa_core.ui.frame import filter_bar, menu
from qa_core.ui.widgets import cards


@pytest.fixture
def two_calls(centre: Path) -> None:
    """One answered and one missed call of the team Blue."""
    add_people({"a1": "Ann"}, {"Blue": "Lyon"})
    land(
        [
            contact("2026-10-20 09:00", team="Blue", advisor_id="a1", queue="Sales"),
            contact("2026-10-20 10:00", team="Blue", queue="Billing", outcome="abandoned"),
        ]
    )


def test_a_page_takes_one_entry_in_the_menu(
    two_calls: None,
    tmp_path: Path,
    add_person: Callable[..., str],
    open_app: Callable[..., AppTest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = tmp_path / "backlog.py"
    script.write_text('import streamlit as st\nst.title("Backlog")\n', encoding="utf-8")
    backlog = menu.MenuPage(
        str(script),
        "Backlog",
        "inbox",
        Permission.SEE_CALL_STATISTICS,
        ("queue",),
        has_comparison=False,
        first_for=(Role.MANAGER,),
    )
    others = {
        title: tuple(dataclasses.replace(page, first_for=()) for page in pages)
        for title, pages in menu.MENU.items()
    }
    monkeypatch.setattr(menu, "MENU", others | {"Waiting": (backlog,)})
    add_person("max", "manager", sites=("Lyon",))

    app = open_app("max", "backlog")

    assert not app.exception and app.title[0].value == "Backlog"
    assert [pills.options for pills in app.get("button_group")] == [["Billing", "Sales"]]
    assert [radio.label for radio in app.radio] == ["Period"]
    assert menu.find_first(Viewer("max", Role.MANAGER)) is backlog
    assert next(iter(menu.find_sections(Viewer("max", Role.MANAGER)))) == "Waiting"


def test_a_kpi_takes_one_declaration(two_calls: None, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = dataclasses.replace(
        kpis.BY_KEY["answer_rate"],
        key="pick_up_rate",
        title="Calls that somebody picked up",
        short_title="Picked up",
        heading="Up",
    )
    monkeypatch.setitem(kpis.BY_KEY, "pick_up_rate", declared)

    (row,) = query.measure(Viewer.SYSTEM, ("pick_up_rate",)).itertuples()
    tile = cards.build_tile(row, filter_bar.FilterState())

    assert (tile.title, tile.value) == ("Picked up", "50.0\u202f%")
    assert cards.column_of("pick_up_rate") == "Up"
    assert declared.bounds == (0.0, 1.0) and declared.needs_missed
