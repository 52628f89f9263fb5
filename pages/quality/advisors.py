"""Advisors: side by side, with intervals, and no more difference than there is."""

from qa_core.access import Permission
from qa_core.ui import empty, filter_bar, gate
from qa_core.ui.views import advisors
from qa_core.wording import _

viewer = gate.current_viewer(Permission.SEE_ADVISORS)
look = filter_bar.current()

filter_bar.show_title(_("Advisors"))
if not empty.is_shown(viewer, look):
    advisors.show_tiles(viewer, look)
    advisors.show_views(viewer, look)
