"""Disputes: open ones first, the longest waiting on top, then the decisions."""

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import filter_bar, gate
from qa_core.ui.views.quality import disputes

viewer = gate.current_viewer(Permission.DECIDE_DISPUTES)
state = filter_bar.current()

filter_bar.show_title(_("Disputes"))
disputes.show_lists(viewer)
disputes.show_outcomes(viewer, state)
