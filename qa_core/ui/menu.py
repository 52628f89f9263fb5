"""The menu: every page declared once, with who may open it, ordered by what its reader
came for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import streamlit as st

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied
from qa_core.base.i18n import N_, _


@dataclass(frozen=True)
class MenuPage:
    """One page: its file under pages/, its title, and the permission it takes (None:
    whoever is signed in).
    """

    file: str
    title: str
    icon: str
    permission: Permission | None = None
    is_listed: bool = True
    listed_for: tuple[Role, ...] = ()
    """The only roles in whose menu it stands (none named: all that may open it); others
    come by a link.
    """

    @property
    def key(self) -> str:
        """The page's name in addresses: `first_contact` for /first_contact."""
        return PurePosixPath(self.file).stem

    @property
    def path(self) -> str:
        """Where its script lies, for links and `st.switch_page`."""
        return str(environment.PROJECT / "pages" / self.file)

    def is_open_to(self, viewer: Viewer) -> bool:
        return self.permission is None or viewer.can(self.permission)

    def is_listed_for(self, viewer: Viewer | None) -> bool:
        """Whether it stands in that reader's menu."""
        return self.is_listed and (
            not self.listed_for or (viewer is not None and viewer.role in self.listed_for)
        )


P = Permission
MENU: dict[str, tuple[MenuPage, ...]] = {
    N_("Performance"): (
        MenuPage(
            "performance/overview.py", N_("Overview"), ":material/dashboard:", P.SEE_CALL_STATISTICS
        ),
        MenuPage(
            "performance/traffic.py", N_("Traffic"), ":material/bar_chart:", P.SEE_CALL_STATISTICS
        ),
        MenuPage(
            "performance/first_contact.py",
            N_("First contact"),
            ":material/task_alt:",
            P.SEE_CALL_STATISTICS,
        ),
        MenuPage(
            "performance/satisfaction.py", N_("Satisfaction"), ":material/mood:", P.SEE_SATISFACTION
        ),
        MenuPage(
            "performance/irritants.py",
            N_("Irritants"),
            ":material/sentiment_stressed:",
            P.SEE_IRRITANTS,
        ),
        # Whoever sees figures at all sees scores; each KPI then asks for the permission
        # of its own.
        MenuPage(
            "performance/explain.py",
            N_("Explain a number"),
            ":material/function:",
            P.SEE_SCORES,
            is_listed=False,
        ),
    ),
    N_("Call tracking"): (
        MenuPage("tracking/sources.py", N_("Sources"), ":material/campaign:", P.SEE_TRACKING),
    ),
    N_("Quality"): (
        MenuPage("quality/advisors.py", N_("Advisors"), ":material/groups:", P.SEE_ADVISORS),
        MenuPage(
            "quality/advisor.py",
            N_("Advisor"),
            ":material/person:",
            P.SEE_ADVISORS,
            is_listed=False,
        ),
        MenuPage("quality/coaching.py", N_("Coaching"), ":material/sports:", P.SEE_COACHING),
        MenuPage(
            "quality/my_quality.py", N_("My quality"), ":material/person_heart:", P.SEE_OWN_QUALITY
        ),
        MenuPage(
            "quality/evaluate.py",
            N_("Evaluate"),
            ":material/headset_mic:",
            P.FILL_GRIDS,
            listed_for=(Role.EVALUATOR,),
        ),
        MenuPage(
            "quality/evaluation.py",
            N_("Evaluation"),
            ":material/rate_review:",
            P.SEE_EVALUATIONS,
            is_listed=False,
        ),
        MenuPage(
            "quality/listening.py",
            N_("Listening plan"),
            ":material/headphones:",
            P.MANAGE_LISTENING,
        ),
        MenuPage("quality/disputes.py", N_("Disputes"), ":material/gavel:", P.DECIDE_DISPUTES),
        MenuPage(
            "quality/calibration.py", N_("Calibration"), ":material/balance:", P.SEE_CALIBRATIONS
        ),
        MenuPage("quality/scores.py", N_("Scores"), ":material/grading:", P.SEE_OWN_EVALUATIONS),
    ),
    N_("Conversations"): (
        MenuPage("conversations/contacts.py", N_("Contacts"), ":material/call:", P.SEE_CONTACTS),
        MenuPage(
            "conversations/contact.py",
            N_("Contact"),
            ":material/contact_phone:",
            P.SEE_CONTACTS,
            is_listed=False,
        ),
    ),
    N_("Compliance"): (
        MenuPage(
            "compliance/listening_rules.py",
            N_("Are we in order?"),
            ":material/verified_user:",
            P.SEE_COMPLIANCE,
        ),
        MenuPage("compliance/journal.py", N_("Journal"), ":material/history_edu:", P.SEE_JOURNAL),
    ),
    N_("Administration"): (
        MenuPage("admin/imports.py", N_("Imports"), ":material/upload_file:", P.MANAGE_IMPORTS),
        MenuPage("admin/names.py", N_("Names"), ":material/join:", P.MANAGE_ADVISORS),
        MenuPage("admin/scorecards.py", N_("Evaluation grids"), ":material/rule:", P.SEE_GRIDS),
        MenuPage("admin/targets.py", N_("Targets and alerts"), ":material/flag:", P.EDIT_TARGETS),
        MenuPage(
            "admin/opening_hours.py", N_("Opening hours"), ":material/schedule:", P.MANAGE_SETTINGS
        ),
        MenuPage("admin/people.py", N_("People"), ":material/manage_accounts:", P.MANAGE_ACCOUNTS),
    ),
    N_("Me"): (MenuPage("account/my_account.py", N_("My account"), ":material/account_circle:"),),
}

