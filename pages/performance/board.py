"""Board sheet: satisfaction, resolution, service level and cost on one page."""

from qa_core.access.roles import Permission
from qa_core.ui.frame import gate, styles
from qa_core.ui.views.performance import board

viewer = gate.current_viewer(Permission.SEE_BOARD)

styles.fit_one_page(is_sheet=True)
board.show(viewer)
