"""Find: pages, KPIs, advisors and contacts by name or id, within the reader's scope."""

from qa_core.ui import page_frame
from qa_core.ui.views.account import find

viewer = page_frame.open_page("find")
find.show(viewer)
