"""Saved views: the dialog that saves, opens, renames, shares and deletes them."""

import streamlit as st

from qa_core.access import saved_views
from qa_core.access.roles import Viewer
from qa_core.access.saved_views import View
from qa_core.base.errors import AccessDenied
from qa_core.base.i18n import _
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import BY_KEY
from qa_core.ui.frame import cached, filter_bar, gate, layout, menu
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, notices

NOT_CUT = ("day", "week", "month")
MISSING = {"", "-"}
"""Values of an address that mean "not known"."""
NOBODY = "nobody"
SAVED = "view_saved"
"""Key in the session's state: a new view was saved, and nothing was sent since."""
SHOWING_MISSED = {"overview", "traffic", "sources"}
"""Pages whose figures count missed contacts."""


def show_button(page_key: str) -> None:
    label = _("Saved views")
    if st.button(label, icon=":material/bookmark:", type="tertiary", key="saved_views"):
        st.dialog(label, icon=":material/bookmark:")(_show)(page_key)


def _show(page_key: str) -> None:
    viewer = gate.current_viewer()
    views = saved_views.find_views(viewer)
    own_views = [view for view in views if view.owner is None]

    def find_lost() -> list[str]:
        names = [view.name for view in own_views if view.page in SHOWING_MISSED]
        return names if query.find_out_of_scope(viewer, ("answer_rate",)) else []

    notices.show_lost_figures(viewer, "views", find_lost)
    for view in own_views:
        with st.container(horizontal=True, vertical_alignment="center", wrap=False):
            if not _show_link(viewer, view):
                st.text(view.name, help=_("You may no longer see what this view is about."))
            with st.popover(
                "", icon=":material/edit:", type="tertiary", help=_("Rename, share or delete")
            ):
                _show_form(viewer, view)
    if not own_views:
        st.caption(_("You have no saved view yet. Set the filters of a page, then save it here."))
    title = st.empty()
    are_open = [_show_link(viewer, view) for view in views if view.owner is not None]
    if any(are_open):
        title.markdown("**{}**".format(_("Shared with me")), help=_("Opens on what you may see."))
    page = menu.find_open_page(page_key, viewer)
    if page is not None and (page.filters is not None or page.has_own_period):
        st.markdown("**{}**".format(_("Save the page {page}", page=_(page.title))))
        _show_form(viewer, None, page)


def visible_parameters(viewer: Viewer, view: View) -> dict[str, list[str]] | None:
    """Return the parameters that this person may see; None for another team's advisor."""
    kept = {}
    for name, values in view.parameters.items():
        if view.page == "advisor" and name == "id":
            seen = {advisor.advisor_id for advisor in cached.find_advisors(viewer)}
            if not set(values) <= seen:
                return None
        if name in BY_KEY and name not in NOT_CUT:
            known = _find_known(viewer, name)
            values = [value for value in values if value in known]
        if values:
            kept[name] = list(values)
    return kept


def _find_known(viewer: Viewer, dimension: str) -> set[str]:
    try:
        values = cached.find_values(viewer, dimension)
    except AccessDenied:
        return set()
    return {str(value) for value, _count in values} | MISSING


def _show_link(viewer: Viewer, view: View) -> bool:
    """Show the link that opens a view; return whether this person may open it."""
    page = menu.find_open_page(view.page, viewer)
    parameters = visible_parameters(viewer, view) if page is not None else None
    if page is None or parameters is None:
        return False
    with st.container(gap=None):
        menu.show_page_link(page.key, escape(view.name), query=parameters)
        parts = [_(page.title)]
        if view.owner:
            parts.append(_("shared by {name}", name=view.owner))
        elif view.shared_with:
            parts.append(_("shared"))
        if parameters != view.parameters:
            parts.append(_("some of its filters are left out: you see no such contacts"))
        st.caption(escape(" · ".join(parts)))
    return True


def _show_form(viewer: Viewer, view: View | None, page: menu.MenuPage | None = None) -> None:
    """Show the form of a view, or of a new one of that page."""
    key = f"view_{view.id if view else 'new'}"
    sharings = saved_views.find_sharings(viewer)
    with st.form(key, border=False, clear_on_submit=view is None):
        name = st.text_input(_("Name"), view.name if view else "", max_chars=saved_views.MAX_NAME)
        titles = {NOBODY: _("Nobody")} | {key: _(saved_views.SHARINGS[key]) for key in sharings}
        chosen, current = NOBODY, view.shared_with if view else NOBODY
        if sharings:
            chosen = layout.select(st, _("Share with"), titles, chosen=current)
        with st.container(horizontal=True):
            is_saved = st.form_submit_button(_("Save"), type="primary")
            is_removed = view is not None and st.form_submit_button(_("Delete"))
    shared_with = None if chosen == NOBODY else chosen
    with actions.show_refusals():
        if is_removed:
            saved_views.remove(viewer, view.id)
        elif is_saved and view is not None:
            saved_views.change(viewer, view.id, name, shared_with)
        elif is_saved and st.session_state.pop(SAVED, False) and not name.strip():
            pass  # the second click of two: the first one has emptied the form
        elif is_saved and page is not None:
            # With the period even if it is the usual one: a link that says nothing
            # leaves the filters as they are.
            address = {name: st.query_params.get_all(name) for name in st.query_params}
            address |= filter_bar.share()
            saved_views.save(viewer, name, page.key, address, shared_with)
            st.session_state[SAVED] = True
        if is_removed or is_saved:
            st.rerun(scope="fragment")
