"""Journal: who did what, when and why, and whether the record is unbroken."""

from qa_core.ui import page_frame
from qa_core.ui.views.compliance import journal

viewer = page_frame.open_page("journal")
journal.show(viewer)
