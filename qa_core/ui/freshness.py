"""How fresh the data is: in a word below the menu, source by source behind it, and as a
table where files are imported.
"""

from __future__ import annotations

from datetime import date, datetime

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.metrics.query import Freshness
from qa_core.metrics.query.freshness import SOURCE_TITLES
from qa_core.ui import cached


def show(viewer: Viewer) -> None:
    """The last moment that the data knows; opened, when each source brought something
    last.
    """
    through = cached.data_through(viewer)
    sources = cached.find_freshness(viewer)
    said = (
        _("Data through {moment}", moment=formatting.moment(through))
        if through
        else _("No contacts yet")
        if sources
        else _("No data yet")
    )
    if not sources:
        st.caption(said)
        return
    with st.popover(said, type="tertiary"), st.container(gap="small"):
        for source in reversed(sources):
            source_lines = st.container(gap=None)
            source_lines.text(f"{source.system} · {_kind(source)}")
            source_lines.caption(
                _("imported {moment}", moment=formatting.moment(source.imported_at))
                + (f" · {_newest(source)}" if source.newest else "")
            )


def show_table(viewer: Viewer) -> None:
    """One row per source, the one that waits longest for news first."""
    sources = cached.find_freshness(viewer)
    if not sources:
        return
    st.subheader(_("How fresh each source is"), anchor=False)
    rows = [
        {
            _("Tool"): source.system,
            _("Kind"): _kind(source),
            _("Last import"): formatting.moment(source.imported_at),
            _("Newest contact or day"): _describe(source.newest) if source.newest else "–",
        }
        for source in sources
    ]
    st.dataframe(rows, hide_index=True, width="stretch")


def _kind(source: Freshness) -> str:
    return _(SOURCE_TITLES[source.kind]) if source.kind in SOURCE_TITLES else source.kind


def _newest(source: Freshness) -> str:
    return _("newest {moment}", moment=_describe(source.newest))


def _describe(newest: datetime | date) -> str:
    return (
        formatting.moment(newest)
        if isinstance(newest, datetime)
        else formatting.day(newest, year=True)
    )
