"""Imports: files become figures after a look at what was understood; with undo."""

from qa_core.ui import page_frame
from qa_core.ui.views.admin import imports

viewer = page_frame.open_page("imports")
imports.show_waiting(viewer)
imports.ask_file(viewer)
imports.show_list(viewer)
