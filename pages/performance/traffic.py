"""Traffic: when do people come, how long do they wait, and what becomes of those who
were missed?
"""

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui import empty_states, filter_bar, gate
from qa_core.ui.views.performance import traffic, waiting_times

viewer = gate.current_viewer(Permission.SEE_CALL_STATISTICS)
look = filter_bar.current()

filter_bar.show_title(_("Traffic"))
if not empty_states.is_shown(viewer, look):
    clock = traffic.read_clock(viewer, look)
    traffic.show_top(viewer, look, clock)
    traffic.show_when(viewer, look, clock)
    traffic.show_hours(viewer, look, clock)
    waiting_times.show(viewer, look, clock)
    traffic.show_table(viewer, look, clock)
