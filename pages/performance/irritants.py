"""Irritants: what annoys customers again and again, and who sees to it."""

from qa_core.access import Permission
from qa_core.ui import empty, filter_bar, gate
from qa_core.ui.views import action_list, irritants
from qa_core.wording import _

viewer = gate.current_viewer(Permission.SEE_IRRITANTS)
look = filter_bar.current()

filter_bar.show_title(_("Irritants"))
entries = action_list.show(viewer, look)
if not empty.is_shown(viewer, look):
    irritants.show(viewer, look, entries)
