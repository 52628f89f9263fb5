"""Freshness of the data, below the menu; source by source on demand."""

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis.explanations import describe_moment
from qa_core.base.i18n import _
from qa_core.metrics.kpi.freshness import SOURCE_TITLES
from qa_core.metrics.kpis import formatting
from qa_core.metrics.query import Freshness
from qa_core.ui.frame import cached
from qa_core.ui.frame.markdown import escape


def show(viewer: Viewer) -> None:
    """Show the last moment of the data, and on demand the last import of each source."""
    through, sources = cached.data_through(viewer), cached.find_freshness(viewer)
    text = _("No data yet")
    if through:
        text = _("Data through {moment}", moment=formatting.moment(through))
    if not sources:
        st.caption(text)
        return
    with st.popover(text, type="tertiary"), st.container(gap="small"):
        for source in reversed(sources):
            facts = [_("imported {moment}", moment=formatting.moment(source.imported_at))]
            if source.newest:
                facts.append(_("newest {moment}", moment=describe_moment(source.newest)))
            with st.container(gap=None):
                st.text(f"{source.system} · {_describe_kind(source)}")
                st.caption(escape(" · ".join(facts)))
        st.caption(_("Data version {code}", code=cached.name_version()))


def _describe_kind(source: Freshness) -> str:
    return _(SOURCE_TITLES[source.kind]) if source.kind in SOURCE_TITLES else source.kind
