"""Every page of an empty centre: run alone it shows nothing, it opens for whoever may, and
for nobody else. With data, and for strangers: tests/access/test_matrix.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.ui import menu

PAGES = [page for pages in menu.MENU.values() for page in pages]
BOUNDS = {
    Role.MANAGER: {"sites": ("Lyon",)},
    Role.TEAM_LEAD: {"teams": ("Blue",)},
    Role.ADVISOR: {"advisor_id": "a1"},
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.key)
def test_a_page_run_without_the_front_door_shows_nothing(page: menu.MenuPage, centre: Path) -> None:
    app = AppTest.from_file(page.path).run()

    assert not app.exception
    assert len(app.main) == 0


def test_a_page_refuses_whoever_may_not_open_it_whatever_the_menu_says(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("someone", Role.DPO)
    open_app("someone")

    app = AppTest.from_file(menu.find_page("contact").path).run()

    assert app.exception and not app.title


@pytest.mark.parametrize("role", list(Role))
def test_each_role_is_led_to_its_first_page_and_opens_all_of_its_pages_and_no_other(
    role: Role, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("someone", role, **BOUNDS.get(role, {}))
    viewer = Viewer("someone", role)

    app = open_app("someone")
    assert not app.exception and not app.error
    led_to = app.title[0].value
    for page in PAGES:
        if page.is_open_to(viewer):
            app.switch_page(page.path).run()
            assert not app.exception, page.key
            assert app.title or page.key == "contact", page.key
            if page is menu.find_first(viewer):
                assert app.title[0].value == led_to
        else:
            with pytest.raises(ValueError, match="Could not find a navigation page"):
                app.switch_page(page.path)


def test_every_page_is_in_the_menu_once_and_none_lies_directly_under_pages() -> None:
    files = sorted(
        path.relative_to(environment.PROJECT / "pages").as_posix()
        for path in (environment.PROJECT / "pages").rglob("*.py")
    )

    assert files == sorted(page.file for page in PAGES)
    assert all(file.count("/") == 1 for file in files)
    assert len({page.key for page in PAGES}) == len(PAGES)


def test_each_role_opens_its_own_page_whose_section_comes_first(centre: Path) -> None:
    for role in Role:
        viewer = Viewer("someone", role)
        sections = menu.find_sections(viewer)
        first = menu.find_first(viewer)
        # The way to the first figure comes before the usual page.
        own = [page.key for page in PAGES if role in page.first_for]
        assert len(own) == (2 if role in (Role.ADMIN, Role.MANAGER) else 1)
        assert role in first.first_for
        assert first in next(iter(sections.values()))
        listed = [page for page in sections.get("Performance", ()) if page.is_listed]
        assert not listed or listed[0].key == "overview"


def test_an_unknown_role_may_open_only_its_own_account_and_the_search() -> None:
    sections = menu.find_sections(Viewer("someone", None))

    assert [page.key for pages in sections.values() for page in pages] == [
        "find",
        "my_account",
        "glossary",
    ]
