"""Calibration: contacts scored blind by several evaluators, and how far they differ."""

from qa_core.ui import page_frame
from qa_core.ui.views.quality import calibration

viewer = page_frame.open_page("calibration")
calibration.show(viewer)
