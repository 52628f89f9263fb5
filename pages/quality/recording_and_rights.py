"""Recording and listening: what is kept, who listened, what is planned, and my rights."""

from qa_core.compliance.documents import printing
from qa_core.ui import page_frame
from qa_core.ui.views.compliance import documents
from qa_core.ui.views.quality import own_information

viewer = page_frame.open_page("recording_and_rights")
if viewer.advisor_id is not None:
    own_information.show_counts(viewer)
    own_information.show_playbacks(viewer, "recording_and_rights")
    own_information.show_planned(viewer)
    own_information.show_rights(viewer)
documents.show_blocks(printing.list_own_information(viewer))
