"""Overview: is the centre doing well, and what needs a look?"""

from qa_core.ui import page_frame
from qa_core.ui.views.performance import overview

viewer, state = page_frame.open_figures("overview")
overview.show(viewer, state)
