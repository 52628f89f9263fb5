"""The server: the front door, our own routes beside the pages, and the headers around
all of them. Run: streamlit run app.py
"""

import streamlit as st

from qa_core.ui import asgi
from qa_core.ui.frame import gate

asgi.check_start()
app = st.App(
    "qa_core/ui/front_door.py",
    routes=asgi.ROUTES,
    middleware=asgi.MIDDLEWARE,
    on_script_error=gate.report_error,
)
