"""Disputes: what advisors disagree with, longest waiting first, and what came of it."""

from qa_core.access import Permission
from qa_core.ui import filter_bar, gate
from qa_core.ui.views import disputes
from qa_core.wording import _

viewer = gate.current_viewer(Permission.DECIDE_DISPUTES)
look = filter_bar.current()

filter_bar.show_title(_("Disputes"))
disputes.show_lists(viewer)
disputes.show_outcomes(viewer, look)
