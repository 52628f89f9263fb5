"""Explain a number: what was counted, by which rules, from which sources."""

from qa_core.base.i18n import _
from qa_core.ui import page_frame
from qa_core.ui.frame import filter_bar
from qa_core.ui.views.performance import explain
from qa_core.ui.widgets import empty_states, explain_link

viewer = page_frame.open_page("explain", has_title=False)
state = filter_bar.current()
kpi = explain_link.read_kpi()

filter_bar.show_title(_(kpi.title))
if not empty_states.is_shown(viewer, state, count=1):
    explain.show(viewer, state, kpi)
