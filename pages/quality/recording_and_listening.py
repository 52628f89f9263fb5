"""Recording and listening: the rules and periods, for the advisors they are about."""

from qa_core.ui import page_frame
from qa_core.ui.views.quality import own_information

viewer = page_frame.open_page("recording_and_listening")
own_information.show_counts(viewer)
own_information.show_information(viewer)
