"""Every page: strangers meet the sign-in form, run alone it shows nothing, it opens for
whoever may, and for nobody else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest
from builders import postgresql
from builders.centres import ENVIRONMENT
from streamlit.testing.v1 import AppTest

from qa_core.access import accounts, passwords
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.cli import demo
from qa_core.metrics import query
from qa_core.metrics.dimensions import Filters
from qa_core.storage.records import store
from qa_core.ui import menu

PAGES = [page for pages in menu.MENU.values() for page in pages]
BOUNDS = {
    Role.MANAGER: {"sites": ("Lyon",)},
    Role.TEAM_LEAD: {"teams": ("Blue",)},
    Role.ADVISOR: {"advisor_id": "a1"},
}
STORES = ("QA_HOME", "QA_DATABASE_URL")
EMPTY = re.compile("No data yet|No whole month yet|Nothing in |^Choose an? ")
"""What a page says where there is nothing to show."""


@pytest.fixture(scope="module")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a small demo centre; the pages below write nothing to it but who
    read what.
    """
    plan = demo.DemoPlan(last_day=date(2026, 11, 22), months=3, advisors=18, contacts=2_000)
    folder = tmp_path_factory.mktemp("demo")
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            for name in ENVIRONMENT:
                patch.delenv(name, raising=False)
            patch.setenv("QA_HOME", str(folder))
            patch.setattr(passwords, "ROUNDS", 4)
            if postgresql.IS_ON:
                stack.enter_context(postgresql.fresh_records(patch))
            store.migrate()
            demo.build(Viewer.SYSTEM, plan=plan)
            stores = {name: value for name, value in os.environ.items() if name in STORES}
        yield stores


def find_address(page: menu.MenuPage, viewer: Viewer) -> dict[str, str]:
    """The query under which that reader finds something on the page."""
    if page.key == "explain":
        return {"kpi": "evaluation_score"}
    if page.key == "contact":
        contact = query.find_contacts(viewer, limit=1).iloc[0]
        return {"system": contact["source_system"], "id": contact["contact_id"]}
    if page.key == "advisor":
        return {"id": query.find_advisors(viewer, Filters().period)[0].advisor_id}
    if page.key == "evaluation":
        if viewer.role == Role.ADVISOR:
            found = query.find_own_evaluations(viewer, Filters().period)[0]["id"]
        elif viewer.role == Role.EVALUATOR:
            found = query.find_given_evaluations(viewer).iloc[0]["evaluation_id"]
        else:
            advisors = query.find_advisors(viewer, Filters().period)
            found = next(
                frame["evaluation_id"].iloc[0]
                for advisor in advisors
                if len(frame := query.find_evaluations_of(viewer, advisor.advisor_id, Filters()))
            )
        return {"id": str(found)}
    return {}


def has_form(app: AppTest) -> bool:
    return any(widget.label == "Password" for widget in app.text_input)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.key)
def test_a_stranger_meets_the_sign_in_form_at_every_address(
    page: menu.MenuPage, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("root", "admin")

    app = open_app(None, page.key)

    assert has_form(app)
    assert not app.title and not app.sidebar.button


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
            if role in page.first_for:
                assert app.title[0].value == led_to
        else:
            with pytest.raises(ValueError, match="Could not find a navigation page"):
                app.switch_page(page.path)


@pytest.mark.parametrize("role", list(Role))
def test_each_page_shows_the_data_of_a_centre_to_each_role_that_has_it(
    role: Role,
    demo_home: dict[str, str],
    open_app: Callable[..., AppTest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in demo_home.items():
        monkeypatch.setenv(name, value)
    entry = next(entry for entry in demo.sign_ins() if entry["role"] == role)
    with store.reading() as session:
        viewer = accounts.get_viewer(session, entry["username"])

    for page in PAGES:
        if not page.is_open_to(viewer):
            continue
        app = open_app(entry["username"], page.key, entry["password"], **find_address(page, viewer))
        assert not app.exception and not app.error, page.key
        assert app.title, page.key
        said = [text.value for text in (*app.markdown, *app.info)]
        assert not [text for text in said if EMPTY.search(text)], page.key


def test_every_page_is_in_the_menu_once_and_none_lies_directly_under_pages() -> None:
    files = sorted(
        path.relative_to(environment.PROJECT / "pages").as_posix()
        for path in (environment.PROJECT / "pages").rglob("*.py")
    )

    assert files == sorted(page.file for page in PAGES)
    assert all(file.count("/") == 1 for file in files)
    assert len({page.key for page in PAGES}) == len(PAGES)


def test_each_role_opens_its_own_page_whose_section_comes_first() -> None:
    for role in Role:
        viewer = Viewer("someone", role)
        sections = menu.find_sections(viewer)
        first = menu.find_first(viewer)
        assert [role in page.first_for for page in PAGES].count(True) == 1
        assert role in first.first_for
        assert first in next(iter(sections.values()))
        listed = [page for page in sections.get("Performance", ()) if page.is_listed]
        assert not listed or listed[0].key == "overview"


def test_an_unknown_role_may_open_only_its_own_account() -> None:
    sections = menu.find_sections(Viewer("someone", None))

    assert [page.key for pages in sections.values() for page in pages] == ["my_account"]
