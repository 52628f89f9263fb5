"""Imports: files become figures after a look at what was understood; with undo."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import gate
from qa_core.ui.views.admin import imports
from qa_core.ui.widgets import freshness

viewer = gate.current_viewer(Permission.MANAGE_IMPORTS)

st.title(_("Imports"), anchor=False)
imports.ask_file(viewer)
freshness.show_table(viewer)
imports.show_list(viewer)
