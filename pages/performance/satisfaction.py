"""Satisfaction: what customers say over time, how sure it is, what it goes with, and who answered. Never a person; prints on one page."""

from qa_core.access import Permission
from qa_core.ui import empty, filter_bar, gate, printing
from qa_core.ui.views import satisfaction
from qa_core.wording import _

viewer = gate.current_viewer(Permission.SEE_SATISFACTION)
look = filter_bar.current()

filter_bar.show_title(_("Satisfaction"))
if not empty.is_shown(viewer, look):
    printing.fit_one_page()
    satisfaction.show_top(viewer, look)
    satisfaction.show_why(viewer, look)
    satisfaction.show_cuts(viewer, look)
