"""Freshness of the data: below the menu, and source by source where files are imported."""

from datetime import date, datetime

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.metrics.query import Freshness
from qa_core.metrics.query.freshness import SOURCE_TITLES
from qa_core.ui import cached


def show(viewer: Viewer) -> None:
    """Show the last moment of the data, and on demand the last import of each source."""
    through, sources = cached.data_through(viewer), cached.find_freshness(viewer)
    said = _("No contacts yet") if sources else _("No data yet")
    if through:
        said = _("Data through {moment}", moment=formatting.moment(through))
    if not sources:
        st.caption(said)
        return
    with st.popover(said, type="tertiary"), st.container(gap="small"):
        for source in reversed(sources):
            newest = (
                [_("newest {moment}", moment=_describe(source.newest))] if source.newest else []
            )
            imported = _("imported {moment}", moment=formatting.moment(source.imported_at))
            with st.container(gap=None):
                st.text(f"{source.system} · {_describe_kind(source)}")
                st.caption(" · ".join([imported, *newest]))


def show_table(viewer: Viewer) -> None:
    """Show one line per source, the one without news for longest first."""
    sources = cached.find_freshness(viewer)
    if not sources:
        return
    st.subheader(_("Freshness of each source"), anchor=False)
    rows = [
        {
            _("Tool"): source.system,
            _("Kind"): _describe_kind(source),
            _("Last import"): formatting.moment(source.imported_at),
            _("Newest contact or day"): _describe(source.newest) if source.newest else "–",
        }
        for source in sources
    ]
    st.dataframe(rows, hide_index=True, width="stretch")


def _describe_kind(source: Freshness) -> str:
    return _(SOURCE_TITLES[source.kind]) if source.kind in SOURCE_TITLES else source.kind


def _describe(newest: datetime | date) -> str:
    if isinstance(newest, datetime):
        return formatting.moment(newest)
    return formatting.day(newest, year=True)
