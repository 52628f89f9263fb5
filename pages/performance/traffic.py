"""Traffic: when do people come, how long do they wait, and what becomes of those who were missed?"""

from qa_core.access import Permission
from qa_core.ui import empty, filter_bar, gate
from qa_core.ui.views import traffic, waiting
from qa_core.wording import _

viewer = gate.current_viewer(Permission.SEE_CALL_STATISTICS)
look = filter_bar.current()

filter_bar.show_title(_("Traffic"))
if not empty.is_shown(viewer, look):
    clock = traffic.read_clock(viewer, look)
    traffic.show_top(viewer, look, clock)
    traffic.show_when(viewer, look, clock)
    traffic.show_hours(viewer, look, clock)
    waiting.show(viewer, look, clock)
    traffic.show_table(viewer, look, clock)
