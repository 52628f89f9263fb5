"""The menu: every page declared once, with its permission, its filters and its place."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import streamlit as st

from qa_core.access.roles import ROLE_TITLES, Permission, Role, Viewer
from qa_core.base import declared, environment
from qa_core.base.errors import AccessDenied
from qa_core.base.i18n import _

FEW_DAYS = 28
"""Days of data below which a manager starts on the first figures."""
DEFAULT = "28d"
"""A key of `metrics.kpis.periods`, which the sign-in form would wait a second for."""


@dataclass(frozen=True)
class MenuPage:
    """One page: its file under pages/, and all that the frame around it has to know."""

    file: str
    title: str
    symbol: str
    """Name of a Material symbol."""
    permission: Permission | None = None
    """None: every signed-in person may open the page."""
    filters: tuple[str, ...] | None = None
    """Dimensions of the filter bar, besides the period; None: no filter bar."""
    period: str = DEFAULT
    """Period that the page opens on until the reader chooses one; executives see whole
    months instead.
    """
    has_comparison: bool = True
    """Whether the filter bar offers a period to compare with."""
    has_own_period: bool = False
    """Whether the page asks for its period itself, without a filter bar."""
    is_listed: bool = True
    listed_for: tuple[Role, ...] = ()
    """Roles that see the page in their menu (empty: all who may open it)."""
    first_for: tuple[Role, ...] = ()
    """Roles whose first page this is; its section then comes first in their menu."""
    is_needed: Callable[[Viewer], bool] | None = None
    """Tells whether the page is of use to the viewer still: when not, it leaves the menu and is
    nobody's first page. None: always.
    """
    explains_alerts: bool = False
    """Whether an alert leads here when its KPI takes the permission of this page."""
    about: str = ""
    """Sentence under the title that says what the page is for."""

    @property
    def key(self) -> str:
        """Name of the page in addresses: `first_contact` for /first_contact."""
        return PurePosixPath(self.file).stem

    @property
    def path(self) -> str:
        """Path of the script, for links and `st.switch_page`."""
        return str(environment.PROJECT / "pages" / self.file)

    @property
    def icon(self) -> str:
        return f":material/{self.symbol}:"

    def is_open_to(self, viewer: Viewer) -> bool:
        return self.permission is None or viewer.can(self.permission)

    def is_listed_for(self, viewer: Viewer | None) -> bool:
        is_listed = self.is_listed and (
            not self.listed_for or (viewer is not None and viewer.role in self.listed_for)
        )
        return is_listed and (viewer is None or self.is_needed is None or self.is_needed(viewer))


def _needs_first_steps(viewer: Viewer) -> bool:
    # Only here: the sign-in form needs the menu, and imports take a second to load.
    from qa_core.ingest import first_steps

    return first_steps.find_set_up(viewer).next_step is not None


def _needs_first_figures(viewer: Viewer) -> bool:
    from qa_core.metrics import query

    span = query.data_span(viewer)
    return span is None or (span[1] - span[0]).days + 1 < FEW_DAYS


IS_NEEDED = {
    "performance/first_figures.py": _needs_first_figures,
    "admin/first_steps.py": _needs_first_steps,
}


def _build(entry: dict[str, Any]) -> MenuPage:
    values: dict[str, Any] = {"is_needed": IS_NEEDED.get(entry["file"])}
    for name, value in entry.items():
        values[name] = tuple(value) if name == "filters" else value
        if name in ("listed_for", "first_for"):
            values[name] = tuple(map(Role, value))
        elif name == "permission":
            values[name] = Permission(value)
    return MenuPage(**values)


MENU: dict[str, tuple[MenuPage, ...]] = {
    section["title"]: tuple(map(_build, section["page"]))
    for section in declared.read(__file__)["section"]
}

FIND = "find"
"""Key of the page that searches, which leads the menu."""
HOME = "home"
"""Key of the address `/`, which leads to the reader's first page: each page then has one
address for everybody.
"""


def all_pages() -> Iterator[MenuPage]:
    return (page for pages in MENU.values() for page in pages)


def all_filters() -> set[str]:
    return {name for page in all_pages() for name in page.filters or ()}


def find_page(key: str) -> MenuPage:
    return next(page for page in all_pages() if page.key == key)


def find_open_page(key: str, viewer: Viewer) -> MenuPage | None:
    """Return the page of that key if the viewer may open it."""
    return next((page for page in all_pages() if page.key == key and page.is_open_to(viewer)), None)


def find_page_explaining(permission: Permission) -> MenuPage:
    """Return the page that an alert on a KPI with this permission leads to."""
    return next(
        (page for page in all_pages() if page.explains_alerts and page.permission == permission),
        find_page("overview"),
    )


def find_sections(viewer: Viewer | None) -> dict[str, list[MenuPage]]:
    """Return the pages that the viewer may open, by section, the section of their first
    page leading.

    A stranger gets all of them, so that an address survives the sign-in.
    """
    sections = {
        title: [page for page in pages if viewer is None or page.is_open_to(viewer)]
        for title, pages in MENU.items()
    }
    role = viewer.role if viewer else None
    leading = {
        title for title, pages in MENU.items() if any(role in page.first_for for page in pages)
    }
    return {
        title: sections[title]
        for title in sorted(sections, key=lambda title: title not in leading)
        if sections[title]
    }


def find_first(viewer: Viewer | None) -> MenuPage:
    """Return the page that opens when the viewer asks for none."""
    pages = [page for pages in find_sections(viewer).values() for page in pages]
    role = viewer.role if viewer else None
    return next(
        (page for page in pages if role in page.first_for and page.is_listed_for(viewer)), pages[0]
    )


def choose_page(viewer: Viewer | None) -> tuple[st.Page, MenuPage | None]:
    """Register all pages with Streamlit; return the requested one, and its entry in the
    menu (None for `HOME` and for addresses closed to the viewer).
    """
    made = {
        page.key: st.Page(
            page.path,
            title=_(page.title),
            icon=page.icon,
            url_path=page.key,
            visibility="visible" if page.is_listed_for(viewer) else "hidden",
        )
        for page in all_pages()
        if viewer is None or page.is_open_to(viewer)
    }
    unlisted = {"title": _("Écoute"), "visibility": "hidden"}
    home = st.Page(
        lambda: st.switch_page(find_first(viewer).path), url_path=HOME, default=True, **unlisted
    )
    # Streamlit's own answer to a closed address is in English only.
    closed = [
        st.Page(lambda: _refuse(viewer), url_path=page.key, **unlisted)
        for page in all_pages()
        if page.key not in made
    ]
    listed = {
        _(title): [made[page.key] for page in pages if page.key != FIND]
        for title, pages in find_sections(viewer).items()
    }
    chosen = st.navigation(
        {"": [home, made[FIND], *closed], **listed},
        position="sidebar" if viewer else "hidden",
        expanded=True,
    )
    return chosen, next((page for page in all_pages() if made.get(page.key) is chosen), None)


def show_page_link(
    key: str, label: str = "", symbol: str = "", query: Mapping[str, Any] = {}
) -> None:
    """Show a link to the page of that key, usually under its own title and symbol; `query`
    goes into the address.
    """
    page = find_page(key)
    icon = f":material/{symbol}:" if symbol else page.icon
    st.page_link(page.path, label=label or _(page.title), icon=icon, query_params=query)


def _refuse(viewer: Viewer | None) -> None:
    show_page_link(find_first(viewer).key, symbol="arrow_back")
    raise AccessDenied()


def name_role(role: str | None) -> str:
    """Return the title of a role; an unknown one as it is."""
    return _(ROLE_TITLES[Role(role)]) if role in set(Role) else role or _("No role")
