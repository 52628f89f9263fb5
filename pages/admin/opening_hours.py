"""Opening hours of each site: contacts nobody answered outside count as closed."""

from qa_core.ui import page_frame
from qa_core.ui.views.admin import opening_hours

viewer = page_frame.open_page("opening_hours")
site = opening_hours.choose_site(viewer)
if site is not None:
    opening_hours.ask_hours(viewer, site)
