"""Board sheet: satisfaction, resolution, service level and cost on one page."""

from qa_core.ui import page_frame
from qa_core.ui.frame import styles
from qa_core.ui.views.performance import board

viewer = page_frame.open_page("board", has_title=False)

styles.fit_one_page(is_sheet=True)
board.show(viewer)
