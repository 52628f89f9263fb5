"""Sources: which campaign brings contacts, what becomes of them, and what they cost."""

from qa_core.ui import page_frame
from qa_core.ui.views.tracking import sources

viewer, state = page_frame.open_figures("sources")
sources.show(viewer, state)
