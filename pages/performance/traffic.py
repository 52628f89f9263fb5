"""Traffic: when people come, how long they wait, and what becomes of the missed."""

from qa_core.ui import page_frame
from qa_core.ui.views.performance import selling, traffic, waiting_times

viewer, state = page_frame.open_figures("traffic")
clock = traffic.read_clock(viewer, state)
traffic.show_top(viewer, state)
traffic.show_when(viewer, state, clock)
traffic.show_hours(viewer, state, clock)
waiting_times.show(viewer, state, clock)
selling.show(viewer, state)
traffic.show_table(viewer, state, clock)
