"""Names: spellings of advisors, queues, reasons and campaigns counted as one."""

from qa_core.ui import page_frame
from qa_core.ui.views.admin import names

viewer = page_frame.open_page("names")
kind = names.choose_kind(viewer)
names.show_suggestions(viewer, kind)
names.ask_merge(viewer, kind)
names.show_decisions(viewer, kind)
