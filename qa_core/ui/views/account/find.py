"""The Find page: pages, KPIs, advisors and contacts that the reader may see."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import N_, _
from qa_core.centre.advisors import normalise_name
from qa_core.metrics import query
from qa_core.metrics.kpis import ALL, formatting
from qa_core.ui import page_script
from qa_core.ui.frame import cached, menu, open_once
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import explain_link

MAX = 8
"""Results of one kind that are shown."""
SHORTEST = 2
"""Characters from which names are searched."""


@dataclass(frozen=True)
class SearchResult:
    """One result: a link with its label, and what is said below it."""

    page: str
    label: str
    about: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def show(viewer: Viewer) -> None:
    """Show the field and, below it, the results by kind."""
    kinds = {
        title: find
        for title, find, permission in KINDS
        if permission is None or viewer.can(permission)
    }
    with st.container(key=page_script.FIELD):
        text = st.text_input(
            _("Find"),
            key="find_text",
            label_visibility="collapsed",
            icon=":material/search:",
            placeholder=" · ".join(map(_, kinds)),
        ).strip()
    if not text:
        st.caption(_("Press / on any page to search."))
        return
    matches = {title: list(islice(find(viewer, text), MAX + 1)) for title, find in kinds.items()}
    if not any(matches.values()):
        st.write(escape(_("Nothing found for “{text}” in what you may see.", text=text)))
    for title, results in matches.items():
        if results:
            st.markdown(f"##### {_(title)}")
        for result in results[:MAX]:
            _show_result(result)
        if len(results) > MAX:
            st.caption(_("There are more. Type more of the name."))


def _show_result(result: SearchResult) -> None:
    with st.container(gap=None):
        menu.show_page_link(result.page, escape(result.label), query=result.parameters)
        if result.about:
            st.caption(escape(result.about))


def _find_pages(viewer: Viewer, text: str) -> Iterator[SearchResult]:
    for section, pages in menu.find_sections(viewer).items():
        for page in pages:
            is_offered = page.is_listed_for(viewer) and page.key != menu.FIND
            if is_offered and _matches(text, _(page.title), _(section)):
                yield SearchResult(page.key, _(page.title), _(section))


def _find_kpis(viewer: Viewer, text: str) -> Iterator[SearchResult]:
    for kpi in ALL:
        titles = (_(kpi.title), formatting.short_title(kpi), kpi.key.replace("_", " "))
        if viewer.can(kpi.needs) and _matches(text, *titles):
            about = {"kpi": kpi.key}
            yield SearchResult(explain_link.PAGE, _(kpi.title), _(kpi.meaning), about)


def _find_advisors(viewer: Viewer, text: str) -> Iterator[SearchResult]:
    for advisor in cached.find_advisors(viewer):
        if _matches(text, advisor.name, advisor.advisor_id):
            teams = formatting.listing(team for team in advisor.teams if team)
            yield SearchResult("advisor", advisor.name, teams, {"id": advisor.advisor_id})


def _find_contacts(viewer: Viewer, text: str) -> Iterator[SearchResult]:
    matches: list[dict[str, Any]] = open_once.read(
        "contacts_searched", text, query.read_by_id, query.find_by_id, viewer, text
    )
    for contact in matches:
        parts = [formatting.moment(contact["local_start"]), contact["source_system"]]
        parts += [formatting.name(name, contact[name]) for name in ("channel", "queue")]
        parameters = {"system": contact["source_system"], "id": contact["contact_id"]}
        yield SearchResult("contact", contact["contact_id"], " · ".join(parts), parameters)


KINDS = (
    (N_("Pages"), _find_pages, None),
    (N_("KPIs"), _find_kpis, Permission.SEE_SCORES),
    (N_("Advisors"), _find_advisors, Permission.SEE_ADVISORS),
    (N_("Contacts"), _find_contacts, Permission.SEE_CONTACTS),
)
"""Title of each kind of result, the search, and the permission of the page that it leads to."""


def _matches(text: str, *titles: str) -> bool:
    """Return whether each word typed begins a word of these titles, or is initials."""
    typed = normalise_name(text).split()
    together = "".join(typed)
    if len(together) < SHORTEST:
        return False
    known = [normalise_name(title).split() for title in titles]
    words = [word for title in known for word in title]
    return all(any(word.startswith(start) for word in words) for start in typed) or any(
        "".join(word[0] for word in title) == together for title in known
    )
