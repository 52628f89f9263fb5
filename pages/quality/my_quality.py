"""My quality: my own results, and who listened to my contacts."""

from qa_core.access import Permission
from qa_core.ui import empty, filter_bar, gate
from qa_core.ui.views import coaching, listenings, my_quality
from qa_core.wording import _

viewer = gate.current_viewer(Permission.SEE_OWN_QUALITY)
look = filter_bar.current()

filter_bar.show_title(_("My quality"))
if viewer.advisor_id is None:
    my_quality.show_unlinked()
else:
    news = my_quality.show_news(viewer)
    if not empty.is_shown(viewer, look):
        coaching.show_line(viewer)
        my_quality.show_top(viewer, look)
        my_quality.show_evaluations(viewer, look, news)
        listenings.show(viewer)
