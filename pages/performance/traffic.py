"""Traffic: when people come, how long they wait, and what becomes of the missed."""

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui import empty_states, filter_bar, gate
from qa_core.ui.views.performance import traffic, waiting_times

viewer = gate.current_viewer(Permission.SEE_CALL_STATISTICS)
state = filter_bar.current()

filter_bar.show_title(_("Traffic"))
if not empty_states.is_shown(viewer, state):
    clock = traffic.read_clock(viewer, state)
    traffic.show_top(viewer, state)
    traffic.show_when(viewer, state, clock)
    traffic.show_hours(viewer, state, clock)
    waiting_times.show(viewer, state, clock)
    traffic.show_table(viewer, state, clock)
