"""Deliveries: what leaves by mail and webhook, to whom, and its outcome."""

from qa_core.ui import page_frame
from qa_core.ui.views.compliance import deliveries

viewer = page_frame.open_page("deliveries")
deliveries.show_gate(viewer)
deliveries.show_recipients(viewer)
deliveries.show_ledger(viewer)
