"""Overview: is the centre doing well, and what needs a look?"""

from qa_core.ui import page_frame
from qa_core.ui.views.performance import overview

viewer, state = page_frame.open_figures("overview")
rows, series = overview.read(viewer, state)
overview.show_top(viewer, state, rows, series)
overview.show_more(viewer, state, rows, series)
