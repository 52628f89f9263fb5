"""Your first figures: do the contacts of a new centre agree with its telephony platform?"""

from qa_core.ui import page_frame
from qa_core.ui.views.performance import first_figures

viewer, state = page_frame.open_figures("first_figures")
first_figures.show(viewer, state)
