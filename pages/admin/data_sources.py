"""Sources of data: tools that are read by themselves, their days and their gaps."""

from qa_core.ui import page_frame
from qa_core.ui.views.admin import data_sources

viewer = page_frame.open_page("data_sources")
data_sources.show_sources(viewer)
