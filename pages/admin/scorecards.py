"""Scorecards: written as drafts, tried out, published as versions that never change."""

from qa_core.ui import page_frame
from qa_core.ui.views.admin import scorecards

viewer = page_frame.open_page("scorecards")
scorecards.ask_new(viewer)
stored = scorecards.choose(viewer)
if stored is not None:
    scorecards.show(viewer, stored)
