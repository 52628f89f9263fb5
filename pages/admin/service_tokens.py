"""Service tokens: secrets of scripts that ask for figures, and how they ask."""

import streamlit as st

from qa_core.ui import page_frame
from qa_core.ui.views.admin import service_tokens

viewer = page_frame.open_page("service_tokens")
left, right = st.columns([5, 3])
# The new token comes first, so that the list has it.
with right:
    service_tokens.show_new(viewer)
with left:
    service_tokens.show_tokens(viewer)
service_tokens.show_examples()
