"""Glossary: every KPI and every term, explained in plain words."""

import streamlit as st

from qa_core.base.i18n import _
from qa_core.ui.frame import gate
from qa_core.ui.views.account import glossary

viewer = gate.current_signed_in().viewer

st.title(_("Glossary"), anchor=False)
glossary.show(viewer)
