"""Glossary: every KPI and every term, explained in plain words."""

from qa_core.ui import page_frame
from qa_core.ui.views.account import glossary

viewer = page_frame.open_page("glossary")
glossary.show(viewer)
