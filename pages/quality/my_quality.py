"""My quality: my own results, and who listened to my contacts."""

from qa_core.ui import page_frame
from qa_core.ui.frame import filter_bar
from qa_core.ui.views.quality import coaching, my_quality, own_information
from qa_core.ui.widgets import empty_states

viewer = page_frame.open_page("my_quality")
state = filter_bar.current()
if viewer.advisor_id is None:
    my_quality.show_unlinked()
else:
    news = my_quality.show_news(viewer)
    if not empty_states.is_shown(viewer, state):
        coaching.show_line(viewer)
        my_quality.show_top(viewer, state)
        my_quality.show_evaluations(viewer, state, news)
        own_information.show_playbacks(viewer)
