"""Explain a number: what was counted and what was left out, by which rules, and from which sources. Found by links beside figures."""

from qa_core.access import Permission
from qa_core.ui import empty, explaining, filter_bar, gate
from qa_core.ui.views import explain
from qa_core.wording import _

viewer = gate.current_viewer(Permission.SEE_SCORES)
look = filter_bar.current()
kpi = explaining.read_kpi()

filter_bar.show_title(_(kpi.title))
if not empty.is_shown(viewer, look, count=1):
    explain.show(viewer, look, kpi)
