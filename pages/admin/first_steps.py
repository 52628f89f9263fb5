"""First steps: from an empty centre to its first figure, each with its reason."""

from qa_core.ui import page_frame
from qa_core.ui.views.admin import first_steps

viewer = page_frame.open_page("first_steps")
first_steps.show(viewer)
