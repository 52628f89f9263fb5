"""The section on people and machines: where machines take contacts, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from builders.centres import contact, land
from streamlit.testing.v1 import AppTest


def land_calls(handler: str | None) -> None:
    land(
        contact(
            f"2026-05-{4 + n % 20:02d} 10:00",
            f"c{n}",
            handled_by=handler if n % 2 else None,
            customer_key=f"{n:032x}",
            reason=("delivery", "invoice")[n % 4 // 2],
            wait_seconds=5.0,
        )
        for n in range(120)
    )


@pytest.mark.parametrize("page", ["overview", "first_contact"])
def test_the_section_shows_shares_and_reasons_where_machines_take_contacts(
    centre: Path, add_person: Callable[..., str], open_app: Callable[..., AppTest], page: str
) -> None:
    land_calls("machine")
    add_person("ada", "manager", sees_unassigned=True)
    app = open_app("ada", page, machines="yes", period="all")

    assert not app.exception
    shown = " ".join(str(item.value) for item in (*app.markdown, *app.metric))
    assert "Machines against people" in shown, shown


def test_a_centre_without_machines_has_neither_section_nor_filter(
    centre: Path, add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    land_calls(None)
    add_person("ada", "manager", sees_unassigned=True)
    app = open_app("ada", "first_contact")

    assert not any("machines" in item.value for item in app.markdown)
    assert "handled_by" not in [pills.key for pills in app.button_group]
