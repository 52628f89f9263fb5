"""Call-backs: missed callers who wait, and what was done about them."""

from qa_core.ui import page_frame
from qa_core.ui.views.performance import call_backs

viewer = page_frame.open_page("call_backs")
call_backs.show(viewer)
