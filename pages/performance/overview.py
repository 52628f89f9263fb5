"""Overview: is the centre doing well, and what needs a look?"""

from qa_core.access import Permission
from qa_core.ui import empty, filter_bar, gate
from qa_core.ui.views import overview
from qa_core.wording import _

viewer = gate.current_viewer(Permission.SEE_CALL_STATISTICS)
look = filter_bar.current()

filter_bar.show_title(_("Overview"))
if not empty.is_shown(viewer, look):
    rows, series = overview.read(viewer, look)
    overview.show_top(viewer, look, rows, series)
    overview.show_more(viewer, look, rows, series)
