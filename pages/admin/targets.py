"""Targets and alerts: what numbers should reach, and when they need a look."""

from qa_core.ui import page_frame
from qa_core.ui.views.admin import targets

viewer = page_frame.open_page("targets")
section = targets.choose_section(viewer)
targets.show_lost_figures(viewer)
if section == "targets":
    targets.show_targets(viewer)
elif section == "alerts":
    targets.show_alerts(viewer)
else:
    targets.show_notes(viewer)