FIRST: dict[Role, str] = {
    Role.EXECUTIVE: "satisfaction",
    Role.MANAGER: "first_contact",
    Role.TEAM_LEAD: "advisors",
    Role.ADVISOR: "my_quality",
    Role.EVALUATOR: "evaluate",
    Role.DPO: "listening_rules",
    Role.ADMIN: "imports",
}
"""What each reader came for: it opens first, and its section stands first."""

ROLE_TITLES: dict[Role, str] = {
    Role.EXECUTIVE: N_("Executive"),
    Role.MANAGER: N_("Manager"),
    Role.TEAM_LEAD: N_("Team lead"),
    Role.EVALUATOR: N_("Evaluator"),
    Role.ADVISOR: N_("Advisor"),
    Role.DPO: N_("Data protection officer"),
    Role.ADMIN: N_("Administrator"),
}

HOME = "home"
"""The address `/` only leads on to the reader's first page, so that every page keeps
one address for everybody.
"""


def find_page(key: str) -> MenuPage:
    """The page of that name."""
    return next(page for pages in MENU.values() for page in pages if page.key == key)


def find_sections(viewer: Viewer | None) -> dict[str, list[MenuPage]]:
    """The pages that this reader may open, the section of their own first; for a
    stranger all of them, so that addresses survive the sign-in.
    """
    sections = {
        title: [page for page in pages if viewer is None or page.is_open_to(viewer)]
        for title, pages in MENU.items()
    }
    first = FIRST.get(viewer.role) if viewer else None
    # Sorting is stable: what was declared first stays first, but for the section of the
    # reader's own page.
    return {
        title: pages
        for title, pages in sorted(
            sections.items(), key=lambda entry: not any(page.key == first for page in entry[1])
        )
        if pages
    }


def find_first(viewer: Viewer | None) -> MenuPage:
    """The page that opens for this reader when they ask for none."""
    pages = [page for pages in find_sections(viewer).values() for page in pages]
    first = FIRST.get(viewer.role) if viewer else None
    return next((page for page in pages if page.key == first), pages[0])


def choose_page(viewer: Viewer | None) -> tuple[st.Page, MenuPage | None]:
    """Tell Streamlit which pages there are, and return the one asked for (None beside
    it: the way to the first page).
    """
    sections = find_sections(viewer)
    made = {page.key: _make(page, viewer) for pages in sections.values() for page in pages}
    listed: dict[str, list[st.Page]] = {
        "": [
            st.Page(
                lambda: st.switch_page(find_first(viewer).path),
                title=_("Écoute"),
                url_path=HOME,
                default=True,
                visibility="hidden",
            )
        ]
    }
    # An address that somebody else may open is answered in words of ours; Streamlit has
    # only its own, in English.
    closed = [page for pages in MENU.values() for page in pages if page.key not in made]
    listed[""] += [
        st.Page(lambda: _refuse(viewer), title=_("Écoute"), url_path=page.key, visibility="hidden")
        for page in closed
    ]
    for title, pages in sections.items():
        listed[_(title)] = [made[page.key] for page in pages]
    chosen = st.navigation(listed, position="sidebar" if viewer else "hidden", expanded=True)
    entry = next(
        (page for pages in sections.values() for page in pages if made[page.key] is chosen), None
    )
    return chosen, entry


def _refuse(viewer: Viewer | None) -> None:
    first = find_first(viewer)
    st.page_link(first.path, label=_(first.title), icon=":material/arrow_back:")
    raise AccessDenied()


def _make(page: MenuPage, viewer: Viewer | None) -> st.Page:
    visibility = "visible" if page.is_listed_for(viewer) else "hidden"
    return st.Page(
        page.path, title=_(page.title), icon=page.icon, url_path=page.key, visibility=visibility
    )
