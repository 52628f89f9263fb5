"""Coaching: who needs what this week, and what advisors and their leads work on."""

from qa_core.access.roles import Permission
from qa_core.ui import page_frame
from qa_core.ui.views.quality import coaching

viewer = page_frame.open_page("coaching")
if viewer.can(Permission.MANAGE_COACHING):
    coaching.show_week(viewer)
coaching.show_plans(viewer)
