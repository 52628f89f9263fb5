"""Listening plan: who is listened to how much, drawn fairly, given out evenly."""

from qa_core.ui import page_frame
from qa_core.ui.views.quality import listening

viewer = page_frame.open_page("listening")
listening.show(viewer)
